"""Turns photos into groups of copies and of shots of one person, so that a split by group doesn't leak.

Four kinds of link are drawn, and the connected photos are a group; a link too many is harmless, a link too few leaks.
- Copies: perceptual hashes, of the picture and of its mirror image, that are all but equal, or near and alike.
- Turned copies: the middle of the whole picture, turned, zoomed or mirrored, looks the same.
- Eyes: the part of the face that a mask leaves free looks the same. It finds a drawn-in mask, and bursts of one person.
- Names: `12-with-mask` is taken to be made from `12` of the same folder of photos, in whichever class.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from trainer.links import LinkedPhotos, Links
from trainer.views import (
    DESCRIPTION_LENGTH,
    EYES_SHIFTS,
    EYES_ZOOMS,
    TURNED_ZOOMS,
    TURNS_DEGREES,
    WHOLE_SIDE,
    Descriptions,
    Floats,
    dct_hashes,
    eyes,
    middles,
    normalised,
    whole_pictures,
)

Bools = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.intp]  # of photos

# Hash distances in bits of 64. Unrelated pictures are about 32 apart; recompressed or blurred copies mostly within 4.
SURE_BITS, LIKELY_BITS = 4, 10
LIKELY_CORRELATION = 0.75  # of the squeezed pictures, asked of the likely ones

# Turned copies reach 0.98; below 0.95 strangers with the same mask drawn in begin to join.
TURNED_CORRELATION = 0.96

# Strangers' eyes reach 0.97 a few times in a thousand photos; from 0.95 down, they make one giant group.
EYES_CORRELATION = 0.97

BLOCK = 1024  # photos compared with as many others at a time: 4 MB
# Only a name that ends in a number names one shot; `augmented_image` and `augmented_image_7` have nothing in common.
MADE_FROM = re.compile(r"(?P<original>.*\d)[-_ .]\D+")


def find_groups(descriptions: npt.NDArray[np.uint8], names: Sequence[str], folders: Numbers) -> npt.NDArray[np.intp]:
    """Return the group of each photo, intp (n,), numbered from 0 in the order of their first photos.

    descriptions: uint8 (n, DESCRIPTION_LENGTH), rows of trainer.views.describe. names: n paths, of which the stems are
    compared; folders: intp (n,), only photos of the same one are linked by their names. The time grows with n squared,
    the memory with n, by about 1 kB a photo.
    """
    count = len(names)
    if descriptions.shape != (count, DESCRIPTION_LENGTH):
        raise ValueError(f"descriptions have the shape {descriptions.shape}, not {(count, DESCRIPTION_LENGTH)}")
    links = LinkedPhotos(count)
    links.add(_made_from_another(names, folders))
    _link_copies(descriptions, links)
    turned = list(itertools.product(TURNS_DEGREES, TURNED_ZOOMS, (False, True)))
    _link_alike(descriptions, np.arange(count), middles, (0, 1, False), turned, TURNED_CORRELATION, links)
    shifted = list(itertools.product(EYES_SHIFTS, EYES_SHIFTS, EYES_ZOOMS, (False, True)))
    with_face = np.flatnonzero(descriptions[:, -1])
    _link_alike(descriptions, with_face, eyes, (0, 0, 1, False), shifted, EYES_CORRELATION, links)
    return links.groups()


def shared_group_fraction(groups: npt.NDArray[np.intp], test_mask: Bools) -> float:
    """Return the share, 0-1, of the test photos that have a photo of their group outside the test part.

    groups: intp (n,). test_mask: bool (n,), at least one of them true.
    """
    return float(np.isin(groups[test_mask], groups[~test_mask]).mean())


def _link_copies(descriptions: Descriptions, links: LinkedPhotos) -> None:
    blocks = range(0, len(descriptions), BLOCK)
    plain = [dct_hashes(whole_pictures(descriptions[start : start + BLOCK])) for start in blocks]
    ways = list(itertools.product(blocks, (False, True)))
    for start, mirrored in tqdm(ways, "comparing pictures", unit="part", disable=None):
        pictures = whole_pictures(descriptions[start : start + BLOCK])[:, :, :: -1 if mirrored else 1]
        hashes, vectors = dct_hashes(pictures), normalised(pictures.reshape(-1, WHOLE_SIDE**2))
        for row, others in zip(blocks, plain, strict=True):
            bits_apart, place = (64 - others @ hashes.T) / 2, np.array([row, start])
            links.add(np.argwhere(bits_apart <= SURE_BITS) + place)
            likely = np.argwhere((bits_apart > SURE_BITS) & (bits_apart <= LIKELY_BITS))
            if len(likely):
                those = normalised(descriptions[row : row + BLOCK, : WHOLE_SIDE**2])
                alike = (those @ vectors.T)[likely[:, 0], likely[:, 1]] >= LIKELY_CORRELATION
                links.add(likely[alike] + place)


def _link_alike(
    descriptions: Descriptions, photos: Numbers, look: Callable[[Descriptions], Callable[..., Floats]],
    plain: tuple[Any, ...], variants: Sequence[tuple[Any, ...]], at_least: float, links: LinkedPhotos,
) -> None:
    """Link photos where a variant of one looks like the other's plain view.

    photos: numbers of those to look at. look: from descriptions to a function from a variant to float32 vectors.
    """
    blocks = [photos[start : start + BLOCK] for start in range(0, len(photos), BLOCK)]
    views = [look(descriptions[block])(*plain) for block in blocks]
    parts = len(blocks) * len(variants)
    with tqdm(total=parts, desc=f"comparing {look.__name__}", unit="part", disable=None) as progress:
        for block in blocks:
            turned = look(descriptions[block])
            for variant in variants:
                vectors = turned(*variant)
                for others, view in zip(blocks, views, strict=True):
                    i, j = np.nonzero(view @ vectors.T >= at_least)
                    links.add(np.column_stack([others[i], block[j]]))
                progress.update()


def _made_from_another(names: Sequence[str], folders: Numbers) -> Links:
    # Other folders number their photos from 1 too.
    stems = [(folder, PurePath(name).stem) for folder, name in zip(folders.tolist(), names, strict=True)]
    owners = defaultdict(list)
    for i, named in enumerate(stems):
        owners[named].append(i)
    links = [
        (i, j) for i, (folder, stem) in enumerate(stems) if (match := MADE_FROM.fullmatch(stem))
        for j in owners.get((folder, match["original"]), [])
    ]  # fmt: skip
    return np.array(links, dtype=np.intp).reshape(-1, 2)
