"""One picture of a camera, and how long a camera may take for the next."""

from dataclasses import dataclass

from device.faces import Luma

STALL_SECONDS = 1.5  # a live camera without a new frame for this long has failed
START_SECONDS = 10.0  # but its first one may take this long: a network camera waits for a key frame


@dataclass(frozen=True)
class Frame:
    """One picture of the camera."""

    luma: Luma  # uint8 (height, width)
    taken: float  # seconds on the camera's own clock: time.monotonic() if live, else from the recording's start
