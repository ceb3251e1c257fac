"""Turns a Raspberry Pi's own camera into frames, through picamera2."""

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import numpy as np

from device.errors import CameraError
from device.frame import STALL_SECONDS, Frame

WIDTH, HEIGHT = 640, 480  # px of the frames
# Asked for at the frames' size, the IMX219 would be run in a mode that cuts the edges of the view off.
MAIN_SIZE = (1280, 960)  # px, (width, height)
FRAME_MICROSECONDS = (33_333, 100_000)  # 30 frames a second, down to 10 in the dark


class PiCamera:
    """The camera on the ribbon cable; each frame is exposed anew when it is asked for, none waits in a queue."""

    def __init__(self) -> None:
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
                    controls={"FrameDurationLimits": FRAME_MICROSECONDS},
                )
            )
            self._camera.start()
        except RuntimeError as error:
            self._camera.close()
            raise CameraError(f"pi: the camera doesn't start ({error}): is another program using it?") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._camera.stop()
        self._camera.close()

    def frames(self) -> Iterator[Frame]:
        """Yield frames of 640x480 pixels; raise CameraError after 2 s without one."""
        while True:
            try:
                with self._camera.captured_request(wait=STALL_SECONDS) as request:
                    planes = request.make_array("lores")  # uint8 (height * 3 / 2, stride): Y, then U and V
            except TimeoutError as error:
                # The job would stay queued, and its late frame would hold a buffer for ever.
                self._camera.cancel_all_and_flush()
                raise CameraError(
                    f"pi: no frame for {STALL_SECONDS} s: start again, and check the ribbon cable if it recurs"
                ) from error
            yield Frame(np.ascontiguousarray(planes[:HEIGHT, :WIDTH]), time.monotonic())
