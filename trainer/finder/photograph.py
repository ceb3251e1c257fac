"""Makes a camera's picture of a composed one: lit, blurred, noisy and compressed as at a door."""

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from device.faces import Luma

GOOD_PHOTOS = 0.35  # share in which light and sharpness stay as they are
NOISE = (2.0, 14.0)  # standard deviation in grey levels, least and most
NOISE_BANK = 2**22


def photograph(rng: np.random.Generator, canvas: Luma) -> Luma:
    """Light, blur and compress a picture, uint8 (height, width), and add noise."""
    if rng.random() < GOOD_PHOTOS:
        return canvas
    height, width = canvas.shape
    kind = rng.random()
    if kind < 0.12:
        canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.4, 1.6)))
    elif kind < 0.2:
        length = int(rng.integers(2, 7))
        kernel = np.zeros((length, length), np.float32)
        turn = rng.uniform(0, np.pi)
        reach = (length - 1) / 2 * np.array([np.cos(turn), np.sin(turn)])
        start, end = ((length - 1) / 2 + side * reach for side in (-1, 1))
        cv2.line(kernel, tuple(np.round(start).astype(int).tolist()), tuple(np.round(end).astype(int).tolist()), 1)
        canvas = np.asarray(cv2.filter2D(canvas, -1, kernel / kernel.sum()))
    lit: cv2.typing.MatLike = canvas.astype(np.float32)
    if rng.random() < 0.6:
        levels = np.linspace(0, 1, 256, dtype=np.float32) ** np.float32(np.exp(rng.normal(0, 0.35)))
        gain, offset = np.exp(rng.normal(0, 0.2)), rng.normal(0, 12)
        light = rng.random()
        if light < 0.14:  # hardly any
            gain, offset = rng.uniform(0.15, 0.5), rng.uniform(0, 15)
        elif light < 0.22:  # glare and haze
            gain, offset = rng.uniform(0.3, 0.7), rng.uniform(40, 120)
        lit = cv2.LUT(canvas, levels * np.float32(gain * 255) + np.float32(offset))
    if rng.random() < 0.2:  # light from one side
        turn, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.7)
        across = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(np.cos(turn) * depth)
        down = np.linspace(-1, 1, height, dtype=np.float32) * np.float32(np.sin(turn) * depth)
        lit = lit * (1 + np.add.outer(down, across))
    if rng.random() < 0.45:
        noise = np.float32(np.exp(rng.uniform(*np.log(NOISE))))
        start = rng.integers(NOISE_BANK - width * height)
        lit = lit + _noise_bank()[start : start + width * height].reshape(height, width) * noise
    photo = np.clip(lit, 0, 255).astype(np.uint8)
    if rng.random() < 0.15:
        _, encoded = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))])
        photo = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)
    return photo


@cache
def _noise_bank() -> npt.NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(NOISE_BANK, np.float32)
