"""Turns a camera that OpenCV reads into frames, of which only the newest counts."""

import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import cv2

from device.cameras.frame import STALL_SECONDS, START_SECONDS, Frame
from device.cameras.view import luma_of
from device.errors import Blind, CameraFault

MOST_DAMAGED = 3  # reads in a row that may give no frame: a USB camera's may arrive damaged


class LiveCapture:
    """A camera; a thread reads every frame and keeps only the newest, so that what is judged is now."""

    def __init__(self, name: str, capture: cv2.VideoCapture, advice: str, whole: bool = True) -> None:
        """Start reading. Lines show the camera as `name`; `advice` is what to do when no frames come.

        whole: each frame is coded by itself, not as what differs from the one before.
        """
        self._name, self._capture, self._advice = name, capture, advice
        self.whole = whole
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._failure: Exception | None = None
        self._closing = False
        # A daemon, because read() may hang for ever in the driver and must not keep the process from ending.
        self._thread = threading.Thread(target=self._read, name=name, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._closing = True
        self._thread.join(STALL_SECONDS)

    def frames(self) -> Iterator[Frame]:
        """Yield the newest frame, each at most once; raise CameraFault after 1.5 s without one, 10 s for the first."""
        patience = START_SECONDS
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest or self._failure, patience)
                frame, self._newest = self._newest, None
            if self._failure:
                raise self._failure
            if frame is None:
                raise CameraFault(self._name, Blind.STALLED, f"no frame for {patience} s: {self._advice}")
            patience = STALL_SECONDS
            yield frame

    def _read(self) -> None:
        damaged = 0
        try:
            while not self._closing:
                arrived, picture = self._capture.read()
                damaged = 0 if arrived else damaged + 1
                if self.whole and 0 < damaged <= MOST_DAMAGED:
                    continue
                if not arrived:
                    raise CameraFault(self._name, Blind.STALLED, f"it gives no more frames: {self._advice}")
                self._keep(Frame(luma_of(picture), time.monotonic()), None)
        except Exception as error:  # raised again in frames(), where the loop sees it
            self._keep(None, error)
        finally:
            # Here, because releasing while another thread reads crashes OpenCV.
            self._capture.release()

    def _keep(self, frame: Frame | None, failure: Exception | None) -> None:
        with self._changed:
            self._newest, self._failure = frame, failure
            self._changed.notify()
