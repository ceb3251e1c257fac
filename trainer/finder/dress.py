"""Draws masks, glasses, headwear and what covers a mouth on faces in whole pictures, by their boxes.

All pictures are uint8 luma (height, width); a box is float32 (4,): left, top, width, height in px.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from device.faces import Luma
from device.heatmap import Floats
from trainer.cutting import CONTEXT, CROP_MARGIN
from trainer.photo_accessories import draw_glasses, draw_headwear
from trainer.photo_covers import draw_cover
from trainer.photo_masks import draw_mask, draw_worn_wrong

Draw = Callable[[np.random.Generator, Luma], Luma]  # on a wide crop around a face

LEAST_SIDE = 36  # px of a face that something is drawn on
DRESSED = 0.3  # share of bare faces that get a mask, right or wrong, or something before the mouth
GLASSES, HEADWEAR = 0.06, 0.1  # shares of all faces that get them


def dressed(rng: np.random.Generator, luma: Luma, face: Floats, bare: bool) -> Luma:
    """Return a picture, or a copy of it in which something is drawn on a face.

    A bare one may get a mask, worn right or wrong, or something before the mouth; any face glasses, or a cap, hat, hood
    or helmet.
    """
    draws = list[Draw]()
    if bare and rng.random() < DRESSED:
        kind = rng.random()
        draws.append(draw_mask if kind < 0.75 else draw_cover if kind < 0.9 else draw_worn_wrong)
    draws += [draw for share, draw in ((GLASSES, draw_glasses), (HEADWEAR, draw_headwear)) if rng.random() < share]
    return draw_on(rng, luma, face, draws) if draws else luma


def draw_on(rng: np.random.Generator, luma: Luma, face: Floats, draws: Sequence[Draw]) -> Luma:
    """Return a copy of a picture in which all of this is drawn on a face, by its box."""
    side = round(float(max(face[2:])) * (1 + 2 * CROP_MARGIN) * CONTEXT)
    left, top = np.round(face[:2] + face[2:] / 2 - side / 2).astype(int)
    height, width = luma.shape
    edges = max(0, -top), max(0, top + side - height), max(0, -left), max(0, left + side - width)
    inside = np.s_[max(0, top) : min(height, top + side), max(0, left) : min(width, left + side)]
    wide = np.asarray(cv2.copyMakeBorder(luma[inside], *edges, cv2.BORDER_REPLICATE), np.uint8)
    drawn = wide
    for draw in draws:
        drawn = draw(rng, drawn)
    copy = luma.copy()
    copy[inside] = drawn[edges[0] : side - edges[1], edges[2] : side - edges[3]]
    return copy
