"""Turns a picture into what the face network sees, and the map that it gives back into boxes.

The network is anchor-free and single-shot (Zhou et al., Objects as Points, arXiv 1904.07850): each cell of a map says
how likely the middle of a face lies in it, and where exactly and how large that face is.

The map is float32 (rows, columns, 5), every value 0-1:
- 0: score of a face whose middle is in this cell
- 1, 2: x and y of its middle, from -2 to 2 cells off the middle of this one
- 3, 4: its width and height in octaves above 8 pixels, 0 to 5.5 of them
All lengths are in pixels of the network's picture.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from device.faces import Box, Face, Luma, Rectangle, iou, largest_first
from device.reduce import halved

WIDTH, HEIGHT = 320, 224  # px of the network's picture: between 4:3 and 16:9, multiples of 32
STRIDE = 8  # px a cell
COLUMNS, ROWS = WIDTH // STRIDE, HEIGHT // STRIDE
CHANNELS = 5
REACH = 2.0  # cells: how far off a cell's middle the middle of its face may be said to lie
SMALLEST_SIDE, OCTAVES = 8.0, 5.5  # px, and how often it may be doubled
NEIGHBOURS = np.ones((3, 3), np.uint8)  # of a cell
FILL = 128  # grey level beside a picture of another shape

Floats = npt.NDArray[np.float32]


class Fitted(NamedTuple):
    """A picture as the network sees it."""

    luma: Luma  # uint8 (HEIGHT, WIDTH): the picture in the upper left corner, the rest FILL
    scale_x: float  # px of the picture a px of the network's, across
    scale_y: float  # the same, down


def fit(luma: Luma) -> Fitted:
    """Resize a picture, uint8 (height, width), so that all of it is seen, its proportions kept to the pixel."""
    height, width = luma.shape
    scale = min(WIDTH / width, HEIGHT / height)
    size = min(WIDTH, max(1, round(width * scale))), min(HEIGHT, max(1, round(height * scale)))
    fitted = np.empty((HEIGHT, WIDTH), np.uint8)
    fitted[:, size[0] :], fitted[size[1] :, : size[0]] = FILL, FILL
    cv2.resize(halved(luma, *size), size, fitted[: size[1], : size[0]], interpolation=cv2.INTER_LINEAR)
    return Fitted(fitted, width / size[0], height / size[1])


def decode(heatmap: Floats, least_score: float, most_overlap: float) -> list[tuple[Rectangle, float]]:
    """Return boxes in px of the network's picture and their scores, the surest first.

    heatmap: float32 (rows, columns, 5). A cell counts if it scores at least `least_score` and no neighbour scores
    higher; of two boxes whose intersection over union is above `most_overlap`, the surer one stays (NMS).
    """
    score = np.ascontiguousarray(heatmap[:, :, 0])
    peaks = np.flatnonzero((score >= least_score) & (score >= cv2.dilate(score, NEIGHBOURS)))
    # Few are left: plain numbers of them are read quicker than arrays.
    cells = zip(peaks.tolist(), heatmap.reshape(-1, CHANNELS)[peaks].tolist(), strict=True)
    kept: list[tuple[Rectangle, float]] = []
    for cell, (sure, *place) in sorted(cells, key=lambda item: -item[1][0]):
        box = _box(*divmod(cell, score.shape[1]), *place)
        if all(iou(box, other) <= most_overlap for other, _ in kept):
            kept.append((box, sure))
    return kept


def _box(row: int, column: int, x: float, y: float, width: float, height: float) -> Rectangle:
    """Return the box of which a cell tells these values."""
    wide, high = (SMALLEST_SIDE * 2 ** (OCTAVES * side) for side in (width, height))
    across, down = ((cell + 0.5 + (at - 0.5) * 2 * REACH) * STRIDE for cell, at in ((column, x), (row, y)))
    return across - wide / 2, down - high / 2, wide, high


def faces_of(
    heatmap: Floats, fitted: Fitted, size: tuple[int, int], least_score: float, most_overlap: float
) -> list[Face]:
    """Return the faces of a map in pixels of the picture of this size (width, height), cut to it, largest first."""
    found: list[Face] = []
    for (left, top, wide, high), score in decode(heatmap, least_score, most_overlap):
        x, right = (round(min(max(edge * fitted.scale_x, 0), size[0])) for edge in (left, left + wide))
        y, bottom = (round(min(max(edge * fitted.scale_y, 0), size[1])) for edge in (top, top + high))
        box = Box(x, y, right - x, bottom - y)
        # Two that reach over the edge may be one face once they are cut to the picture.
        if right > x and bottom > y and all(iou(box, face.box) <= most_overlap for face in found):
            found.append(Face(box, score))
    return largest_first(found)
