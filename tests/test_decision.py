from collections.abc import Callable

import pytest

from device.classifier import Verdict
from device.decision import Alert, Decision, State, overlap
from device.faces import Box
from device.settings import DecisionSettings

THRESHOLD, RELEASE = 0.6, 0.4
Scene = Callable[[float], list[Verdict]]
LEFT, RIGHT = Box(0, 0, 100, 100), Box(300, 0, 100, 100)


def verdict(score: float, box: Box = LEFT) -> Verdict:
    return Verdict(box, 5.0, (1 - score, score), score, "without_mask" if score >= THRESHOLD else "with_mask")


def play(scene: Scene, frames_per_second: int, seconds: float, **settings: float) -> list[Alert]:
    """Return the alerts of a door at which scene(t) gives the verdicts at t seconds."""
    decision = Decision(DecisionSettings(**settings), THRESHOLD, RELEASE)
    times = [frame / frames_per_second for frame in range(round(seconds * frames_per_second))]
    return [alert for now in times if (alert := decision.update(now, scene(now)))]


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
        State.CHECKING, State.CLEAR, State.CHECKING, State.CLEAR, State.CHECKING, State.ALARM, State.CLEAR,
    ]


def test_an_alarm_is_held() -> None:
    alerts = play(lambda t: [verdict(0.9)] if t < 0.5 else [], 10, 12, hold_seconds=5.0)
    assert [(alert.state, alert.at) for alert in alerts] == [
        (State.CHECKING, 0.2), (State.ALARM, 0.4), (State.IDLE, 5.4),
    ]


def test_faces_that_walk_past_each_other_keep_their_scores() -> None:
    def scene(t: float) -> list[Verdict]:
        step = round(t * 100)
        return [verdict(0.1, Box(step, 0, 100, 100)), verdict(0.1, Box(1000 - step, 150, 100, 100))]

    assert states(play(scene, 10, 10)) == [State.CHECKING, State.CLEAR]


def test_a_face_elsewhere_is_somebody_else() -> None:
    alerts = play(lambda t: [verdict(0.1)] if t < 2 else [verdict(0.9, RIGHT)], 10, 6)
    assert states(alerts) == [State.CHECKING, State.CLEAR, State.CHECKING, State.ALARM]


def test_overlap() -> None:
    assert overlap(LEFT, LEFT) == 1.0
    assert overlap(LEFT, RIGHT) == 0.0
    assert overlap(LEFT, Box(0, 0, 0, 0)) == 0.0
    assert overlap(LEFT, Box(50, 0, 100, 100)) == pytest.approx(1 / 3)
