"""The part of picamera2 that the kiosk uses: hands out FRAMES, then times out; CALLS notes what was called."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

Planes = npt.NDArray[np.uint8]

FRAMES: list[Planes] = []
CALLS: list[Any] = []
START_ERROR: Exception | None = None
ON_OPEN: Callable[[], None] | None = None
ON_STOP: Callable[[], None] | None = None


class Request:
    def __init__(self, planes: Planes) -> None:
        self.planes = planes

    def make_array(self, name: str) -> Planes:
        return {"lores": self.planes}[name]


class Picamera2:
    def __init__(self) -> None:
        CALLS.append("open")
        if ON_OPEN:
            ON_OPEN()

    def create_preview_configuration(self, **asked: object) -> dict[str, object]:
        return asked

    def configure(self, configuration: dict[str, object]) -> None:
        CALLS.append(configuration)

    def start(self) -> None:
        CALLS.append("start")
        if START_ERROR:
            raise START_ERROR

    @contextmanager
    def captured_request(self, wait: float) -> Iterator[Request]:
        if not FRAMES:
            raise TimeoutError
        yield Request(FRAMES.pop(0))
        CALLS.append("release")

    def cancel_all_and_flush(self) -> None:
        CALLS.append("cancel")

    def stop(self) -> None:
        CALLS.append("stop")
        if ON_STOP:
            ON_STOP()

    def close(self) -> None:
        CALLS.append("close")
