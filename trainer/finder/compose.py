"""Turns pictures with known faces, and pictures without any, into endlessly many pictures to train the finder on.

A picture to train on is a background with one picture or several laid over it, each turned, scaled and mirrored so that
one of its faces comes where and as large as was drawn by lot.
All pictures are uint8 luma (height, width); boxes are float32 (n, 4): left, top, width, height in px.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from device.faces import Luma
from device.heatmap import FILL, HEIGHT, WIDTH
from trainer.finder.lay import Floats, Picture, lay, level, warp

LAYERS = (0.34, 0.38, 0.19, 0.09)  # shares of pictures with no, one, two, three layers
WHOLE = 0.5  # share of the pictures of the device's size that show one picture whole, as the device fits it
PLAIN = 0.1  # share of backgrounds that are nothing but grey
# Shares of backgrounds that are upside down, and that shine through another: things that nobody has a photo of.
TURNED, DOUBLED = 0.1, 0.15
HIDDEN = 0.35  # share of a face under another layer from which it no longer counts


class Composer:
    """Composes pictures of any size from pools of pictures."""

    def __init__(self, pools: Sequence[tuple[float, Sequence[Picture]]], backgrounds: Sequence[Picture]) -> None:
        """Take pools of pictures with faces, each with how often it is drawn, and pictures without faces."""
        self._pools = [list(pictures) for _, pictures in pools]
        shares = np.array([share for share, _ in pools])
        self._shares = shares / shares.sum()
        self._backgrounds = list(backgrounds)

    def compose(self, rng: np.random.Generator, width: int, height: int) -> tuple[Luma, Floats, Floats]:
        """Return a picture (height, width), the boxes of its faces, and the boxes in which nothing said counts.

        Its light is that of the photos; `photograph` makes a camera's picture of it.
        """
        boxes, ignored = np.empty((0, 4), np.float32), np.empty((0, 4), np.float32)
        if (width, height) == (WIDTH, HEIGHT) and rng.random() < WHOLE:
            canvas = np.full((height, width), FILL, np.uint8)
            boxes, ignored, _ = lay(rng, canvas, self._chosen(rng), whole=True)
            return canvas, boxes, ignored
        canvas = self._background(rng, width, height)
        for layer in range(rng.choice(len(LAYERS), p=LAYERS)):
            seen, unsure, where = lay(rng, canvas, self._chosen(rng), tile=layer > 0)
            covered = [_share_inside(box, where) for box in boxes]
            ignored = np.concatenate([ignored, boxes[[c > 0.1 for c in covered]], unsure]).astype(np.float32)
            boxes = np.concatenate([boxes[[c <= HIDDEN for c in covered]], seen]).astype(np.float32)
        return canvas, boxes, ignored

    def _chosen(self, rng: np.random.Generator) -> Picture:
        pool = self._pools[rng.choice(len(self._pools), p=self._shares)]
        return pool[rng.integers(len(pool))]

    def _background(self, rng: np.random.Generator, width: int, height: int) -> Luma:
        if rng.random() < PLAIN:
            grey = FILL if rng.random() < 0.5 else int(rng.integers(256))
            return np.full((height, width), grey, np.uint8)
        shown = self._detail(rng, width, height)
        if rng.random() < DOUBLED:
            share = rng.uniform(0.3, 0.7)
            shown = np.asarray(cv2.addWeighted(shown, share, self._detail(rng, width, height), 1 - share, 0), np.uint8)
        return shown

    def _detail(self, rng: np.random.Generator, width: int, height: int) -> Luma:
        chosen = self._backgrounds[rng.integers(len(self._backgrounds))]
        full = np.array(chosen.levels[0].shape[::-1])
        # From all of it to a detail, so that its things come in every size.
        share = rng.uniform(0.35, 1.0)
        scale = float(max((width, height) / full)) / share
        matrix = np.array([[scale * rng.choice((-1, 1)), 0.0], [0.0, -scale if rng.random() < TURNED else scale]])
        slack = (full * scale - (width, height)) / 2
        middle = np.array([width, height]) / 2 + rng.uniform(-1, 1, 2) * slack
        source, matrix = level(chosen, matrix)
        return warp(source, matrix, np.array(source.shape[::-1]) / 2, middle, (width, height), cv2.BORDER_REFLECT_101)


def _share_inside(box: Floats, where: Floats) -> float:
    low, high = np.maximum(box[:2], where[:2]), np.minimum(box[:2] + box[2:], where[:2] + where[2:])
    return float(np.prod(np.clip(high - low, 0, None)) / max(float(np.prod(box[2:])), 1e-6))
