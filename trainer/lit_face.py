"""Turns a wide face crop into a canvas that knows where the face is and lights what is drawn on it like the face.

Everything is fitted by where eyes, nose, mouth and chin are in a finder's box. Pictures are wide crops: uint8 luma
(side, side), grey levels 0-255.
"""

import cv2
import numpy as np
import numpy.typing as npt

from device.faces import Luma
from trainer.cutting import CONTEXT, CROP_MARGIN
from trainer.shapes import Points, mirror, oval, smooth

# Heights on the face, as shares of the box from hairline (0) to chin (1): means over upright frontal faces.
EYES, NOSE_BRIDGE, NOSE_TIP, MOUTH, CHIN = 0.40, 0.44, 0.62, 0.79, 1.0
HALF_WIDTH = 0.37  # of the face, as a share of the box's height
EYES_APART = 0.165  # from the middle, as a share of the box's height
FINE = 2  # shapes are drawn at so many times the pixels, and averaged
CORNERS = 24  # of an oval: a crop has few pixels
OWN_LIGHT = 0.5  # share in which only the face tells the light; else what is behind it shines on things as well

Plane = npt.NDArray[np.float32]  # (side, side), grey levels


class LitFace:
    """Where a face is in a wide crop, and how it is lit."""

    def __init__(self, rng: np.random.Generator, wide: Luma) -> None:
        self.rng, self.luma = rng, wide.astype(np.float32)
        side = wide.shape[0]
        self.height = side / CONTEXT / (1 + 2 * CROP_MARGIN) * rng.uniform(0.97, 1.12)  # px, hairline to chin
        self.middle = np.array([side / 2, side / 2]) + rng.normal(0, 0.012, 2) * side
        self.turn, self.lean = rng.normal(0, 0.05), rng.normal(0, 0.06)
        forehead = self.at([(-0.2, 0.3), (0.2, 0.3), (0.2, 0.6), (-0.2, 0.6)])
        left, top = np.clip(forehead.min(0), 0, side - 2).astype(int)
        right, bottom = np.clip(forehead.max(0), 2, side).astype(int)
        self.skin = float(np.median(self.luma[top:bottom, left:right]))
        soft = self._own_light() if rng.random() < OWN_LIGHT else cv2.GaussianBlur(self.luma, (0, 0), side / 12)
        self.shade = np.clip(soft / max(float(np.median(soft[top:bottom, left:right])), 8.0), 0.45, 1.5)

    def _own_light(self) -> Plane:
        face, faint = np.zeros_like(self.luma), np.float32(0.02)
        outline = self.at(oval(0, 0.55, HALF_WIDTH * 0.9, 0.45, corners=CORNERS))
        cv2.fillPoly(face, [np.round(outline).astype(np.int32)], 1.0)
        near, light = (_wide_blur(plane) for plane in (face, self.luma * face))
        return np.asarray((light + faint * self.skin) / (near + faint), np.float32)

    def at(self, points: object) -> Points:
        """Map (across from the middle, down from the hairline), in heights of the box, to pixels."""
        x, y = np.asarray(points, np.float64).reshape(-1, 2).T
        x, y = x + self.lean * np.maximum(0, 0.3 - np.abs(x)), y - 0.5
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        turned = np.stack([x * cos - y * sin, x * sin + y * cos])
        return np.asarray(turned.T * self.height + self.middle)

    def paint(self, points: object, grey: float | Plane, opacity: float = 1.0, lit: bool = True,
              stroke: float = 0) -> None:
        """Fill a closed shape, or draw a line `stroke` px wide, in a grey level that takes on the face's light."""
        side, placed = self.luma.shape[0], self.at(points)
        # Only what lies under the shape is touched: a hand is made of fifty.
        left, top = np.clip(np.floor(placed.min(0) - stroke - 2), 0, side).astype(int)
        right, bottom = np.clip(np.ceil(placed.max(0) + stroke + 2), 0, side).astype(int)
        if left >= right or top >= bottom:
            return
        stencil = np.zeros(((bottom - top) * FINE, (right - left) * FINE), np.uint8)
        fixed = [np.round((placed - (left, top)) * FINE * 16).astype(np.int32)]
        if stroke:
            cv2.polylines(stencil, fixed, False, 255, max(1, round(stroke * FINE)), cv2.LINE_AA, 4)
        else:
            cv2.fillPoly(stencil, fixed, 255, cv2.LINE_AA, 4)
        under = np.s_[top:bottom, left:right]
        share = cv2.resize(stencil, (right - left, bottom - top), interpolation=cv2.INTER_AREA) * np.float32(
            opacity / 255
        )
        paint = grey[under] if isinstance(grey, np.ndarray) else np.float32(grey)
        self.luma[under] += ((paint * self.shade[under] if lit else paint) - self.luma[under]) * share

    def done(self) -> Luma:
        """Return the picture."""
        return np.clip(self.luma, 0, 255).astype(np.uint8)


def _wide_blur(plane: Plane) -> Plane:
    """Blur over an eighth of the side; what is so smooth needs a quarter of the pixels."""
    side = plane.shape[0]
    small = cv2.resize(plane, (side // 4, side // 4), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(cv2.GaussianBlur(small, (0, 0), side / 32), (side, side)), np.float32)


def rounded(half: list[tuple[float, float]]) -> Points:
    """Return a symmetrical shape from its right half, top to bottom, with rounded corners."""
    return smooth(mirror(half), times=2)
