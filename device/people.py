"""Follows faces from picture to picture: says which of now is which of before.

Pure: time comes in as a value. Everybody is looked for where they would be if they had gone on as before, so that those
who walk past each other stay who they are. Pairs are made one after the other, best first: the boxes that overlap most,
then those whose middles are nearest, for whoever walks towards the camera, turns, or was missed in between; then those
nearest to where somebody was, who may have stopped or turned back. Those who are there come first: else whoever steps
into a place would become the one who has just left it. But who is lost and comes back to the very place isn't taken for
a neighbour who is missed just then.
"""

from collections.abc import Sequence
from math import hypot

from device.faces import Box, iou
from device.person import Person

SAME_FACE_IOU = 0.3  # overlap of two frames' boxes from which they are taken for one face; 0-1
SAME_PLACE_IOU = 0.6  # the same, from which who is lost has come back to where they were
# How far the middle of a face may have gone that overlaps no more, in sides of its larger box: at once, and for each
# second that it wasn't seen. A brisk walk across the picture, 1.4 m/s with a face 0.2 m high, is 7 sides a second.
JUMP_SIDES, WALK_SIDES = 0.5, 3.0
FARTHEST_SIDES = 2.0
MOST_GROWTH, GROWTH_A_SECOND, GREATEST_GROWTH = 1.5, 2.0, 4.0  # the same of how many times as high or low it is


def pair(now: float, people: Sequence[Person], boxes: Sequence[Box]) -> dict[int, int]:
    """Return for each box that belongs to somebody, by its place in the list, the place of that person."""
    there, lost = ([i for i, person in enumerate(people) if person.lost is gone] for gone in (False, True))
    places = [person.ahead(now) for person in people]

    def overlapping(some: Sequence[int], least: float) -> list[tuple[float, int, int]]:
        overlaps = ((iou(places[i], box), i, j) for i in some for j, box in enumerate(boxes))
        return [(-share, i, j) for share, i, j in overlaps if share >= least]

    def near(some: Sequence[int], places: Sequence[Box]) -> list[tuple[float, int, int]]:
        ways = (
            (_way(places[i], box, now - people[i].last_seen), i, j) for i in some for j, box in enumerate(boxes)
        )
        return [(way, i, j) for way, i, j in ways if way is not None]

    pairs: dict[int, int] = {}
    for fits in (
        overlapping(there, SAME_FACE_IOU), overlapping(lost, SAME_PLACE_IOU), near(there, places),
        near(there, [person.box for person in people]), overlapping(lost, SAME_FACE_IOU), near(lost, places),
    ):  # fmt: skip
        for _, i, j in sorted(fits):
            if j not in pairs and i not in pairs.values():
                pairs[j] = i
    return pairs


def _way(a: Box, b: Box, seconds: float) -> float | None:
    """Return how far apart two boxes' middles are, in sides of the larger; None if they can't be one face's.

    seconds: that have gone by between them.
    """
    way = hypot(a.x - b.x + (a.width - b.width) / 2, a.y - b.y + (a.height - b.height) / 2) / max(*a[2:], *b[2:])
    growth = max(a.height, b.height) / min(a.height, b.height)
    far = way > min(FARTHEST_SIDES, JUMP_SIDES + WALK_SIDES * seconds)
    grown = growth > min(GREATEST_GROWTH, MOST_GROWTH * GROWTH_A_SECOND**seconds)
    return None if far or grown else way
