"""Draws small photo folders for tests of the trainer: stripes for one class, rings for the other, all different."""

from pathlib import Path

import cv2
import numpy as np

SIDE = 64  # px


def drawn_photos(folder: Path, count: int = 24, seed: int = 0) -> Path:
    """Write `count` pictures of each class below a folder: rings with a mask, bare stripes without one."""
    rng = np.random.default_rng(seed)
    for label in ("with_mask", "without_mask"):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture = rng.integers(0, 90, (SIDE // 8, SIDE // 8), np.uint8)
            picture = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
            shift = int(rng.integers(-12, 13))
            if label == "with_mask":
                cv2.circle(picture, (SIDE // 2 + shift, SIDE // 2), int(rng.integers(10, 20)), 255, 5)
            else:
                for x in range(shift % 10, SIDE, int(rng.integers(9, 14))):
                    cv2.line(picture, (x, 0), (x, SIDE), 200, 3)
            cv2.imwrite(str(folder / label / f"{number}.png"), picture)
    return folder
