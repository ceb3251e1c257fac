"""Makes a camera's picture of a composed one: lit, blurred, noisy and compressed as at a door."""

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from device.faces import Luma
from trainer.finder.lay import Floats

GOOD_PHOTOS = 0.35  # share in which light and sharpness stay as they are
NOISE = (2.0, 14.0)  # standard deviation in grey levels, least and most
NOISE_BANK = 2**22
FROM_BEHIND = 0.12  # share in which light falls on people from behind


def photograph(rng: np.random.Generator, canvas: Luma, faces: Floats) -> Luma:
    """Light, blur and compress a picture, uint8 (height, width), and add noise.

    faces: float32 (n, 4): left, top, width, height in px of those that light may fall on from behind.
    """
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
    if len(faces) and rng.random() < FROM_BEHIND:
        lit = lit_from_behind(rng, lit, faces)
    if rng.random() < 0.45:
        noise = np.float32(np.exp(rng.uniform(*np.log(NOISE))))
        start = rng.integers(NOISE_BANK - width * height)
        lit = lit + _noise_bank()[start : start + width * height].reshape(height, width) * noise
    photo = np.clip(lit, 0, 255).astype(np.uint8)
    if rng.random() < 0.15:
        _, encoded = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))])
        photo = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)
    return photo


def lit_from_behind(rng: np.random.Generator, lit: cv2.typing.MatLike, faces: Floats) -> cv2.typing.MatLike:
    """Darken heads and shoulders, brighten what is behind them, and let some of that haze the whole picture."""
    coarse = 4  # px to a cell: the edge between both is soft
    people = np.zeros((-(-lit.shape[0] // coarse), -(-lit.shape[1] // coarse)), np.float32)
    for x, y, width, height in (faces / coarse).tolist():
        middle = x + width / 2
        for oval in (((middle, y + height / 2), (width * 1.4, height * 1.5), 0),
                     ((middle, y + height * 2.1), (width * 3.2, height * 2), 0)):  # head and shoulders
            cv2.ellipse(people, oval, 1.0, -1)
        below = np.s_[round(y + height * 2.1) :, max(0, round(middle - width * 1.6)) : round(middle + width * 1.6)]
        people[below] = 1.0
    soft = cv2.GaussianBlur(people, (0, 0), max(0.6, float(faces[:, 2].max()) / coarse * 0.1))
    before = cv2.resize(soft, lit.shape[::-1], interpolation=cv2.INTER_LINEAR)
    dark, bright = rng.uniform(0.15, 0.7), rng.uniform(0.8, 1.3)
    glow, haze = rng.uniform(20, 160), rng.uniform(0, 40)
    lit = lit * (bright + before * np.float32(dark - bright)) + (1 - before) * np.float32(glow) + np.float32(haze)
    return np.asarray(lit, np.float32)


@cache
def _noise_bank() -> npt.NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(NOISE_BANK, np.float32)
