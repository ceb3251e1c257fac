"""Turns filled shapes and bumps into a lit picture: a relief, a colour and a height for each pixel.

Light falls on the relief from any side (Lambert's law), and hollows get less of it, which is what makes eye sockets
dark and nose bridges bright, and so a face a face. Coordinates (x, y) are pixels from the middle of the face, y
downwards, before the head is turned by `Relief.at`.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from trainer.shapes import Points

Plane = npt.NDArray[np.float32]
Colour = npt.NDArray[np.float32]  # BGR, 0-1: shape (3,), or a texture (CANVAS, CANVAS, 3)

CANVAS = 512  # px, height and width of a cut-out
MIDDLE = (256.0, 230.0)  # px, x and y of the middle of the face in it
CLOTHS = ((60, 50, 45), (120, 70, 40), (150, 120, 90), (60, 60, 170), (90, 140, 90), (200, 200, 205), (40, 40, 40),
          (170, 150, 200), (80, 170, 215), (130, 130, 50), (110, 80, 130))


class Light(NamedTuple):
    """Where light comes from (x, y, z towards the viewer), its colour (BGR, 1 is white), the share from all sides."""

    direction: tuple[float, float, float]
    colour: tuple[float, float, float]
    ambient: float


class Relief:
    """A picture in the making: `colour` (y, x, BGR), `height` in px towards the viewer and `cover` 0-1, all float32."""

    def __init__(self, rng: np.random.Generator, half_width: float) -> None:
        self.rng = rng
        self.half_width = half_width
        self.yaw, self.pitch = rng.normal(0, 0.11), rng.normal(0, 0.06)  # radians
        self.colour = np.zeros((CANVAS, CANVAS, 3), np.float32)
        self.height = np.zeros((CANVAS, CANVAS), np.float32)
        self.cover = np.zeros((CANVAS, CANVAS), np.float32)
        strands = rng.normal(0, 1, (9, 256)).astype(np.float32)
        self.strands = cv2.resize(strands, (CANVAS, CANVAS), interpolation=cv2.INTER_CUBIC)[..., None]

    def at(self, points: object) -> Points:
        """Map (x, y) on the face to pixels of the canvas, after the head's turn."""
        x, y = np.asarray(points, np.float64).reshape(-1, 2).T
        depth = self.half_width * np.sqrt(np.clip(1 - (x / self.half_width) ** 2 - (y / 160) ** 2, 0, 1))
        return np.stack([
            MIDDLE[0] + x * np.cos(self.yaw) + depth * np.sin(self.yaw),
            MIDDLE[1] + y * np.cos(self.pitch) + depth * np.sin(self.pitch),
        ], axis=1)

    def fill(self, shapes: list[Points], colour: Colour, *, soft: float = 0.8, opacity: float = 1.0,
             dome: tuple[float, float] = (0, 1), base: float | None = None, stroke: float = 0,
             grain: float = 0) -> None:
        """Paint closed shapes (canvas pixels; a shape inside another is a hole), or with `stroke` px lines along them.

        `soft` is the blur of the edge in px; `dome` is how much the paint rises above what it covers (or above `base`)
        and over which distance from its edge, both in px; `grain` is the contrast, 0-1, of strands as in hair or wool.
        """
        reach = int(3 * soft + stroke) + 3
        every = np.concatenate(shapes)
        left, top = np.maximum(np.floor(every.min(0)).astype(int) - reach, 0)
        right, bottom = np.minimum(np.ceil(every.max(0)).astype(int) + reach, CANVAS)
        if right <= left or bottom <= top:
            return
        stencil = np.zeros((bottom - top, right - left), np.uint8)
        fixed = [np.round((shape - (left, top)) * 16).astype(np.int32) for shape in shapes]
        if stroke:
            cv2.polylines(stencil, fixed, False, 255, max(1, round(stroke)), cv2.LINE_AA, 4)
        else:
            cv2.fillPoly(stencil, fixed, 255, cv2.LINE_AA, 4)
        part = np.s_[top:bottom, left:right]
        rise, radius = dome
        height = self.height[part] if base is None else np.full(stencil.shape, base, np.float32)
        if rise:
            inside = np.minimum(cv2.distanceTransform(stencil, cv2.DIST_L2, 3) / radius, 1)
            height = height + rise * np.sqrt(1 - (1 - inside) ** 2)
        share = cv2.GaussianBlur(stencil, (0, 0), soft).astype(np.float32) * np.float32(opacity / 255)
        self.height[part] += (height - self.height[part]) * share
        paint = colour[part] if colour.ndim == 3 else colour
        if grain:
            paint = paint * (1 + grain * self.strands[part])
        self.colour[part] += (paint - self.colour[part]) * share[..., None]
        np.maximum(self.cover[part], share, out=self.cover[part])

    def bump(self, point: tuple[float, float], radii: tuple[float, float], rise: float) -> None:
        """Raise (or, below 0, hollow) the face around a point by a Gaussian of these radii, all in px."""
        (x, y), (across, down) = self.at([point])[0], radii
        columns = np.exp(-0.5 * ((np.arange(CANVAS) - x) / across) ** 2)
        rows = np.exp(-0.5 * ((np.arange(CANVAS) - y) / down) ** 2)
        self.height += np.outer(rows * rise, columns).astype(np.float32)

    def lit(self, light: Light) -> Plane:
        """Return the relief in this light, BGRA premultiplied."""
        height = cv2.GaussianBlur(self.height, (0, 0), 1.6)
        slopes = [np.clip(cv2.Sobel(height, cv2.CV_32F, *axis, scale=1 / 8), -1.6, 1.6) for axis in ((1, 0), (0, 1))]
        x, y, z = (part / math.hypot(*light.direction) for part in light.direction)
        facing = (z - x * slopes[0] - y * slopes[1]) / np.sqrt(1 + slopes[0] ** 2 + slopes[1] ** 2)
        hollow = np.clip(1 + (height - cv2.blur(height, (41, 41))) / 42, 0.5, 1.18)
        shade = (light.ambient + (1 - light.ambient) * np.maximum(facing, 0)) * hollow
        lit = np.clip(self.colour * shade[..., None] * bgr(*light.colour), 0, 1)
        return np.asarray(cv2.merge([*cv2.split(lit * self.cover[..., None]), self.cover]), np.float32)


def any_colour(colours: tuple[tuple[int, ...], ...], rng: np.random.Generator) -> Colour:
    """Return one of these BGR colours, 0-255, as 0-1."""
    return bgr(*colours[rng.integers(len(colours))]) / np.float32(255)


def bgr(blue: float, green: float, red: float) -> Colour:
    """Return a colour; parts in any one unit."""
    return np.array((blue, green, red), np.float32)
