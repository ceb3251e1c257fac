"""Turns pictures with known faces, and pictures without any, into endlessly many pictures to train the finder on.

A picture to train on is a background with one picture or several laid over it, each turned, scaled and mirrored so that
one of its faces comes where and as large as was drawn by lot, and then lit, blurred and made noisy as at a door.
All pictures are uint8 luma (height, width); boxes are float32 (n, 4): left, top, width, height in px.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from device.faces import Luma
from device.heatmap import FILL, HEIGHT, WIDTH
from trainer.covers import draw_cover
from trainer.dataset import CONTEXT, CROP_MARGIN
from trainer.fitted import draw_mask, draw_worn_wrong
from trainer.photos import ALARM_LABEL

Floats = npt.NDArray[np.float32]

SMALLEST_FACE = 14.0  # px, the height: smaller ones are neither asked for nor held against the network
LARGEST_FACE = 0.97  # of the picture's height
LAYERS = (0.34, 0.38, 0.19, 0.09)  # shares of pictures with no, one, two, three layers
# Share of the pictures of the device's size that show one picture whole, as the device fits it, but for a slight zoom.
WHOLE, WHOLE_ZOOM, WHOLE_TILT_DEGREES = 0.5, (0.75, 1.4), 4.0
GOOD_PHOTOS = 0.35  # share in which light and sharpness stay as they are
PLAIN = 0.1  # share of backgrounds that are nothing but grey
# Shares of backgrounds that are upside down, and that shine through another: things that nobody has a photo of.
TURNED, DOUBLED = 0.1, 0.15
LARGEST_TILE = 0.5  # of the height: faces of the second and third layer
TILE = (1.3, 3.2)  # sides of such a tile, in those of its face
TILT_DEGREES = 8.0  # standard deviation, at most three of them
ENLARGED = 3.0  # at most: a face of few pixels has no more to show
CUT_OFF = 0.1  # share of faces whose middle may lie at the edge
SEEN = 0.5  # share of a face that must be in the picture for it to count
HIDDEN = 0.35  # share of a face under another layer from which it no longer counts
DRESSED, UNDRESSED_SIDE = 0.3, 36  # share of bare faces that get something drawn on, and from which side in px
NOISE = (2.0, 14.0)  # standard deviation in grey levels, least and most
NOISE_BANK = 2**22


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


class Composer:
    """Composes pictures of any size from pools of pictures."""

    def __init__(self, pools: Sequence[tuple[float, Sequence[Picture]]], backgrounds: Sequence[Picture]) -> None:
        """Take pools of pictures with faces, each with how often it is drawn, and pictures without faces."""
        self._pools = [list(pictures) for _, pictures in pools]
        shares = np.array([share for share, _ in pools])
        self._shares = shares / shares.sum()
        self._backgrounds = list(backgrounds)
        self._noise = np.random.default_rng(0).standard_normal(NOISE_BANK, np.float32)

    def compose(self, rng: np.random.Generator, width: int, height: int) -> tuple[Luma, Floats, Floats]:
        """Return a picture (height, width), the boxes of its faces, and the boxes in which nothing said counts.

        Its light is that of the photos; `photograph` makes a camera's picture of it.
        """
        boxes, ignored = np.empty((0, 4), np.float32), np.empty((0, 4), np.float32)
        if (width, height) == (WIDTH, HEIGHT) and rng.random() < WHOLE:
            canvas = np.full((height, width), FILL, np.uint8)
            boxes, ignored, _ = _lay(rng, canvas, self._chosen(rng), whole=True)
            return canvas, boxes, ignored
        canvas = self._background(rng, width, height)
        for layer in range(rng.choice(len(LAYERS), p=LAYERS)):
            seen, unsure, where = _lay(rng, canvas, self._chosen(rng), tile=layer > 0)
            covered = [_share_inside(box, where) for box in boxes]
            ignored = np.concatenate([ignored, boxes[[c > 0.1 for c in covered]], unsure]).astype(np.float32)
            boxes = np.concatenate([boxes[[c <= HIDDEN for c in covered]], seen]).astype(np.float32)
        return canvas, boxes, ignored

    def _chosen(self, rng: np.random.Generator) -> Picture:
        pool = self._pools[rng.choice(len(self._pools), p=self._shares)]
        return pool[rng.integers(len(pool))]

    def _background(self, rng: np.random.Generator, width: int, height: int) -> Luma:
        if rng.random() < PLAIN:
            grey = FILL if rng.random() < 0.5 else int(rng.integers(256))
            return np.full((height, width), grey, np.uint8)
        shown = self._detail(rng, width, height)
        if rng.random() < DOUBLED:
            share = rng.uniform(0.3, 0.7)
            shown = np.asarray(cv2.addWeighted(shown, share, self._detail(rng, width, height), 1 - share, 0), np.uint8)
        return shown

    def _detail(self, rng: np.random.Generator, width: int, height: int) -> Luma:
        chosen = self._backgrounds[rng.integers(len(self._backgrounds))]
        full = np.array(chosen.levels[0].shape[::-1])
        # From all of it to a detail, so that its things come in every size.
        share = rng.uniform(0.35, 1.0)
        scale = float(max((width, height) / full)) / share
        matrix = np.array([[scale * rng.choice((-1, 1)), 0.0], [0.0, -scale if rng.random() < TURNED else scale]])
        slack = (full * scale - (width, height)) / 2
        middle = np.array([width, height]) / 2 + rng.uniform(-1, 1, 2) * slack
        source, matrix = _level(chosen, matrix)
        return _warp(source, matrix, np.array(source.shape[::-1]) / 2, middle, (width, height), cv2.BORDER_REFLECT_101)

    def photograph(self, rng: np.random.Generator, canvas: Luma) -> Luma:
        """Light, blur and compress a picture, and add noise."""
        if rng.random() < GOOD_PHOTOS:
            return canvas
        height, width = canvas.shape
        kind = rng.random()
        if kind < 0.12:
            canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.4, 1.6)))
        elif kind < 0.2:
            length = int(rng.integers(2, 7))
            kernel = np.zeros((length, length), np.float32)
            turn = rng.uniform(0, np.pi)
            reach = (length - 1) / 2 * np.array([np.cos(turn), np.sin(turn)])
            start, end = ((length - 1) / 2 + side * reach for side in (-1, 1))
            cv2.line(kernel, tuple(np.round(start).astype(int).tolist()), tuple(np.round(end).astype(int).tolist()), 1)
            canvas = np.asarray(cv2.filter2D(canvas, -1, kernel / kernel.sum()))
        lit: cv2.typing.MatLike = canvas.astype(np.float32)
        if rng.random() < 0.6:
            levels = np.linspace(0, 1, 256, dtype=np.float32) ** np.float32(np.exp(rng.normal(0, 0.35)))
            gain, offset = np.exp(rng.normal(0, 0.2)), rng.normal(0, 12)
            light = rng.random()
            if light < 0.14:  # hardly any
                gain, offset = rng.uniform(0.15, 0.5), rng.uniform(0, 15)
            elif light < 0.22:  # glare and haze
                gain, offset = rng.uniform(0.3, 0.7), rng.uniform(40, 120)
            lit = cv2.LUT(canvas, levels * np.float32(gain * 255) + np.float32(offset))
        if rng.random() < 0.2:  # light from one side
            turn, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.7)
            across = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(np.cos(turn) * depth)
            down = np.linspace(-1, 1, height, dtype=np.float32) * np.float32(np.sin(turn) * depth)
            lit = lit * (1 + np.add.outer(down, across))
        if rng.random() < 0.45:
            noise = np.float32(np.exp(rng.uniform(*np.log(NOISE))))
            start = rng.integers(NOISE_BANK - width * height)
            lit = lit + self._noise[start : start + width * height].reshape(height, width) * noise
        photo = np.clip(lit, 0, 255).astype(np.uint8)
        if rng.random() < 0.15:
            _, encoded = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))])
            photo = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)
        return photo


def _lay(
    rng: np.random.Generator, canvas: Luma, chosen: Picture, tile: bool = False, whole: bool = False
) -> tuple[Floats, Floats, Floats]:
    """Lay a picture over a canvas: as one of its faces asks, as a tile around that face, or fitted whole.

    The canvas is changed in place. Returns the boxes of the picture's faces in it, those to be ignored, and the box
    that was covered, float32 (4,).
    """
    height, width = canvas.shape
    size = np.array([width, height])
    which = int(rng.integers(len(chosen.boxes)))
    face = chosen.boxes[which]
    largest = height * (LARGEST_TILE if tile else LARGEST_FACE)
    wanted = np.exp(rng.uniform(np.log(SMALLEST_FACE), np.log(largest)))
    full, degrees = np.array(chosen.levels[0].shape[::-1]), WHOLE_TILT_DEGREES if whole else TILT_DEGREES
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
    source, matrix_there = _level(chosen, matrix)
    ratio = np.array(source.shape[::-1]) / np.array(chosen.levels[0].shape[::-1])
    centre = face[:2] + face[2:] / 2
    there = np.concatenate([face[:2] * ratio, face[2:] * ratio])
    if chosen.bare[which] and min(there[2:]) >= UNDRESSED_SIDE and rng.random() < DRESSED:
        source = _dressed(rng, source, there)
    reach = np.array([0.0, 0.0, *chosen.levels[0].shape[::-1]])
    if tile:
        around = face[2:].max() * rng.uniform(*TILE, 2)
        low, high = np.maximum(centre - around / 2, 0), np.minimum(centre + around / 2, reach[2:])
        reach = np.array([*low, *high])
    corners = reach[[0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2)
    corners = (corners - centre) @ matrix.T + middle
    # Only where the layer comes to lie: most layers are small.
    low, high = np.clip(np.floor(corners.min(0)), 0, size).astype(int), np.clip(corners.max(0) + 1, 0, size).astype(int)
    part = np.s_[low[1] : high[1], low[0] : high[0]]
    if (high > low).all():
        across = (int(high[0] - low[0]), int(high[1] - low[1]))
        placed = _warp(source, matrix_there, centre * ratio, middle - low, across, cv2.BORDER_REFLECT_101)
        stencil = np.zeros(placed.shape, np.uint8)
        cv2.fillConvexPoly(stencil, np.round((corners - low - 0.5) * 16).astype(np.int32), 255, cv2.LINE_8, 4)
        cv2.copyTo(placed, stencil, canvas[part])
    canvas_frame = np.array([0.0, 0.0, *size])
    # A face at the tile's edge is as large as what the tile shows of it.
    shown, share = cut(chosen.boxes, reach)
    boxes, of_shown = cut(_moved(shown, matrix, centre, middle), canvas_frame)
    counts = (share * of_shown >= SEEN) & (boxes[:, 3] >= SMALLEST_FACE * 0.95)
    others, left = cut(_moved(cut(chosen.ignored, reach)[0], matrix, centre, middle), canvas_frame)
    ignored = np.concatenate([boxes[~counts & (share * of_shown > 0)], others[left > 0]])
    where = np.concatenate([corners.min(0), np.ptp(corners, axis=0)]).astype(np.float32)
    return boxes[counts], ignored, where


def _level(chosen: Picture, matrix: npt.NDArray[np.float64]) -> tuple[Luma, npt.NDArray[np.float64]]:
    """Return the smallest level that still has a pixel for each of the canvas, and the matrix from there."""
    shrunk = np.hypot(*matrix[:, 1])
    number = int(np.clip(np.floor(-np.log2(max(shrunk, 1e-6)) + 0.2), 0, len(chosen.levels) - 1))
    source = chosen.levels[number]
    ratio = np.array(source.shape[::-1]) / np.array(chosen.levels[0].shape[::-1])
    return source, matrix / ratio


def _warp(source: Luma, matrix: npt.NDArray[np.float64], centre: npt.NDArray[np.float64],
          middle: npt.NDArray[np.float64], size: tuple[int, int], border: int) -> Luma:
    """Draw `source` so that its point `centre` comes to `middle`, on a canvas of this size (width, height)."""
    # Places are counted from the picture's edge, OpenCV's from the middle of its first pixel.
    shift = middle - matrix @ (centre - 0.5) - 0.5
    moved = cv2.warpAffine(source, np.column_stack([matrix, shift]), size, flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(moved, np.uint8)


def _dressed(rng: np.random.Generator, luma: Luma, face: Floats) -> Luma:
    """Return a copy of a picture with a mask, a mask worn wrong, or something before the mouth drawn on a bare face."""
    side = round(float(max(face[2:])) * (1 + 2 * CROP_MARGIN) * CONTEXT)
    left, top = np.round(face[:2] + face[2:] / 2 - side / 2).astype(int)
    height, width = luma.shape
    edges = max(0, -top), max(0, top + side - height), max(0, -left), max(0, left + side - width)
    inside = np.s_[max(0, top) : min(height, top + side), max(0, left) : min(width, left + side)]
    wide = np.asarray(cv2.copyMakeBorder(luma[inside], *edges, cv2.BORDER_REPLICATE), np.uint8)
    draw = draw_mask if (kind := rng.random()) < 0.75 else draw_cover if kind < 0.9 else draw_worn_wrong
    drawn = draw(rng, wide)
    copy = luma.copy()
    copy[inside] = drawn[edges[0] : side - edges[1], edges[2] : side - edges[3]]
    return copy


def _moved(boxes: Floats, matrix: npt.NDArray[np.float64], centre: npt.NDArray[np.float64],
           middle: npt.NDArray[np.float64]) -> Floats:
    """Return the boxes around turned faces: a face is an oval, so a turn widens its box less than a rectangle's."""
    middles = (boxes[:, :2] + boxes[:, 2:] / 2 - centre) @ matrix.T + middle
    sides = np.sqrt(boxes[:, 2:] ** 2 @ (matrix**2).T)
    return np.asarray(np.concatenate([middles - sides / 2, sides], axis=1), np.float32)


def cut(boxes: Floats, frame: npt.NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Return boxes cut to a frame (left, top, right, bottom), and which share of each is left, float32 (n,) 0-1."""
    low, high = np.clip(boxes[:, :2], frame[:2], frame[2:]), np.clip(boxes[:, :2] + boxes[:, 2:], frame[:2], frame[2:])
    cut = np.concatenate([low, high - low], axis=1).astype(np.float32)
    return cut, np.prod(cut[:, 2:], axis=1) / np.maximum(np.prod(boxes[:, 2:], axis=1), 1e-6)


def _share_inside(box: Floats, where: Floats) -> float:
    low, high = np.maximum(box[:2], where[:2]), np.minimum(box[:2] + box[2:], where[:2] + where[2:])
    return float(np.prod(np.clip(high - low, 0, None)) / max(float(np.prod(box[2:])), 1e-6))
