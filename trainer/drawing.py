"""Turns a person described by numbers into a lit cut-out picture, bare or masked."""

from typing import NamedTuple

import numpy as np

from trainer.drawn_person import Person
from trainer.heads import draw_beard, draw_behind, draw_features, draw_hair, draw_head
from trainer.person_coverings import draw_cup, draw_glasses, draw_hand, draw_headwear, draw_mask
from trainer.relief import CLOTHS, Light, Plane, Relief, any_colour
from trainer.shapes import Points

HEADWEAR = ("cap", "beanie", "hood", "headscarf")


class CutOut(NamedTuple):
    """A drawn person: `bgra` float32 (CANVAS, CANVAS, 4), 0-1, colour premultiplied by alpha; `outline` of the face.

    The outline, float64 (n, 2) in pixels of the cut-out, holds forehead, chin and both ears: its bounds are the face
    box, before and after any turn.
    """

    bgra: Plane
    outline: Points


def draw_person(rng: np.random.Generator, person: Person, masked: bool, light: Light) -> CutOut:
    """Draw a person's head and shoulders, upright, lit by `light`.

    Turn, expression, clothes, headwear, the mask and what a hand holds before a bare mouth come from `rng`.
    """
    relief = Relief(rng, person.half_width)
    headwear = str(rng.choice(HEADWEAR)) if rng.random() < 0.25 else ""
    clothes, cloth = any_colour(CLOTHS, rng), any_colour(CLOTHS, rng)
    draw_behind(relief, person, headwear, clothes, cloth)
    outline = draw_head(relief, person)
    draw_features(relief, person)
    if person.beard:
        draw_beard(relief, person)
    if masked:
        draw_mask(relief)
    draw_hair(relief, person, headwear)
    if person.glasses:
        draw_glasses(relief, person)
    if headwear:
        draw_headwear(relief, headwear, cloth)
    held = rng.random()
    if not masked and held < 0.10:
        draw_hand(relief, person, clothes)
    elif not masked and held < 0.18:
        draw_cup(relief, person)
    return CutOut(relief.lit(light), outline)
