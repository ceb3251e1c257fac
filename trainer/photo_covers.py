"""Turns a face into one with something held before its mouth, or held so that nose and mouth stay in sight.

Pictures are wide crops: uint8 luma (side, side), grey levels 0-255.
"""

from collections.abc import Callable

import numpy as np

from device.faces import Luma
from trainer.hands import draw_fingertips, draw_flat_hand, draw_hand_before_mouth, draw_hand_beside
from trainer.lit_face import CORNERS, HALF_WIDTH, MOUTH, LitFace, rounded
from trainer.shapes import Points, oval

COVERS = {"hand": 0.46, "paper": 0.28, "phone": 0.06, "cup": 0.09, "microphone": 0.04, "beard": 0.07}
FLAT_HAND = "flat_hand"  # one of the poses of "hand", to be asked for by name


def draw_cover(rng: np.random.Generator, wide: Luma, kind: str | None = None) -> Luma:
    """Return a bare face with one of COVERS, by default any, or with a flat hand before its mouth."""
    face = LitFace(rng, wide)
    kind = kind or str(rng.choice(list(COVERS), p=list(COVERS.values())))
    if kind == "hand":
        draw_hand_before_mouth(face)
    elif kind == FLAT_HAND:
        draw_flat_hand(face)
    elif kind == "beard":
        _beard(face)
    elif kind == "paper":
        _paper(face, rng.normal(0, 0.08), None)
    else:
        _thing(face, kind, rng.normal(0, 0.05), MOUTH + rng.normal(0, 0.04))
    return face.done()


def draw_beside(rng: np.random.Generator, wide: Luma) -> Luma:
    """Return a face, bare or masked, with a hand, a sheet of paper, a phone or a cup that hides neither nose nor mouth.

    What is held near a face must not tell the class.
    """
    face, kind, side = LitFace(rng, wide), rng.random(), rng.choice((-1, 1))
    if kind < 0.5:
        draw_hand_beside(face)
    elif kind < 0.7:
        _paper(face, side * rng.uniform(0, 0.5), rng.uniform(1.06, 1.3))
    elif kind < 0.85:
        _thing(face, "phone", side * rng.uniform(0.45, 0.6), rng.uniform(0.4, 0.6))
    else:
        _thing(face, "cup", side * rng.uniform(0.45, 0.65), rng.uniform(0.8, 1.1))
    return face.done()


def _beard(face: LitFace) -> None:
    rng, half = face.rng, HALF_WIDTH * 0.98
    grey = face.skin * rng.uniform(0.12, 0.6)
    shape = rounded([(0, 0.69), (half * 0.5, 0.7), (half, 0.55), (half, 0.85), (half * 0.55, 1.08), (0, 1.12)])
    hair = np.float32(grey) + rng.normal(0, 9, face.luma.shape).astype(np.float32)
    bare = face.luma.copy()
    face.paint(shape, hair, rng.uniform(0.7, 0.95))
    face.paint(oval(0, MOUTH + 0.005, 0.13, 0.05, corners=CORNERS), bare, lit=False)  # the mouth shows


def _paper(face: LitFace, x: float, top: float | None) -> None:
    """Draw a sheet, from a note to a magazine, its upper edge at `top` or anywhere from the nose to the upper lip."""
    rng = face.rng
    wide, high = rng.uniform(0.25, 0.6), rng.uniform(0.18, 0.5)
    if rng.random() < 0.4:  # an A4 sheet is wider than a face
        wide, high = rng.uniform(0.5, 0.9), rng.uniform(0.5, 1.0)
    if top is None:
        top = min(rng.uniform(0.5, 0.72), MOUTH - 0.04)
        high = max(high, (MOUTH + 0.08 - top) / 2)
    white = rng.random() < 0.75
    grey = rng.uniform(180, 250) if white else rng.uniform(25, 200)
    tilt, skew = rng.normal(0, 0.25), rng.normal(0, 0.04, (4, 2)) * (rng.random() < 0.5)
    turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (wide, high) + skew

    def on_sheet(points: object) -> Points:
        """Map (across, down), each from -1 to 1, to heights of the face."""
        u, v = (np.asarray(points, np.float64).reshape(-1, 2).T + 1)[..., None] / 2
        place = (1 - v) * ((1 - u) * corners[0] + u * corners[1]) + v * ((1 - u) * corners[3] + u * corners[2])
        return np.asarray(place @ turn + (x, top + high))

    outline = on_sheet([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    face.paint(outline + np.array([0.01, 0.03]), 15.0, rng.uniform(0, 0.4))
    face.paint(outline, grey, lit=bool(rng.random() < 0.8))
    if rng.random() < 0.3:  # bent, or folded: one half turns away from the light
        fold = rng.uniform(-0.5, 0.5)
        face.paint(on_sheet([(fold, -1), (1, -1), (1, 1), (fold, 1)]), grey * rng.uniform(0.6, 0.9), 0.7)
    if rng.random() < 0.7:
        _print(face, on_sheet, grey * rng.uniform(0.3, 0.7) if grey > 90 else 220.0, high)
    for side in rng.choice((-1, 1), int(rng.integers(0, 3)), replace=False):
        edge = on_sheet((side, rng.uniform(-0.6, 0.4)))[0]
        draw_fingertips(face, edge[0], edge[1], side)


def _print(face: LitFace, on_sheet: Callable[[object], Points], ink: float, high: float) -> None:
    rng = face.rng
    if rng.random() < 0.3:  # a picture, or a table
        left, right, upper, lower = *np.sort(rng.uniform(-0.8, 0.8, 2)), *np.sort(rng.uniform(-0.8, 0.6, 2))
        face.paint(on_sheet([(left, upper), (right, upper), (right, lower), (left, lower)]), ink, 0.8)
    for row in np.arange(-0.85, 0.9, rng.uniform(0.05, 0.12) / high):
        if rng.random() < 0.85:
            line = on_sheet([(-0.8, row), (rng.uniform(-0.2, 0.85), row)])
            face.paint(line, ink, rng.uniform(0.4, 0.9), stroke=face.height * rng.uniform(0.012, 0.03))


def _thing(face: LitFace, kind: str, x: float, y: float) -> None:
    rng, tilt = face.rng, face.rng.normal(0, 0.25)
    wide, high = {"phone": (0.13, 0.28), "cup": (rng.uniform(0.13, 0.2), 0.22), "microphone": (0.09, 0.09)}[kind]
    grey = {"phone": rng.uniform(5, 60), "cup": rng.uniform(20, 245), "microphone": rng.uniform(10, 70)}[kind]
    y += high - 0.13 if kind != "microphone" else 0.02
    narrow = wide * 0.85 if kind == "cup" else wide
    corners = np.array([(-wide, -high), (wide, -high), (narrow, high), (-narrow, high)])
    turned = corners @ np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]]) + (x, y)
    if kind == "microphone":
        face.paint([(x, y), (x + rng.normal(0, 0.15), 1.5)], grey * 1.3, stroke=face.height * 0.09)
        turned = oval(x, y, wide, high, corners=CORNERS)
    face.paint(turned, grey, lit=kind != "phone")
    if kind == "microphone":
        return
    side = int(rng.choice((-1, 1)))
    if rng.random() < 0.5:
        draw_fingertips(face, x + side * wide, y - 0.05, side)
    else:
        for row in range(4):
            finger = oval(x + side * wide, y - 0.05 + 0.08 * row, 0.09, 0.042, corners=CORNERS)
            face.paint(finger, face.skin * rng.uniform(0.85, 1.05))
