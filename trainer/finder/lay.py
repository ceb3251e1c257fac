"""Lays a picture with known faces over another one: turned, scaled and mirrored, its faces' boxes with it.

All pictures are uint8 luma (height, width); boxes are float32 (n, 4): left, top, width, height in px.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from device.faces import Luma
from trainer.finder.dress import LEAST_SIDE, dressed
from trainer.photos import ALARM_LABEL

Floats = npt.NDArray[np.float32]

SMALLEST_FACE = 14.0  # px, the height: smaller ones are neither asked for nor held against the network
LARGEST_FACE = 0.97  # of the picture's height
WHOLE_ZOOM, WHOLE_TILT_DEGREES = (0.75, 1.4), 4.0  # of a picture that is shown whole
LARGEST_TILE = 0.5  # of the height: faces of the second and third layer
TILE = (1.3, 3.2)  # sides of such a tile, in those of its face
TILT_DEGREES = 8.0  # standard deviation, at most three of them
ENLARGED = 3.0  # at most: a face of few pixels has no more to show
CUT_OFF = 0.1  # share of faces whose middle may lie at the edge
SEEN = 0.5  # share of a face that must be in the picture for it to count


@dataclass(frozen=True)
class Picture:
    """A decoded picture: `levels` are it, its half, its quarter and so on, so that shrinking never sparkles."""

    levels: tuple[Luma, ...]
    boxes: Floats  # of its faces
    bare: npt.NDArray[np.bool_]  # (n,): known to wear no mask
    ignored: Floats  # of faces too small or unsure to count


def picture(luma: Luma, boxes: Floats, labels: Sequence[str], ignored: Floats) -> Picture:
    """Return a picture with its faces, ready to be laid over others."""
    levels = [luma]
    while min(levels[-1].shape) >= 64:
        height, width = levels[-1].shape
        levels.append(np.asarray(cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA)))
    return Picture(tuple(levels), boxes, np.array([label == ALARM_LABEL for label in labels], bool), ignored)


def lay(
    rng: np.random.Generator, canvas: Luma, chosen: Picture, tile: bool = False, whole: bool = False
) -> tuple[Floats, Floats, Floats]:
    """Lay a picture over a canvas: as one of its faces asks, as a tile around that face, or fitted whole.

    The canvas is changed in place. Returns the boxes of the picture's faces in it, those to be ignored, and the box
    that was covered, float32 (4,).
    """
    size = np.array(canvas.shape[::-1])
    which = int(rng.integers(len(chosen.boxes)))
    face, full = chosen.boxes[which], np.array(chosen.levels[0].shape[::-1])
    aim = _aim(rng, size, full, face, tile, whole)
    source, matrix_there = level(chosen, aim.matrix)
    ratio = np.array(source.shape[::-1]) / full
    there = np.concatenate([face[:2] * ratio, face[2:] * ratio])
    if min(there[2:]) >= LEAST_SIDE:
        source = dressed(rng, source, there, bool(chosen.bare[which]))
    reach = np.array([0.0, 0.0, *full])
    if tile:
        around = face[2:].max() * rng.uniform(*TILE, 2)
        low, high = np.maximum(aim.centre - around / 2, 0), np.minimum(aim.centre + around / 2, full)
        reach = np.array([*low, *high])
    corners = (reach[[0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2) - aim.centre) @ aim.matrix.T + aim.middle
    _paste(canvas, corners, source, matrix_there, aim.centre * ratio, aim.middle)
    where = np.concatenate([corners.min(0), np.ptp(corners, axis=0)]).astype(np.float32)
    return *_in_canvas(chosen, aim, reach, size), where


class _Aim(NamedTuple):
    """How a picture is laid: `matrix` turns, scales and mirrors it, and its point `centre` comes to `middle`."""

    matrix: npt.NDArray[np.float64]  # (2, 2)
    centre: Floats  # (2,): of the face, px of the picture
    middle: npt.NDArray[np.float64]  # (2,): px of the canvas


def _aim(rng: np.random.Generator, size: npt.NDArray[np.intp], full: npt.NDArray[np.intp], face: Floats,
         tile: bool, whole: bool) -> _Aim:
    """Draw how a picture of `full` px (width, height) is laid on a canvas of `size`."""
    largest = size[1] * (LARGEST_TILE if tile else LARGEST_FACE)
    wanted = np.exp(rng.uniform(np.log(SMALLEST_FACE), np.log(largest)))
    degrees = WHOLE_TILT_DEGREES if whole else TILT_DEGREES
    fitted = float((size / full).min() * np.exp(rng.uniform(*np.log(WHOLE_ZOOM))))
    scale = min(fitted if whole else wanted / face[3], ENLARGED)
    turn = np.deg2rad(np.clip(rng.normal(0, degrees), -3 * degrees, 3 * degrees))
    stretch = np.exp(rng.normal(0, 0.06))
    cos, sin = np.cos(turn) * scale, np.sin(turn) * scale
    matrix = np.array([[cos * stretch, -sin / stretch], [sin * stretch, cos / stretch]])
    if rng.random() < 0.5:
        matrix[:, 0] *= -1
    sides = face[2:] * scale
    room = np.maximum(size - sides, 0) if rng.random() >= CUT_OFF else size
    middle = (size - room) / 2 + rng.uniform(0, 1, 2) * room
    if whole:  # somewhere in the canvas if it is smaller; else the canvas is somewhere in it
        across = full[0] - face[0] - face[2] / 2 if matrix[0, 0] < 0 else face[0] + face[2] / 2
        middle = (size - full * scale) * rng.uniform(0, 1, 2) + np.array([across, face[1] + face[3] / 2]) * scale
    return _Aim(matrix, np.asarray(face[:2] + face[2:] / 2, np.float32), middle)


def _paste(canvas: Luma, corners: npt.NDArray[np.float64], source: Luma, matrix: npt.NDArray[np.float64],
           centre: npt.NDArray[np.float64], middle: npt.NDArray[np.float64]) -> None:
    """Draw `source` as `warp` does on the canvas, between these corners, float64 (4, 2)."""
    size = np.array(canvas.shape[::-1])
    # Only where the layer comes to lie: most layers are small.
    low, high = np.clip(np.floor(corners.min(0)), 0, size).astype(int), np.clip(corners.max(0) + 1, 0, size).astype(int)
    if (high > low).all():
        across = (int(high[0] - low[0]), int(high[1] - low[1]))
        placed = warp(source, matrix, centre, middle - low, across, cv2.BORDER_REFLECT_101)
        stencil = np.zeros(placed.shape, np.uint8)
        cv2.fillConvexPoly(stencil, np.round((corners - low - 0.5) * 16).astype(np.int32), 255, cv2.LINE_8, 4)
        cv2.copyTo(placed, stencil, canvas[low[1] : high[1], low[0] : high[0]])


def _in_canvas(chosen: Picture, aim: _Aim, reach: npt.NDArray[np.float64],
               size: npt.NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Return the boxes of a picture's faces in the canvas, and those to be ignored; only `reach` of it is shown."""
    canvas_frame = np.array([0.0, 0.0, *size])
    # A face at the tile's edge is as large as what the tile shows of it.
    shown, share = cut(chosen.boxes, reach)
    boxes, of_shown = cut(_moved(shown, aim), canvas_frame)
    counts = (share * of_shown >= SEEN) & (boxes[:, 3] >= SMALLEST_FACE * 0.95)
    others, left = cut(_moved(cut(chosen.ignored, reach)[0], aim), canvas_frame)
    return boxes[counts], np.concatenate([boxes[~counts & (share * of_shown > 0)], others[left > 0]])


def level(chosen: Picture, matrix: npt.NDArray[np.float64]) -> tuple[Luma, npt.NDArray[np.float64]]:
    """Return the smallest level that still has a pixel for each of the canvas, and the matrix from there."""
    shrunk = np.hypot(*matrix[:, 1])
    number = int(np.clip(np.floor(-np.log2(max(shrunk, 1e-6)) + 0.2), 0, len(chosen.levels) - 1))
    source = chosen.levels[number]
    ratio = np.array(source.shape[::-1]) / np.array(chosen.levels[0].shape[::-1])
    return source, matrix / ratio


def warp(source: Luma, matrix: npt.NDArray[np.float64], centre: npt.NDArray[np.float64],
          middle: npt.NDArray[np.float64], size: tuple[int, int], border: int) -> Luma:
    """Draw `source` so that its point `centre` comes to `middle`, on a canvas of this size (width, height)."""
    # Places are counted from the picture's edge, OpenCV's from the middle of its first pixel.
    shift = middle - matrix @ (centre - 0.5) - 0.5
    moved = cv2.warpAffine(source, np.column_stack([matrix, shift]), size, flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(moved, np.uint8)


def _moved(boxes: Floats, aim: _Aim) -> Floats:
    """Return the boxes around turned faces: a face is an oval, so a turn widens its box less than a rectangle's."""
    middles = (boxes[:, :2] + boxes[:, 2:] / 2 - aim.centre) @ aim.matrix.T + aim.middle
    sides = np.sqrt(boxes[:, 2:] ** 2 @ (aim.matrix**2).T)
    return np.asarray(np.concatenate([middles - sides / 2, sides], axis=1), np.float32)


def cut(boxes: Floats, frame: npt.NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Return boxes cut to a frame (left, top, right, bottom), and which share of each is left, float32 (n,) 0-1."""
    low, high = np.clip(boxes[:, :2], frame[:2], frame[2:]), np.clip(boxes[:, :2] + boxes[:, 2:], frame[:2], frame[2:])
    cut = np.concatenate([low, high - low], axis=1).astype(np.float32)
    return cut, np.prod(cut[:, 2:], axis=1) / np.maximum(np.prod(boxes[:, 2:], axis=1), 1e-6)
