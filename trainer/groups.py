"""Turns photos into groups of copies and of shots of one person, so that a split by group doesn't leak.

Four kinds of link are drawn, and the connected photos are a group; a link too many is harmless, a link too few leaks.
- Copies: perceptual hashes, of the picture and of its mirror image, that are all but equal, or near and alike.
- Turned copies: the middle of the whole picture, turned, zoomed or mirrored, looks the same.
- Eyes: the part of the face that a mask leaves free looks the same. It finds a drawn-in mask, and bursts of one person.
- Names: `12-with-mask` is taken to be made from `12`.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from device.crop import whole_picture
from device.faces import Luma
from trainer.links import LinkedPhotos, Links

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.intp]  # of photos
Descriptions = npt.NDArray[np.uint8]  # (n, DESCRIPTION_LENGTH), and n may be more than fit into memory

WHOLE_SIDE = 48  # px: the whole picture, squeezed to a square
FACE_SIDE = 50  # px
DESCRIPTION_LENGTH = WHOLE_SIDE**2 + FACE_SIDE**2 + 2  # and the shape of the picture, and whether it has a face
SHAPE_STEPS = 16  # steps of the stored shape for each doubling of width / height, around 128
LEAST_CONTRAST = 4.0  # standard deviation in grey levels: below it a patch shows nothing to compare

# Hash distances in bits of 64. Unrelated pictures are about 32 apart; recompressed or blurred copies mostly within 4.
SURE_BITS, LIKELY_BITS = 4, 10
LIKELY_CORRELATION = 0.75  # of the squeezed pictures, asked of the likely ones

# Turned copies reach 0.98; below 0.95 strangers with the same mask drawn in begin to join.
TURNED_CORRELATION = 0.96
TURNED_SIDE = 14  # px: the middle of the picture, compared within a disc, which leaves out the corners of turned copies
TURNED_SHARE = 0.8  # of the picture's sides that the disc spans
TURNS_DEGREES = tuple(range(-20, 21, 5))
TURNED_ZOOMS = (1.0, 1.1, 1.2)

# Strangers' eyes reach 0.97 a few times in a thousand photos; from 0.95 down, they make one giant group.
EYES_CORRELATION = 0.97
EYES_CENTRE = (0.50, 0.41)  # x, y in the face crop: where an upright face that the finder has framed has its eyes
EYES_SPAN = (0.56, 0.28)  # width, height in the face crop: brows to the bridge of the nose
EYES_SIZE = (20, 10)  # px: width, height
EYES_SHIFTS = (-0.04, 0.0, 0.04)  # of the face crop: how much the finder's box jumps between copies
EYES_ZOOMS = (1.0, 1.1)

BLOCK = 1024  # photos compared with as many others at a time: 4 MB
# Only a name that ends in a number names one shot; `augmented_image` and `augmented_image_7` have nothing in common.
MADE_FROM = re.compile(r"(?P<original>.*\d)[-_ .]\D+")


def describe(luma: Luma, face_crop: Luma) -> npt.NDArray[np.uint8]:
    """Return what `find_groups` needs to know of a photo, uint8 (DESCRIPTION_LENGTH,).

    luma: the whole upright picture, uint8 (height, width). face_crop: the square around its largest face with a margin
    of 0.2, uint8 (side, side), or the whole picture squeezed to that size: then its eyes are not compared.
    """
    height, width = luma.shape
    shape = np.clip(round(128 + SHAPE_STEPS * np.log2(width / height)), 0, 255)
    has_face = not np.array_equal(face_crop, whole_picture(luma, face_crop.shape[0]))
    whole, face = whole_picture(luma, WHOLE_SIDE), whole_picture(face_crop, FACE_SIDE)
    return np.concatenate([whole.ravel(), face.ravel(), [shape, has_face]]).astype(np.uint8)


def find_groups(descriptions: npt.NDArray[np.uint8], names: Sequence[str]) -> npt.NDArray[np.intp]:
    """Return the group of each photo, intp (n,), numbered from 0 in the order of their first photos.

    descriptions: uint8 (n, DESCRIPTION_LENGTH), rows of `describe`. names: n paths, of which the stems are compared.
    The time grows with n squared, the memory with n, by about 1 kB a photo.
    """
    count = len(names)
    if descriptions.shape != (count, DESCRIPTION_LENGTH):
        raise ValueError(f"descriptions have the shape {descriptions.shape}, not {(count, DESCRIPTION_LENGTH)}")
    links = LinkedPhotos(count)
    links.add(_made_from_another(names))
    _link_copies(descriptions, links)
    turned = list(itertools.product(TURNS_DEGREES, TURNED_ZOOMS, (False, True)))
    _link_alike(descriptions, np.arange(count), _middles, (0, 1, False), turned, TURNED_CORRELATION, links)
    shifted = list(itertools.product(EYES_SHIFTS, EYES_SHIFTS, EYES_ZOOMS, (False, True)))
    with_face = np.flatnonzero(descriptions[:, -1])
    _link_alike(descriptions, with_face, _eyes, (0, 0, 1, False), shifted, EYES_CORRELATION, links)
    return links.groups()


def shared_group_fraction(groups: npt.NDArray[np.intp], test_mask: Bools) -> float:
    """Return the share, 0-1, of the test photos that have a photo of their group outside the test part.

    groups: intp (n,). test_mask: bool (n,), at least one of them true.
    """
    return float(np.isin(groups[test_mask], groups[~test_mask]).mean())


def _link_copies(descriptions: Descriptions, links: LinkedPhotos) -> None:
    blocks = range(0, len(descriptions), BLOCK)
    plain = [_hashes(_whole(descriptions[start : start + BLOCK])) for start in blocks]
    for start, mirrored in itertools.product(blocks, (False, True)):
        pictures = _whole(descriptions[start : start + BLOCK])[:, :, :: -1 if mirrored else 1]
        hashes, vectors = _hashes(pictures), _normalised(pictures.reshape(-1, WHOLE_SIDE**2))
        for row, others in zip(blocks, plain, strict=True):
            bits_apart, place = (64 - others @ hashes.T) / 2, np.array([row, start])
            links.add(np.argwhere(bits_apart <= SURE_BITS) + place)
            likely = np.argwhere((bits_apart > SURE_BITS) & (bits_apart <= LIKELY_BITS))
            if len(likely):
                those = _normalised(descriptions[row : row + BLOCK, : WHOLE_SIDE**2])
                alike = (those @ vectors.T)[likely[:, 0], likely[:, 1]] >= LIKELY_CORRELATION
                links.add(likely[alike] + place)


def _hashes(pictures: Luma) -> Floats:
    # The 64-bit DCT hash: signs of the 8x8 lowest frequencies against their median, the mean of the picture left out.
    small = [cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32) for picture in pictures]
    frequencies = np.array([cv2.dct(picture)[:8, :8].ravel() for picture in small])
    return np.where(frequencies > np.median(frequencies[:, 1:], axis=1, keepdims=True), 1, -1).astype(np.float32)


def _link_alike(
    descriptions: Descriptions, photos: Numbers, look: Callable[[Descriptions], Callable[..., Floats]],
    plain: tuple[Any, ...], variants: Sequence[tuple[Any, ...]], at_least: float, links: LinkedPhotos,
) -> None:
    """Link photos where a variant of one looks like the other's plain view.

    photos: numbers of those to look at. look: from descriptions to a function from a variant to float32 vectors.
    """
    blocks = [photos[start : start + BLOCK] for start in range(0, len(photos), BLOCK)]
    views = [look(descriptions[block])(*plain) for block in blocks]
    for block in blocks:
        turned = look(descriptions[block])
        for variant in variants:
            vectors = turned(*variant)
            for others, view in zip(blocks, views, strict=True):
                i, j = np.nonzero(view @ vectors.T >= at_least)
                links.add(np.column_stack([others[i], block[j]]))


def _middles(descriptions: Descriptions) -> Callable[[float, float, bool], Floats]:
    soft = [np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.2), np.uint8) for picture in _whole(descriptions)]
    shapes = 2 ** ((descriptions[:, -2].astype(np.float64) - 128) / SHAPE_STEPS)
    offsets = np.arange(TURNED_SIDE) - (TURNED_SIDE - 1) / 2
    disc = np.add.outer(offsets**2, offsets**2) <= (TURNED_SIDE / 2) ** 2
    span = (TURNED_SHARE * WHOLE_SIDE, TURNED_SHARE * WHOLE_SIDE)
    centre = ((WHOLE_SIDE - 1) / 2, (WHOLE_SIDE - 1) / 2)

    def middles(turn: float, zoom: float, mirrored: bool) -> Floats:
        return _normalised(np.array([
            _patch(picture, centre, span, (TURNED_SIDE, TURNED_SIDE), turn, zoom, mirrored, shape)[disc]
            for picture, shape in zip(soft, shapes, strict=True)
        ]))

    return middles


def _eyes(descriptions: Descriptions) -> Callable[[float, float, float, bool], Floats]:
    faces = descriptions[:, WHOLE_SIDE**2 : -2].reshape(-1, FACE_SIDE, FACE_SIDE)
    soft = [np.asarray(cv2.GaussianBlur(face, (0, 0), 0.9), np.uint8) for face in faces]
    span = (EYES_SPAN[0] * FACE_SIDE, EYES_SPAN[1] * FACE_SIDE)

    def eyes(shift_x: float, shift_y: float, zoom: float, mirrored: bool) -> Floats:
        centre = ((EYES_CENTRE[0] + shift_x) * FACE_SIDE, (EYES_CENTRE[1] + shift_y) * FACE_SIDE)
        patches = [_patch(face, centre, span, EYES_SIZE, 0, zoom, mirrored, 1.0).ravel() for face in soft]
        return _normalised(np.array(patches))

    return eyes


def _whole(descriptions: Descriptions) -> Luma:
    return descriptions[:, : WHOLE_SIDE**2].reshape(-1, WHOLE_SIDE, WHOLE_SIDE)


def _made_from_another(names: Sequence[str]) -> Links:
    stems = [PurePath(name).stem for name in names]
    owners = defaultdict(list)
    for i, stem in enumerate(stems):
        owners[stem].append(i)
    made_from = [(i, match["original"]) for i, stem in enumerate(stems) if (match := MADE_FROM.fullmatch(stem))]
    links = [(i, j) for i, original in made_from for j in owners.get(original, [])]
    return np.array(links, dtype=np.intp).reshape(-1, 2)


def _patch(
    picture: Luma, centre: tuple[float, float], span: tuple[float, float], size: tuple[int, int],
    turn_degrees: float, zoom: float, mirrored: bool, shape: float,
) -> Luma:
    # `shape` is width / height before the picture was squeezed to a square: turning has to be done in the true shape.
    cos, sin = np.cos(np.deg2rad(turn_degrees)) / zoom, np.sin(np.deg2rad(turn_degrees)) / zoom
    step_x, step_y = span[0] / size[0] * (-1 if mirrored else 1), span[1] / size[1]
    matrix = np.array([[cos * step_x, -sin / shape * step_y], [sin * shape * step_x, cos * step_y]])
    shift = np.array(centre) - matrix @ ((np.array(size) - 1) / 2)
    patch = cv2.warpAffine(
        picture, np.column_stack([matrix, shift]), size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(patch, dtype=np.uint8)


def _normalised(patches: npt.NDArray[np.uint8]) -> Floats:
    vectors = patches.astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors /= np.maximum(lengths, LEAST_CONTRAST * np.sqrt(vectors.shape[1]))
    return vectors
