"""Opens a USB camera through the operating system's own driver."""

import logging
import sys

import cv2

from device.cameras.live import LiveCapture
from device.cameras.source import usb_number
from device.errors import CameraError
from device.settings import CameraSettings

log = logging.getLogger(__name__)


def open_usb(settings: CameraSettings) -> LiveCapture:
    """Open "usb:N" and start reading. Raises CameraError."""
    name = settings.source
    capture = cv2.VideoCapture(usb_number(name), cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY)
    if not capture.isOpened():
        raise CameraError(f"{name}: can't be opened: check the plug, and that the user is in the group video")
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    # Exposure itself stays automatic, as every driver starts with.
    if not capture.set(cv2.CAP_PROP_BACKLIGHT, float(settings.backlit)) and settings.backlit:
        log.warning("%s: its driver has no backlight compensation, so backlit does nothing", name)
    return LiveCapture(name, capture, "check its cable, then start again")
