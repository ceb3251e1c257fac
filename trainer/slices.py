"""Turns photos into named sets of drawn and altered crops, each of which asks one question of a model.

They are built from the photos that a model is measured with, so from faces that no training picture shows. Every slice
is (crops uint8 (n, size, size), labels (n,)).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from device.crop import crop_face
from device.faces import Luma
from trainer.cutting import CONTEXT, CROP_MARGIN
from trainer.dataset import Dataset
from trainer.drawn_person import SKINS, random_person
from trainer.photo_accessories import draw_glasses
from trainer.photo_covers import COVERS, FLAT_HAND, draw_cover
from trainer.photo_masks import draw_mask, draw_worn_wrong
from trainer.photos import BARE, MASKED, PhotosError
from trainer.practice import draw_face

MOST = 250  # photos a slice and class
PEOPLE = 60  # drawn people a slice and class
MASK_KINDS = ("pale", "dark", "ffp2", "ffp2_dark", "pattern", "gaiter", "transparent")
WRONG_KINDS = ("nose_out", "under_chin", "on_ear")
COVER_KINDS = (*COVERS, FLAT_HAND)
OWN_STREAM = 2**31  # no training has so many epochs: whatever the seed, its pictures are drawn from other numbers

Slice = tuple[str, Luma, npt.NDArray[np.intp]]


def drawn_slices(dataset: Dataset) -> Iterator[Slice]:
    """Yield the slices: masks, masks worn wrong and things drawn on bare faces, altered photos, drawn people.

    Raises PhotosError where no bare face is there to draw on.
    """
    rng = np.random.default_rng([0, OWN_STREAM])
    plain = np.array([not name for name in dataset.slices])
    bare = rng.permutation(np.flatnonzero((dataset.labels == BARE) & plain))[:MOST]
    if not len(bare):
        raise PhotosError(f"{dataset.folder}: each face without_mask in it has a note or wears a mask wrong, expected "
                          "some that are plain, to draw on: add some, or leave out SLICES= and --slices")
    masked = rng.permutation(np.flatnonzero(dataset.labels == MASKED))[:MOST]
    both = np.concatenate([bare, masked])
    drawings: list[tuple[str, int, Callable[[Luma], Luma]]] = [
        *((f"mask_{kind}", MASKED, lambda wide, kind=kind: draw_mask(rng, wide, kind)) for kind in MASK_KINDS),
        *((kind, BARE, lambda wide, kind=kind: draw_worn_wrong(rng, wide, kind)) for kind in WRONG_KINDS),
        *((f"{kind}_before_mouth" if kind != "beard" else kind, BARE,
           lambda wide, kind=kind: draw_cover(rng, wide, kind)) for kind in COVER_KINDS),
    ]
    for name, label, draw in drawings:
        crops = np.stack([_middle(draw(dataset.wide[i]), dataset.size) for i in bare])
        yield name, crops, np.full(len(bare), label, np.intp)
    worn = np.stack([_middle(draw_glasses(rng, dataset.wide[i]), dataset.size) for i in both])
    yield "glasses", worn, dataset.labels[both]
    for name, alter in ALTERED.items():
        yield name, np.stack([alter(rng, dataset.crops[i]) for i in both]), dataset.labels[both]
    for name, (skins, glasses) in {
        "people_light_skin": ((0, 3), False), "people_dark_skin": ((5, 7), False), "people_glasses": ((0, 7), True),
    }.items():
        drawn = [_person(rng, label, skins, glasses, dataset.size) for label in (BARE, MASKED) for _ in range(PEOPLE)]
        yield name, np.stack(drawn), np.repeat([BARE, MASKED], PEOPLE)


def _middle(wide: Luma, size: int) -> Luma:
    edge = (wide.shape[0] - wide.shape[0] / CONTEXT) / 2
    inside = wide[round(edge) : round(wide.shape[0] - edge), round(edge) : round(wide.shape[0] - edge)]
    return np.asarray(cv2.resize(inside, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def _low_light(rng: np.random.Generator, crop: Luma) -> Luma:
    dark = crop * np.float32(rng.uniform(0.12, 0.3)) + rng.normal(0, 5, crop.shape)
    return np.clip(dark, 0, 255).astype(np.uint8)


def _backlight(rng: np.random.Generator, crop: Luma) -> Luma:
    across = np.linspace(-1, 1, crop.shape[0])
    off = np.add.outer((across / 1.05) ** 2, (across / 0.8) ** 2)
    lit = crop * 0.4 + np.clip((off - 0.85) * 4, 0, 1) * rng.uniform(120, 200) + 10
    return np.clip(lit, 0, 255).astype(np.uint8)


def _small(rng: np.random.Generator, crop: Luma) -> Luma:
    few = int(rng.integers(18, 25))
    small = cv2.resize(crop, (few, few), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, crop.shape, interpolation=cv2.INTER_LINEAR), np.uint8)


def _side_light(rng: np.random.Generator, crop: Luma) -> Luma:
    ramp = np.linspace(0.25, 1.3, crop.shape[1])[:: rng.choice((-1, 1))]
    return np.clip(crop * ramp, 0, 255).astype(np.uint8)


def _tilt(rng: np.random.Generator, crop: Luma) -> Luma:
    middle = ((crop.shape[1] - 1) / 2, (crop.shape[0] - 1) / 2)
    turn = cv2.getRotationMatrix2D(middle, float(rng.choice((-1, 1)) * rng.uniform(12, 22)), 1.0)
    return np.asarray(cv2.warpAffine(crop, turn, crop.shape, borderMode=cv2.BORDER_REPLICATE), np.uint8)


ALTERED: dict[str, Callable[[np.random.Generator, Luma], Luma]] = {
    "low_light": _low_light,
    "backlight": _backlight,
    "side_light": _side_light,
    "18_to_24_pixels": _small,
    "tilt_12_to_22_degrees": _tilt,
}


def _person(rng: np.random.Generator, label: int, skins: tuple[int, int], glasses: bool, size: int) -> Luma:
    tone = rng.uniform(*skins)
    skin = np.array([np.interp(tone, range(len(SKINS)), [skin[i] for skin in SKINS]) for i in range(3)]) / 255
    person = replace(random_person(rng), skin=skin.astype(np.float32), glasses=glasses)
    picture, box = draw_face(rng, masked=label == MASKED, person=person)
    luma = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    return crop_face(luma, box, CROP_MARGIN, size)
