"""Says what a face in a picture is, and what finds it."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Luma = npt.NDArray[np.uint8]
Rectangle = tuple[float, float, float, float]  # left, top, width, height


class Box(NamedTuple):
    """A rectangle in pixels of the picture: left, top, width, height."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Face:
    """A face found in a picture; `score` is on its finder's own scale, higher is surer."""

    box: Box
    score: float
    # Against the rest of the picture in about half a second, share of its height; None: not known. See device.motion.
    moved: float | None = None


class FaceFinder(Protocol):
    """Finds faces in a picture. `name` and `sha256` are written into the card of every model trained on its crops."""

    name: str
    sha256: str  # of the file that the finder's knowledge is in

    def find(self, luma: Luma) -> list[Face]:
        """Return the faces of a luma picture, uint8 (height, width), largest first."""
        ...


def largest_first(faces: list[Face]) -> list[Face]:
    """Return faces in the order in which finders give them."""
    return sorted(faces, key=lambda face: face.box.width * face.box.height, reverse=True)


def iou(a: Rectangle, b: Rectangle) -> float:
    """Return the intersection of two boxes over their union, 0-1."""
    (left, top, wide, high), (other_left, other_top, other_wide, other_high) = a, b
    width = min(left + wide, other_left + other_wide) - max(left, other_left)
    height = min(top + high, other_top + other_high) - max(top, other_top)
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (wide * high + other_wide * other_high - both)


def moved(before: Box, now: Box) -> float:
    """Return how far the edge of a box that moved most has moved, as a share of the box's height before."""
    return max(map(abs, edges_moved(before, now))) / before.height


def edges_moved(before: Box, now: Box) -> tuple[int, int, int, int]:
    """Return by how many pixels the left, top, right and bottom edge have moved."""
    left, top = now.x - before.x, now.y - before.y
    return left, top, left + now.width - before.width, top + now.height - before.height
