"""Turns a Pi camera, a USB camera, a video file or a folder of pictures into frames."""

import logging
import math
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import cv2
import numpy as np

from device.errors import CameraError, PictureError
from device.faces import Luma
from device.frame import STALL_SECONDS, Frame
from device.pictures import picture_files, read_luma

FOLDER_FRAMES_PER_SECOND = 10.0
LONGEST_NUMBER = 3  # digits of a video device
# ffmpeg would open a text file as a video too: as a recording of a terminal.
VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"})

log = logging.getLogger(__name__)


class Camera(AbstractContextManager["Camera"], Protocol):
    """A source of frames, to be closed after use."""

    def frames(self) -> Iterator[Frame]:
        """Yield frames until a recording ends; raise CameraError when a live camera stops giving them."""
        ...


def open_camera(source: str) -> Camera:
    """Open "pi", "usb:N", a video file, or a folder of pictures taken as 10 frames a second.

    Raises CameraError with one line if it isn't there or gives nothing.
    """
    path = Path(source)
    kind, _, number = source.partition(":")
    if source == "pi":
        from device.pi_camera import PiCamera  # picamera2 exists on Raspberry Pi OS only

        return PiCamera()
    if kind == "usb" and number.isdecimal() and len(number) <= LONGEST_NUMBER:
        return UsbCamera(int(number))
    if path.is_dir():
        return PictureFolder(path)
    if path.is_file():
        return VideoFile(path)
    raise CameraError(f"{source}: no such camera, expected pi, usb:0, a video file or a folder of pictures")


class UsbCamera:
    """A USB camera; a thread reads every frame and keeps only the newest, so that what is judged is now."""

    def __init__(self, number: int) -> None:
        """Open /dev/videoN and start reading."""
        self._name = f"usb:{number}"
        capture = cv2.VideoCapture(number, cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY)
        if not capture.isOpened():
            raise CameraError(f"{self._name}: can't be opened: check the plug, and that the user is in the group video")
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._capture = capture
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._failure: Exception | None = None
        self._closing = False
        # A daemon, because read() may hang for ever in the driver and must not keep the process from ending.
        self._thread = threading.Thread(target=self._read, name=self._name, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._closing = True
        self._thread.join(STALL_SECONDS)

    def frames(self) -> Iterator[Frame]:
        """Yield the newest frame, each at most once; raise CameraError after 2 s without one."""
        while True:
            with self._changed:
                arrived = self._changed.wait_for(lambda: self._newest or self._failure, STALL_SECONDS)
                frame, self._newest = self._newest, None
            if self._failure:
                raise self._failure
            if not arrived or frame is None:
                raise CameraError(f"{self._name}: no frame for {STALL_SECONDS} s: check its cable, then start again")
            yield frame

    def _read(self) -> None:
        try:
            while not self._closing:
                arrived, picture = self._capture.read()
                if not arrived:
                    raise CameraError(f"{self._name}: stopped giving frames: check its cable, then start again")
                self._keep(Frame(_luma(picture), time.monotonic()), None)
        except Exception as error:  # raised again in frames(), where the loop sees it
            self._keep(None, error)
        finally:
            # Here, because releasing while another thread reads crashes OpenCV.
            self._capture.release()

    def _keep(self, frame: Frame | None, failure: Exception | None) -> None:
        with self._changed:
            self._newest, self._failure = frame, failure
            self._changed.notify()


class VideoFile:
    """A recording, on the clock of its own timestamps."""

    def __init__(self, path: Path) -> None:
        """Open a video file and decode its first frame, as a proof that it is one."""
        refusal = f"{path}: is damaged or no video, expected one of {', '.join(sorted(VIDEO_SUFFIXES))}"
        if path.suffix.lower() not in VIDEO_SUFFIXES:
            raise CameraError(refusal)
        # An absolute path, because ffmpeg takes "name:rest" for a protocol.
        self._capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
        arrived, self._first = self._capture.read()
        if not arrived:
            self._capture.release()
            raise CameraError(refusal)
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self._period = 1 / rate if math.isfinite(rate) and rate > 0 else 1 / FOLDER_FRAMES_PER_SECOND  # seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._capture.release()

    def frames(self) -> Iterator[Frame]:
        """Yield every frame of the recording."""
        arrived, picture, taken = True, self._first, -math.inf
        while arrived:
            stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            # Containers without timestamps give 0 for every frame.
            taken = stamp if stamp > taken else taken + self._period
            yield Frame(_luma(picture), taken)
            arrived, picture = self._capture.read()


class PictureFolder:
    """A folder of pictures, in the order of their paths, as a recording."""

    def __init__(self, folder: Path) -> None:
        """List the pictures of a folder and those below it."""
        self._folder = folder
        self._paths = list(picture_files(folder))
        if not self._paths:
            raise CameraError(f"{folder}: holds no pictures, expected a folder with JPEG, PNG or WebP files")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Nothing is held open."""

    def frames(self) -> Iterator[Frame]:
        """Yield every usable picture; one that can't be read is named in the log, and its moment passes."""
        for place, path in enumerate(self._paths):
            try:
                luma = read_luma(path)
            except PictureError as error:
                log.warning("%s", error)
                continue
            yield Frame(luma, place / FOLDER_FRAMES_PER_SECOND)


def _luma(picture: cv2.typing.MatLike) -> Luma:
    """Return the luma of a picture, uint8 BGR (height, width, 3) or grey (height, width)."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if picture.ndim == 3 else picture
    return np.asarray(grey, dtype=np.uint8)
