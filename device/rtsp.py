"""Opens a network camera by RTSP, and keeps its user, password and path out of every line."""

import os
import re
import socket
from urllib.parse import urlsplit

import cv2

from device.errors import CameraError
from device.live import LiveCapture

PORT = 554
CONNECT_SECONDS = 3.0  # to reach its port
OPEN_MILLISECONDS, READ_MILLISECONDS = 8000, 5000  # to see its streams, and to wait for a packet
# TCP, because packets lost on a radio network smear the picture; no buffer, because it would be older than now.
OPTIONS = "rtsp_transport;tcp|fflags;nobuffer"


def is_rtsp(source: str) -> bool:
    """Tell whether a source is the address of a network camera."""
    return source.startswith("rtsp:")


def shown(source: str) -> str:
    """Return a source as lines may show it: of an address no more than scheme, host and port.

    Some cameras have the password in the path.
    """
    scheme, colon, rest = source.partition(":")
    if not (colon and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]+", scheme) and rest.startswith("/")):
        return f"…{source[source.rindex('@'):]}" if "@" in source else source
    try:
        host, port = _place(source)
    except ValueError:
        return f"{scheme}://…"
    return f"{scheme}://{host}:{port}/…"


def open_rtsp(source: str) -> LiveCapture:
    """Open "rtsp://USER:PASSWORD@HOST:PORT/PATH" and start reading. Raises CameraError."""
    name = shown(source)
    try:
        place = _place(source)
    except ValueError:
        raise CameraError(
            f"{name}: is no address, expected rtsp://USER:PASSWORD@HOST:PORT/PATH: write / ? # @ and : in user, "
            "password and path as %2F %3F %23 %40 and %3A"
        ) from None  # its text may hold a part of the password
    try:
        # First, because OpenCV doesn't say what went wrong.
        socket.create_connection(place, CONNECT_SECONDS).close()
    except (OSError, UnicodeError) as error:
        found = getattr(error, "strerror", None) or error
        raise CameraError(
            f"{name}: can't be reached ({found}): check its power, its network and the address"
        ) from error
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_MILLISECONDS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_MILLISECONDS]
    if hasattr(cv2, "CAP_PROP_N_THREADS"):  # each further thread would hold one more frame back
        limits += [cv2.CAP_PROP_N_THREADS, 1]
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = OPTIONS  # the only way in
    capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, limits)
    del os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"]  # a video file would lose its first frame by them
    if not capture.isOpened():
        raise CameraError(f"{name}: gives no video: check user, password and path, and that it sends H.264 or MJPEG")
    return LiveCapture(name, capture, "check its power and its network")


def _place(source: str) -> tuple[str, int]:
    """Return host and port of an address; a ValueError if it has none, or an @ where none may stand."""
    parts = urlsplit(source)
    if not parts.hostname or "@" in parts.path + parts.query + parts.fragment or parts.netloc.count("@") > 1:
        raise ValueError
    return parts.hostname, parts.port or PORT
