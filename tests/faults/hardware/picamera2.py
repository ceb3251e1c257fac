"""Stands in for picamera2: plays drawn pictures of the scene that a file names, or fails as that says.

In the folder $STAGE: scene, a word; frames/WORD.npy, uint8 (n, 720, 640), the pictures to play in turn; count, 8 bytes,
how many were handed out. $FRAMES_PER_SECOND: 0 for as many as are asked for.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

STAGE = Path(os.environ["STAGE"])
PERIOD = 1 / float(os.environ["FRAMES_PER_SECOND"]) if os.environ["FRAMES_PER_SECOND"] != "0" else 0.0  # seconds
SWAY_SECONDS = 0.2  # between two pictures, however many are asked for: as people sway who wait


class Request:
    """One picture."""

    def __init__(self, planes: npt.NDArray[np.uint8]) -> None:
        self._planes = planes

    def make_array(self, name: str) -> npt.NDArray[np.uint8]:
        """Return Y, then U and V."""
        return {"lores": self._planes}[name].copy()


class Picamera2:
    """The calls that the kiosk makes."""

    def __init__(self) -> None:
        if _scene() in {"absent", "unplugged"}:
            raise IndexError("list index out of range")
        self._frames = {path.stem: np.load(path, mmap_mode="r") for path in (STAGE / "frames").iterdir()}
        self._count = np.memmap(STAGE / "count", np.uint64, "r+", shape=(1,))
        self._frozen: npt.NDArray[np.uint8] | None = None
        self._taken = 0.0  # seconds

    def create_preview_configuration(self, **asked: Any) -> dict[str, Any]:
        """Take what the kiosk asks for."""
        return asked

    def configure(self, _: dict[str, Any]) -> None:
        """Do as asked."""

    def start(self) -> None:
        """Do as asked."""

    @contextmanager
    def captured_request(self, wait: float) -> Iterator[Request]:
        """Give the scene's next picture."""
        scene = _scene()
        if scene in {"stalled", "unplugged", "hanging"}:
            _sleep(wait)
            raise TimeoutError
        now = time.monotonic()
        if now < self._taken + PERIOD:
            _sleep(self._taken + PERIOD - now)
        self._taken = time.monotonic()
        if scene != "frozen" or self._frozen is None:
            # By time, so that people sway as fast however many pictures are asked for; each but a repeated one differs.
            ring = self._frames["masked" if scene == "frozen" else scene]
            self._frozen = np.array(ring[int(self._taken / SWAY_SECONDS) % len(ring)])
            self._frozen[0, :8] = np.frombuffer(np.uint64(self._count[0]).tobytes(), np.uint8)
        self._count[0] += 1
        yield Request(self._frozen)

    def cancel_all_and_flush(self) -> None:
        """Do as asked."""

    def stop(self) -> None:
        """Stop, or hang as libcamera may."""
        while _scene() == "hanging":
            _sleep(3600)

    def close(self) -> None:
        """Do as asked."""


def _scene() -> str:
    return (STAGE / "scene").read_text()


def _sleep(seconds: float) -> None:
    threading.Event().wait(seconds)  # libfaketime makes time.sleep() fail once its clock has jumped
