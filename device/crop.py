"""Turns a frame and a face box into the square picture that the classifier sees: one function for photos and camera."""

import cv2
import numpy as np

from device.faces import Box, Luma
from device.reduce import halved


def crop_face(luma: Luma, box: Box, margin: float, size: int) -> Luma:
    """Return the square around a face box, as uint8 (size, size).

    luma: uint8 (height, width). box: pixels of luma; it may reach over the edge. margin: what is added on each side, as
    a share of the box's longer side. size: pixels. Where the square reaches over the edge of the picture, the picture's
    border pixels are repeated, so that the face is never stretched or moved off centre.
    """
    side = max(box.width, box.height) * (1 + 2 * margin)
    left = box.x + box.width / 2 - side / 2
    top = box.y + box.height / 2 - side / 2
    x0, y0 = round(left), round(top)
    # Both ways as many pixels, where rounding each end by itself could make one more.
    pixels = max(1, round(left + side) - x0)
    x1, y1 = x0 + pixels, y0 + pixels
    height, width = luma.shape
    inside = luma[max(0, y0) : max(0, min(height, y1)), max(0, x0) : max(0, min(width, x1))]
    if inside.size == 0:
        raise ValueError(f"face box {tuple(box)} lies outside the picture of {width}x{height} pixels")
    edges = max(0, -y0), max(0, y1 - height), max(0, -x0), max(0, x1 - width)
    square = cv2.copyMakeBorder(inside, *edges, cv2.BORDER_REPLICATE) if any(edges) else inside
    return whole_picture(square, size)


def whole_picture(luma: cv2.typing.MatLike, size: int) -> Luma:
    """Return a picture, uint8 (height, width), resized to uint8 (size, size); sides of unequal length are squeezed."""
    shrinks = luma.shape[0] >= size and luma.shape[1] >= size
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(halved(luma, size, size), (size, size), interpolation=interpolation), dtype=np.uint8)
