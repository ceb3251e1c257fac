"""Which face of now is which of before, at the limits of what a face may do in between."""

import pytest

from device.faces import Box, iou
from device.people import pair
from device.person import Person

THEN = 7.0  # seconds: when everybody was seen last
BEFORE = Box(300, 400, 100, 100)


def pairs_after(seconds: float, before: list[Box], now: list[Box]) -> dict[int, int]:
    return pair(THEN + seconds, [Person(box, since=0.0, last_seen=THEN) for box in before], now)


@pytest.mark.parametrize(
    ("other", "shared"),
    [
        (Box(310, 430, 100, 100), 6300 / 13700),
        (Box(320, 350, 200, 200), 8000 / 42000),
        (Box(300, 500, 100, 100), 0.0),  # it touches
        (Box(300, 520, 100, 100), 0.0),
        (Box(420, 520, 100, 100), 0.0),
    ],
)
def test_overlap_is_the_shared_part(other: Box, shared: float) -> None:
    assert iou(BEFORE, other) == iou(other, BEFORE) == pytest.approx(shared)


@pytest.mark.parametrize(
    ("seconds", "before", "last", "too_far"),
    [
        # They share three tenths, and that is enough even for a face that is three times as high.
        (0.0, Box(300, 400, 30, 30), Box(300, 400, 30, 100), Box(300, 400, 30, 101)),
        # Half a side of the larger at once, from middle to middle; then three sides a second, and never more than two.
        (0.0, BEFORE, Box(330, 440, 100, 100), Box(330, 441, 100, 100)),
        (0.0, Box(340, 400, 20, 90), Box(300, 455, 100, 80), Box(300, 456, 100, 80)),
        (0.25, BEFORE, Box(425, 400, 100, 100), Box(426, 400, 100, 100)),
        (9.0, BEFORE, Box(300, 600, 100, 100), Box(300, 601, 100, 100)),
        # Half as high again at once, twice as much each second, and never more than four times as high.
        (0.0, BEFORE, Box(360, 400, 100, 150), Box(360, 400, 100, 151)),
        (1.0, Box(300, 400, 50, 50), Box(400, 400, 150, 150), Box(400, 400, 150, 151)),
        (9.0, Box(300, 400, 50, 50), Box(400, 400, 200, 200), Box(400, 400, 200, 201)),
    ],
)
def test_how_far_and_how_much_larger_the_same_face_may_be(seconds: float, before: Box, last: Box, too_far: Box) -> None:
    assert pairs_after(seconds, [before], [last]) == pairs_after(seconds, [last], [before]) == {0: 0}
    assert pairs_after(seconds, [before], [too_far]) == pairs_after(seconds, [too_far], [before]) == {}


@pytest.mark.parametrize("step", [10, 60])  # px: so that they overlap enough, and too little
def test_the_nearest_are_one_and_each_belongs_to_one_only(step: int) -> None:
    right, far_right = BEFORE._replace(x=300 + step), BEFORE._replace(x=310 + step)

    assert pairs_after(0.25, [BEFORE], [far_right, right]) == {1: 0}
    assert pairs_after(0.25, [far_right, right], [BEFORE]) == {0: 1}
    assert pairs_after(0.25, [BEFORE, far_right], [right, BEFORE]) == {1: 0, 0: 1}


def test_who_is_lost_gets_only_what_those_who_are_there_leave_over() -> None:
    lost = Person(BEFORE, since=0.0, last_seen=THEN, lost=True)
    there = Person(BEFORE._replace(x=400), since=0.0, last_seen=THEN)
    stepped = BEFORE._replace(x=350)

    assert pair(THEN + 0.25, [lost, there], [stepped._replace(x=360)]) == {0: 1}
    assert pair(THEN + 0.25, [lost, there], [BEFORE]) == {0: 0}  # back in the very place, while the other is missed
    assert pair(THEN + 0.25, [lost, there], [BEFORE, stepped]) == {1: 1, 0: 0}
    assert pair(THEN + 0.25, [lost], [stepped]) == {0: 0}
