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

from device.faces import Box, Face, Luma, largest_first
from device.reduce import halved

WIDTH, HEIGHT = 320, 224  # px of the network's picture: between 4:3 and 16:9, multiples of 32
STRIDE = 8  # px a cell
COLUMNS, ROWS = WIDTH // STRIDE, HEIGHT // STRIDE
CHANNELS = 5
REACH = 2.0  # cells: how far off a cell's middle the middle of its face may be said to lie
SMALLEST_SIDE, OCTAVES = 8.0, 5.5  # px, and how often it may be doubled
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
    small = cv2.resize(halved(luma, *size), size, interpolation=cv2.INTER_LINEAR)
    if size != (WIDTH, HEIGHT):
        below, beside = HEIGHT - size[1], WIDTH - size[0]
        small = cv2.copyMakeBorder(small, 0, below, 0, beside, cv2.BORDER_CONSTANT, value=(FILL,))
    return Fitted(np.asarray(small, np.uint8), width / size[0], height / size[1])


def decode(heatmap: Floats, least_score: float, most_overlap: float) -> tuple[Floats, Floats]:
    """Return the boxes, float32 (n, 4) as left, top, width, height in px of the network's picture, and scores (n,).

    heatmap: float32 (rows, columns, 5). A cell counts if it scores at least `least_score` and no neighbour scores
    higher; of two boxes whose intersection over union is above `most_overlap`, the surer one stays (NMS). Surest first.
    """
    score = np.ascontiguousarray(heatmap[:, :, 0])
    peak = (score >= least_score) & (score >= cv2.dilate(score, np.ones((3, 3), np.uint8)))
    rows, columns = np.nonzero(peak)
    order = np.argsort(-score[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    values = heatmap[rows, columns]
    middles = np.stack([columns, rows], axis=1) + 0.5 + (values[:, 1:3] - 0.5) * (2 * REACH)
    sides = SMALLEST_SIDE * np.exp2(values[:, 3:5] * OCTAVES)
    boxes = np.concatenate([middles * STRIDE - sides / 2, sides], axis=1).astype(np.float32)
    kept: list[int] = []
    for i in range(len(boxes)):
        if not kept or intersection_over_union(boxes[kept], boxes[i]).max() <= most_overlap:
            kept.append(i)
    return boxes[kept], values[kept, 0]


def intersection_over_union(boxes: Floats, box: Floats) -> Floats:
    """Return the overlap, float32 (n,) 0-1, of boxes (n, 4) with one box (4,), all as left, top, width, height."""
    low = np.maximum(boxes[:, :2], box[:2])
    high = np.minimum(boxes[:, :2] + boxes[:, 2:], box[:2] + box[2:])
    both = np.prod(np.clip(high - low, 0, None), axis=1)
    return np.asarray(both / (np.prod(boxes[:, 2:], axis=1) + np.prod(box[2:]) - both), np.float32)


def faces_of(
    heatmap: Floats, fitted: Fitted, size: tuple[int, int], least_score: float, most_overlap: float
) -> list[Face]:
    """Return the faces of a map in pixels of the picture of this size (width, height), cut to it, largest first."""
    boxes, scores = decode(heatmap, least_score, most_overlap)
    scale = np.array([fitted.scale_x, fitted.scale_y], np.float32)
    low = np.round(np.clip(boxes[:, :2] * scale, 0, size)).astype(int)
    high = np.round(np.clip((boxes[:, :2] + boxes[:, 2:]) * scale, 0, size)).astype(int)
    return largest_first([
        Face(Box(int(x), int(y), int(right - x), int(bottom - y)), float(score))
        for (x, y), (right, bottom), score in zip(low, high, scores, strict=True)
        if right > x and bottom > y
    ])
