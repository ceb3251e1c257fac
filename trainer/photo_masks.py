"""Turns a bare face into one with a drawn mask, worn right or worn wrong.

Pictures are wide crops: uint8 luma (side, side), grey levels 0-255.
"""

import cv2
import numpy as np

from device.faces import Luma
from trainer.lit_face import CORNERS, HALF_WIDTH, MOUTH, NOSE_BRIDGE, NOSE_TIP, LitFace, Plane, rounded
from trainer.shapes import oval

WORN_WRONG_MASKS = ("pale", "dark", "ffp2", "ffp2_dark", "pattern", "pattern")
MASKS = (*WORN_WRONG_MASKS, "pattern", "gaiter", "gaiter", "transparent", "transparent")


def draw_mask(rng: np.random.Generator, wide: Luma, kind: str | None = None) -> Luma:
    """Return a bare face with a mask of one of MASKS, by default any, over nose, mouth and chin."""
    face = LitFace(rng, wide)
    _mask(face, kind or str(rng.choice(MASKS)), rng.uniform(NOSE_BRIDGE, 0.54))
    return face.done()


def draw_worn_wrong(rng: np.random.Generator, wide: Luma, how: str | None = None) -> Luma:
    """Return a bare face with a mask worn wrong: "nose_out", "under_chin" or "on_ear", by default any."""
    face = LitFace(rng, wide)
    how = how or str(rng.choice(("nose_out", "nose_out", "under_chin", "on_ear")))
    kind = str(rng.choice(WORN_WRONG_MASKS))
    if how == "nose_out":
        _mask(face, kind, rng.uniform(NOSE_TIP + 0.05, MOUTH - 0.07))
    elif how == "under_chin":
        _mask(face, kind, rng.uniform(MOUTH + 0.08, 0.94), bottom=rng.uniform(1.06, 1.18))
    else:
        x, grey = rng.choice((-1, 1)) * rng.uniform(HALF_WIDTH * 0.95, HALF_WIDTH * 1.2), _grey(rng, kind)
        wide_, top = rng.uniform(0.05, 0.12), rng.uniform(0.5, 0.6)
        face.paint([(x - wide_, top), (x + wide_, top + 0.03), (x + wide_, top + 0.5), (x - wide_, top + 0.45)], grey)
    return face.done()


def _grey(rng: np.random.Generator, kind: str) -> float:
    low, high = {"pale": (165, 245), "dark": (15, 70), "ffp2": (205, 250), "ffp2_dark": (15, 60)}.get(kind, (20, 230))
    return float(rng.uniform(low, high))


def _mask(face: LitFace, kind: str, top: float, bottom: float | None = None) -> None:
    rng, half = face.rng, HALF_WIDTH * face.rng.uniform(0.92, 1.06)
    grey, bottom = _grey(rng, kind), bottom or rng.uniform(0.98, 1.1)
    side = top + rng.uniform(0.06, 0.16) * (bottom - top) / 0.55
    jaw = (side + bottom) / 2 + 0.06
    shape = rounded([(0, top), (half * 0.45, top + 0.035), (half, side), (half * 0.97, jaw),
                      (half * 0.6, bottom - 0.04), (0, bottom)])
    cloth: float | Plane = _pattern(rng, face.luma.shape[0], grey) if kind in ("pattern", "gaiter") else grey
    if kind == "gaiter":
        shape = rounded([(0, top), (half, top + 0.07), (half * 1.1, 1.0), (half * 1.2, 1.4), (0, 1.45)])
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
        face.paint(oval(0, top + 0.2, 0.1, 0.12, corners=CORNERS), min(grey * 1.15 + 8, 255.0), 0.5)
    elif rng.random() < 0.7:
        for y in np.linspace(top + 0.1, bottom - 0.12, int(rng.integers(2, 5))):
            pleat = [(-half * 0.9, y - 0.01), (0, y + 0.015), (half * 0.9, y - 0.01)]
            face.paint(pleat, grey * rng.uniform(0.7, 0.9) + 4, 0.7, stroke=face.height / 45)


def _pattern(rng: np.random.Generator, side: int, grey: float) -> Plane:
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    pitch, angle, other = 2 * np.pi / rng.uniform(3, 14), rng.uniform(0, np.pi), rng.uniform(15, 240)
    across = np.sin((columns * np.cos(angle) + rows * np.sin(angle)) * pitch)
    down = np.sin((rows * np.cos(angle) - columns * np.sin(angle)) * pitch)
    blotches = cv2.resize(rng.standard_normal((9, 9), np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    share = (across, across * down * 2, (across * down - 0.4) * 3, blotches * 2)[rng.integers(4)]
    return np.float32(grey) + np.float32(other - grey) * np.clip(share, 0, 1)
