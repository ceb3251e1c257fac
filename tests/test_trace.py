"""Whether boxes alone show that a face moves: somebody who sways about one place, and a finder that wavers."""

import pytest

from device.faces import Box
from device.trace import SWAY_BOXES, Trace

LEAST = 0.07  # share of a face's height
# To and fro with every frame, so that means of boxes hide it: then only their spread, 0.65 of that, tells.
ACROSS = (Box(295, 400, 90, 100), Box(305, 400, 90, 100))
DOWN = (Box(300, 395, 90, 100), Box(300, 405, 90, 100))
LESS = (Box(296, 400, 90, 100), Box(304, 400, 90, 100))
LARGER = (Box(592, 800, 180, 200), Box(608, 800, 180, 200))  # further in px, less of its height
WIDER = (Box(300, 400, 90, 100), Box(273, 400, 140, 100))  # about the same middle
HIGHER = (Box(300, 400, 90, 100), Box(300, 370, 90, 150))


def moving(boxes: tuple[Box, Box], frames: int) -> list[int]:
    """Return after how many frames a face in the one box, then in the other, is seen to move."""
    trace, seen = Trace(), []
    for frame in range(frames):
        trace.add(frame / 8, boxes[frame % 2], None)
        if trace.moves(frame / 8, LEAST):
            seen.append(frame + 1)
    return seen


@pytest.mark.parametrize("boxes", [ACROSS, DOWN])
def test_who_sways_about_one_place_moves_as_soon_as_enough_boxes_are_known(boxes: tuple[Box, Box]) -> None:
    assert moving(boxes, SWAY_BOXES + 5) == list(range(20, 26))


@pytest.mark.parametrize("boxes", [LESS, LARGER, WIDER, HIGHER])
def test_a_box_that_wavers_by_less_or_about_its_middle_does_not_move(boxes: tuple[Box, Box]) -> None:
    assert moving(boxes, 3 * SWAY_BOXES) == []


@pytest.mark.parametrize(
    ("times", "stirred", "way", "moves"),
    [
        ((0.0, 0.07, 0.14), 0.012, 0, True),  # the picture shows it
        ((0.0, 0.07, 0.139), 0.012, 0, False),
        ((0.0, 0.19), None, 30, True),  # the boxes do
        ((0.0, 0.189), None, 30, False),
    ],
)
def test_it_takes_a_while_until_anything_shows_a_move(
    times: tuple[float, ...], stirred: float | None, way: int, moves: bool
) -> None:
    trace = Trace()
    for now in times:
        trace.add(now, Box(300 + way * (now > 0), 400, 90, 100), stirred)
    assert trace.moves(times[-1], LEAST) is moves
