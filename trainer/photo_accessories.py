"""Turns a face, bare or masked, into one with glasses or something on its head.

Pictures are wide crops: uint8 luma (side, side), grey levels 0-255.
"""

import numpy as np

from device.faces import Luma
from trainer.lit_face import CORNERS, EYES, EYES_APART, HALF_WIDTH, LitFace, rounded
from trainer.shapes import oval


def draw_glasses(rng: np.random.Generator, wide: Luma) -> Luma:
    """Return a face with glasses: thin, thick, dark, mirroring or fogged."""
    face = LitFace(rng, wide)
    frame = rng.uniform(5, 90) if rng.random() < 0.75 else rng.uniform(120, 230)
    across, down, y = rng.uniform(0.095, 0.15), rng.uniform(0.065, 0.12), EYES + rng.normal(0.02, 0.015)
    thick = face.height * rng.uniform(0.012, 0.05)
    kind = rng.random()
    glass, opacity = frame, rng.uniform(0, 0.12)
    if kind < 0.3:  # sunglasses
        glass, opacity = rng.uniform(5, 60), rng.uniform(0.7, 0.97)
    elif kind < 0.42:  # fogged by breath
        glass, opacity = rng.uniform(150, 230), rng.uniform(0.2, 0.7)
    shape = oval(0, 0, across, down, corners=CORNERS)
    if rng.random() < 0.6:
        shape = rounded([(0, -down), (across, -down), (across * 0.9, down * 0.8), (0, down)])
    for side in (-1, 1):
        x = side * EYES_APART
        lens = shape + np.array([x, y])
        face.paint(lens, glass, opacity)
        if rng.random() < 0.35:
            slope = across * rng.uniform(-0.5, 0.5)
            face.paint([(x - slope, y - down * 0.6), (x + slope, y + down * 0.6)], 250.0, rng.uniform(0.3, 0.9),
                       stroke=face.height * rng.uniform(0.02, 0.06))
        face.paint(np.vstack([lens, lens[:1]]), frame, 0.9, stroke=thick)
        face.paint([(x + side * across, y - down * 0.3), (side * HALF_WIDTH * 1.05, y - 0.02)], frame, 0.9,
                   stroke=thick)
    bridge = EYES_APART - across
    face.paint([(-bridge, y - down * 0.2), (0, y - down * 0.5), (bridge, y - down * 0.2)], frame, 0.9, stroke=thick)
    return face.done()


def draw_headwear(rng: np.random.Generator, wide: Luma) -> Luma:
    """Return a face under a cap, a woollen hat, a hood or a helmet."""
    face, cloth, rim = LitFace(rng, wide), rng.uniform(10, 235), rng.uniform(0.02, 0.16)
    kind, half = rng.choice(("cap", "hat", "hood", "helmet")), HALF_WIDTH * rng.uniform(1.08, 1.25)
    if kind == "hood":
        for side in (-1, 1):
            face.paint([(0, -0.3), (side * half, -0.2), (side * half * 1.35, 0.4), (side * half * 1.3, 1.5),
                        (side * half * 0.8, 1.35), (side * half, 0.8), (side * half * 0.95, 0.2), (0, rim - 0.1)],
                       cloth)
            face.paint([(0, rim - 0.1), (side * half * 0.95, 0.2), (side * half, 0.8)], cloth * 0.5, 0.6,
                       stroke=face.height * 0.04)
        return face.done()
    if kind == "helmet":
        _helmet(face, cloth, rim, half * rng.uniform(1.05, 1.25))
        return face.done()
    face.paint(rounded([(0, -0.45), (half * 0.8, -0.4), (half, -0.1), (half, rim), (0, rim - 0.03)]), cloth)
    if kind == "hat":
        face.paint(rounded([(0, rim - 0.14), (half, rim - 0.1), (half, rim + 0.02), (0, rim + 0.01)]), cloth * 0.85)
        return face.done()
    reach = rng.uniform(0.04, 0.12)
    face.paint(rounded([(0, rim), (half, rim), (half * 0.8, rim + reach + 0.2), (0, rim + reach + 0.25)]), 10.0,
               rng.uniform(0.1, 0.5))
    face.paint(rounded([(0, rim - 0.06), (half * 0.9, rim - 0.04), (half * 0.95, rim + reach * 0.6),
                        (0, rim + reach)]), cloth * 0.7)
    return face.done()


def _helmet(face: LitFace, shell: float, rim: float, half: float) -> None:
    """Draw a hard shell with its brim, and now and then straps under the chin or a clear visor before the face."""
    rng, shine = face.rng, min(shell * 1.3 + 30, 255.0)
    if rng.random() < 0.4:
        visor = rounded([(0, rim), (half, rim), (half * 0.95, 0.8), (half * 0.5, 1.05), (0, 1.08)])
        face.paint(visor, 200.0, rng.uniform(0.05, 0.3))
        x = rng.uniform(-0.6, 0.4) * half
        face.paint([(x, rim + 0.1), (x + rng.normal(0, 0.1), 0.9)], 250.0, 0.5, stroke=face.height * 0.04)
    if rng.random() < 0.5:
        for side in (-1, 1):
            face.paint([(side * half * 0.85, rim), (side * HALF_WIDTH * 0.6, 1.0)], 30.0, 0.85,
                       stroke=face.height * 0.035)
    face.paint(rounded([(0, -0.5), (half * 0.7, -0.44), (half, -0.15), (half, rim), (0, rim)]), shell)
    face.paint([(-half * 0.4, -0.35), (-half * 0.15, -0.42)], shine, 0.6, stroke=face.height * rng.uniform(0.03, 0.09))
    for x in (-0.3, 0, 0.3)[: int(rng.integers(4))]:
        face.paint([(x * half, -0.42), (x * half, rim - 0.03)], shell * 0.8, 0.6, stroke=face.height * 0.02)
    face.paint([(-half * 1.08, rim), (half * 1.08, rim)], shell * 0.7, stroke=face.height * rng.uniform(0.03, 0.08))
