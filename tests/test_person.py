"""What is known of one person after sightings and misses: at the limits, where times and ways are binary fractions."""

import dataclasses
import math
from typing import Any

import pytest

from device.classifier import Verdict
from device.faces import Box
from device.levels import Levels
from device.look import Look
from device.person import LEAST_DEVIATION, Person
from device.settings import DecisionSettings

LEVELS = Levels(threshold=0.6, release=0.4)
STIR = 0.012  # of a face's height: what a poster's seems to move by is less
SETTINGS = DecisionSettings(
    window_seconds=1.0, notice_seconds=0.25, sure_seconds=0.5, forget_seconds=0.5, least_move=0.0
)
STILL = dataclasses.replace(SETTINGS, least_move=0.07)  # here a face counts as still until it has moved
BOX = Box(300, 400, 100, 100)


def see(person: Person, now: float, settings: DecisionSettings = SETTINGS, x: int = 300, **seen: Any) -> Person:
    """Show the person's face at `now`; seen: its score, and what its Look says."""
    score = seen.pop("score", 0.9)
    verdict = Verdict(BOX._replace(x=x), 5.0, (1 - score, score), score, "", Look(**seen))
    person.see(now, verdict, settings)
    person.judge(now, settings, LEVELS)
    return person


def newcomer() -> Person:
    return see(Person(BOX, since=0.0, last_seen=0.0), 0.0, STILL)


def scored(scores: list[float]) -> Person:
    """Return somebody who was seen with these scores within a second."""
    person = Person(BOX, since=0.0, last_seen=0.0)
    for frame, score in enumerate(scores):
        see(person, frame / len(scores), score=score)
    return person


@pytest.mark.parametrize(("seconds", "share"), [(0.25, 0.7), (0.5, 0.7), (0.625, 0.0)])
def test_a_face_is_looked_for_where_its_middle_goes_both_ways(seconds: float, share: float) -> None:
    def face(now: float) -> Box:  # 160 px a second to the right and 96 down, while it grows by 64 px a second
        return Box(round(100 + 128 * now), round(50 + 64 * now), round(40 + 64 * now), round(50 + 64 * now))

    person = Person(face(0.0), since=0.0, last_seen=0.0)
    for now in (0.0, 0.125, 0.25, 0.375, 0.5):
        person.see(now, Verdict(face(now), 5.0, (0.1, 0.9), 0.9, "", Look()), SETTINGS)
    assert person.speed == (160.0, 96.0)
    ahead = round(share * seconds * 160), round(share * seconds * 96)  # not all of the way: it may stop
    assert person.ahead(0.5 + seconds) == face(0.5)._replace(x=164 + ahead[0], y=82 + ahead[1])


def test_who_has_just_come_goes_nowhere() -> None:
    assert newcomer().ahead(0.25) == BOX
    assert Person(BOX, since=0.0, last_seen=0.0).ahead(0.25) == BOX


def test_the_mean_counts_soft_faces_less() -> None:
    person = newcomer()
    assert person.mean == 0.9
    see(person, 0.25, score=0.1, sharpness=0.0)  # a quarter of the weight
    assert person.mean == pytest.approx((0.9 + 0.25 * 0.1) / 1.25)
    assert Person(BOX, since=0.0, last_seen=0.0).mean is None


@pytest.mark.parametrize(
    ("scores", "error"),
    [
        ([0.5] * 4, LEAST_DEVIATION / 2),  # what an 8-bit score can't tell
        ([0.4, 0.8] * 2, 0.2 / 2),  # the spread, which is less than the steps
        ([0.2, 0.2, 0.8, 0.8], math.sqrt(0.6**2 / 2 / 3) / 2),  # one step, which is less than the spread
    ],
)
def test_a_mean_has_to_be_its_error_beyond_a_level(scores: list[float], error: float) -> None:
    mean = sum(scores) / len(scores)
    for off, threshold, release in ((-1e-9, True, None), (1e-9, None, False)):
        at_threshold, at_release = Levels(mean - error + off, 0.0), Levels(1.0, mean + error + off)
        for bare, levels in ((threshold, at_threshold), (release, at_release)):
            person = scored(scores)
            person.bare = None
            person.judge(1.0, SETTINGS, levels)
            assert person.bare is bare


def test_at_the_threshold_somebody_is_bare_and_at_the_release_not_masked_yet() -> None:
    error = LEAST_DEVIATION / 2  # of four equal scores
    for levels, bare in ((Levels(0.5 - error, 0.0), True), (Levels(1.0, 0.5 + error), None)):
        person = scored([0.5] * 4)
        person.judge(1.0, SETTINGS, levels)
        assert person.bare is bare


def test_a_verdict_takes_three_scores_and_some_time() -> None:
    at_once, in_time = newcomer(), newcomer()
    for now in (0.125, 0.25, 0.375):
        assert see(at_once, now).bare is None
    assert see(at_once, 0.5).bare is True
    assert see(in_time, 0.5).bare is None
    assert see(in_time, 0.625).bare is True


def test_scores_count_for_the_window_and_the_last_three_for_longer() -> None:
    person = newcomer()
    for now in (0.25, 0.5, 0.75, 1.0):
        see(person, now, score=0.1)
    assert [scored.at for scored in person.scores] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert [scored.at for scored in see(person, 1.125).scores] == [0.25, 0.5, 0.75, 1.0, 1.125]
    assert [scored.at for scored in see(person, 9.0).scores] == [1.0, 1.125, 9.0]


def test_who_is_too_dark_is_not_scored_and_old_scores_are_forgotten_then() -> None:
    person = newcomer()
    dark = SETTINGS.least_brightness - 1
    see(person, 0.25)
    see(person, 0.5, brightness=SETTINGS.least_brightness)
    assert [scored.at for scored in see(person, 1.5, brightness=dark).scores] == [0.0, 0.25, 0.5]
    assert not see(person, 1.625, brightness=dark).scores
    person.bare = None
    for now in (2.0, 2.125, 2.25):
        assert see(person, now, score=0.1).bare is None  # the time begins anew as well
    assert see(person, 2.5, score=0.1).bare is False


def test_who_is_seen_in_two_frames_of_five_is_noticed() -> None:
    patient = dataclasses.replace(SETTINGS, forget_seconds=10.0)
    for misses, noticed in (((0.25, 0.5, 0.75), True), ((0.25, 0.375, 0.5, 0.75), False)):
        person = newcomer()
        for now in misses:
            person.miss(now, patient)
        assert see(person, 1.0, patient).noticed is noticed
    person = newcomer()
    for frame in range(1, 7):
        person.miss(frame / 4, patient)
    assert not see(person, 1.75, patient).noticed
    assert see(person, 2.0, patient).noticed  # of the last second's five
    assert see(newcomer(), 0.25).noticed
    assert not see(newcomer(), 0.1875).noticed


def test_who_is_lost_is_as_if_never_seen() -> None:
    person = scored([0.9] * 8)
    person.miss(0.875 + SETTINGS.forget_seconds, SETTINGS)
    assert (person.lost, person.bare, person.noticed, person.moved) == (False, True, True, True)
    person.miss(1.5, SETTINGS)
    assert person.lost
    see(person, 2.0, STILL)
    assert (person.lost, person.bare, person.noticed, person.moved, person.since) == (False, None, False, False, 2.0)
    assert see(person, 2.25, STILL).noticed  # misses before don't count
    assert [scored.at for scored in person.scores] == [2.0, 2.25]


def test_who_comes_back_is_there_again_once_noticed_and_moved() -> None:
    person = scored([0.9] * 8)
    assert (person.last_seen, person.last_there) == (0.875, 0.875)
    person.visit = 1
    person.miss(1.5, SETTINGS)
    for now, x in ((2.0, 300), (2.25, 300), (2.5, 300)):
        assert see(person, now, STILL, x=x).last_there == 0.875
    assert see(person, 2.625, STILL, x=318).last_there == 0.875  # not sure that it has moved
    assert see(person, 2.75, STILL, x=330).last_there == 2.75


@pytest.mark.parametrize(
    ("times", "stirs", "moved"),
    [
        ((0.0, 0.0625, 0.125), STIR, False),  # often enough, not for long enough
        ((0.0, 0.0625, 0.125, 0.1875), STIR, True),
        ((0.0, 0.1875), STIR, False),  # the other way round
        ((0.0, 0.125, 0.25), STIR, True),
        ((0.0, 0.125, 0.25, 0.375), STIR * 0.99, False),
    ],
)
def test_who_stirs_against_the_picture_has_moved(times: tuple[float, ...], stirs: float, moved: bool) -> None:
    person = Person(BOX, since=8.0, last_seen=8.0)
    for now in times:
        see(person, 8.0 + now, STILL, moved=stirs)
    assert person.moved is moved


def test_stirring_counts_only_in_a_row() -> None:
    person = Person(BOX, since=0.0, last_seen=0.0)
    for frame in range(30):
        see(person, frame / 8, STILL, moved=STIR if frame % 3 else 0.0)
    assert not person.moved
    see(person, 30 / 8, STILL, x=360, moved=STIR)  # so far off it is another ghost
    see(person, 31 / 8, STILL, x=360, moved=STIR)
    assert not person.moved


def test_boxes_do_not_count_before_and_after_the_picture_shows_that_the_face_is_still() -> None:
    person = Person(BOX, since=8.0, last_seen=8.0)
    assert [see(person, 8.0 + now, STILL, x=300 + 30 * int(now > 0)).moved for now in (0.0, 0.1875)] == [False] * 2
    person = Person(BOX, since=8.0, last_seen=8.0)
    for now in (0.0, 0.5, 1.0):
        see(person, 8.0 + now, STILL, moved=STIR * 0.99)
    assert [see(person, 9.0 + now, STILL, x=330).moved for now in (0.5, 1.0, 1.125)] == [False, False, True]
    person = Person(BOX, since=8.0, last_seen=8.0)
    for now in (0.0, 0.5, 1.0):
        see(person, 8.0 + now, STILL, moved=STIR * 0.99)
    assert see(person, 9.125, STILL, x=330, moved=STIR).moved


@pytest.mark.parametrize(
    ("before", "way", "sightings"),
    [(1, 18, 2), (1, 17, None), (2, 18, 1), (2, 13, 2), (2, 12, None), (5, 8, 5), (6, 7, 6), (6, 6, None)],
)
def test_the_more_is_seen_the_less_a_face_has_to_move(before: int, way: int, sightings: int | None) -> None:
    person = Person(BOX, since=0.0, last_seen=0.0)
    for frame in range(before):
        see(person, frame / 8, STILL)
    moved = [see(person, (before + frame) / 8, STILL, x=300 + way).moved for frame in range(20)]
    assert moved.index(True) + 1 == sightings if sightings else not any(moved)


@pytest.mark.parametrize(("way", "misses", "moved"), [(50, 0, True), (51, 0, False), (50, 1, True), (50, 2, False)])
def test_who_is_elsewhere_at_once_may_be_another_ghost(way: int, misses: int, moved: bool) -> None:
    person = newcomer()
    for miss in range(misses):
        person.miss(0.125 * (miss + 1), STILL)
    assert see(person, 0.5, STILL, x=300 + way).moved is moved


@pytest.mark.parametrize(
    ("places", "moved"),
    [
        ((300, 360, 420, 480), True),  # as far again each time
        ((300, 360, 470, 530), True),  # half a face further than that
        ((300, 360, 471, 531), False),
        ((300, 360, 300, 360, 300, 360), False),  # two ghosts, now one, now the other
        ((300, 360, 360, 360), False),  # one for the other
    ],
)
def test_who_walks_by_a_slow_camera_has_moved_and_ghosts_in_turn_have_not(
    places: tuple[int, ...], moved: bool
) -> None:
    person = Person(BOX, since=8.0, last_seen=8.0)
    for number, x in enumerate(places):
        see(person, 8.0 + number / 8, STILL, x=x)
    assert person.moved is moved
