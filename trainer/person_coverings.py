"""Turns a bare head's relief into one with glasses, headwear, a mask, or a hand or cup before the mouth."""

import cv2
import numpy as np

from trainer.drawn_person import Person
from trainer.heads import CHIN, CROWN, EYE, HAIRLINE, MOUTH, skull
from trainer.relief import CANVAS, CLOTHS, MIDDLE, Colour, Relief, any_colour, bgr
from trainer.shapes import Points, curve, mirror, oval, smooth

MASKS = ("surgical", "surgical", "surgical", "ffp2", "ffp2", "cloth", "cloth", "scarf")
SURGICAL = ((222, 196, 150), (214, 205, 165), (235, 235, 235), (44, 42, 42), (150, 130, 90), (200, 170, 220))
FFP2 = ((232, 236, 238), (240, 240, 240), (40, 38, 38), (90, 80, 75))


def draw_glasses(relief: Relief, person: Person) -> None:
    """Draw glasses of any frame."""
    rng, apart = relief.rng, person.half_width * 0.43
    frame = bgr(*rng.uniform(0.03, 0.35, 3))
    wide, high, thick = rng.uniform(23, 27), rng.uniform(15, 21), rng.uniform(2, 5)
    for side in (-1, 1):
        rim = smooth(mirror([(wide * 0.6, -high), (wide, -high * 0.6), (wide * 0.9, high * 0.7), (wide * 0.4, high)]))
        rim = rim + np.array((side * (apart + 1), EYE + 3))
        relief.fill([relief.at(rim)], bgr(1, 1, 1), soft=1, opacity=0.06)
        relief.fill([relief.at(np.vstack([rim, rim[:1]]))], frame, stroke=thick)
        temple = [(side * (apart + wide), EYE - 3), (side * (person.half_width + 2), EYE - 2)]
        relief.fill([relief.at(temple)], frame, stroke=thick)
    relief.fill([relief.at(curve([(wide - apart, EYE), (0, EYE - 3), (apart - wide, EYE)]))], frame, stroke=thick)


def draw_headwear(relief: Relief, headwear: str, cloth: Colour) -> None:
    """Draw a cap, beanie, hood or headscarf over the hair."""
    rng, half = relief.rng, relief.half_width
    if headwear in ("hood", "headscarf"):
        tight = headwear == "headscarf"
        out, low = (10.0, 160.0) if tight else (34.0, 150.0)
        outer = mirror([(0, CROWN - out - 6), (half * 0.6, CROWN - out + 4), (half + out * 0.6, CROWN + 36),
                         (half + out + 5, -30), (half + out, 50),
                         (half * 1.1, low), (half * 0.3, low + 30)])
        hole = mirror([(0, HAIRLINE - 4), (half * 0.6, HAIRLINE + 4), (half * 0.97, -40), (half * 0.97, 30),
                        (half * 0.7, 85), (0, CHIN + (4 if tight else 22))])
        relief.fill([relief.at(smooth(outer)), relief.at(smooth(hole))], cloth, soft=1.5, dome=(20, 26))
        return
    grow = 13 if headwear == "beanie" else 9
    dome = skull(half, 2, grow)
    brim = rng.uniform(-78, -62)
    side = max(x for x, y in dome if y < brim)
    rim = curve([(side, brim), (0, brim - 14), (-side, brim)])
    relief.fill([relief.at(np.concatenate([dome[dome[:, 1] < brim], rim]))], cloth, grain=0.03, soft=1.2,
                dome=(18, 40))
    if headwear == "beanie":
        cuff = curve([(-side * 0.94, brim - 28), (0, brim - 42), (side * 0.94, brim - 28)])
        relief.fill([relief.at(np.concatenate([rim, cuff]))], cloth * 0.85, grain=0.05, soft=1.2, dome=(7, 9))
    else:
        visor = np.concatenate([curve([(-side * 0.86, brim - 4), (0, brim - 14), (side * 0.86, brim - 4)]),
                                curve([(side * 0.9, brim + 7), (0, brim + 20), (-side * 0.9, brim + 7)])])
        relief.fill([relief.at(visor + np.array((0, 9)))], bgr(0.02, 0.02, 0.03), soft=7, opacity=0.35)
        relief.fill([relief.at(visor)], cloth * 0.7, soft=1, dome=(8, 12))


def draw_mask(relief: Relief) -> None:
    """Draw a mask over nose, mouth and chin: surgical, FFP2, cloth or scarf."""
    rng, half = relief.rng, relief.half_width
    kind, top = str(rng.choice(MASKS)), rng.uniform(6, 20)
    # The cloth spans the hollows beneath it: the face's relief is smoothed away before the mask's own is added.
    part = np.s_[int(MIDDLE[1] + top):, :]
    relief.height[part] = cv2.GaussianBlur(relief.height[part], (0, 0), 9)
    if kind == "scarf":
        _draw_scarf(relief, top)
        return
    cloth = any_colour({"surgical": SURGICAL, "ffp2": FFP2}.get(kind, CLOTHS), rng)
    cheek = rng.uniform(0.74, 0.84) * half
    strap = cloth * 0.9 if rng.random() < 0.5 else bgr(0.8, 0.8, 0.8)
    for side in (-1, 1):
        ear = side * half * 0.985
        for line in ([(side * cheek, 26), (ear, -12)], [(side * cheek * 0.93, 58), (ear, 20)]):
            relief.fill([relief.at(line)], strap, stroke=2, dome=(2, 2))
    shape = mirror([(0, top - 6), (half * 0.22, top), (half * 0.55, top + 13), (cheek, top + 16), (cheek * 0.95, 62),
                     (half * 0.58, CHIN - 8), (half * 0.3, CHIN + 7)])
    cover = patterned(rng, cloth) if kind == "cloth" else cloth
    relief.fill([relief.at(smooth(shape))], cover, grain=0.012, dome=(5, 5))
    if kind == "surgical":
        relief.bump((0, 42), (26, 30), 8)
        for y in (38, 54, 70):
            pleat = curve([(-cheek * 0.9, y - 4), (0, y + 6), (cheek * 0.9, y - 4)])
            relief.fill([relief.at(pleat)], cloth * 0.84, soft=1.4, opacity=0.8, stroke=2.5, dome=(-3, 2))
        wire = curve([(-half * 0.4, top + 13), (0, top + 3), (half * 0.4, top + 13)])
        relief.fill([relief.at(wire)], cloth * 0.9, soft=1, stroke=3, dome=(2, 2))
        return
    relief.bump((0, 46), (16, 26), 17)
    relief.bump((0, 50), (34, 30), 8)
    upright = np.array([(0, top), (0, CHIN + 4)])
    seam = upright if rng.random() < 0.6 else curve([(-cheek, 46), (0, 44), (cheek, 46)])
    relief.fill([relief.at(seam)], cloth * 0.75, soft=1.2, opacity=0.7, stroke=2.2)
    if kind == "ffp2" and rng.random() < 0.3:  # with a valve
        valve = oval(rng.choice([-1, 1]) * half * 0.32, 62, 13, 12)
        relief.fill([relief.at(valve)], cloth * 0.85, dome=(6, 6))


def _draw_scarf(relief: Relief, top: float) -> None:
    rng, half = relief.rng, relief.half_width
    cloth = patterned(rng, any_colour(CLOTHS, rng))
    wrap = mirror([(0, top + 8), (half * 0.5, top + 10), (half + 6, top + 16), (half + 12, 90), (half + 16, 150),
                    (half * 0.4, 185)])
    relief.fill([relief.at(smooth(wrap))], cloth, grain=0.03, soft=1.2, dome=(12, 20))
    for y in rng.uniform(60, 150, 4):
        fold = curve([(-half, y - 12), (rng.normal(0, 20), y + 12), (half, y - rng.uniform(-10, 25))])
        relief.fill([relief.at(fold)], cloth * 0.7, soft=4, opacity=0.6, stroke=5, dome=(-4, 4))


def patterned(rng: np.random.Generator, cloth: Colour) -> Colour:
    """Return a plain, striped, chequered or dotted cloth as a texture."""
    rows, columns = np.mgrid[:CANVAS, :CANVAS].astype(np.float32)
    pitch = 2 * np.pi / rng.uniform(9, 26)  # radians a px
    across, down = np.sin(columns * pitch), np.sin(rows * pitch)
    kind = rng.integers(4)
    share = (np.zeros_like(across), np.clip(down * 3, 0, 1), np.clip(across * down * 4, 0, 1),
             np.clip((across * down - 0.6) * 6, 0, 1))[kind]
    other = any_colour(CLOTHS, rng)
    return np.asarray(cloth + (other - cloth) * share[..., None], np.float32)


def draw_hand(relief: Relief, person: Person, clothes: Colour) -> None:
    """Lay a hand over the mouth, fingers across, wrist and sleeve towards the lower edge."""
    rng = relief.rng
    side, turn = rng.choice([-1, 1]), rng.uniform(0.15, 0.7)
    spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    middle = np.array((MIDDLE[0], MIDDLE[1] + MOUTH + rng.uniform(-4, 12)))

    def place(points: object) -> Points:
        return np.array(np.asarray(points, np.float64) @ spin * (side, 1) + middle)

    relief.fill([place([(90, -6), (260, 20), (260, 90), (95, 62)])], clothes, soft=1.5, dome=(30, 34), base=70)
    back = smooth(np.array([(28, -36), (84, -30), (130, -8), (128, 56), (80, 58), (30, 44)]))
    relief.fill([place(back)], person.skin, soft=1.2, dome=(26, 30), base=100)
    for row, reach in enumerate((-36, -46, -42, -28)):
        y = -26 + 20 * row
        finger = smooth(np.array([(reach, y - 7), (reach - 6, y), (reach, y + 8), (50, y + 11), (50, y - 10)]))
        relief.fill([place(finger)], person.skin * 0.6, soft=2.5, opacity=0.7)
        relief.fill([place(finger)], person.skin, soft=0.9, dome=(14, 10), base=112)


def draw_cup(relief: Relief, person: Person) -> None:
    """Hold a cup before the mouth, fingers round one side."""
    rng = relief.rng
    paint = any_colour(CLOTHS + SURGICAL, rng)
    x, top, wide = rng.normal(0, 6), MOUTH - rng.uniform(10, 18), rng.uniform(32, 44)
    foot, bottom = wide * 0.8, top + 105
    sides = np.array([(x - wide, top), (x + wide, top), (x + foot, bottom), (x - foot, bottom)]) + MIDDLE
    relief.fill([sides], paint, base=105, dome=(26, 24), soft=1)
    relief.fill([oval(x, top, wide, 8) + MIDDLE], paint * 0.8, dome=(4, 4), base=110)
    side = rng.choice([-1, 1])
    for row in range(4):
        finger = oval(x + side * (foot - 6 - row), top + 38 + 16 * row, 21, 8.5, side * -0.12) + MIDDLE
        relief.fill([finger], person.skin, dome=(12, 8), base=118)
