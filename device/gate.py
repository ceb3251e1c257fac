"""Spares the face finder an empty scene that hasn't changed since it was last searched."""

import math

import cv2
import numpy as np
import numpy.typing as npt

from device.faces import Face, FaceFinder, Luma
from device.reduce import block_means

# Blocks of the picture, across and down. The smallest face that counts, a twelfth of the picture's height, covers four
# by three of them; each is the mean of 100 pixels of a camera's 640x480, which leaves a tenth of the sensor's noise.
COLUMNS, ROWS = 64, 48
# Blocks a side over which changes are averaged, as many as lie inside such a face. Averaged are amounts, not signs: a
# face as bright as the wall behind it has darker and brighter parts.
WINDOW = 3
# A window has changed that differs by so many times the noise. Half of all windows differ by less than the noise, and
# of noise alone not one in three thousand differs by three times as much. It is estimated from each picture anew,
# because a sensor has five times as much of it at night as by day.
TIMES_NOISE = 3.0
# Grey levels. Below the least, compression alone makes a difference. Above the most, what looks like noise may be a
# lamp that was switched or a camera that was moved, and a face could hide in it: then the scene is searched. Measured
# on drawn scenes of 640x480, a scene without a face is spared up to noise of 8 grey levels a pixel.
LEAST_CHANGE, MOST_CHANGE = 0.6, 2.5
SEARCH_SECONDS = 1.0  # a scene is searched at least so often, for what has no contrast at all
# After a face was found every picture is searched for so long: a finder may miss somebody who still stands there.
FOUND_SECONDS = 2.0

Blocks = npt.NDArray[np.float32]


class Gate:
    """A finder that is asked only where it may have something to find."""

    def __init__(self, finder: FaceFinder) -> None:
        self._finder = finder
        self._empty: Blocks | None = None  # the last searched picture, unless somebody may be in it
        self._searched = 0.0  # seconds: when that was
        self._found = -math.inf  # seconds: when a face was found last

    def find(self, luma: Luma, now: float) -> list[Face]:
        """Return the faces of the luma picture, uint8 (height, width), taken at `now`, in seconds."""
        blocks = block_means(luma, COLUMNS, ROWS)
        # Against the picture searched last, not the one seen last: slow changes add up.
        if self._empty is not None and now - self._searched < SEARCH_SECONDS and not _changed(self._empty, blocks):
            return []
        faces = self._finder.find(luma)
        if faces:
            self._found = now
        self._empty, self._searched = blocks if now - self._found >= FOUND_SECONDS else None, now
        return faces


def _changed(before: Blocks, now: Blocks) -> bool:
    change = cv2.blur(np.abs(now - before), (WINDOW, WINDOW), borderType=cv2.BORDER_REPLICATE)
    noise = float(np.median(change))
    return float(change.max()) > min(MOST_CHANGE, max(LEAST_CHANGE, TIMES_NOISE * noise))
