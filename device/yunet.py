"""Finds faces with OpenCV's YuNet, whose file a user brings."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from device.errors import ModelError
from device.faces import Box, Face, Luma, largest_first
from device.reduce import LONGEST_SIDE, reduce

OLDEST_OPENCV = (4, 8)  # that reads YuNet's file of March 2023
MOST_OVERLAP = 0.3  # intersection over union, 0-1: of two boxes with more, the surer one stays
MOST_CANDIDATES = 500  # boxes, before those that overlap are dropped
SHORTEST_SIDE = 64  # px: with sides of up to 32, OpenCV 4.14 was seen to answer with what was left in its memory


class YuNetFaceFinder:
    """OpenCV's YuNet (Wu et al., Machine Intelligence Research 2023), whose file isn't shipped; its scores are 0-1."""

    name = "yunet"

    def __init__(self, path: Path, sha256: str, least_score: float) -> None:
        """Load YuNet's .onnx, proven to be the file whose SHA-256 is given. Raises ModelError."""
        found = tuple(int(part) for part in cv2.__version__.split(".")[:2])
        if found < OLDEST_OPENCV:
            raise ModelError(
                f"OpenCV is {cv2.__version__}, expected {'.'.join(map(str, OLDEST_OPENCV))} or later for yunet: put in "
                "another, or choose another finder in [faces]"
            )
        try:
            content = path.read_bytes()
        except (OSError, ValueError) as error:  # a ValueError for a name that no file can have
            raise ModelError(
                f"{path}: can't be read ({getattr(error, 'strerror', error)}): put YuNet's .onnx there, or set [faces] "
                "yunet_path"
            ) from error
        self.sha256 = hashlib.sha256(content).hexdigest()
        if self.sha256 != sha256:
            raise ModelError(
                f"{path}: has SHA-256 {self.sha256[:12]}…, [faces] yunet_sha256 says {sha256[:12]}…: copy the file "
                "again, or correct the key"
            )
        self._network = load_network(path, least_score)

    def find(self, luma: Luma) -> list[Face]:
        """Return the faces of a luma picture, uint8 (height, width), largest first."""
        reduced = reduce(luma)
        height, width = reduced.luma.shape
        rows = search(self._network, reduced.luma)
        scale = reduced.scale_x, reduced.scale_y
        low = np.clip(rows[:, :2], 0, (width, height)) * scale
        high = np.clip(rows[:, :2] + rows[:, 2:4], 0, (width, height)) * scale
        corners = np.round(np.concatenate([low, high], axis=1)).astype(int).tolist()
        return largest_first([
            Face(Box(left, top, right - left, bottom - top), float(score))
            for (left, top, right, bottom), score in zip(corners, rows[:, -1], strict=True)
            if right > left and bottom > top
        ])


def load_network(path: Path, least_score: float) -> cv2.FaceDetectorYN:
    """Load YuNet's .onnx, to find what scores so much, 0-1. Raises ModelError."""
    try:
        return cv2.FaceDetectorYN.create(
            str(path), "", (LONGEST_SIDE, LONGEST_SIDE), least_score, MOST_OVERLAP, MOST_CANDIDATES
        )
    except cv2.error as error:
        raise ModelError(f"{path}: is no network that OpenCV reads ({error.err}): copy YuNet's .onnx") from error


def search(network: cv2.FaceDetectorYN, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the faces of a picture, uint8 luma (height, width) or BGR (height, width, 3), as float32 (n, 15).

    A row is the box as left, top, width, height in px, which may reach over the edge, five landmarks, and the score,
    0-1. The picture isn't made smaller.
    """
    height, width = picture.shape[:2]
    below, beside = max(0, SHORTEST_SIDE - height), max(0, SHORTEST_SIDE - width)
    seen = cv2.copyMakeBorder(picture, 0, below, 0, beside, cv2.BORDER_CONSTANT)
    network.setInputSize((width + beside, height + below))
    _, found = network.detect(seen if picture.ndim == 3 else cv2.cvtColor(seen, cv2.COLOR_GRAY2BGR))
    return np.empty((0, 15), np.float32) if found is None else np.asarray(found, np.float32)
