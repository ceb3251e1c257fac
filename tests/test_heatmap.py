"""A picture is fitted so that the map of the network can be read back as boxes in its pixels."""

import numpy as np
import pytest

from device.faces import Box, iou
from device.heatmap import (
    CHANNELS,
    COLUMNS,
    FILL,
    HEIGHT,
    OCTAVES,
    REACH,
    ROWS,
    SMALLEST_SIDE,
    STRIDE,
    WIDTH,
    Floats,
    decode,
    faces_of,
    fit,
)  # fmt: skip

TINY = 2e-3  # px: what float32 leaves


def written(*faces: tuple[float, tuple[float, float, float, float]], cells: tuple[int, int] = (0, 0)) -> Floats:
    """Return the map that says these faces: score and box, left, top, width, height, each seen `cells` off its own."""
    heatmap = np.zeros((ROWS, COLUMNS, CHANNELS), np.float32)
    for score, (left, top, width, height) in faces:
        x, y = (left + width / 2) / STRIDE, (top + height / 2) / STRIDE
        column, row = int(x) + cells[0], int(y) + cells[1]
        offsets = [(at - cell - 0.5) / (2 * REACH) + 0.5 for at, cell in ((x, column), (y, row))]
        sides = [np.log2(side / SMALLEST_SIDE) / OCTAVES for side in (width, height)]
        heatmap[row, column] = [score, *offsets, *sides]
    return heatmap


@pytest.mark.parametrize(
    ("shape", "inside", "scales"),
    [
        ((480, 640), (224, 299), (640 / 299, 480 / 224)),
        ((224, 320), (224, 320), (1, 1)),
        ((480, 480), (224, 224), (480 / 224, 480 / 224)),
        ((360, 640), (180, 320), (2, 2)),
        ((112, 160), (224, 320), (0.5, 0.5)),
        ((6000, 8000), (224, 299), (8000 / 299, 6000 / 224)),
        ((1, 1), (224, 224), (1 / 224, 1 / 224)),
        ((16, 4000), (1, 320), (12.5, 16)),
        ((4000, 16), (224, 1), (16, 4000 / 224)),
    ],
)
def test_a_picture_of_any_shape_is_seen_whole(
    shape: tuple[int, int], inside: tuple[int, int], scales: tuple[float, float]
) -> None:
    luma = np.full(shape, 40, np.uint8)
    fitted = fit(luma)
    expected = np.full((HEIGHT, WIDTH), FILL, np.uint8)
    expected[: inside[0], : inside[1]] = 40
    assert np.array_equal(fitted.luma, expected)
    assert (fitted.scale_x, fitted.scale_y) == scales


@pytest.mark.parametrize("cells", [(0, 0), (1, 0), (-1, 1)])
def test_a_face_is_read_where_it_was_written(cells: tuple[int, int]) -> None:
    box = (61.5, 30.25, 40.0, 52.0)
    ((found, score),) = decode(written((0.75, box), cells=cells), 0.5, 0.5)
    assert found == pytest.approx(box, abs=TINY)
    assert score == 0.75


def test_the_surest_comes_first_and_hides_what_overlaps_it() -> None:
    sure, near, apart, doubtful = (40, 40, 60, 60), (64, 40, 60, 60), (150, 90, 30, 40), (10, 120, 40, 40)
    heatmap = written((0.9, sure), (0.8, near), (0.95, apart), (0.4, doubtful))
    assert iou(near, sure) == pytest.approx(36 / 84)
    boxes = [box for box, _ in decode(heatmap, 0.5, 0.42)]
    assert boxes == [pytest.approx(apart, abs=TINY), pytest.approx(sure, abs=TINY)]
    assert [score for _, score in decode(heatmap, 0.5, 0.44)] == pytest.approx([0.95, 0.9, 0.8])
    assert [score for _, score in decode(heatmap, 0.4, 0.44)] == pytest.approx([0.95, 0.9, 0.8, 0.4])


def test_of_neighbouring_cells_the_surest_speaks() -> None:
    heatmap = written((0.9, (40, 40, 60, 60)))
    row, column = np.unravel_index(heatmap[:, :, 0].argmax(), (ROWS, COLUMNS))
    heatmap[row + 1, column] = [0.89, 1, 1, 0, 0]  # says a small face far enough off to be one of its own
    assert [score for _, score in decode(heatmap, 0.5, 0.5)] == pytest.approx([0.9])


def test_an_empty_map_has_no_faces() -> None:
    assert decode(np.zeros((ROWS, COLUMNS, CHANNELS), np.float32), 0.5, 0.5) == []


def test_two_boxes_that_are_one_where_the_picture_cuts_them_are_one_face() -> None:
    heatmap = written((0.9, (-40, 40, 140, 60)), (0.8, (-80, 40, 180, 60)))
    assert [score for _, score in decode(heatmap, 0.5, 0.8)] == pytest.approx([0.9, 0.8])
    faces = faces_of(heatmap, fit(np.zeros((448, 640), np.uint8)), (640, 448), 0.5, 0.8)
    assert [(face.box, round(face.score, 1)) for face in faces] == [(Box(0, 80, 200, 120), 0.9)]


def test_faces_are_cut_to_the_picture_and_the_largest_comes_first() -> None:
    luma = np.zeros((448, 640), np.uint8)
    heatmap = written((0.9, (-10, 20, 40, 40)), (0.8, (100, 40, 80, 100)))
    faces = faces_of(heatmap, fit(luma), (640, 448), 0.5, 0.5)
    assert [face.box for face in faces] == [Box(200, 80, 160, 200), Box(0, 40, 60, 80)]
    assert [face.score for face in faces] == pytest.approx([0.8, 0.9])
    assert [type(value) for value in (*faces[0].box, faces[0].score)] == [int, int, int, int, float]
    # The right half of the network's picture is filling here.
    assert faces_of(written((0.9, (200, 40, 30, 30))), fit(luma[:, :240]), (240, 480), 0.5, 0.5) == []
