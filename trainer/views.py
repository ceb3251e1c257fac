"""Turns photos into what is compared to tell whether they are copies, or show one person: hashes, middles, eyes."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from device.crop import whole_picture
from device.faces import Luma

Floats = npt.NDArray[np.float32]
Descriptions = npt.NDArray[np.uint8]  # (n, DESCRIPTION_LENGTH), and n may be more than fit into memory

WHOLE_SIDE = 48  # px: the whole picture, squeezed to a square
FACE_SIDE = 50  # px
DESCRIPTION_LENGTH = WHOLE_SIDE**2 + FACE_SIDE**2 + 2  # and the shape of the picture, and whether it has a face
SHAPE_STEPS = 16  # steps of the stored shape for each doubling of width / height, around 128
LEAST_CONTRAST = 4.0  # standard deviation in grey levels: below it a patch shows nothing to compare

TURNED_SIDE = 14  # px: the middle of the picture, compared within a disc, which leaves out the corners of turned copies
TURNED_SHARE = 0.8  # of the picture's sides that the disc spans
TURNS_DEGREES = tuple(range(-20, 21, 5))
TURNED_ZOOMS = (1.0, 1.1, 1.2)

EYES_CENTRE = (0.50, 0.41)  # x, y in the face crop: where an upright face that the finder has framed has its eyes
EYES_SPAN = (0.56, 0.28)  # width, height in the face crop: brows to the bridge of the nose
EYES_SIZE = (20, 10)  # px: width, height
EYES_SHIFTS = (-0.04, 0.0, 0.04)  # of the face crop: how much the finder's box jumps between copies
EYES_ZOOMS = (1.0, 1.1)


def describe(luma: Luma, face_crop: Luma, has_face: bool) -> npt.NDArray[np.uint8]:
    """Return what `find_groups` needs to know of a photo, uint8 (DESCRIPTION_LENGTH,).

    luma: the whole upright picture, uint8 (height, width). face_crop: the square around its largest face with a margin
    of 0.2, uint8 (side, side), or, unless it `has_face`, anything: then its eyes are not compared.
    """
    height, width = luma.shape
    shape = np.clip(round(128 + SHAPE_STEPS * np.log2(width / height)), 0, 255)
    whole, face = whole_picture(luma, WHOLE_SIDE), whole_picture(face_crop, FACE_SIDE)
    return np.concatenate([whole.ravel(), face.ravel(), [shape, has_face]]).astype(np.uint8)


def dct_hashes(pictures: Luma) -> Floats:
    """Return the 64 bits of each picture as -1 and 1, float32 (n, 64)."""
    # Signs of the 8x8 lowest frequencies against their median, the mean of the picture left out.
    small = [cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32) for picture in pictures]
    frequencies = np.array([cv2.dct(picture)[:8, :8].ravel() for picture in small])
    return np.where(frequencies > np.median(frequencies[:, 1:], axis=1, keepdims=True), 1, -1).astype(np.float32)


def middles(descriptions: Descriptions) -> Callable[[float, float, bool], Floats]:
    """Return the function from a turn in degrees, a zoom, and whether mirrored, to the middles seen so, normalised."""
    soft = [np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.2), np.uint8) for picture in whole_pictures(descriptions)]
    shapes = 2 ** ((descriptions[:, -2].astype(np.float64) - 128) / SHAPE_STEPS)
    offsets = np.arange(TURNED_SIDE) - (TURNED_SIDE - 1) / 2
    disc = np.add.outer(offsets**2, offsets**2) <= (TURNED_SIDE / 2) ** 2
    span = (TURNED_SHARE * WHOLE_SIDE, TURNED_SHARE * WHOLE_SIDE)
    centre = ((WHOLE_SIDE - 1) / 2, (WHOLE_SIDE - 1) / 2)

    def view(turn: float, zoom: float, mirrored: bool) -> Floats:
        return normalised(np.array([
            _patch(picture, centre, span, (TURNED_SIDE, TURNED_SIDE), turn, zoom, mirrored, shape)[disc]
            for picture, shape in zip(soft, shapes, strict=True)
        ]))

    return view


def eyes(descriptions: Descriptions) -> Callable[[float, float, float, bool], Floats]:
    """Return the function from a shift in x and y, a zoom, and whether mirrored, to the eyes seen so, normalised."""
    faces = descriptions[:, WHOLE_SIDE**2 : -2].reshape(-1, FACE_SIDE, FACE_SIDE)
    soft = [np.asarray(cv2.GaussianBlur(face, (0, 0), 0.9), np.uint8) for face in faces]
    span = (EYES_SPAN[0] * FACE_SIDE, EYES_SPAN[1] * FACE_SIDE)

    def view(shift_x: float, shift_y: float, zoom: float, mirrored: bool) -> Floats:
        centre = ((EYES_CENTRE[0] + shift_x) * FACE_SIDE, (EYES_CENTRE[1] + shift_y) * FACE_SIDE)
        patches = [_patch(face, centre, span, EYES_SIZE, 0, zoom, mirrored, 1.0).ravel() for face in soft]
        return normalised(np.array(patches))

    return view


def whole_pictures(descriptions: Descriptions) -> Luma:
    """Return the squeezed pictures, uint8 (n, WHOLE_SIDE, WHOLE_SIDE)."""
    return descriptions[:, : WHOLE_SIDE**2].reshape(-1, WHOLE_SIDE, WHOLE_SIDE)


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


def normalised(patches: npt.NDArray[np.uint8]) -> Floats:
    """Return vectors whose products are correlations, float32, of patches, uint8 (n, pixels)."""
    vectors = patches.astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors /= np.maximum(lengths, LEAST_CONTRAST * np.sqrt(vectors.shape[1]))
    return vectors
