"""Describes by numbers somebody who is to be drawn, and makes anybody up."""

from dataclasses import dataclass

import numpy as np

from trainer.relief import Colour, any_colour

SKINS = ((178, 204, 242), (160, 190, 232), (142, 178, 224), (112, 154, 208), (80, 118, 172), (58, 86, 132),
         (44, 62, 98), (38, 50, 78))  # BGR 0-255, light to dark
HAIRS = ((24, 22, 24), (30, 36, 46), (40, 62, 92), (70, 110, 150), (120, 178, 214), (50, 78, 150), (150, 152, 155),
         (215, 215, 215))
IRISES = ((30, 45, 70), (40, 65, 95), (110, 90, 60), (150, 120, 80), (70, 100, 80))
HAIRCUTS = ("bald", "receding", "short", "parted", "fringe", "bob", "long", "bun", "curly")


@dataclass(frozen=True)
class Person:
    """What stays the same from picture to picture. Colours are BGR, 0-1; lengths are pixels of the cut-out."""

    skin: Colour
    hair: Colour
    iris: Colour
    haircut: str  # one of HAIRCUTS
    half_width: float  # of the head, between the ears
    jaw: float  # exponent of the jaw's curve: 1.8 pointed, 2.6 square
    eye_size: float  # half the eye's width
    eye_slant: float  # px by which the outer corner is higher
    brow_width: float
    nose_width: float
    lips: float  # fullness, 0-1
    beard: str  # "", "stubble", "moustache" or "full"
    glasses: bool


def random_person(rng: np.random.Generator) -> Person:
    """Return a person of any skin, shape, haircut and age."""
    def pick(colours: tuple[tuple[int, ...], ...]) -> Colour:
        return any_colour(colours, rng) * rng.uniform(0.85, 1.1)

    position = rng.uniform(0, len(SKINS) - 1)
    lighter, share = int(position), position % 1
    skin = (np.array(SKINS[lighter]) * (1 - share) + np.array(SKINS[lighter + 1]) * share) / 255
    dark = position > 3.5
    soft = bool(rng.random() < 0.5)  # softer features and longer hair tend to go together, as they do in photos
    haircut = str(rng.choice(HAIRCUTS[2:] if soft else (*HAIRCUTS[:5], "curly")))
    return Person(
        skin=np.clip(skin + rng.normal(0, 0.012, 3), 0, 1).astype(np.float32),
        hair=pick(HAIRS[:3] if dark else HAIRS), iris=pick(IRISES[:2] if dark else IRISES), haircut=haircut,
        half_width=rng.uniform(70, 82), jaw=rng.uniform(1.8, 2.15) if soft else rng.uniform(2.0, 2.5),
        eye_size=rng.uniform(14, 17.5), eye_slant=rng.uniform(-1.5, 3.5),
        brow_width=rng.uniform(3.0, 5.0) if soft else rng.uniform(4.5, 7.5), nose_width=rng.uniform(11, 17),
        lips=rng.uniform(0.4, 1.0), beard="" if soft else str(rng.choice(["", "", "stubble", "moustache", "full"])),
        glasses=bool(rng.random() < 0.25),
    )
