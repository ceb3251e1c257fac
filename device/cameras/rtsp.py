"""Opens a network camera by RTSP."""

import os
import queue
import socket
import threading

import cv2

from device.cameras.live import LiveCapture
from device.cameras.source import host_and_port, shown
from device.errors import CameraError

CONNECT_SECONDS = 3.0  # to reach its port
OPEN_MILLISECONDS, READ_MILLISECONDS = 8000, 5000  # to see its streams, and to wait for a packet
WHOLE = frozenset({"MJPG", "JPEG"})  # codecs, as OpenCV names them, of which each frame is coded by itself
# TCP, because packets lost on a radio network smear the picture; no buffer, because it would be older than now.
OPTIONS = "rtsp_transport;tcp|fflags;nobuffer"


def open_rtsp(source: str) -> LiveCapture:
    """Open "rtsp://USER:PASSWORD@HOST:PORT/PATH" and start reading. Raises CameraError.

    In a thread, because no signal is heard while a name is looked up or OpenCV connects; an exception that a signal's
    handler raises leaves it alone.
    """
    name = shown(source)
    try:
        place = host_and_port(source)
    except ValueError:
        raise CameraError(
            f"{name}: is no address, expected rtsp://USER:PASSWORD@HOST:PORT/PATH: write / ? # @ and : in user, "
            "password and path as %2F %3F %23 %40 and %3A"
        ) from None  # its text may hold a part of the password
    opened = queue.SimpleQueue[LiveCapture | Exception]()

    def connect() -> None:
        try:
            opened.put(_connect(source, name, place))
        except Exception as error:  # raised again below
            opened.put(error)

    threading.Thread(target=connect, name=name, daemon=True).start()
    found = opened.get()
    if isinstance(found, Exception):
        raise found
    return found


def _connect(source: str, name: str, place: tuple[str, int]) -> LiveCapture:
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
    codec = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode("latin-1")
    return LiveCapture(name, capture, "check its power and its network", whole=codec.upper() in WHOLE)
