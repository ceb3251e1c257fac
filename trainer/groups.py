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
from collections.abc import Iterator, Sequence
from pathlib import PurePath

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from device.crop import whole_picture
from device.faces import Luma

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Links = npt.NDArray[np.intp]  # (links, 2): numbers of two photos

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

BLOCK = 1024  # photos compared with all others at a time: 40 MB for 10,000 photos
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
    """
    count = len(names)
    if descriptions.shape != (count, DESCRIPTION_LENGTH):
        raise ValueError(f"descriptions have the shape {descriptions.shape}, not {(count, DESCRIPTION_LENGTH)}")
    whole = descriptions[:, : WHOLE_SIDE**2].reshape(-1, WHOLE_SIDE, WHOLE_SIDE)
    faces = descriptions[:, WHOLE_SIDE**2 : -2].reshape(-1, FACE_SIDE, FACE_SIDE)
    shapes = 2 ** ((descriptions[:, -2].astype(np.float64) - 128) / SHAPE_STEPS)
    with_face = np.flatnonzero(descriptions[:, -1])
    links = np.concatenate([
        _copies(whole),
        _turned_copies(whole, shapes),
        with_face[_same_eyes(faces[with_face])],
        _made_from_another(names),
    ])
    graph = coo_matrix((np.ones(len(links), dtype=bool), (links[:, 0], links[:, 1])), shape=(count, count))
    labels = connected_components(graph, directed=False)[1]
    _, first, groups = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[groups], dtype=np.intp)


def shared_group_fraction(groups: npt.NDArray[np.intp], test_mask: Bools) -> float:
    """Return the share, 0-1, of the test photos that have a photo of their group outside the test part.

    groups: intp (n,). test_mask: bool (n,), at least one of them true.
    """
    return float(np.isin(groups[test_mask], groups[~test_mask]).mean())


def _copies(whole: Luma) -> Links:
    # The 64-bit DCT hash: signs of the 8x8 lowest frequencies against their median, the mean of the picture left out.
    pictures = [[cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA) for picture in side]
                for side in (whole, whole[:, :, ::-1])]
    frequencies = [np.array([cv2.dct(picture.astype(np.float32))[:8, :8].ravel() for picture in side]).reshape(-1, 64)
                   for side in pictures]
    hashes = [np.where(f > np.median(f[:, 1:], axis=1, keepdims=True), 1, -1).astype(np.float32) for f in frequencies]
    vectors = [_normalised(side.reshape(-1, WHOLE_SIDE**2)) for side in (whole, whole[:, :, ::-1])]
    found = [np.empty((0, 2), dtype=np.intp)]
    for i, start in itertools.product(range(2), range(0, len(whole), BLOCK)):
        rows = slice(start, start + BLOCK)
        bits_apart = (64 - hashes[0][rows] @ hashes[i].T) / 2
        alike = vectors[0][rows] @ vectors[i].T >= LIKELY_CORRELATION
        linked = (bits_apart <= SURE_BITS) | ((bits_apart <= LIKELY_BITS) & alike)
        found.append(np.argwhere(linked) + np.array([start, 0]))
    return np.concatenate(found)


def _turned_copies(whole: Luma, shapes: npt.NDArray[np.float64]) -> Links:
    soft = [cv2.GaussianBlur(picture, (0, 0), 1.2) for picture in whole]
    offsets = np.arange(TURNED_SIDE) - (TURNED_SIDE - 1) / 2
    disc = np.add.outer(offsets**2, offsets**2) <= (TURNED_SIDE / 2) ** 2
    span = (TURNED_SHARE * WHOLE_SIDE, TURNED_SHARE * WHOLE_SIDE)
    centre = ((WHOLE_SIDE - 1) / 2, (WHOLE_SIDE - 1) / 2)

    def middles(turn: float, zoom: float, mirrored: bool) -> Floats:
        patches = [
            _patch(picture, centre, span, (TURNED_SIDE, TURNED_SIDE), turn, zoom, mirrored, shape)[disc]
            for picture, shape in zip(soft, shapes, strict=True)
        ]
        return _normalised(np.array(patches).reshape(-1, disc.sum()))

    variants = (middles(*v) for v in itertools.product(TURNS_DEGREES, TURNED_ZOOMS, (False, True)))
    return _alike(middles(0, 1, False), variants, TURNED_CORRELATION)


def _same_eyes(faces: Luma) -> Links:
    soft = [cv2.GaussianBlur(face, (0, 0), 0.9) for face in faces]
    span = (EYES_SPAN[0] * FACE_SIDE, EYES_SPAN[1] * FACE_SIDE)

    def eyes(shift_x: float, shift_y: float, zoom: float, mirrored: bool) -> Floats:
        centre = ((EYES_CENTRE[0] + shift_x) * FACE_SIDE, (EYES_CENTRE[1] + shift_y) * FACE_SIDE)
        patches = [_patch(face, centre, span, EYES_SIZE, 0, zoom, mirrored, 1.0) for face in soft]
        return _normalised(np.array(patches).reshape(-1, EYES_SIZE[0] * EYES_SIZE[1]))

    search = itertools.product(EYES_SHIFTS, EYES_SHIFTS, EYES_ZOOMS, (False, True))
    return _alike(eyes(0, 0, 1, False), (eyes(*v) for v in search), EYES_CORRELATION)


def _made_from_another(names: Sequence[str]) -> Links:
    stems = [PurePath(name).stem for name in names]
    owners = defaultdict(list)
    for i, stem in enumerate(stems):
        owners[stem].append(i)
    made_from = [(i, match["original"]) for i, stem in enumerate(stems) if (match := MADE_FROM.fullmatch(stem))]
    links = [(i, j) for i, original in made_from for j in owners.get(original, [])]
    return np.array(links, dtype=np.intp).reshape(-1, 2)


def _alike(vectors: Floats, variants: Iterator[Floats], at_least: float) -> Links:
    found = [np.empty((0, 2), dtype=np.intp)]
    for variant in variants:
        for start in range(0, len(vectors), BLOCK):
            linked = vectors[start : start + BLOCK] @ variant.T >= at_least
            found.append(np.argwhere(linked) + np.array([start, 0]))
    return np.concatenate(found)


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
