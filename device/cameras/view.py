"""Turns the picture of a camera into the one that is judged: upright, not mirrored, and no more than the door."""

import cv2
import numpy as np

from device.faces import Luma
from device.settings import CameraSettings

TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}  # degrees


def luma_of(picture: cv2.typing.MatLike) -> Luma:
    """Return the luma of a picture, uint8 BGR (height, width, 3) or grey (height, width)."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if picture.ndim == 3 else picture
    return np.asarray(grey, dtype=np.uint8)


def turned_and_cropped(luma: Luma, settings: CameraSettings) -> Luma:
    """Return a luma picture, uint8 (height, width), turned, then mirrored, then cropped, as one block of memory."""
    x, y, width, height = settings.crop
    if settings.rotation:
        luma = np.asarray(cv2.rotate(luma, TURNS[settings.rotation]), np.uint8)
    if settings.mirror:
        luma = luma[:, ::-1]
    left, right = _pixels(x, width, luma.shape[1])
    top, bottom = _pixels(y, height, luma.shape[0])
    return np.ascontiguousarray(luma[top:bottom, left:right])


def _pixels(start: float, share: float, whole: int) -> tuple[int, int]:
    """Return the first pixel of a share of a side and the one behind its last; there is at least one between them."""
    first = min(round(start * whole), whole - 1)
    return first, max(round((start + share) * whole), first + 1)
