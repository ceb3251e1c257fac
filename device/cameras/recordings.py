"""Turns a video file or a folder of pictures into frames, on the recording's own clock and at its own speed."""

import logging
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2

from device.cameras.frame import Frame
from device.cameras.view import luma_of
from device.errors import CameraError, PictureError, UnusableError
from device.pictures import SUFFIXES, picture_files, read_luma

FOLDER_FRAMES_PER_SECOND = 10.0
# ffmpeg would open a text file as a video too: as a recording of a terminal.
VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"})

LATE_SECONDS = 0.2  # a frame that is due for longer is dropped, as of a live camera; but not after as long without one
GAP_SECONDS = 2.0  # the longest wait for a recording's next frame, however long its gap: a door shows FAULT meanwhile
WHOLE = 0.9  # share of the frames that a video says it has with which it isn't taken for damaged

log = logging.getLogger(__name__)


class VideoFile:
    """A recording, on the clock of its own timestamps."""

    def __init__(self, path: Path) -> None:
        """Open a video file and decode its first frame, as a proof that it is one."""
        refusal = f"{path}: is damaged or no video, expected one of {', '.join(sorted(VIDEO_SUFFIXES))}"
        if path.suffix.lower() in SUFFIXES:
            raise CameraError(f"{path}: is a picture, expected a video or a folder of pictures: `make judge PICTURES=` "
                              "judges it")
        if path.suffix.lower() not in VIDEO_SUFFIXES:
            raise CameraError(refusal)
        self._path = path
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
        """Yield every frame of the recording; the log tells if it ends well before its own header says."""
        came = 0
        arrived, picture, taken = True, self._first, -math.inf
        while arrived:
            stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            # Containers without timestamps give 0 for every frame.
            taken = stamp if stamp > taken else taken + self._period
            yield Frame(luma_of(picture), taken)
            came += 1
            arrived, picture = self._capture.read()
        # The header's count is a guess of its length and rate in some containers, and a last frame may last long.
        said = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        if came < WHOLE * said and taken < WHOLE * said * self._period:
            told = "%s: ends after %d of %d frames, expected them all: it may be damaged, copy it again"
            log.warning(told, self._path, came, said)


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
        """Yield every usable picture; one that can't be read is named in the log, and its moment passes.

        Raises UnusableError at the end if none was usable.
        """
        usable = 0
        for place, path in enumerate(self._paths):
            try:
                luma = read_luma(path)
            except PictureError as error:
                log.warning("%s", error)
                continue
            usable += 1
            yield Frame(luma, place / FOLDER_FRAMES_PER_SECOND)
        if not usable:
            raise UnusableError(
                f"{self._folder}: none of its {len(self._paths)} pictures can be used, expected one at least: "
                "copy them again or convert them"
            )


def at_speed(frames: Iterator[Frame], pause: Callable[[float], None]) -> Iterator[Frame]:
    """Yield a recording's frames when each is due, by the computer's clock; pause: waits so many seconds.

    What judging takes too long for is dropped. Where that doesn't help, because already decoding takes too long, the
    recording is played slower instead.
    """
    begun = asked = -math.inf  # of the computer's clock: when the recording began, and when its next frame was wanted
    for frame in frames:
        now = time.monotonic()
        if now - begun - frame.taken >= LATE_SECONDS:
            if now - asked < LATE_SECONDS:
                continue
            begun = now - frame.taken
        begun = min(begun, now + GAP_SECONDS - frame.taken)
        if (ahead := begun + frame.taken - now) > 0:
            pause(ahead)
        yield frame
        asked = time.monotonic()
