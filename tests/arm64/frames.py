"""Runs the door's loop on a given number of drawn frames, for whoever counts what a frame takes.

640x480 luma as a Pi's camera gives it, with somebody who sways before a still room, or with nobody.
Lamps and page are left out.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

if sys.argv[1] != "ai_edge_litert":
    sys.modules["ai_edge_litert"] = None  # type: ignore[assignment]  # which the device would take first

from device.cameras.frame import Frame
from device.cameras.sight import Sight
from device.classifier import MODELS, Classifier
from device.decision import Decision
from device.finders import OwnFaceFinder
from device.gate import Gate
from device.levels import levels
from device.motion import Motion
from device.pictures import read_luma
from device.settings import Settings

WIDTH, HEIGHT, SIDE, SWAYS = 640, 480, 240, 6  # px; pictures after which the person is where they were
RATE = 10  # frames a second


def drawn(face: Path | None) -> list[np.ndarray]:
    """Return the pictures of a room, with a face in it or without."""
    rng = np.random.default_rng(0)
    room = cv2.GaussianBlur(rng.uniform(60, 180, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 25)
    pictures = []
    for step in range(SWAYS):
        picture = room.copy()
        if face:
            left = 200 + 10 * min(step, SWAYS - step)
            picture[120 : 120 + SIDE, left : left + SIDE] = cv2.resize(read_luma(face), (SIDE, SIDE))
        pictures.append(np.clip(picture + rng.normal(0, 1.5, picture.shape), 0, 255).astype(np.uint8))
    return pictures


def main() -> None:
    """Take RUNTIME empty|face COUNT."""
    cv2.setNumThreads(1)
    face = next(iter(sorted((MODELS / "golden" / "door").rglob("*.png")))) if sys.argv[2] == "face" else None
    pictures, settings = drawn(face), Settings()
    classifier, sight, found = Classifier("door"), Sight("drawn"), 0
    decision = Decision(settings.decision, levels(settings.model, classifier.card))
    eye = Motion(Gate(OwnFaceFinder()), decision.wonders)
    for number in range(int(sys.argv[3])):
        now, picture = number / RATE, pictures[number % SWAYS].copy()
        picture[0, 0] = number % 256  # no two alike, as from a sensor
        sight.check(Frame(picture, now))
        verdicts = classifier.judge(picture, eye.find(picture, now))
        decision.update(now, verdicts)
        found += len(verdicts)
    print(f"{found} faces found", file=sys.stderr)


if __name__ == "__main__":
    main()
