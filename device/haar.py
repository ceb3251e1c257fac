"""Finds faces with OpenCV's Haar cascade."""

import hashlib
from pathlib import Path

import cv2
import numpy as np

from device.errors import ModelError
from device.faces import Box, Face, Luma, largest_first
from device.reduce import reduce

CASCADE = "haarcascade_frontalface_default.xml"
# Debian's python3-opencv carries no cascades; its package opencv-data puts them here.
SYSTEM_CASCADES = Path("/usr/share/opencv4/haarcascades")
SMALLEST_FACE = 1 / 12  # of the picture's height: a door camera sees people, not a crowd


class HaarFaceFinder:
    """OpenCV's frontal face cascade (Viola and Jones, CVPR 2001), as the original notebook used it.

    Its score is the cascade's last stage weight: unbounded, a few units for a clear face.
    """

    name = "haar"

    def __init__(self) -> None:
        path = cascade_path()
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        self._cascade = cv2.CascadeClassifier(str(path))

    def find(self, luma: Luma) -> list[Face]:
        """Return the faces of a luma picture, uint8 (height, width), largest first."""
        small, scale_x, scale_y = reduce(luma)
        smallest = max(24, round(small.shape[0] * SMALLEST_FACE))  # 24 px is what the cascade was trained on
        boxes, _, weights = self._cascade.detectMultiScale3(
            small, scaleFactor=1.1, minNeighbors=3, minSize=(smallest, smallest), outputRejectLevels=True
        )
        return largest_first([
            Face(Box(round(x * scale_x), round(y * scale_y), round(w * scale_x), round(h * scale_y)), float(weight))
            for (x, y, w, h), weight in zip(boxes, np.ravel(weights), strict=True)
        ])


def cascade_path() -> Path:
    """Return where the cascade is. Raises ModelError."""
    # Only the pip wheels have cv2.data.
    folders = [Path(cv2.data.haarcascades)] if hasattr(cv2, "data") else []
    for folder in (*folders, SYSTEM_CASCADES):
        if (folder / CASCADE).is_file():
            return folder / CASCADE
    raise ModelError(
        f"{CASCADE} is neither in OpenCV {cv2.__version__} nor in {SYSTEM_CASCADES}: install opencv-python-headless "
        "below version 5, or the system's package opencv-data"
    )
