"""Turns a bare face into one with a drawn mask, worn right or wrong, or with something else before its mouth.

Everything is fitted by where eyes, nose, mouth and chin are in a finder's box; the light on the face goes on falling on
what is drawn. Pictures are wide crops: uint8 luma (side, side), grey levels 0-255.
"""

import cv2
import numpy as np
import numpy.typing as npt

from device.faces import Luma
from trainer.dataset import CONTEXT, CROP_MARGIN

# Heights on the face, as shares of the box from hairline (0) to chin (1): means over upright frontal faces.
NOSE_BRIDGE, NOSE_TIP, MOUTH, CHIN = 0.44, 0.62, 0.79, 1.0
HALF_WIDTH = 0.37  # of the face, as a share of the box's height
MASKS = ("pale", "dark", "ffp2", "ffp2_dark", "pattern", "pattern", "gaiter", "transparent")
COVERS = ("hand", "hand", "hand", "paper", "phone", "cup", "microphone", "beard")
FINE = 2  # shapes are drawn at so many times the pixels, and averaged

Points = npt.NDArray[np.float64]  # (n, 2): x, y in px of the wide crop
Plane = npt.NDArray[np.float32]


class _Face:
    """Where a face is in a wide crop, and how it is lit."""

    def __init__(self, rng: np.random.Generator, wide: Luma) -> None:
        self.rng, self.luma = rng, wide.astype(np.float32)
        side = wide.shape[0]
        self.height = side / CONTEXT / (1 + 2 * CROP_MARGIN) * rng.uniform(0.97, 1.12)
        self.middle = np.array([side / 2, side / 2]) + rng.normal(0, 0.012, 2) * side
        self.turn, self.lean = rng.normal(0, 0.05), rng.normal(0, 0.06)
        forehead = self.at([(-0.2, 0.3), (0.2, 0.3), (0.2, 0.6), (-0.2, 0.6)])
        left, top = np.clip(forehead.min(0), 0, side - 2).astype(int)
        right, bottom = np.clip(forehead.max(0), 2, side).astype(int)
        self.skin = float(np.median(self.luma[top:bottom, left:right]))
        soft = cv2.GaussianBlur(self.luma, (0, 0), side / 12)
        self.shade = np.clip(soft / max(float(np.median(soft[top:bottom, left:right])), 8.0), 0.45, 1.5)

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
        side = self.luma.shape[0]
        stencil = np.zeros((side * FINE, side * FINE), np.uint8)
        fixed = [np.round(self.at(points) * FINE * 16).astype(np.int32)]
        if stroke:
            cv2.polylines(stencil, fixed, False, 255, max(1, round(stroke * FINE)), cv2.LINE_AA, 4)
        else:
            cv2.fillPoly(stencil, fixed, 255, cv2.LINE_AA, 4)
        share = cv2.resize(stencil, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) * (opacity / 255)
        paint = grey * self.shade if lit else np.float32(grey)
        self.luma += (paint - self.luma) * share

    def done(self) -> Luma:
        """Return the picture."""
        return np.clip(self.luma, 0, 255).astype(np.uint8)


def draw_mask(rng: np.random.Generator, wide: Luma, kind: str | None = None) -> Luma:
    """Return a bare face with a mask of one of MASKS, by default any, over nose, mouth and chin."""
    face = _Face(rng, wide)
    _mask(face, kind or str(rng.choice(MASKS)), rng.uniform(NOSE_BRIDGE, 0.54))
    return face.done()


def draw_worn_wrong(rng: np.random.Generator, wide: Luma, how: str | None = None) -> Luma:
    """Return a bare face with a mask worn wrong: "nose_out", "under_chin" or "on_ear", by default any."""
    face = _Face(rng, wide)
    how = how or str(rng.choice(("nose_out", "nose_out", "under_chin", "on_ear")))
    kind = str(rng.choice(MASKS[:6]))
    if how == "nose_out":
        _mask(face, kind, rng.uniform(NOSE_TIP + 0.05, MOUTH - 0.07))
    elif how == "under_chin":
        _mask(face, kind, rng.uniform(MOUTH + 0.08, 0.94), bottom=rng.uniform(1.06, 1.18))
    else:
        x, grey = rng.choice((-1, 1)) * rng.uniform(HALF_WIDTH * 0.95, HALF_WIDTH * 1.2), _grey(rng, kind)
        wide_, top = rng.uniform(0.05, 0.12), rng.uniform(0.5, 0.6)
        face.paint([(x - wide_, top), (x + wide_, top + 0.03), (x + wide_, top + 0.5), (x - wide_, top + 0.45)], grey)
    return face.done()


def draw_cover(rng: np.random.Generator, wide: Luma, kind: str | None = None) -> Luma:
    """Return a bare face with one of COVERS, by default any, before its mouth."""
    face = _Face(rng, wide)
    kind = kind or str(rng.choice(COVERS))
    if kind == "hand":
        _hand(face)
    elif kind == "beard":
        _beard(face)
    else:
        _thing(face, kind)
    return face.done()


def _grey(rng: np.random.Generator, kind: str) -> float:
    low, high = {"pale": (165, 245), "dark": (15, 70), "ffp2": (205, 250), "ffp2_dark": (15, 60)}.get(kind, (20, 230))
    return float(rng.uniform(low, high))


def _mask(face: _Face, kind: str, top: float, bottom: float | None = None) -> None:
    rng, half = face.rng, HALF_WIDTH * face.rng.uniform(0.92, 1.06)
    grey, bottom = _grey(rng, kind), bottom or rng.uniform(0.98, 1.1)
    side = top + rng.uniform(0.06, 0.16) * (bottom - top) / 0.55
    jaw = (side + bottom) / 2 + 0.06
    shape = _rounded([(0, top), (half * 0.45, top + 0.035), (half, side), (half * 0.97, jaw),
                      (half * 0.6, bottom - 0.04), (0, bottom)])
    cloth: float | Plane = _pattern(rng, face.luma.shape[0], grey) if kind in ("pattern", "gaiter") else grey
    if kind == "gaiter":
        shape = _rounded([(0, top), (half, top + 0.07), (half * 1.1, 1.0), (half * 1.2, 1.4), (0, 1.45)])
    elif rng.random() < 0.85:
        strap = grey * 0.9 if rng.random() < 0.5 else 210.0
        for x in (-1, 1):
            face.paint([(x * half, side + 0.02), (x * HALF_WIDTH * 1.12, 0.42)], strap, 0.8, stroke=face.height / 50)
            face.paint([(x * half * 0.95, jaw), (x * HALF_WIDTH * 1.12, 0.60)], strap, 0.8, stroke=face.height / 50)
    face.paint(shape + np.array([0, 0.02]), 30.0, 0.25)
    face.paint(shape, cloth, rng.uniform(0.12, 0.3) if kind == "transparent" else rng.uniform(0.93, 1))
    if kind == "transparent":
        face.paint(np.vstack([shape, shape[:1]]), _grey(rng, "pale"), 0.8, stroke=face.height / 22)
        face.paint([(-half * 0.3, top + 0.1), (-half * 0.1, bottom - 0.15)], 245.0, 0.5, stroke=face.height / 25)
        return
    for x in (-1, 1):  # cheeks turn away from the light
        face.paint([(x * half * 0.7, top + 0.06), (x * half, side), (x * half, jaw), (x * half * 0.7, bottom - 0.1)],
                   grey * 0.75, 0.35)
    if kind.startswith("ffp2"):
        upright = rng.random() < 0.6
        seam = [(0, top), (0, bottom)] if upright else [(-half, side + 0.1), (half, side + 0.1)]
        face.paint(seam, grey * 0.7, 0.7, stroke=face.height / 40)
        face.paint(_oval(0, top + 0.2, 0.1, 0.12), min(grey * 1.15 + 8, 255.0), 0.5)
    elif rng.random() < 0.7:
        for y in np.linspace(top + 0.1, bottom - 0.12, int(rng.integers(2, 5))):
            pleat = [(-half * 0.9, y - 0.01), (0, y + 0.015), (half * 0.9, y - 0.01)]
            face.paint(pleat, grey * rng.uniform(0.7, 0.9) + 4, 0.7, stroke=face.height / 45)


def _hand(face: _Face) -> None:
    rng = face.rng
    skin, side, slope = face.skin * rng.uniform(0.8, 1.12), rng.choice((-1, 1)), rng.uniform(-0.5, 1.2)
    middle, thick = np.array([rng.normal(0, 0.03), MOUTH + rng.normal(0, 0.04)]), rng.uniform(0.085, 0.125)
    along = np.array([side * np.cos(slope), np.sin(slope)])
    across = np.array([-along[1], along[0]])
    fingers = int(rng.choice((2, 3, 4, 4, 4)))
    palm = [middle + along * a + across * b * thick * fingers / 2 for a, b in
            ((0.12, -1), (0.5, -1.1), (1.1, -0.8), (1.1, 0.9), (0.5, 1.15), (0.12, 1))]
    face.paint(palm, skin * 0.95)
    for i in range(fingers):
        start = middle + across * (i - (fingers - 1) / 2) * thick
        reach = rng.uniform(0.2, 0.32)
        tip, end = start - along * reach, start + along * 0.25
        width = face.height * thick
        face.paint([tip, end], skin * 0.55, 0.85, stroke=width)
        face.paint([tip, end], skin * rng.uniform(0.94, 1.06), stroke=width * rng.uniform(0.72, 0.86))


def _beard(face: _Face) -> None:
    rng, half = face.rng, HALF_WIDTH * 0.98
    grey = face.skin * rng.uniform(0.12, 0.6)
    shape = _rounded([(0, 0.69), (half * 0.5, 0.7), (half, 0.55), (half, 0.85), (half * 0.55, 1.08), (0, 1.12)])
    hair = np.float32(grey) + rng.normal(0, 9, face.luma.shape).astype(np.float32)
    bare = face.luma.copy()
    face.paint(shape, hair, rng.uniform(0.7, 0.95))
    face.paint(_oval(0, MOUTH + 0.005, 0.13, 0.05), bare, lit=False)  # the mouth shows


def _thing(face: _Face, kind: str) -> None:
    rng = face.rng
    x, y, tilt = rng.normal(0, 0.05), MOUTH + rng.normal(0, 0.04), rng.normal(0, 0.25)
    wide, high = {"paper": (rng.uniform(0.25, 0.6), rng.uniform(0.18, 0.5)), "phone": (0.13, 0.28),
                  "cup": (rng.uniform(0.13, 0.2), 0.22), "microphone": (0.09, 0.09)}[kind]
    grey = {"paper": rng.uniform(180, 250), "phone": rng.uniform(5, 60), "cup": rng.uniform(20, 245),
            "microphone": rng.uniform(10, 70)}[kind]
    y += high - 0.13 if kind != "microphone" else 0.02
    corners = np.array([(-wide, -high), (wide, -high), (wide * 0.85 if kind == "cup" else wide, high),
                        (-wide * 0.85 if kind == "cup" else -wide, high)])
    turned = corners @ np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]]) + (x, y)
    if kind == "microphone":
        face.paint([(x, y), (x + rng.normal(0, 0.15), 1.5)], grey * 1.3, stroke=face.height * 0.09)
        turned = _oval(x, y, wide, high)
    face.paint(turned, grey, lit=kind != "phone")
    if kind == "paper":
        for row in np.arange(-0.8, 0.9, 0.25) if rng.random() < 0.6 else ():
            line = np.array([(-0.8, row), (rng.uniform(0, 0.8), row)]) * (wide, high) + (x, y)
            face.paint(line, grey * 0.5, 0.6, stroke=1)
    elif kind != "microphone":
        side = rng.choice((-1, 1))
        for row in range(4):
            face.paint(_oval(x + side * wide, y - 0.05 + 0.08 * row, 0.09, 0.042), face.skin * rng.uniform(0.85, 1.05))


def _pattern(rng: np.random.Generator, side: int, grey: float) -> Plane:
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    pitch, angle, other = 2 * np.pi / rng.uniform(3, 14), rng.uniform(0, np.pi), rng.uniform(15, 240)
    across = np.sin((columns * np.cos(angle) + rows * np.sin(angle)) * pitch)
    down = np.sin((rows * np.cos(angle) - columns * np.sin(angle)) * pitch)
    blotches = cv2.resize(rng.standard_normal((9, 9), np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    share = (across, across * down * 2, (across * down - 0.4) * 3, blotches * 2)[rng.integers(4)]
    return np.float32(grey) + np.float32(other - grey) * np.clip(share, 0, 1)


def _rounded(half: list[tuple[float, float]]) -> Points:
    """Return a symmetrical shape from its right half, top to bottom, its corners cut twice."""
    points = np.array(half + [(-x, y) for x, y in reversed(half)])
    for _ in range(2):
        following = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], 1).reshape(-1, 2)
    return points


def _oval(x: float, y: float, across: float, down: float) -> Points:
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return np.stack([x + across * np.cos(angle), y + down * np.sin(angle)], axis=1)
