import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest

from device.classifier import Verdict
from device.decision import Decision
from device.events import Alert, Event, Kind, State
from device.faces import Box, iou
from device.levels import Levels
from device.limits import HIGHEST_LEVEL, LOWEST_LEVEL
from device.look import Look
from device.people import SAME_FACE_IOU
from device.settings import DecisionSettings

LEVELS = Levels(threshold=0.6, release=0.4)
SETTINGS = DecisionSettings(least_move=0.0)  # faces here mostly stay where they are
Scene = Callable[[float], list[Verdict]]
LEFT, RIGHT = Box(0, 0, 100, 100), Box(300, 0, 100, 100)


def verdict(score: float, box: Box = LEFT) -> Verdict:
    return Verdict(box, 5.0, (1 - score, score), score, "without_mask" if score >= LEVELS.threshold else "with_mask")


def play(scene: Scene, frames_per_second: int, seconds: float, **settings: Any) -> list[Alert]:
    """Return the alerts of a door at which scene(t) gives the verdicts at t seconds."""
    decision = Decision(dataclasses.replace(SETTINGS, **settings), LEVELS)
    times = [frame / frames_per_second for frame in range(round(seconds * frames_per_second))]
    return [alert for now in times if (alert := decision.update(now, scene(now))[0])]


def states(alerts: list[Alert]) -> list[State]:
    return [alert.state for alert in alerts]


def test_one_visit_without_a_mask_gives_one_alert_a_change() -> None:
    # Scores and times are binary fractions here, so that nothing is rounded.
    assert play(lambda t: [verdict(0.875)] if 1 <= t < 4 else [], 16, 10) == [
        Alert(State.CHECKING, 1.1875, 0.875),  # the first frame after 0.15 s
        Alert(State.ALARM, 1.4375, 0.875),  # after 0.4 s
        Alert(State.IDLE, 4.6875, None),  # last seen at 3.9375, and more than 0.7 s have gone by
    ]


def test_a_mask_put_on_ends_the_alarm() -> None:
    alerts = play(lambda t: [verdict(0.9 if t < 3 else 0.1)], 10, 6)
    assert states(alerts) == [State.CHECKING, State.ALARM, State.CLEAR]
    assert 3.5 < alerts[2].at < 4.0  # when the mean over the last second falls below the release level


def test_it_behaves_alike_at_5_and_at_30_frames_a_second() -> None:
    def scene(t: float) -> list[Verdict]:
        if not 1 <= t < 11:
            return []
        return [verdict(0.95 if t < 5 else 0.05)] + ([verdict(0.05, RIGHT)] if 3 <= t < 8 else [])

    slow, fast = play(scene, 5, 15), play(scene, 30, 15)
    assert states(slow) == states(fast) == [State.CHECKING, State.ALARM, State.CLEAR, State.IDLE]
    assert [alert.at for alert in slow] == pytest.approx([alert.at for alert in fast], abs=0.2)  # one slow frame


@pytest.mark.parametrize("frames_per_second", [1, 2, 3])
def test_a_slow_pi_reaches_its_verdict_with_three_scores(frames_per_second: int) -> None:
    alerts = play(lambda t: [verdict(0.9)], frames_per_second, 5)
    assert states(alerts) == [State.CHECKING, State.ALARM]
    assert alerts[1].at == 2 / frames_per_second


def test_an_empty_door_never_rings() -> None:
    assert play(lambda t: [], 1, 24 * 3600) == []


@pytest.mark.parametrize("frames_per_second", [2, 5, 30])
@pytest.mark.parametrize("wild", [2.0, 2.5, 4.0])
def test_a_single_wild_frame_changes_nothing(frames_per_second: int, wild: float) -> None:
    def masked(t: float) -> list[Verdict]:
        return [verdict(1.0 if t == wild else 0.1)]

    def ghost(t: float) -> list[Verdict]:  # the finder sees a face where there is none
        return [verdict(0.1)] + ([verdict(1.0, RIGHT)] if t == wild else [])

    def missed(t: float) -> list[Verdict]:  # the finder misses the face
        return [] if t == wild else [verdict(0.1)]

    for scene in (masked, ghost, missed):
        assert states(play(scene, frames_per_second, 6)) == [State.CHECKING, State.CLEAR]
    assert play(lambda t: [verdict(1.0)] if t == wild else [], frames_per_second, 6) == []


def test_a_wild_first_frame_does_not_ring() -> None:
    assert states(play(lambda t: [verdict(1.0 if t == 0 else 0.1)], 5, 4)) == [State.CHECKING, State.CLEAR]


def test_between_the_levels_a_face_keeps_its_state_and_a_new_one_is_not_sure() -> None:
    def then_between(first: float) -> Scene:
        return lambda t: [verdict(first if t < 2 else 0.5)]

    assert states(play(then_between(0.9), 10, 8)) == [State.CHECKING, State.ALARM]
    assert states(play(then_between(0.1), 10, 8)) == [State.CHECKING, State.CLEAR]
    assert states(play(then_between(0.5), 10, 8)) == [State.CHECKING]


def test_scores_that_swing_about_the_threshold_ring_once() -> None:
    assert states(play(lambda t: [verdict(0.9 if round(t * 10) % 2 else 0.45)], 10, 20)) == [
        State.CHECKING, State.ALARM,
    ]


def test_the_most_urgent_face_decides() -> None:
    def scene(t: float) -> list[Verdict]:
        return [verdict(0.1)] + ([verdict(0.5, RIGHT)] if 2 <= t < 4 else []) + (
            [verdict(0.9, RIGHT)] if 6 <= t < 8 else []
        )

    assert states(play(scene, 10, 12)) == [
        State.CHECKING, State.CLEAR, State.CHECKING, State.CLEAR, State.CHECKING, State.ALARM, State.CHECKING,
        State.CLEAR,
    ]


@pytest.mark.parametrize("frames_per_second", [3, 10, 30])
@pytest.mark.parametrize("away", [1.0, 1.5, 2.0])  # seconds
def test_who_turns_a_bare_face_away_opens_no_door_for_others(away: float, frames_per_second: int) -> None:
    def scene(t: float) -> list[Verdict]:  # the bare one turns away again and again, and goes at 20 s
        return [verdict(0.1)] + [verdict(0.9, RIGHT)] * (2 <= t < 20 and not (t % 5) > 5 - away)

    alerts = play(scene, frames_per_second, 30)
    assert [alert.state for alert in alerts if alert.at < 2] == [State.CHECKING, State.CLEAR]
    assert State.CLEAR not in [alert.state for alert in alerts if 2 <= alert.at < 20]
    assert alerts[-1].state is State.CLEAR
    assert alerts[-1].at == pytest.approx(20 + 2.5 - away, abs=0.34)


@pytest.mark.parametrize("frames_per_second", [5, 10, 30])
def test_who_walks_by_without_a_mask_keeps_the_door_shut_only_while_they_are_seen(frames_per_second: int) -> None:
    def scene(t: float) -> list[Verdict]:
        here = Box(400 + round(10 * math.sin(3 * t)), 120, 80, 100)
        by = t % 5 if t >= 5 else 5.0  # seconds since the latest came into the picture
        return [verdict(0.1, here)] + [verdict(0.9, Box(round(20 + 200 * by), 30, 48, 60))] * (by < 2)

    alerts = play(scene, frames_per_second, 30, least_move=DecisionSettings().least_move)
    cleared = [alert.at % 5 for alert in alerts if alert.at > 5 and alert.state is State.CLEAR]
    assert len(cleared) == 5
    assert max(cleared) < 2 + SETTINGS.forget_seconds + 0.4


@pytest.mark.parametrize("frames_per_second", [5, 10, 30])
@pytest.mark.parametrize("down", [False, True])
def test_a_step_aside_is_no_walk_by(down: bool, frames_per_second: int) -> None:
    def scene(t: float) -> list[Verdict]:  # by two heights in 0.8 s, before the end of which the face is turned away
        here = Box(400 + round(10 * math.sin(3 * t)), 120, 80, 100)
        way = round(5 * math.sin(2 * t) + 250 * max(0.0, t - 4))
        there = Box(50, 120 + way, 80, 100) if down else Box(50 + way, 120, 80, 100)
        return [verdict(0.1, here)] + [verdict(0.9, there)] * (t < 4.7)

    alerts = play(scene, frames_per_second, 10, least_move=DecisionSettings().least_move)
    assert State.CLEAR not in [alert.state for alert in alerts if alert.at < 4.7 + 2.5 - 0.2]
    assert alerts[-1].state is State.CLEAR


@pytest.mark.parametrize("frames_per_second", [10, 30])
def test_who_goes_far_in_a_long_window_but_slowly_is_no_walk_by(frames_per_second: int) -> None:
    def scene(t: float) -> list[Verdict]:  # 2.9 heights in the last two seconds, in which two a second are a walk
        here = Box(600 + round(10 * math.sin(3 * t)), 120, 80, 100)
        x = 50 + 60 * min(max(t - 3, 0), 1.6) + 150 * max(0.0, t - 4.6)
        return [verdict(0.1, here)] + [verdict(0.9, Box(round(x), 120, 48, 60))] * (t < 5.1)

    alerts = play(scene, frames_per_second, 12, window_seconds=2.0, least_move=DecisionSettings().least_move)
    assert State.CLEAR not in [alert.state for alert in alerts if 4.2 < alert.at < 5.1 + 2.5 - 0.2]
    assert alerts[-1].state is State.CLEAR


@pytest.mark.parametrize("frames_per_second", [10, 30])
def test_who_walks_up_and_looks_down_on_stopping_is_no_walk_by(frames_per_second: int) -> None:
    def scene(t: float) -> list[Verdict]:  # at 4 heights a second, slowing down in 0.3 s, and seen for 0.2 s after that
        here = Box(500 + round(10 * math.sin(3 * t)), 120, 80, 100)
        going, slowing = min(t, 5) - 4, min(max(t - 5, 0), 0.3)
        x = 100 + 240 * going + 240 * (slowing - slowing**2 / 0.6)
        return [verdict(0.1, here)] + [verdict(0.9, Box(round(x), 120, 48, 60))] * (4 <= t < 5.5)

    alerts = play(scene, frames_per_second, 10, least_move=DecisionSettings().least_move)
    assert State.CLEAR not in [alert.state for alert in alerts if 4.2 < alert.at < 5.5 + 2.5 - 0.2]
    assert alerts[-1].state is State.CLEAR


@pytest.mark.parametrize("frames_per_second", [5, 10, 15, 30])
def test_who_only_glances_up_without_a_mask_opens_no_door_for_others(frames_per_second: int) -> None:
    def scene(t: float) -> list[Verdict]:  # for half a second, and then looks down for one, again and again
        def sways(x: float) -> Box:
            return Box(round(x + 8 * math.sin(2 * t)), 120, 80, 100)

        bare = dataclasses.replace(verdict(0.9, sways(400)), look=Look(moved=0.03))
        return [verdict(0.1, sways(100))] + [bare] * (t < 6 or (t - 6) % 1.5 >= 1)

    alerts = play(scene, frames_per_second, 60, least_move=DecisionSettings().least_move)
    assert State.CLEAR not in states(alerts)


@pytest.mark.parametrize("frames_per_second", [3, 5, 10, 30])
@pytest.mark.parametrize("level", [0, 20])  # px
def test_who_walks_past_each_other_stays_who_they_are(level: int, frames_per_second: int) -> None:
    def scene(t: float) -> list[Verdict]:  # at 3.3 heights a second
        way = round(200 * t)
        return [verdict(0.9, Box(20 + way, 200, 48, 60)), verdict(0.1, Box(620 - way, 200 + level, 48, 60))]

    events = events_of(scene, frames_per_second, 3)
    assert Kind.CHANGE not in [event.kind for event in events]
    assert {event.visit for event in events} == {1, 2}
    assert State.CLEAR not in states(play(scene, frames_per_second, 3))


@pytest.mark.parametrize("frames_per_second", [3, 5, 10, 30])
@pytest.mark.parametrize("back", [0.0, -1.0])  # how fast they go afterwards, as a share of before
def test_who_stops_or_turns_back_while_the_face_is_missed_stays_who_they_are(
    back: float, frames_per_second: int
) -> None:
    def scene(t: float) -> list[Verdict]:  # at 5 heights a second until 1.2 s
        x = 20 + 300 * min(t, 1.2) + back * 300 * max(0.0, t - 1.2)
        return [verdict(0.9, Box(round(x), 200, 48, 60))] * (not 1.1 < t < 1.4)

    assert {event.visit for event in events_of(scene, frames_per_second, 2.2)} == {1}


@pytest.mark.parametrize("pause", [0.15, 0.25, 0.35])  # seconds between two bursts
def test_who_sways_before_a_camera_whose_frames_come_in_bursts_is_one_person(pause: float) -> None:
    decision, events = Decision(SETTINGS, LEVELS), list[Event]()
    for frame in range(200):  # two at once, in which the finder's boxes differ
        now = frame // 2 * pause + frame % 2 * 0.002
        box = Box(round(300 + 10 * math.sin(2 * now)) + 3 * (frame % 2), 120, 80, 100)
        events += decision.update(now, [verdict(0.1, box)])[1]
    assert [(event.kind, event.visit) for event in events] == [(Kind.ENTER, 1), (Kind.VERDICT, 1)]


def test_a_coat_that_seems_to_stir_where_a_bare_face_was_ends_their_visit() -> None:
    def scene(t: float) -> list[Verdict]:
        coat = dataclasses.replace(verdict(0.9, RIGHT), look=Look(moved=0.03 if t % 3 == 0 else 0.0))
        gone = [coat] * (t % 1 == 0) if t >= 4 else [verdict(0.9, Box(300 + round(20 * math.sin(3 * t)), 0, 100, 100))]
        return [verdict(0.1, Box(round(20 * math.sin(2 * t)), 200, 100, 100)), *gone]

    (left,) = [event for event in events_of(scene, 8, 100, least_move=0.07) if event.kind is Kind.LEAVE]
    assert left.at < 4 + 30 + 30 + 5


def test_a_coat_where_a_bare_face_was_does_not_keep_the_door_shut() -> None:
    def scene(t: float) -> list[Verdict]:
        coat = [verdict(0.9, RIGHT)] * (t >= 4 and round(10 * t) % 18 == 0)
        return [verdict(0.1)] + ([verdict(0.9, RIGHT)] if t < 3 else coat)

    alerts = play(scene, 10, 20)
    assert [alert.state for alert in alerts][-3:] == [State.ALARM, State.CHECKING, State.CLEAR]
    assert alerts[-1].at < 3 + 2.5 + 0.5


def test_a_door_whose_only_visitor_was_bare_is_empty_as_soon_as_they_have_gone() -> None:
    assert states(play(lambda t: [verdict(0.9)] * (t < 3), 10, 6)) == [State.CHECKING, State.ALARM, State.IDLE]


def test_an_alarm_is_held() -> None:
    alerts = play(lambda t: [verdict(0.9)] if t < 0.5 else [], 10, 12, hold_seconds=5.0)
    assert [(alert.state, alert.at) for alert in alerts] == [
        (State.CHECKING, 0.2), (State.ALARM, 0.4), (State.IDLE, 5.4),
    ]


@pytest.mark.parametrize("frames_per_second", [3, 30])
def test_a_door_answers_at_the_lowest_and_at_the_highest_level(frames_per_second: int) -> None:
    for levels, score, told in (
        (Levels(HIGHEST_LEVEL, 0.5), 255 / 256, State.ALARM), (Levels(0.5, LOWEST_LEVEL), 0.0, State.CLEAR),
    ):  # fmt: skip
        decision = Decision(SETTINGS, levels)
        for frame in range(2 * frames_per_second):
            decision.update(frame / frames_per_second, [verdict(score)])
        assert decision.state is told


def test_a_face_elsewhere_is_somebody_else() -> None:
    alerts = play(lambda t: [verdict(0.1)] if t < 2 else [verdict(0.9, RIGHT)], 10, 6)
    assert states(alerts) == [State.CHECKING, State.CLEAR, State.CHECKING, State.ALARM]


def test_overlap() -> None:
    assert iou(LEFT, LEFT) == 1.0
    assert iou(LEFT, RIGHT) == 0.0
    assert iou(LEFT, Box(0, 0, 0, 0)) == 0.0
    assert iou(LEFT, Box(50, 0, 100, 100)) == pytest.approx(1 / 3)


def happened(scene: Scene, frames_per_second: int, seconds: float, **settings: Any) -> list[tuple[str, int, State]]:
    """Return kind, visit and state of the events of a door."""
    events = events_of(scene, frames_per_second, seconds, **settings)
    return [(event.kind, event.visit, event.state) for event in events]


def events_of(scene: Scene, frames_per_second: int, seconds: float, **settings: Any) -> list[Event]:
    decision = Decision(dataclasses.replace(SETTINGS, **settings), LEVELS)
    times = [frame / frames_per_second for frame in range(round(seconds * frames_per_second))]
    return [event for now in times for event in decision.update(now, scene(now))[1]]


def test_a_visit_gives_one_set_of_events() -> None:
    def scene(t: float) -> list[Verdict]:
        return [verdict(0.875 if t < 4 else 0.125)] if 1 <= t < 8 else []

    events = events_of(scene, 16, 20)
    assert [event.kind for event in events] == [Kind.ENTER, Kind.VERDICT, Kind.CHANGE, Kind.LEAVE]
    assert events[0] == Event(Kind.ENTER, 1.1875, 1, State.CHECKING, 0.875, 1.0)
    assert events[1] == Event(Kind.VERDICT, 1.4375, 1, State.ALARM, 0.875, 1.4375)
    assert (events[2].state, 4.5 < events[2].at < 5) == (State.CLEAR, True)
    assert events[3] == Event(Kind.LEAVE, 10.5, 1, State.CLEAR, 0.125, 7.9375)  # 2.5 s after it was last seen


@pytest.mark.parametrize("frames_per_second", [5, 30])
def test_who_is_lost_for_a_moment_is_no_second_visit(frames_per_second: int) -> None:
    def scene(t: float) -> list[Verdict]:
        return [] if 3 <= t < 5 or t >= 8 else [verdict(0.1)]

    assert happened(scene, frames_per_second, 20) == [
        (Kind.ENTER, 1, State.CHECKING), (Kind.VERDICT, 1, State.CLEAR), (Kind.LEAVE, 1, State.CLEAR),
    ]
    assert [kind for kind, _, _ in happened(scene, frames_per_second, 20, return_seconds=1.0)].count(Kind.ENTER) == 2


def test_who_comes_back_is_judged_anew() -> None:
    def scene(t: float) -> list[Verdict]:  # another one comes in the place of the first, or a mask came off
        return [] if 3 <= t < 4 else [verdict(0.1 if t < 3 else 0.9)]

    assert states(play(scene, 10, 6)) == [State.CHECKING, State.CLEAR, State.IDLE, State.CHECKING, State.ALARM]
    assert happened(scene, 10, 6)[1:] == [(Kind.VERDICT, 1, State.CLEAR), (Kind.CHANGE, 1, State.ALARM)]


def test_who_steps_into_the_place_of_somebody_who_has_gone_stays_who_they_are() -> None:
    def scene(t: float) -> list[Verdict]:  # one in a mask turns away, the next one steps up within half a second
        waits = Box(300 - round(400 * min(max(t - 5.8, 0.0), 0.5)), 0, 100, 100)
        return ([verdict(0.1, Box(100, 0, 100, 100))] if t < 5 else []) + [verdict(0.9, waits)] * (t >= 2)

    assert happened(scene, 10, 9) == [
        (Kind.ENTER, 1, State.CHECKING), (Kind.VERDICT, 1, State.CLEAR),
        (Kind.ENTER, 2, State.CHECKING), (Kind.VERDICT, 2, State.ALARM),
        (Kind.LEAVE, 1, State.CLEAR),
    ]  # fmt: skip


@pytest.mark.parametrize("there", [lambda t: round(t * 10) % 20 == 0, lambda t: t > 6])  # a ghost; a coat
def test_what_is_seen_where_somebody_was_lost_keeps_no_visit_open(there: Callable[[float], bool]) -> None:
    def scene(t: float) -> list[Verdict]:
        walker = Box(round(40 * t), 0, 100, 100)
        return [verdict(0.1, walker)] if t < 5 else [verdict(0.5, Box(200, 0, 100, 100))] * there(t)

    events = events_of(scene, 10, 60, least_move=0.07)
    assert [event.kind for event in events] == [Kind.ENTER, Kind.VERDICT, Kind.LEAVE]
    assert (events[-1].seen, events[-1].at < 36) == (4.9, True)


@pytest.mark.parametrize("frames_per_second", [3, 5, 10])
def test_who_turns_away_again_and_again_makes_one_visit(frames_per_second: int) -> None:
    def scene(t: float) -> list[Verdict]:
        return [verdict(0.1, Box(100 + round(20 * math.sin(2 * t)), 0, 100, 100))] * (t % 2 < 1)

    told = happened(scene, frames_per_second, 60, least_move=0.07)
    assert told == [(Kind.ENTER, 1, State.CHECKING), (Kind.VERDICT, 1, State.CLEAR)]


@pytest.mark.parametrize("frames_per_second", [3, 5, 10])
def test_who_turns_back_is_not_taken_for_a_neighbour_who_is_missed_just_then(frames_per_second: int) -> None:
    def scene(t: float) -> list[Verdict]:
        masked, bare = not 5 <= t < 6.2, not 5.9 <= t < 6.4
        return [verdict(0.1, Box(300, 0, 100, 100))] * masked + [verdict(0.9, Box(430, 0, 100, 100))] * bare

    told = happened(scene, frames_per_second, 12)
    assert [kind for kind, _, _ in told] == [Kind.ENTER, Kind.ENTER, Kind.VERDICT, Kind.VERDICT]


@pytest.mark.parametrize("forgotten", [0.0, 0.7])  # seconds
def test_a_gap_between_two_frames_ends_the_visits_before_it(forgotten: float) -> None:
    decision = Decision(dataclasses.replace(SETTINGS, forget_seconds=forgotten), LEVELS)
    times = [frame / 10 for frame in range(30)]
    events = [event for now in times for event in decision.update(now, [verdict(0.125)])[1]]
    events += [event for now in times for event in decision.update(2.9 + 2.4 + now, [verdict(0.125)])[1]]
    assert [event.kind for event in events] == [Kind.ENTER, Kind.VERDICT]
    alert, then = decision.update(60.0, [verdict(0.9)])
    assert (alert, then) == (Alert(State.IDLE, 60.0, None), [Event(Kind.LEAVE, 60.0, 1, State.CLEAR, 0.125, 8.2)])
    events = [event for now in times[1:] for event in decision.update(60 + now, [verdict(0.9)])[1]]
    assert [(event.kind, event.visit) for event in events] == [(Kind.ENTER, 2), (Kind.VERDICT, 2)]


def test_frames_that_are_seconds_apart_are_no_gap() -> None:
    told = happened(lambda t: [verdict(0.1)], 1, 9, forget_seconds=0.0, return_seconds=0.0)
    assert told == [(Kind.ENTER, 1, State.CHECKING), (Kind.VERDICT, 1, State.CLEAR)]


def test_two_people_have_a_visit_each() -> None:
    def scene(t: float) -> list[Verdict]:
        return ([verdict(0.1)] if t < 5 else []) + ([verdict(0.9, RIGHT)] if 2 <= t < 4 else [])

    assert happened(scene, 10, 12) == [
        (Kind.ENTER, 1, State.CHECKING), (Kind.VERDICT, 1, State.CLEAR),
        (Kind.ENTER, 2, State.CHECKING), (Kind.VERDICT, 2, State.ALARM),
        (Kind.LEAVE, 2, State.ALARM), (Kind.LEAVE, 1, State.CLEAR),
    ]  # fmt: skip


def test_who_walks_towards_the_camera_fast_stays_one_person() -> None:
    def box(t: float) -> Box:  # each frame it is a quarter larger, and its middle goes down and sideways
        side = round(40 * 1.25 ** (t * 5))
        return Box(round(300 + 20 * t * 5), round(100 + side / 2), side, side)

    boxes = [box(frame / 5) for frame in range(8)]
    assert min(iou(a, b) for a, b in itertools.pairwise(boxes)) < SAME_FACE_IOU
    assert [kind for kind, _, _ in happened(lambda t: [verdict(0.1, box(t))] if t < 1.6 else [], 5, 6)] == [
        Kind.ENTER, Kind.VERDICT, Kind.LEAVE,
    ]


@pytest.mark.parametrize(("frames_per_second", "sides"), [(5, 3), (5, 5), (10, 6), (10, 7), (30, 7)])  # sides a second
def test_who_walks_across_the_picture_is_judged_however_few_pictures_there_are(
    frames_per_second: int, sides: int
) -> None:
    def scene(t: float) -> list[Verdict]:
        return [verdict(0.9, Box(round(70 * sides * t), 0, 70, 70))] if 70 * sides * t < 570 else []

    told = happened(scene, frames_per_second, 10, least_move=0.07)
    assert told == [(Kind.ENTER, 1, State.CHECKING), (Kind.VERDICT, 1, State.ALARM), (Kind.LEAVE, 1, State.ALARM)]


@pytest.mark.parametrize(
    ("look", "noticed"),
    [(Look(height=0.07), False), (Look(brightness=19.0), True), (Look(cut=True), True)],
)
def test_who_is_too_small_too_dark_or_cut_is_waited_for(look: Look, noticed: bool) -> None:
    def scene(t: float) -> list[Verdict]:
        return [dataclasses.replace(verdict(0.9 if t < 3 else 0.1), look=look if t < 3 else Look())]

    shown = [State.CHECKING, State.CLEAR]
    alerts = play(scene, 10, 6)
    assert states(alerts) == shown  # what was seen badly isn't remembered
    assert alerts[0].at == pytest.approx(0.2 if noticed else 3.2)
    assert alerts[1].at == pytest.approx(3.4, abs=0.11)  # one frame
    assert happened(scene, 10, 6) == [(Kind.ENTER, 1, State.CHECKING), (Kind.VERDICT, 1, State.CLEAR)]


def test_a_verdict_outlasts_a_bad_sight() -> None:
    def scene(t: float) -> list[Verdict]:
        return [dataclasses.replace(verdict(0.9 if t < 3 else 0.1), look=Look(cut=3 <= t < 6))]

    assert [(alert.state, round(alert.at, 1)) for alert in play(scene, 10, 8)] == [
        (State.CHECKING, 0.2), (State.ALARM, 0.4), (State.CLEAR, 6.4),
    ]


def test_small_and_soft_faces_count_less() -> None:
    def scene(t: float) -> list[Verdict]:  # far and blurred it looks bare, near it doesn't
        soft = round(t * 10) % 2 == 0
        return [dataclasses.replace(verdict(0.95 if soft else 0.3), look=Look(sharpness=2.0) if soft else Look())]

    assert states(play(scene, 10, 4)) == [State.CHECKING]
    assert (Look().weight, Look(height=0.1).weight, Look(sharpness=0.0).weight) == (1.0, 0.5, 0.25)


def test_a_face_in_a_zone_does_not_count() -> None:
    def scene(t: float) -> list[Verdict]:
        return [dataclasses.replace(verdict(0.9), look=Look(x=0.1, y=0.9))]

    zone = (0.0, 0.8, 0.2, 0.2)
    assert happened(scene, 10, 4, zones=((0.5, 0.0, 0.5, 1.0), zone)) == []
    assert len(happened(scene, 10, 4, zones=((0.5, 0.0, 0.5, 1.0),))) == 2


def test_how_far_a_face_moves_matters_until_it_has_moved_and_never_of_who_does_not_count() -> None:
    zone = (0.8, 0.0, 0.2, 1.0)
    settings = DecisionSettings(background_seconds=20.0, zones=(zone,))
    decision, shape, hung = Decision(settings, LEVELS), (400, 1000), Box(600, 0, 100, 100)
    for frame in range(250):
        decision.update(frame / 10, [verdict(0.9, hung)] + [verdict(0.1, LEFT)] * (frame >= 240))
    assert not decision.wonders(25.0, [], shape)
    for box, wondered in ((hung, False), (Box(900, 0, 100, 100), False), (Box(300, 0, 30, 30), False), (LEFT, True)):
        assert decision.wonders(25.0, [box], shape) is wondered
    for frame in range(250, 260):
        decision.update(frame / 10, [verdict(0.1, LEFT._replace(x=20))])
    assert not decision.wonders(26.0, [LEFT], shape)
    assert decision.wonders(26.0, [LEFT, Box(300, 200, 100, 100)], shape)


def test_only_faces_of_a_visit_that_are_seen_well_are_judged() -> None:
    decision = Decision(SETTINGS, LEVELS)

    def seen(now: float, look: Look) -> list[tuple[int, Box, float]]:
        """Let two people be seen, the other one with another look; return who was judged."""
        decision.update(now, [verdict(now), dataclasses.replace(verdict(0.75, RIGHT), look=look)])
        return [(judged.visit, judged.box, judged.score) for judged in decision.judged(now)]

    assert seen(0.0, Look()) == []  # no visit has begun
    assert seen(0.2, Look()) == [(1, LEFT, 0.2), (2, RIGHT, 0.75)]
    assert seen(0.4, Look(cut=True)) == [(1, LEFT, 0.4)]
    assert seen(0.6, Look(brightness=10.0)) == [(1, LEFT, 0.6)]
    decision.update(0.8, [])
    assert list(decision.judged(0.8)) == []


@pytest.mark.parametrize(
    ("x", "y", "height", "counts"),
    [
        (0.25, 0.5, 0.5, False),  # the zone's first corner, and its last
        (0.5, 0.75, 0.5, False),
        (0.24, 0.6, 0.5, True),
        (0.51, 0.6, 0.5, True),
        (0.4, 0.49, 0.5, True),
        (0.4, 0.76, 0.5, True),
        (0.9, 0.9, SETTINGS.least_height, True),
        (0.9, 0.9, SETTINGS.least_height - 0.01, False),
    ],
)
def test_who_is_in_a_zone_or_too_small_ends_at_its_edge(x: float, y: float, height: float, counts: bool) -> None:
    def scene(t: float) -> list[Verdict]:
        return [dataclasses.replace(verdict(0.9), look=Look(x, y, height))]

    assert states(play(scene, 10, 1, zones=((0.25, 0.5, 0.25, 0.25),))) == [State.CHECKING, State.ALARM] * counts


@pytest.mark.parametrize("boxes", [(LEFT, RIGHT), (RIGHT, LEFT)])
def test_of_two_in_one_state_the_barer_is_told(boxes: tuple[Box, Box]) -> None:
    alerts = play(lambda t: [verdict(0.75, boxes[0]), verdict(0.875, boxes[1])], 8, 1)
    assert [(alert.state, alert.score) for alert in alerts] == [(State.CHECKING, 0.875), (State.ALARM, 0.875)]


def test_who_is_not_well_seen_yields_to_who_is() -> None:
    def scene(t: float) -> list[Verdict]:
        return [dataclasses.replace(verdict(0.9), look=Look(cut=True)), verdict(0.5, RIGHT)]

    assert [(alert.state, alert.score) for alert in play(scene, 8, 1)] == [(State.CHECKING, 0.5)]
