"""Turns a wide face crop into another photo that a door camera could have taken of the same face.

The face finder's box jitters, heads tilt, light falls from one side or from behind, sensors are noisy and pictures are
small, blurred and compressed. Grey levels are 0-255 throughout.
"""

import cv2
import numpy as np

from device.faces import Luma
from trainer.cutting import CONTEXT

TILT_DEGREES = 9.0  # standard deviation, at most three of them
FIELD = (0.78, 1.2)  # least and most that is seen, in sides of the plain crop
SHIFT = 0.05  # standard deviation, share of the crop's side: how far the finder's box is off
NOISE = (1.5, 11.0)  # standard deviation in grey levels, least and most
GOOD_PHOTOS = 0.3  # share in which nothing else is wrong
JPEG_QUALITY = (15, 90)
DARK = (0.10, 0.5)  # least and most of the light that is left, where there is hardly any
FEWEST_PIXELS = 14  # side of the smallest face crop that a camera delivers


def photograph_again(rng: np.random.Generator, wide: Luma, size: int) -> Luma:
    """Return another photo of a wide crop, uint8 (side, side) with side = size * CONTEXT, as uint8 (size, size)."""
    crop = _move(rng, wide, size)
    if rng.random() < GOOD_PHOTOS:
        return np.asarray(crop, np.uint8)
    crop = _light(rng, crop)
    crop = _blur(rng, crop)
    if rng.random() < 0.5:
        noise = np.exp(rng.uniform(*np.log(NOISE)))
        crop = crop + rng.standard_normal(crop.shape, np.float32) * np.float32(noise)
    photo = np.clip(crop, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        _, encoded = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*JPEG_QUALITY))])
        photo = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)
    return photo


def _move(rng: np.random.Generator, wide: Luma, size: int) -> cv2.typing.MatLike:
    """Turn, zoom, shift, stretch and mirror."""
    field = np.exp(rng.uniform(*np.log(FIELD))) * wide.shape[0] / CONTEXT / size  # wide pixels a crop pixel
    turn = np.deg2rad(np.clip(rng.normal(0, TILT_DEGREES), -3 * TILT_DEGREES, 3 * TILT_DEGREES))
    stretch = np.exp(rng.normal(0, 0.06))
    cos, sin = np.cos(turn) * field, np.sin(turn) * field
    matrix = np.array([[cos * stretch, -sin / stretch], [sin * stretch, cos / stretch]])
    matrix[0, 1] += rng.normal(0, 0.05) * field  # as a head that leans or a camera beside the door
    if rng.random() < 0.5:
        matrix[:, 0] *= -1
    middle = (np.array(wide.shape) - 1) / 2 + rng.normal(0, SHIFT, 2) * size * field
    shift = middle - matrix @ ((np.array([size, size]) - 1) / 2)
    # Area sampling isn't offered here: what is shrunk by half or more would sparkle without a blur before.
    return cv2.warpAffine(
        wide, np.column_stack([matrix, shift]), (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _light(rng: np.random.Generator, crop: cv2.typing.MatLike) -> cv2.typing.MatLike:
    """Change exposure and contrast, let light fall from one side, or from behind."""
    size = crop.shape[0]
    levels = np.linspace(0, 1, 256, dtype=np.float32) ** np.float32(np.exp(rng.normal(0, 0.35)))
    kind = rng.random()
    gain, offset = np.exp(rng.normal(0, 0.18)), rng.normal(0, 12)
    if kind < 0.22:  # hardly any light
        gain, offset = np.exp(rng.uniform(*np.log(DARK))), rng.uniform(0, 12)
    elif kind < 0.32:  # glare and haze
        gain, offset = rng.uniform(0.3, 0.7), rng.uniform(40, 120)
    lit = cv2.LUT(crop, levels * np.float32(gain * 255) + np.float32(offset))
    if rng.random() < 0.35:
        across = np.linspace(-1, 1, size, dtype=np.float32)
        angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.7)
        ramp = np.add.outer(across * np.float32(np.sin(angle)), across * np.float32(np.cos(angle)))
        if rng.random() < 0.3:  # a shadow's edge
            ramp = np.clip(ramp * 6 + np.float32(rng.normal(0, 2)), -1, 1)
        lit = lit * (1 + np.float32(depth) * ramp)
    if rng.random() < 0.18:
        lit = lit * np.float32(rng.uniform(0.3, 1)) + _window_behind(rng, size)
    return lit


def _window_behind(rng: np.random.Generator, size: int) -> cv2.typing.MatLike:
    across = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    off = (np.add.outer((across / 0.52) ** 2, (across / 0.40) ** 2)).astype(np.float32)
    return np.asarray(np.clip((off - 0.8) * 4, 0, 1) * rng.uniform(40, 220) - rng.uniform(0, 30), np.float32)


def _blur(rng: np.random.Generator, crop: cv2.typing.MatLike) -> cv2.typing.MatLike:
    """Defocus, let something move, or see the face from far away."""
    kind = rng.random()
    if kind < 0.2:
        return cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.4, 1.8))
    if kind < 0.3:
        length, angle = int(rng.integers(3, 8)), rng.uniform(0, np.pi)
        kernel = np.zeros((length, length), np.float32)
        middle, reach = (length - 1) / 2, length / 2 * np.array([np.cos(angle), np.sin(angle)])
        ends = [(round(middle + s * reach[0]), round(middle + s * reach[1])) for s in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0)
        return cv2.filter2D(crop, -1, kernel / kernel.sum())
    if kind < 0.55:
        pixels = round(np.exp(rng.uniform(*np.log((FEWEST_PIXELS, crop.shape[0])))))
        small = cv2.resize(crop, (pixels, pixels), interpolation=cv2.INTER_AREA)
        return cv2.resize(small, crop.shape[:2], interpolation=cv2.INTER_LINEAR)
    return crop
