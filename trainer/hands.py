"""Draws hands on a face: before the mouth in many poses, or beside it.

A hand is drawn upright first, in widths of a finger: the knuckles lie on y = 0, fingers point to -y, the wrist is at
y = PALM; then it is turned and put where it belongs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from trainer.lit_face import MOUTH, NOSE_TIP, LitFace
from trainer.shapes import Points

FINGER = 0.098  # width, in heights of the face: a hand is about as long as the face is high
FINGERS = ((-1.5, 3.5), (-0.5, 4.1), (0.5, 3.8), (1.5, 2.9))  # index to little: place on the knuckles, length
PALM, WRIST = 4.2, 1.45  # length, half the width
FOLDED = 0.5  # a finger seen no longer than this share of its length is bent

Place = Callable[[object], Points]  # from finger widths to heights of the face


@dataclass(frozen=True)
class Pose:
    """How a hand is held; lengths are shares of a straight finger's."""

    lengths: tuple[float, float, float, float]
    spread: float  # radians between fingers
    thumb: tuple[float, float]  # its tip
    anchor: tuple[float, float]  # the place on the hand that lies on what it covers


def draw_hand_before_mouth(face: LitFace) -> None:
    """Draw one or two hands that hide the mouth: flat, open, as a fist, pinching the nose."""
    rng = face.rng
    kind, side = rng.choice(("flat", "flat", "open", "open", "two", "fist", "pinch")), int(rng.choice((-1, 1)))
    mouth = (rng.normal(0, 0.04), MOUTH + rng.normal(0, 0.04))
    if kind == "flat":
        draw_flat_hand(face)
    elif kind == "open":
        _hand(face, _open(rng), mouth, side * rng.uniform(-0.2, 1.7), bool(rng.random() < 0.5))
    elif kind == "two":
        for hand in (side, -side):
            place = (hand * rng.uniform(0.08, 0.2), mouth[1])
            _hand(face, _open(rng), place, hand * rng.uniform(0.1, 1.4), hand < 0)
    elif kind == "fist":
        shut = rng.uniform(0.25, 0.45, 4)
        pose = Pose((shut[0], shut[1], shut[2], shut[3]), 0.0, (rng.uniform(-0.5, 0.8), 0.6), (0.0, 0.6))
        _hand(face, pose, mouth, side * rng.uniform(-0.3, 1.2), side < 0)
    else:
        long = rng.uniform(0.6, 0.9)
        pose = Pose((long, rng.uniform(0.3, 0.45), 0.35, 0.35), 0.05, (-1.9, -1.8), (-1.6, -2.2))
        _hand(face, pose, (mouth[0], NOSE_TIP + rng.normal(0, 0.02)), side * rng.uniform(0, 0.5), side < 0)


def draw_hand_beside(face: LitFace) -> None:
    """Draw a hand that leaves nose and mouth to be seen: on the cheek, at the temple, under the chin."""
    rng, side = face.rng, int(face.rng.choice((-1, 1)))
    if rng.random() < 0.3:
        shut = Pose((0.4, 0.4, 0.4, 0.4), 0.0, (0.3, 0.6), (0.0, -1.2))
        _hand(face, shut, (rng.normal(0, 0.15), rng.uniform(1.02, 1.2)), rng.uniform(-0.4, 0.4), side < 0)
    else:
        place = (side * rng.uniform(0.5, 0.75), rng.uniform(0.1, 0.9))
        _hand(face, _open(rng), place, side * rng.uniform(-0.3, 0.4), side < 0)


def draw_flat_hand(face: LitFace) -> None:
    """Draw a flat hand over the mouth, fingers together."""
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
        tip, end = start - along * rng.uniform(0.2, 0.32), start + along * 0.25
        width = face.height * thick
        face.paint([tip, end], skin * 0.55, 0.85, stroke=width)
        face.paint([tip, end], skin * rng.uniform(0.94, 1.06), stroke=width * rng.uniform(0.72, 0.86))


def draw_fingertips(face: LitFace, x: float, y: float, side: int) -> None:
    """Draw four fingers that hold an edge at (x, y) from its `side`, -1 or 1."""
    for row in range(4):
        tip = np.array((x - side * face.rng.uniform(0.02, 0.07), y + 0.085 * row))
        _finger(face, [tip, tip + np.array([side * 0.25, 0.03])], face.height * FINGER * 0.85,
                face.skin * face.rng.uniform(0.85, 1.05), nail=True)


def _open(rng: np.random.Generator) -> Pose:
    together = rng.uniform(0.75, 1.05)
    lengths = np.clip(rng.normal(together, 0.08, 4), FOLDED, 1.1)
    spread = abs(rng.normal(0, 0.1)) if rng.random() < 0.7 else rng.uniform(0.15, 0.3)
    thumb = (rng.uniform(-3.6, -2.2), rng.uniform(-0.8, 1.2)) if rng.random() < 0.7 else (rng.uniform(-1, 0), 1.2)
    return Pose((lengths[0], lengths[1], lengths[2], lengths[3]), spread, thumb, (0.0, rng.uniform(-2.8, 1.5)))


def _hand(face: LitFace, pose: Pose, target: tuple[float, float], angle: float, mirrored: bool) -> None:
    """Draw a hand whose fingers point up, turned by `angle` radians against the clock, its anchor on `target`."""
    rng, width = face.rng, FINGER * face.rng.uniform(0.85, 1.15)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * width
    flip = np.array([-1 if mirrored else 1, 1])

    def place(points: object) -> Points:
        return np.asarray(((np.asarray(points) - pose.anchor) * flip) @ turn + target)

    skin, stroke, back = face.skin * rng.uniform(0.75, 1.2), face.height * width, bool(rng.random() < 0.6)
    bones = [_bones(i, length, pose.spread, rng) for i, length in enumerate(pose.lengths)]
    palm = [(-2.0, 0.1), (-0.7, -0.35), (0.8, -0.3), (2.0, 0.3), (1.95, 2.2), (WRIST, PALM), (-WRIST, PALM),
            (-2.3, 2.6)]
    hull = cv2.convexHull(np.concatenate([palm, *bones]).astype(np.float32))[:, 0]
    face.paint(place(hull) + np.array([rng.normal(0, 0.02), 0.03]), 15.0, rng.uniform(0.1, 0.45))
    _arm(face, place, skin, stroke)
    face.paint(place(palm), skin * rng.uniform(0.86, 1.0))
    for x, _ in FINGERS[:3] if back else ():  # dips between the knuckles
        face.paint(place([(x + 0.5, 0.1), (x + 0.5, 1.3)]), skin * 0.7, 0.35, stroke=stroke * 0.3)
    if not back:
        for crease in ([(-1.7, 1.0), (0, 1.3), (1.9, 0.7)], [(-1.6, 1.2), (-0.5, 2.2), (-0.3, PALM - 0.3)]):
            face.paint(place(crease), skin * 0.65, 0.6, stroke=stroke * 0.14)
    for bone, length in reversed(list(zip(bones, pose.lengths, strict=True))):
        _finger(face, place(bone), stroke, skin * rng.uniform(0.93, 1.05), nail=back and length > FOLDED)
    thumb = place([(-1.75, 2.7), (-2.1 if pose.thumb[0] < -1 else -1.2, 1.5), pose.thumb])
    _finger(face, thumb, stroke * 1.12, skin * rng.uniform(0.93, 1.08), nail=True)


def _bones(finger: int, length: float, spread: float, rng: np.random.Generator) -> Points:
    (x, full), lean = FINGERS[finger], (finger - 1.5) * spread + rng.normal(0, 0.02)
    reach, bend = full * length, rng.normal(0, 0.06)
    steps = ((0.0, 0.0), (0.5, lean), (1.0, lean + bend))
    return np.array([(x + reach * share * np.sin(a), 0.2 - reach * share * np.cos(a)) for share, a in steps])


def _finger(face: LitFace, bones: Points | list[Points], stroke: float, skin: float, nail: bool) -> None:
    """Draw a finger from either end to the other: the dark beside it, itself, its ridge, its joints, its nail."""
    points = np.asarray(bones)
    tip, root = (points[-1], points[0]) if len(points) > 2 else (points[0], points[-1])
    along = (root - tip) / max(float(np.hypot(*(root - tip))), 1e-6)
    across = np.array((-along[1], along[0])) * stroke / face.height
    face.paint(points, skin * 0.42, 0.85, stroke=stroke)
    face.paint(points, skin, stroke=stroke * 0.8)
    face.paint(points, skin * 1.12, 0.5, stroke=stroke * 0.3)
    for share in (0.33, 0.66):
        joint = tip + (root - tip) * share
        face.paint([joint - across * 0.35, joint + across * 0.35], skin * 0.7, 0.5, stroke=stroke * 0.12)
    if nail:
        end = tip + along * stroke / face.height * 0.3
        face.paint([tip, end], skin * 1.25, 0.7, stroke=stroke * 0.5)


def _arm(face: LitFace, place: Place, skin: float, stroke: float) -> None:
    rng, cuff, grey = face.rng, PALM + face.rng.uniform(0.3, 7), face.rng.uniform(10, 240)
    face.paint(place([(-WRIST, PALM - 1), (WRIST, PALM - 1), (2.0, 16), (-2.0, 16)]), skin * 0.92)
    face.paint(place([(-WRIST, PALM), (-2.0, 16)]), skin * 0.6, 0.5, stroke=stroke * 0.4)
    face.paint(place([(-2.2, cuff), (2.2, cuff + rng.normal(0, 0.4)), (3.2, 18), (-3.2, 18)]), grey)
    face.paint(place([(-2.2, cuff), (2.2, cuff)]), grey * 0.6, 0.7, stroke=stroke * 0.2)
