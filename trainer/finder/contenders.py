"""Opens the face finders that are compared, each with the score from which its boxes count."""

import math
from pathlib import Path

import cv2
import numpy as np

from device.errors import ModelError
from device.faces import Box, Face, largest_first
from device.finders import OwnFaceFinder
from device.haar import HaarFaceFinder
from device.pictures import read_color
from device.yunet import load_network, search
from trainer.finder.measure import Contender, Picture

LOWEST_SCORE = 0.05  # of our own finder's curve
YUNET_THRESHOLDS = (0.6, 0.7)
YUNET_LEAST = 0.1  # score; below, its curve says nothing that matters at a door
YUNET_LONGEST_SIDE = 640  # px: larger pictures are made smaller


def contenders(yunet: Path | None) -> list[Contender]:
    """Return the finders to compare. YuNet, given by its .onnx, at both of its thresholds, in color and on luma.

    A door's camera gives luma; in color YuNet is what others report of it. Raises ModelError.
    """
    own = OwnFaceFinder(least_score=LOWEST_SCORE)
    known = [Contender("own", own.find, own.card.threshold), Contender("haar", HaarFaceFinder().find, -math.inf)]
    if yunet:
        color, luma = YuNet(yunet), YuNet(yunet)
        known += [Contender(f"yunet in color, {score}", color.find, score, read_color) for score in YUNET_THRESHOLDS]
        known += [Contender(f"yunet on luma, {score}", luma.find, score) for score in YUNET_THRESHOLDS]
    return known


class YuNet:
    """OpenCV's face detector (Wu et al., YuNet, Machine Intelligence Research 20, 2023), to compare with."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ModelError(f"{path}: no such file, expected YuNet's .onnx: check the path")
        self._network = load_network(path, YUNET_LEAST)

    def find(self, picture: Picture) -> list[Face]:
        """Return the faces of a picture, largest first; scores are 0-1.

        picture: uint8 luma (height, width), or BGR (height, width, 3), which it was trained on.
        """
        height, width = picture.shape[:2]
        scale = min(1.0, YUNET_LONGEST_SIDE / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        sides = np.array([width / size[0], height / size[1]] * 2)
        return largest_first([
            Face(Box(*(round(side) for side in (row[:4] * sides).tolist())), float(row[-1]))
            for row in search(self._network, small)
        ])
