"""Tells how far each face moves against the rest of the picture, which a poster never does.

Half a second apart, somebody who sits still before a desk has moved by a hundredth of their face's height or more, a
picture on a wall by less, in the dark and in wavering light too. A move is estimated by least squares on the picture's
gradients (Lucas and Kanade, 1981), beside a change of brightness and of contrast; where there is hardly any other
change, a move by more would have left one, and the face is still. The clock is the frames'.
"""

import dataclasses
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from device.faces import Box, Face, Luma
from device.reduce import halved
from device.trace import STIR

SIDE = 240  # px, the longest of the picture that is looked at
APART_SECONDS = 0.19, 0.5  # between the two pictures that are compared: at least, and at most if there is one
KEPT_SECONDS = 0.03  # between two pictures that are kept, however many a camera gives
FORGET_SECONDS = 1.0  # without a face, after which no pictures are kept any more
SMALLEST = 12  # px a side of a face there, to be told anything of
# Share of the differences between the two pictures, those of light left out, that a move has to explain. If it explains
# less, something passes before the face, or its shadow does.
LEAST_EXPLAINED = 0.25
# Or much noise hides the move. The face is still all the same if a move that made all of the change would be smaller
# than this, a share of its height: noise of 8 grey levels a pixel makes 0.023 in a face of a tenth of the picture's
# height, who walks up more than twice as much. For a larger face STIR does: its box hardly jumps.
HIDDEN, HIDDEN_HEIGHT = 0.03, 0.2  # the latter: share of the picture's height, at most
# The rest is looked at in blocks, without what is near a face. A camera is shaken unless enough of those that have
# nearly as much to be seen in them as the face are still; near people hide much of the picture, and move too.
MARGIN = 0.3  # of a face's sides
BLOCK = 8  # px a side, of every second pixel each way
LEAST_CONTRAST = 0.2  # of the face's mean squared gradient
FEWEST_BLOCKS, LEAST_STILL = 4, 0.25  # the share of them that has moved by less than half as far

MIDDLE_GREY = 128.0  # taken from brightness, which keeps sums of squares small
RIDGE = 1e-3  # keeps what shows nothing solvable

Picture = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]


class Finder(Protocol):
    """Finds faces in the pictures of one camera, one after the other."""

    def find(self, luma: Luma, now: float) -> list[Face]:
        """Return the faces of a luma picture, uint8 (height, width), taken at `now`, in seconds."""
        ...


Wonders = Callable[[float, Sequence[Box], tuple[int, ...]], bool]  # the time in seconds, boxes, the picture's shape


class Motion:
    """A finder whose faces say how far they have moved, where somebody wonders about that."""

    def __init__(self, finder: Finder, wonders: Wonders) -> None:
        """Take what finds the faces, and what tells whether it matters how far those of a picture have moved."""
        self._finder, self._wonders = finder, wonders
        self._pictures: deque[tuple[float, Picture]] = deque()  # seconds, and the picture reduced to SIDE
        self._seen = 0.0  # seconds: when a face was found last

    def find(self, luma: Luma, now: float) -> list[Face]:
        """Return the faces of the luma picture, uint8 (height, width), taken at `now`, in seconds."""
        faces = self._finder.find(luma, now)
        if faces:
            self._seen = now
        elif now - self._seen > FORGET_SECONDS:
            self._pictures.clear()
        if not faces and not self._pictures:
            return faces
        least, most = APART_SECONDS
        scale = min(1.0, SIDE / max(luma.shape))
        size = max(1, round(luma.shape[1] * scale)), max(1, round(luma.shape[0] * scale))
        picture = cv2.resize(halved(luma, *size), size, interpolation=cv2.INTER_LINEAR).astype(np.float32)
        while len(self._pictures) > 1 and now - self._pictures[1][0] >= most:
            self._pictures.popleft()
        if not self._pictures or now - self._pictures[-1][0] >= KEPT_SECONDS:
            self._pictures.append((now, picture))
        taken, before = self._pictures[0]
        if now - taken < least or before.shape != picture.shape:
            return faces
        # Last, because the picture is kept for whoever comes next.
        if not self._wonders(now, [face.box for face in faces], luma.shape):
            return faces
        return _with_moves(faces, before, picture, scale)


def _with_moves(faces: list[Face], before: Picture, now: Picture, scale: float) -> list[Face]:
    """Return the faces with their moves from one reduced picture to another."""
    middle, change = (before + now) / 2, now - before
    across, down = (cv2.Sobel(middle, cv2.CV_32F, x, 1 - x, ksize=3, scale=1 / 8) for x in (1, 0))
    columns = np.asarray(cv2.merge([-across, -down, middle - MIDDLE_GREY, np.ones_like(middle), change]), np.float32)
    boxes = [Box(*(round(side * scale) for side in face.box)) for face in faces]
    rest = np.ones(now.shape, bool)
    for x, y, width, height in boxes:
        wide, high = round(MARGIN * width), round(MARGIN * height)
        rest[max(0, y - high) : y + height + high, max(0, x - wide) : x + width + wide] = False
    blocks = _blocks(columns[::2, ::2])[_blocks(rest[::2, ::2, None]).all(axis=(1, 2))]
    return [
        dataclasses.replace(face, moved=_share(columns, box, blocks)) if min(box[2:]) >= SMALLEST else face
        for face, box in zip(faces, boxes, strict=True)
    ]


def _share(columns: Picture, box: Box, blocks: Picture) -> float | None:
    """Return how far a face has moved while the blocks around it were still, as a share of its height.

    0 if it is still, and None if something passes before it or the camera is shaken.
    """
    face = _products(columns[box.y : box.y + box.height, box.x : box.x + box.width].reshape(1, -1, columns.shape[-1]))
    (far,), (changed,), (left,) = _moves(face)
    explained = left <= (1 - LEAST_EXPLAINED) * changed
    least = STIR if explained or box.height > HIDDEN_HEIGHT * len(columns) else HIDDEN
    if changed < _least_change(face[0], least * box.height):  # a move by so much would have left more
        return 0.0
    rest = _products(blocks)
    rich = rest[_contrasts(rest) >= LEAST_CONTRAST * _contrasts(face)]
    if not explained or len(rich) < FEWEST_BLOCKS or np.mean(_moves(rich)[0] < far / 2) < LEAST_STILL:
        return None
    return float(far) / box.height


def _blocks(columns: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Cut (height, width, n) into (blocks, BLOCK * BLOCK, n); what is over at the right and lower edge is left out."""
    rows, across = (side // BLOCK for side in columns.shape[:2])
    whole = columns[: rows * BLOCK, : across * BLOCK].reshape(rows, BLOCK, across, BLOCK, -1)
    return whole.swapaxes(1, 2).reshape(rows * across, BLOCK * BLOCK, -1)


def _products(columns: Picture) -> Numbers:
    """Return the sums of the products of each two columns, (parts, 5, 5) of (parts, pixels, 5).

    columns: the gradients across and down with their signs turned, the brightness, 1, and the change, in grey levels.
    """
    return np.asarray(columns.swapaxes(1, 2) @ columns, np.float64)


def _contrasts(products: Numbers) -> Numbers:
    """Return the mean squared gradient of each part; the sum of its ones is how many pixels it has."""
    return np.asarray((products[:, 0, 0] + products[:, 1, 1]) / products[:, 3, 3])


def _least_change(products: Numbers, move: float) -> float:
    """Return the sum of the squared changes by a move of so many px in the direction in which a part shows it least."""
    return float(np.linalg.eigvalsh(products[:2, :2])[0]) * move**2


def _moves(products: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Return how many px each part has moved, and its sum of squared changes that are none of light, before and after.

    After: without those that the move explains.
    """
    causes, sums, changes = products[:, :4, :4] + RIDGE * np.eye(4), products[:, :4, 4:], products[:, 4, 4]
    of_all, of_light = np.linalg.solve(causes, sums), np.linalg.solve(causes[:, 2:, 2:], sums[:, 2:])
    before, after = (
        changes - (solved * parts).sum(axis=(1, 2)) for solved, parts in ((of_light, sums[:, 2:]), (of_all, sums))
    )
    return np.hypot(of_all[:, 0, 0], of_all[:, 1, 0]), before, after
