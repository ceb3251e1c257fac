"""Measures where the time of one frame goes: CPU milliseconds of each step of the loop, on a drawn 640x480 picture."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime

import cv2
import numpy as np

from device.cameras.frame import Frame
from device.cameras.sight import BUFFERS, Sight
from device.cameras.view import luma_of, turned_and_cropped
from device.classifier import Classifier
from device.decision import Decision
from device.events import State
from device.faces import Face, Luma
from device.finders import OwnFaceFinder
from device.gate import Gate
from device.levels import levels
from device.motion import Motion
from device.settings import CameraSettings, Settings
from device.signals.signals import Signals
from trainer.cost import cpu_milliseconds
from trainer.practice import draw_face

WIDTH, HEIGHT = 640, 480  # px
SEED = 3  # of a drawn person whom the finder finds


def measure() -> dict[str, float]:
    """Return the CPU milliseconds of each step."""
    cv2.setNumThreads(1)
    color = np.asarray(cv2.resize(draw_face(np.random.default_rng(SEED), False)[0], (WIDTH, HEIGHT)), np.uint8)
    luma, settings, now = luma_of(color), Settings(), itertools.count()
    noisy = [np.roll(luma, place, axis=1) for place in range(BUFFERS + 1)]  # no two in a row alike, as from a sensor
    # With a count of its own: others take of `now` in between, and time that jumps looks like a frozen picture.
    frames = (Frame(noisy[number % len(noisy)], number / 10) for number in itertools.count())
    classifier, finder = Classifier("door"), OwnFaceFinder()
    faces = finder.find(luma)
    verdicts = classifier.judge(luma, faces)
    sight, turned = Sight("drawn"), CameraSettings(rotation=180, crop=(0.1, 0.0, 0.8, 1.0))
    decision = Decision(settings.decision, levels(settings.model, classifier.card))
    moves, once_moved = (Motion(_Finds(faces), lambda *_, wonders=wonders: wonders) for wonders in (True, False))
    empty = Gate(_NoFaces())
    empty.find(luma, 0.0)
    with Signals(settings.signals, "mock") as signals:
        steps: dict[str, Callable[[], object]] = {
            "grey from a USB camera's colours": lambda: luma_of(color),
            "turned and cropped": lambda: turned_and_cropped(luma, turned),
            "is the camera blind?": lambda: sight.check(next(frames)),
            "has an empty scene changed?": lambda: empty.find(luma, 0.1),
            "faces found": lambda: finder.find(luma),
            "has the face moved against the rest?": lambda: moves.find(luma, next(now) / 10),
            "the same, once it has": lambda: once_moved.find(luma, next(now) / 10),
            "a face cut out, looked at and judged": lambda: classifier.judge(luma, faces),
            "people followed, door decided": lambda: decision.update(next(now) / 10, verdicts),
            "lamps and buzzer": lambda: signals.show(State.CLEAR, next(now) / 10, datetime.now(UTC), []),
        }
        # The least round counts: what else runs on the computer makes the others slower.
        return {name: min(rounds) for name, rounds in cpu_milliseconds(steps).items()}


class _Finds:
    def __init__(self, faces: list[Face]) -> None:
        self._faces = faces

    def find(self, luma: Luma, now: float) -> list[Face]:
        return self._faces


class _NoFaces:
    name, sha256 = "none", ""

    def find(self, luma: Luma) -> list[Face]:
        return []

