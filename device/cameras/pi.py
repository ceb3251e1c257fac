"""Turns a Raspberry Pi's own camera into frames, through picamera2."""

import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import numpy as np

from device.cameras.frame import STALL_SECONDS, START_SECONDS, Frame
from device.errors import Blind, CameraError, CameraFault
from device.settings import CameraSettings

WIDTH, HEIGHT = 640, 480  # px of the frames
# Asked for at the frames' size, the IMX219 would be run in a mode that cuts the edges of the view off.
MAIN_SIZE = (1280, 960)  # px, (width, height)
FRAME_MICROSECONDS = (33_333, 100_000)  # 30 frames a second, down to 10 in the dark
# libcamera's numbers: exposure counts the whole picture, not most its middle, and is raised until the darkest parts
# show something, however white that makes the window behind a face.
METERING_MATRIX, CONSTRAINT_SHADOWS = 2, 2
BUSY = "the camera doesn't start ({}): is another program using it?"


class PiCamera:
    """The camera on the ribbon cable; each frame is exposed anew when it is asked for, none waits in a queue."""

    def __init__(self, settings: CameraSettings) -> None:
        """Start the camera. Raises CameraError where there is none, or no picamera2."""
        try:
            from picamera2 import Picamera2
        except ImportError as error:
            raise CameraError(
                f"pi: picamera2 can't be imported ({error}): on Raspberry Pi OS install python3-picamera2, elsewhere "
                "choose usb:0, a video file or a folder"
            ) from error
        try:
            self._camera = Picamera2()
        except (IndexError, RuntimeError) as error:  # an IndexError before picamera2 0.3.37
            # Of a camera in use picamera2 says why in the error before this one.
            if "acquire" in f"{error.__context__}":
                raise CameraError(f"pi: {BUSY.format(error.__context__)}") from error
            raise CameraError(f"pi: no camera found ({error}): check the ribbon cable and restart the Pi") from error
        try:
            # The preview's colour space is full range; luma of the video one stops at 16 and 235, and models learn
            # from photos, which don't.
            self._camera.configure(
                self._camera.create_preview_configuration(
                    main={"size": MAIN_SIZE},
                    lores={"size": (WIDTH, HEIGHT), "format": "YUV420"},
                    buffer_count=4,
                    queue=False,
                    controls=_controls(settings),
                )
            )
            self._camera.start()
        except RuntimeError as error:
            self._camera.close()
            raise CameraError(f"pi: {BUSY.format(error)}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        # In a thread, because stopping libcamera may hang for ever and must not keep the process from ending.
        closing = threading.Thread(target=self._close, name="pi", daemon=True)
        closing.start()
        closing.join(STALL_SECONDS)

    def _close(self) -> None:
        self._camera.stop()
        self._camera.close()

    def frames(self) -> Iterator[Frame]:
        """Yield frames of 640x480 pixels; raise CameraFault after 1.5 s without one, 10 s for the first."""
        patience = START_SECONDS
        while True:
            try:
                with self._camera.captured_request(wait=patience) as request:
                    planes = request.make_array("lores")  # uint8 (height * 3 / 2, stride): Y, then U and V
            except TimeoutError as error:
                # The job would stay queued, and its late frame would hold a buffer for ever.
                self._camera.cancel_all_and_flush()
                raise CameraFault(
                    "pi", Blind.STALLED, f"no frame for {patience} s: check the ribbon cable if it recurs"
                ) from error
            if planes.shape[0] != HEIGHT * 3 // 2 or planes.shape[1] < WIDTH:  # else colour is judged
                raise CameraError(
                    f"pi: gives pictures of {planes.shape[1]}x{planes.shape[0] * 2 // 3}, expected {WIDTH}x{HEIGHT}: "
                    "`sudo apt full-upgrade`, because libcamera and picamera2 belong together"
                )
            patience = STALL_SECONDS
            yield Frame(np.ascontiguousarray(planes[:HEIGHT, :WIDTH]), time.monotonic())


def _controls(settings: CameraSettings) -> dict[str, object]:
    """Return what picamera2 is told of exposure, which stays automatic."""
    controls: dict[str, object] = {"FrameDurationLimits": FRAME_MICROSECONDS}
    if settings.backlit:
        controls |= {"AeMeteringMode": METERING_MATRIX, "AeConstraintMode": CONSTRAINT_SHADOWS}
    if settings.brighter:
        controls["ExposureValue"] = settings.brighter
    return controls
