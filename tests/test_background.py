"""Which faces are a poster's, and when a place is one: at the limits, where ways and times are met exactly."""

import itertools

import pytest

from device.background import Background
from device.faces import Box

BOX = Box(300, 400, 80, 100)
NEXT = Box(380, 400, 80, 100)  # right beside it: they have no pixel in common


def off(left: int = 0, top: int = 0, right: int = 0, bottom: int = 0) -> Box:
    """Return the box whose edges are off by so many pixels, each of which is a hundredth of its height."""
    return Box(BOX.x + left, BOX.y + top, BOX.width - left + right, BOX.height - top + bottom)


def poster() -> Background:
    """Return what knows a poster that was last seen at 0 s."""
    background = Background(1.0)
    background.see(-1.0, [BOX])
    background.see(0.0, [BOX])
    return background


def is_background(times: list[float]) -> bool:
    """Tell whether a face that was first and last seen as long ago as it takes is background, by when it was seen."""
    background = Background(times[-1] - times[0])
    return [background.see(now, [BOX]) for now in times][-1] == [BOX]


def test_a_face_turns_into_background_once_when_it_was_there_for_as_long_as_that_takes() -> None:
    background = Background(10.0)
    assert [now for now in range(8, 40) if background.see(now, [BOX, Box(now * 50, 0, 80, 100)]) == [BOX]] == [18]


@pytest.mark.parametrize("edge", ["left", "top", "right", "bottom"])
@pytest.mark.parametrize(("way", "same"), [(9, True), (-9, True), (10, False), (-10, False)])
def test_a_face_is_in_a_place_when_no_edge_is_off_by_more_than_still(edge: str, way: int, same: bool) -> None:
    background, box = Background(1.0), off(**{edge: way})
    background.see(0.0, [BOX])
    assert background.see(1.0, [box]) == ([box] if same else [])


@pytest.mark.parametrize(
    ("left", "held"),
    [
        *[(off(left=-9, right=-30), True), (off(left=-10, right=-30), False)],  # some of it is where nothing was
        *[(off(top=-9, bottom=-30), True), (off(top=-10, bottom=-30), False)],
        *[(off(left=30, right=9), True), (off(left=30, right=10), False)],
        *[(off(top=30, bottom=9), True), (off(top=30, bottom=10), False)],
        *[(off(left=9, top=30, right=-30), True), (off(left=10, top=30, right=-30), False)],  # a corner, and less
        *[(off(bottom=-50), True), (off(bottom=-51), False)],
    ],
)
def test_what_is_left_of_a_poster_is_within_it_has_two_of_its_edges_and_half_its_height(left: Box, held: bool) -> None:
    assert poster().holds(left) is held


def test_a_face_touches_background_when_they_have_a_pixel_in_common() -> None:
    assert poster().touches(NEXT._replace(x=NEXT.x - 1))
    assert not poster().touches(NEXT)
    background = Background(1.0)
    background.see(0.0, [BOX])
    assert not background.touches(BOX)  # a place that is none yet
    assert not background.holds(BOX)


@pytest.mark.parametrize(("until", "background"), [(14, True), (13, False)])
def test_background_was_seen_for_four_fifths_of_the_time_and_of_a_gap_two_seconds_count(
    until: int, background: bool
) -> None:
    assert is_background([*range(8, until + 1), 18.0]) is background


@pytest.mark.parametrize(
    ("seen", "gap", "kept"), [(0.5, 2.5, True), (0.5, 2.5625, False), (120.0, 30.0, True), (120.0, 30.0625, False)]
)
def test_a_place_is_dropped_after_as_long_as_it_was_seen_and_two_seconds(seen: float, gap: float, kept: bool) -> None:
    times = [frame / 2 for frame in range(round(2 * seen) + 1)]
    assert is_background([*times, times[-1] + gap]) is kept


@pytest.mark.parametrize(("now", "kept"), [(86400.0, True), (86400.125, False)])
def test_background_is_kept_for_a_day(now: float, kept: bool) -> None:
    background = poster()
    background.see(now, [])
    assert background.touches(BOX) is kept


@pytest.mark.parametrize(("stirs", "turned"), [(0, [40]), (5, [40]), (6, [480]), (11, [480])])
def test_a_face_that_stirs_in_more_than_half_of_the_frames_waits_twelve_times_as_long(
    stirs: int, turned: list[int]
) -> None:
    background, asked, found = Background(40.0), itertools.count(), list[int]()
    for now in range(1000):
        if background.doubts(now, BOX):  # in eleven frames
            background.watch(now, BOX, next(asked) % 11 < stirs)
        found += [now] * bool(background.see(now, [BOX]))
    assert found == turned


def test_whether_a_face_stirs_is_asked_for_ten_seconds_before_it_would_be_background_or_be_it_again() -> None:
    background, asked = Background(40.0), list[int]()
    for now in range(100):
        if background.doubts(now, off(left=9)):
            asked.append(now)
        assert not background.doubts(now, off(left=10))  # it is elsewhere
        background.watch(now, BOX, True)
        background.see(now, [BOX])
    assert asked == [*range(30, 41), *range(70, 81)]


@pytest.mark.parametrize(("stirs", "turned"), [(False, [50]), (True, [])])
def test_a_shorter_time_makes_nobody_a_poster_who_was_not_watched_for_ten_seconds(
    stirs: bool, turned: list[int]
) -> None:
    background, asked, found = Background(100.0), list[int](), list[int]()
    for now in range(60):
        if background.doubts(now, BOX):
            asked.append(now)
            background.watch(now, BOX, stirs)
        found += [now] * bool(background.see(now, [BOX]))
        if now == 40:
            background.adopt(now, 20.0)
    assert found == turned
    assert asked == list(range(41, 51))


def test_whether_a_face_stirs_is_not_asked_where_it_is_seen_too_seldom() -> None:
    background = Background(40.0)
    for now in range(0, 100, 4):  # for half of the time
        assert not background.doubts(now, BOX)
        background.see(now, [BOX])


@pytest.mark.parametrize(("person", "kept"), [(off(left=39), 30.0), (off(left=40), 86400.0), (NEXT, 86400.0)])
def test_background_where_somebody_was_who_had_moved_is_kept_as_long_as_any_place(person: Box, kept: float) -> None:
    background = Background(100.0)
    for now in range(101):
        background.see(now, [BOX], [person])
    background.see(100 + kept, [])
    assert background.touches(BOX)
    background.see(101 + kept, [])
    assert not background.touches(BOX)


@pytest.mark.parametrize(("stirs", "kept"), [([], False), ([False], True), ([False, True, False], False)])
def test_a_picture_that_was_watched_and_never_stirred_is_kept_for_a_day_whoever_was_before_it(
    stirs: list[bool], kept: bool
) -> None:
    background = Background(100.0)
    for now in range(101):
        if now == 95:
            for moved in stirs:
                background.watch(now, BOX, moved)
        background.see(now, [BOX], [BOX])
    background.see(100 + 86400.0, [])
    assert background.touches(BOX) is kept


@pytest.mark.parametrize(
    ("somebody", "away", "stirs", "woken"),
    [
        (True, 2.5, 1, True), (True, 2.5, 2, False),  # in every frame, and in every other one: a picture in a draught
        (True, 2.0, 1, False),  # it was never away
        (False, 2.5, 1, False),  # nobody was there: it is a poster
    ],
)  # fmt: skip
def test_who_stirs_where_somebody_was_asleep_is_background_no_more_after_three_seconds(
    somebody: bool, away: float, stirs: int, woken: bool
) -> None:
    background = Background(100.0)
    for now in range(101):
        if background.doubts(now, BOX):
            background.watch(now, BOX, False)
        background.see(now, [BOX], [BOX] * somebody)
    held = list[float]()
    for frame in range(40):  # half a second apart
        back = 100 + away + frame / 2
        if background.doubts(back, BOX):
            background.watch(back, BOX, frame % stirs == 0)
        background.see(back, [BOX])
        held += [back] * background.holds(BOX)
    assert held == [100 + away + frame / 2 for frame in range(6 if woken else 40)]


def test_who_slept_in_two_framings_is_watched_for_in_both() -> None:
    background, framed = Background(100.0), off(left=20)
    for now in range(151):
        for box in [BOX, framed][: 1 + (now >= 50)]:
            if background.doubts(now, box):
                background.watch(now, box, False)
        background.see(now, [BOX, framed][: 1 + (now >= 50)], [BOX] * (now <= 100))
    background.see(300, [framed])
    assert background.doubts(301, framed)


def test_background_where_somebody_was_is_not_kept_for_longer_under_another_framing() -> None:
    background, framed = Background(100.0), off(left=20)
    for now in range(151):  # they count as nobody any more when the other framing turns into background
        turned = background.see(now, [BOX, framed][: 1 + (now >= 50)], [BOX] * (now <= 100))
    assert turned == [framed]
    background.see(181, [])
    assert not background.touches(framed)


@pytest.mark.parametrize(
    ("beside", "back", "background"),
    [
        (off(right=-56), 1.0, False),  # 0.3 of it
        *[(off(right=-57), 1.0, True), (NEXT, 1.0, True), (off(right=-56), 0.75, False)],
        (off(right=-56), 0.7, True),  # a finder may frame a picture now so, now so
    ],
)
def test_a_place_does_not_count_as_seen_while_a_face_is_beside_it_for_longer_than_a_moment(
    beside: Box, back: float, background: bool
) -> None:
    places = Background(back)
    places.see(0.0, [BOX])
    places.see(0.5, [beside])
    assert bool(places.see(back, [BOX])) is background


@pytest.mark.parametrize(
    ("now", "box", "person", "reframed"),
    [
        (0.7, off(left=32), NEXT, True),  # 0.6 of it
        *[(0.7, off(left=33), NEXT, False), (0.71875, off(left=32), NEXT, False)],
        (0.7, off(left=32), NEXT._replace(x=NEXT.x - 1), False),  # somebody is there
    ],
)
def test_a_poster_may_be_framed_anew_for_a_moment_while_nobody_is_there(
    now: float, box: Box, person: Box, reframed: bool
) -> None:
    assert poster().reframed(now, box, [], [person]) is reframed


@pytest.mark.parametrize(("now", "right", "reframed"), [(3.0, -48, True), (3.0, -49, False), (3.0625, -48, False)])
def test_a_poster_may_be_framed_anew_for_three_seconds_while_somebody_is_before_it(
    now: float, right: int, reframed: bool
) -> None:  # from 0.4 of it
    assert poster().reframed(now, off(right=right), [BOX], [BOX]) is reframed


@pytest.mark.parametrize(
    ("x", "y", "before"),
    [
        *[(221, 400, True), (220, 400, False), (419, 400, True), (420, 400, False)],  # a width aside
        *[(320, 529, True), (320, 530, False), (320, 0, True)],  # half a height below, and anywhere above
    ],
)
def test_somebody_hides_what_is_behind_their_hair_their_shoulders_and_below(x: int, y: int, before: bool) -> None:
    walkers = [Box(0, 400, 40, 60), Box(x, y, 40, 60)]
    assert poster().reframed(1.0, off(right=-40), walkers, []) is before


def test_a_poster_of_two_framings_is_alone_two_seconds_after_the_other_has_become_background() -> None:
    background = Background(1.0)
    for frame in range(6):  # the other is background from 1.25 s, and was beside this one at 0.75 s
        background.see(frame / 4, [BOX, off(left=20, right=20)][frame % 2 :][:1])
    for now, alone in ((2.75, False), (2.8125, True)):
        background.see(now, [BOX])
        assert background.reframed(now, off(right=-32), [], []) is alone
