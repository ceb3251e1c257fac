"""Turns a Pi camera, a USB or network camera, a video file or a folder of pictures into the frames that are judged."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from types import TracebackType
from typing import Protocol

from device.arguments import path
from device.cameras.frame import Frame
from device.cameras.recordings import VIDEO_SUFFIXES, PictureFolder, VideoFile, at_speed
from device.cameras.rtsp import open_rtsp
from device.cameras.sight import Sight
from device.cameras.source import is_live, is_rtsp, is_usb, shown
from device.cameras.usb import open_usb
from device.cameras.view import turned_and_cropped
from device.errors import CameraError
from device.settings import CameraSettings


class Camera(AbstractContextManager["Camera"], Protocol):
    """A source of frames, to be closed after use."""

    def frames(self) -> Iterator[Frame]:
        """Yield frames until a recording ends; raise CameraError when a live camera stops giving them, or none came."""
        ...


def open_camera(settings: CameraSettings, pause: Callable[[float], None] | None = None) -> Camera:
    """Open "pi", "usb:N", "rtsp://…", a video file, or a folder of pictures taken as 10 frames a second.

    pause: waits so many seconds, so that recordings are played at their own speed; without it they go as fast as
    they can. Raises CameraError with one line if it isn't there or gives nothing.
    """
    source = settings.source
    name = shown(source)
    if source == "pi":
        from device.cameras.pi import PiCamera  # picamera2 exists on Raspberry Pi OS only

        return _Turned(PiCamera(settings), settings, Sight(name).seen)
    if is_usb(source):
        return _Turned(open_usb(settings), settings, Sight(name).seen)
    if is_rtsp(source):
        network = open_rtsp(source)
        return _Turned(network, settings, Sight(name, repeats=not network.whole).seen)
    return _Turned(_open_recording(source), settings, partial(at_speed, pause=pause) if pause else iter)


def require_source(source: str) -> None:
    """Raise CameraError for what is neither a camera's name nor a recording that can be read; no camera is opened."""
    if not is_live(source):
        with _open_recording(source):
            pass


def _open_recording(source: str) -> VideoFile | PictureFolder:
    recording = path(source)
    try:
        if recording.is_dir():
            return PictureFolder(recording)
        if recording.is_file():
            return VideoFile(recording)
    except CameraError:  # an OSError too
        raise
    except OSError as error:
        raise CameraError(f"{shown(source)}: can't be read ({error.strerror}): check its name and rights") from error
    is_path = "/" in source or recording.suffix.lower() in VIDEO_SUFFIXES
    if is_path and not recording.exists():
        raise CameraError(f"{shown(source)}: no such file or folder, expected a recording: check the path")
    raise CameraError(
        f"{shown(source)}: no such camera, expected pi, usb:0, rtsp://HOST/PATH, a video file or a folder of pictures"
    )


class _Turned(Camera):
    """A camera whose frames are turned and cropped, of those that are let through."""

    def __init__(
        self, camera: Camera, settings: CameraSettings, let_through: Callable[[Iterator[Frame]], Iterator[Frame]]
    ) -> None:
        self._camera, self._settings, self._let_through = camera, settings, let_through

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._camera.__exit__(kind, error, _)

    def frames(self) -> Iterator[Frame]:
        for frame in self._let_through(self._camera.frames()):
            yield Frame(turned_and_cropped(frame.luma, self._settings), frame.taken)
