"""Reduces pictures: by halves, to what OpenCV's own finders search in reasonable time, and to means of their blocks."""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from device.faces import Luma

LONGEST_SIDE = 320  # px
PARTS = 4  # a side of a block, at least, that its mean is made of


class Reduced(NamedTuple):
    """A picture of at most LONGEST_SIDE."""

    luma: Luma  # uint8 (height, width)
    scale_x: float  # px of the whole picture a px of the reduced one, across
    scale_y: float  # the same, down


def reduce(luma: Luma) -> Reduced:
    """Resize a picture, uint8 (height, width), to LONGEST_SIDE where it is larger."""
    height, width = luma.shape
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = luma if scale == 1.0 else np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)
    return Reduced(small, width / size[0], height / size[1])


def halved(luma: cv2.typing.MatLike, width: int, height: int) -> cv2.typing.MatLike:
    """Return a picture, uint8 (rows, columns), halved as often as it stays at least so large, in px.

    A half is the exact mean of 2 x 2 pixels, which takes OpenCV a fortieth of the time that other shrinking takes; an
    odd row or column at the end is left out.
    """
    rows, columns = luma.shape
    while rows >= 2 * height and columns >= 2 * width:
        rows, columns = rows // 2, columns // 2
        luma = cv2.resize(luma[: 2 * rows, : 2 * columns], (columns, rows), interpolation=cv2.INTER_AREA)
    return luma


def block_means(luma: Luma, columns: int, rows: int) -> npt.NDArray[np.float32]:
    """Return the mean of each block of a picture, uint8 (height, width), as float32 (rows, columns), in grey levels.

    As floats: a mean rounded to whole grey levels would lose what little contrast a face in the dark has. Larger
    blocks are halved first, down to PARTS a side. That rounds: each halving makes all means brighter by an eighth of a
    grey level, and wrong by less than a tenth of one, as a standard deviation.
    """
    parts = halved(luma, PARTS * columns, PARTS * rows).astype(np.float32)
    return np.asarray(cv2.resize(parts, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)
