"""Faces that nobody has, as on posters, are left out, and whoever comes before them is seen."""

import dataclasses
import math

import pytest
from test_decision import LEVELS, RIGHT, events_of, happened, play, states, verdict

from device.classifier import Verdict
from device.decision import Decision
from device.events import Kind, State
from device.faces import Box
from device.look import Look
from device.settings import DecisionSettings


def test_a_ghost_that_comes_and_goes_never_rings() -> None:
    def scene(t: float) -> list[Verdict]:  # three times in two seconds, in the same place
        return [verdict(1.0)] if round(t * 30) % 18 == 0 else []

    assert play(scene, 30, 60) == []


@pytest.mark.parametrize("score", [0.1, 0.9])
def test_a_face_that_has_never_moved_is_not_judged(score: float) -> None:
    def scene(t: float) -> list[Verdict]:  # a coat on a hook; then somebody stirs
        step = round(t * 10) % 3 + (8 if t >= 60 else 0)
        return [verdict(score, Box(300 + step, 0, 100, 100))]

    alerts = play(scene, 10, 70, least_move=0.07)
    assert states(alerts) == [State.CHECKING, State.ALARM if score > LEVELS.release else State.CLEAR]
    assert 60.0 <= alerts[1].at <= 60.6  # means of a few boxes are compared


@pytest.mark.parametrize("frames_per_second", [7, 10, 15, 30])
@pytest.mark.parametrize("swaying", [True, False])
def test_who_sways_about_one_place_is_judged_and_a_picture_whose_box_wavers_is_not(
    frames_per_second: int, swaying: bool
) -> None:
    def scene(t: float) -> list[Verdict]:
        if swaying:  # by a tenth to each side, within 0.8 s
            return [verdict(0.9, Box(300 + round(10 * math.sin(t * math.tau / 0.8)), 0, 100, 100))]
        longer = 12 * (round(t * frames_per_second) % 3 == 0)  # the finder sees more chin now and then
        return [verdict(0.9, Box(300, 0, 100, 100 + longer))]

    alerts = play(scene, frames_per_second, 30, least_move=DecisionSettings().least_move)
    assert states(alerts) == [State.CHECKING, State.ALARM] if swaying else [State.CHECKING]
    assert alerts[-1].at <= 3.0


@pytest.mark.parametrize(("walker", "still", "wrong"), [(0.9, 0.1, State.CLEAR), (0.1, 0.9, State.ALARM)])
def test_a_still_face_does_not_inherit_that_somebody_moved(walker: float, still: float, wrong: State) -> None:
    def scene(t: float) -> list[Verdict]:
        if t < 5:  # walks up to where the poster hangs, and hides it
            return [verdict(walker, Box(100 + round(40 * t), 0, 100, 100))]
        return [verdict(still, RIGHT)] if t >= 6 else []  # for a second neither is found

    alerts = play(scene, 10, 20, least_move=DecisionSettings().least_move)
    assert State.ALARM in states(alerts) if walker > still else State.CLEAR in states(alerts)
    assert wrong not in states(alerts)


def test_two_ghosts_are_no_face_that_moves() -> None:
    def scene(t: float) -> list[Verdict]:  # one beside the other, with and without a gap between them
        if t < 0.35:
            return [verdict(0.9, Box(372, 121, 82, 105))]
        return [verdict(0.9, Box(385, 113, 51, 66))] if 0.75 <= t < 3 else [verdict(0.9, RIGHT)] if 3 <= t < 5 else []

    assert happened(scene, 10, 10, least_move=0.07) == []


def poster(t: float, box: Box = RIGHT) -> Verdict:
    """A face that hangs still; what finds it wavers by a pixel."""
    return verdict(0.9, Box(box.x + round(t * 10) % 2, box.y, box.width, box.height))


def test_a_poster_becomes_background_and_who_passes_before_it_does_not() -> None:
    def scene(t: float) -> list[Verdict]:
        flickering = [poster(t)] if round(t * 10) % 3 else []
        if not 200 <= t < 210:
            return flickering
        walker = verdict(0.1, Box(round(60 * (t - 200)), 20, 110, 110))  # from left to right, over the poster
        return [walker] if 204 <= t < 206.5 else [*flickering, walker]

    events = events_of(scene, 10, 300, background_seconds=100.0)
    assert [(event.kind, event.visit, event.state) for event in events] == [
        (Kind.ENTER, 1, State.CHECKING), (Kind.VERDICT, 1, State.ALARM), (Kind.LEAVE, 1, State.ALARM),
        (Kind.ENTER, 2, State.CHECKING), (Kind.VERDICT, 2, State.CLEAR), (Kind.LEAVE, 2, State.CLEAR),
    ]  # fmt: skip
    assert 100 <= events[2].at < 101


@pytest.mark.parametrize(
    "left", [Box(300, 0, 100, 70), Box(300, 30, 100, 70), Box(340, 0, 60, 100), Box(300, 0, 70, 80)]
)
def test_what_is_left_of_a_poster_that_somebody_hides_is_still_a_poster(left: Box) -> None:
    def scene(t: float) -> list[Verdict]:
        hidden = 30 <= t < 32  # by somebody whose own face isn't found
        return [poster(t, left if hidden else RIGHT)]

    assert happened(scene, 10, 40, background_seconds=10.0, least_move=DecisionSettings().least_move) == []


@pytest.mark.parametrize(
    "framed", [Box(330, 5, 90, 110), Box(300, 20, 110, 125)]  # aside, and larger
)
def test_a_poster_that_is_framed_anew_while_somebody_is_before_it_is_still_a_poster(framed: Box) -> None:
    def scene(t: float) -> list[Verdict]:  # the walker comes from the left, and covers the poster from 32 s to 33 s
        if not 30 <= t < 35:
            return [poster(t)]
        walker = verdict(0.1, Box(round(150 * (t - 30)), 50, 110, 120))
        return [walker] if 32 <= t < 33 else [walker, poster(t, framed if 31 <= t < 33.4 else RIGHT)]

    events = happened(scene, 10, 40, background_seconds=10.0, least_move=DecisionSettings().least_move)
    assert [(kind, state) for kind, _, state in events] == [
        (Kind.ENTER, State.CHECKING), (Kind.VERDICT, State.CLEAR), (Kind.LEAVE, State.CLEAR),
    ]  # fmt: skip


@pytest.mark.parametrize(("framed", "seconds"), [(Box(270, -10, 130, 130), 0.1), (Box(300, 12, 104, 108), 0.2)])
def test_a_poster_that_is_framed_otherwise_for_a_moment_is_still_a_poster(framed: Box, seconds: float) -> None:
    def scene(t: float) -> list[Verdict]:  # as if somebody were there, whom the next frames move to where it hangs
        return [poster(t, framed if 30 <= t < 30 + seconds else RIGHT)]

    assert happened(scene, 10, 40, background_seconds=10.0, least_move=DecisionSettings().least_move) == []


def test_a_poster_that_is_framed_otherwise_where_somebody_has_just_left_is_still_a_poster() -> None:
    def scene(t: float) -> list[Verdict]:  # they hide it for a moment, and are lost before it
        if 30 <= t < 30.8:
            return [verdict(0.1, Box(260 + round(60 * (t - 30)), 0, 100, 100))]
        return [poster(t, Box(300, 12, 104, 108) if 32 <= t < 32.4 else RIGHT)]

    alerts = play(scene, 10, 40, background_seconds=10.0, least_move=DecisionSettings().least_move)
    assert State.CLEAR in states(alerts)
    assert [alert for alert in alerts if alert.at >= 32] == []


def test_who_comes_to_stand_before_a_poster_beside_somebody_is_seen() -> None:
    def scene(t: float) -> list[Verdict]:  # and is framed much as the poster is
        masked = verdict(0.1, Box(200 + round(20 * math.sin(3 * t)), 20, 110, 120))
        bare = verdict(0.9, Box(330 + round(10 * math.sin(4 * t)), 5, 90, 100))
        return [poster(t)] if t < 30 else [masked, poster(t)] if t < 40 else [masked, bare]

    alerts = play(scene, 10, 50, background_seconds=25.0, least_move=DecisionSettings().least_move)
    assert [alert.state for alert in alerts if alert.at >= 40] == [State.CHECKING, State.ALARM]
    assert alerts[-1].at < 46


@pytest.mark.parametrize("sway", [12, 15, 20])  # px to each side
def test_who_sways_right_before_a_poster_beside_somebody_is_seen(sway: int) -> None:
    def scene(t: float) -> list[Verdict]:
        masked = verdict(0.1, Box(180 + round(20 * math.sin(3 * t)), 20, 110, 120))
        bare = verdict(0.9, Box(300 + round(sway * math.sin(2 * t)), 3, 100, 100))
        return [poster(t)] if t < 30 else [masked, poster(t)] if t < 40 else [masked, bare]

    alerts = play(scene, 10, 60, background_seconds=25.0, least_move=DecisionSettings().least_move)
    assert State.ALARM in [alert.state for alert in alerts if alert.at >= 40]


@pytest.mark.parametrize("frames_per_second", [4, 10])
def test_who_comes_to_stand_right_before_a_poster_alone_is_seen(frames_per_second: int) -> None:
    def scene(t: float) -> list[Verdict]:  # framed now as the poster is, now beside it
        bare = verdict(0.9, Box(312 + round(10 * math.sin(2 * t)), 3, 100, 100))
        return [poster(t)] if t < 30 else [dataclasses.replace(bare, look=Look(moved=0.03))]

    alerts = play(scene, frames_per_second, 60, background_seconds=25.0, least_move=DecisionSettings().least_move)
    assert State.ALARM in [alert.state for alert in alerts if 30 <= alert.at <= 34]


def test_a_poster_that_is_framed_in_three_ways_is_one_all_the_time() -> None:
    def scene(t: float) -> list[Verdict]:  # its second way is background too; the third comes once
        second = round(t * 8) % 5 < 2
        return [verdict(0.9, Box(300, 12, 104, 108) if 60 <= t < 60.2 else Box(300 + 15 * second, 0, 100, 100))]

    events = events_of(scene, 10, 70, background_seconds=20.0, least_move=DecisionSettings().least_move)
    assert [event for event in events if event.at >= 60] == []


@pytest.mark.parametrize("step", [2, 12])  # px a tenth of a second
def test_who_stops_before_a_poster_is_seen_however_like_it_they_are_framed(step: int) -> None:
    def scene(t: float) -> list[Verdict]:
        walker = Box(min(315, round(10 * (t - 30)) * step), 20, 110, 120)
        return [poster(t)] if t < 30 else [verdict(0.9, walker)] + [poster(t)] * (walker.x < 200)

    alerts = play(scene, 10, 55, background_seconds=25.0, least_move=DecisionSettings().least_move)
    assert states([alert for alert in alerts if alert.at >= 30]) == [State.CHECKING, State.ALARM]


def test_who_stands_before_a_poster_beside_somebody_is_found_again_after_looking_away() -> None:
    def scene(t: float) -> list[Verdict]:
        if t < 30:
            return [poster(t)]
        friend = verdict(0.1, Box(min(150, round(150 * (t - 30))), 20, 100, 120))
        x = max(312, 612 - round(100 * (t - 30))) + round(10 * math.sin(3 * t))
        return [friend] if 40 <= t < 41.5 else [friend, verdict(0.9, Box(x, 10, 110, 115))]

    alerts = play(scene, 10, 50, background_seconds=25.0, least_move=DecisionSettings().least_move)
    bare = [State.CHECKING, State.ALARM]
    assert states([alert for alert in alerts if alert.at >= 30]) == [*bare, *bare]


@pytest.mark.parametrize("gone", [35, 40])  # seconds: right before the poster, and well past it
def test_who_goes_by_slowly_before_a_poster_is_seen_all_the_way_and_the_poster_is_not_them(gone: int) -> None:
    def scene(t: float) -> list[Verdict]:
        walker = Box(150 + round(30 * (t - 30)), 0, 100, 100)
        if not 30 <= t < gone:
            return [poster(t)]
        return [verdict(0.1, walker)] if abs(walker.x - RIGHT.x) <= 50 else [poster(t), verdict(0.1, walker)]

    alerts = play(scene, 10, 50, background_seconds=20.0, forget_seconds=0.3)
    assert states([alert for alert in alerts if alert.at >= 30]) == [State.CHECKING, State.CLEAR, State.IDLE]


def test_a_ghost_that_has_gone_takes_nobodys_place() -> None:
    def scene(t: float) -> list[Verdict]:  # somebody walks to where it was
        walker = verdict(0.1, Box(round(330 * t), 0, 100, 100))
        return [walker, verdict(0.9, RIGHT)] if t == 0 else [walker] if t < 1.5 else []

    assert [kind for kind, _, _ in happened(scene, 10, 6)] == [Kind.ENTER, Kind.VERDICT, Kind.LEAVE]


def test_a_poster_that_is_taken_down_and_carried_away_counts_again() -> None:
    def scene(t: float) -> list[Verdict]:
        return [poster(t, RIGHT if t < 60 else Box(RIGHT.x - round(100 * (t - 60)), 0, 100, 100))] if t < 62 else []

    assert [kind for kind, _, _ in happened(scene, 10, 70, background_seconds=30.0)] == [
        Kind.ENTER, Kind.VERDICT, Kind.LEAVE, Kind.ENTER, Kind.VERDICT, Kind.LEAVE,
    ]


def test_who_stands_as_still_as_people_can_is_not_forgotten() -> None:
    def scene(t: float) -> list[Verdict]:  # sways by a fifth of a face, in some seconds
        return [verdict(0.9, Box(300 + round(20 * math.sin(t / 3)), 0, 100, 100))]

    assert states(play(scene, 4, 3600)) == [State.CHECKING, State.ALARM]
    still = play(lambda t: [verdict(0.9)], 4, 400)  # a doll, or somebody fast asleep, is one after five minutes
    assert [(alert.state, alert.at) for alert in still[1:]] == [(State.ALARM, 0.5), (State.IDLE, 300.0)]


@pytest.mark.parametrize("step", [15, 20, 50])  # px to each side
def test_who_waits_and_sways_quickly_is_on_one_visit_all_the_time(step: int) -> None:
    def scene(t: float) -> list[Verdict]:
        return [verdict(0.1, Box(300 + round(step * math.sin(2 * t)), 0, 100, 100))]

    assert [kind for kind, _, _ in happened(scene, 8, 60, background_seconds=20.0)] == [Kind.ENTER, Kind.VERDICT]


def stirring(score: float, box: Box, moved: float) -> Verdict:
    return dataclasses.replace(verdict(score, box), look=Look(moved=moved))


def test_who_sits_still_for_an_hour_is_on_one_visit_and_who_sits_there_next_is_seen() -> None:
    def scene(t: float) -> list[Verdict]:  # the picture shows in four frames of five that they stir
        box = Box(300 + round(4 * math.sin(t)), 0, 100, 100)
        sits = [stirring(0.1 if t < 3000 else 0.9, box, 0.02 if round(t * 5) % 5 else 0.0)]
        return [] if 3000 <= t < 3010 else sits

    assert happened(scene, 5, 3600, least_move=DecisionSettings().least_move) == [
        (Kind.ENTER, 1, State.CHECKING), (Kind.VERDICT, 1, State.CLEAR), (Kind.LEAVE, 1, State.CLEAR),
        (Kind.ENTER, 2, State.CHECKING), (Kind.VERDICT, 2, State.ALARM),
    ]  # fmt: skip


def test_who_sits_there_when_a_shorter_time_is_saved_does_not_turn_into_a_poster() -> None:
    settings, found = DecisionSettings(), list[Kind]()
    decision = Decision(settings, LEVELS)
    for frame in range(650):
        now, box = frame / 5, Box(300 + max(0, 20 - frame) * 5, 0, 100, 100)
        moved = 0.0 if frame % 5 == 1 else 0.02  # they stir in four frames of five, and not in the first after the save
        watched = decision.wonders(now, [box], (480, 640))
        _, events = decision.update(now, [stirring(0.1, box, moved) if watched else verdict(0.1, box)])
        found += [event.kind for event in events]
        if now == 100.0:
            decision.adopt(dataclasses.replace(settings, background_seconds=60.0), LEVELS)
    assert found == [Kind.ENTER, Kind.VERDICT]


def test_who_sits_where_somebody_was_taken_for_a_poster_is_seen() -> None:
    def scene(t: float) -> list[Verdict]:  # a camera shows of neither whether they stir
        first, next_one = verdict(0.1, Box(300 + round(20 * max(0.0, 2 - t)), 0, 100, 100)), verdict(0.9, RIGHT)
        return [first] if t < 200 else [next_one] if t >= 231 else []

    events = events_of(scene, 5, 260, background_seconds=100.0)
    assert [(event.kind, event.visit) for event in events] == [
        (Kind.ENTER, 1), (Kind.VERDICT, 1), (Kind.LEAVE, 1), (Kind.ENTER, 2), (Kind.VERDICT, 2),
    ]  # fmt: skip
    assert events[-1].at < 232


def test_a_poster_that_sways_in_gusts_becomes_background() -> None:
    def scene(t: float) -> list[Verdict]:  # it moves for three seconds of ten
        return [stirring(0.9, Box(300 + round(3 * math.sin(3 * t)), 0, 100, 100), 0.03 if t % 10 < 3 else 0.0)]

    events = events_of(scene, 5, 400, background_seconds=100.0, least_move=DecisionSettings().least_move)
    assert [(event.kind, event.visit) for event in events] == [(Kind.ENTER, 1), (Kind.VERDICT, 1), (Kind.LEAVE, 1)]
    assert events[-1].at < 101


def test_a_poster_that_is_framed_now_so_now_so_becomes_background() -> None:
    def scene(t: float) -> list[Verdict]:
        return [verdict(0.9, Box(300 + 15 * (round(t * 8) % 5 < 2), 0, 100, 100))]

    assert [kind for kind, _, _ in happened(scene, 8, 60, background_seconds=20.0)] == [
        Kind.ENTER, Kind.VERDICT, Kind.LEAVE,
    ]  # fmt: skip
