"""Draws a face that the Haar cascade finds."""

import cv2
import numpy as np

from device.faces import Luma


def drawn_face(width: int = 640, height: int = 480, x: int = 220, y: int = 120, side: int = 200) -> Luma:
    """Return a picture, uint8 (height, width), with a face in the square at (x, y) that the Haar cascade finds."""
    picture = np.full((height, width), 90, np.uint8)
    for center_x, center_y, half_width, half_height, grey in (  # shares of the side
        (0.5, 0.55, 0.42, 0.56, 190),  # head
        (0.3, 0.36, 0.14, 0.09, 110), (0.7, 0.36, 0.14, 0.09, 110),  # eye sockets
        (0.3, 0.38, 0.07, 0.04, 40), (0.7, 0.38, 0.07, 0.04, 40),  # eyes
        (0.5, 0.5, 0.05, 0.16, 215),  # nose
        (0.5, 0.82, 0.16, 0.05, 90),  # mouth
    ):  # fmt: skip
        center, axes = (x + center_x * side, y + center_y * side), (half_width * side, half_height * side)
        cv2.ellipse(picture, (*map(round, center),), (*map(round, axes),), 0, 0, 360, grey, cv2.FILLED)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), side / 50), dtype=np.uint8)
