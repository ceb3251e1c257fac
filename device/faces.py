"""Turns a luma picture into the boxes of the faces in it."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import ModelError

Luma = npt.NDArray[np.uint8]

CASCADE = "haarcascade_frontalface_default.xml"
# Debian's python3-opencv carries no cascades; its package opencv-data puts them here.
SYSTEM_CASCADES = Path("/usr/share/opencv4/haarcascades")
LONGEST_SIDE = 320  # px: pictures are searched at this size at most
SMALLEST_FACE = 1 / 12  # of the picture's height: a door camera sees people, not a crowd


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


class FaceFinder(Protocol):
    """Finds faces in a picture. `name` is written into the card of every model trained on its crops."""

    name: str

    def find(self, luma: Luma) -> list[Face]:
        """Return the faces of a luma picture, uint8 (height, width), largest first."""
        ...


class HaarFaceFinder:
    """OpenCV's frontal face cascade (Viola and Jones, CVPR 2001), as the original notebook used it.

    Its score is the cascade's last stage weight: unbounded, a few units for a clear face.
    """

    name = "haar"

    def __init__(self) -> None:
        self._cascade = cv2.CascadeClassifier(str(_cascade_path()))

    def find(self, luma: Luma) -> list[Face]:
        """Return the faces of a luma picture, uint8 (height, width), largest first."""
        height, width = luma.shape
        scale = min(1.0, LONGEST_SIDE / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = luma if scale == 1.0 else cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
        smallest = max(24, round(size[1] * SMALLEST_FACE))  # 24 px is what the cascade was trained on
        boxes, _, weights = self._cascade.detectMultiScale3(
            small, scaleFactor=1.1, minNeighbors=3, minSize=(smallest, smallest), outputRejectLevels=True
        )
        scale_x, scale_y = width / size[0], height / size[1]
        faces = [
            Face(Box(round(x * scale_x), round(y * scale_y), round(w * scale_x), round(h * scale_y)), float(weight))
            for (x, y, w, h), weight in zip(boxes, np.ravel(weights), strict=True)
        ]
        return sorted(faces, key=lambda face: face.box.width * face.box.height, reverse=True)


def _cascade_path() -> Path:
    # Only the pip wheels have cv2.data.
    folders = [Path(cv2.data.haarcascades)] if hasattr(cv2, "data") else []
    for folder in (*folders, SYSTEM_CASCADES):
        if (folder / CASCADE).is_file():
            return folder / CASCADE
    raise ModelError(
        f"{CASCADE} is neither in OpenCV {cv2.__version__} nor in {SYSTEM_CASCADES}: install opencv-python-headless "
        "below version 5, or the system's package opencv-data"
    )
