"""Starts a network camera on loopback for a test, or skips it where GStreamer's RTSP server is missing."""

import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from places import TREE

PYTHON = "/usr/bin/python3"  # the distribution's: GStreamer's bindings are its packages
NEEDS = (
    "import gi\n"
    "for name in ('Gst', 'GstRtsp', 'GstRtspServer'): gi.require_version(name, '1.0')\n"
    "from gi.repository import Gst, GstRtspServer\n"
    "Gst.init(None)\n"
    "assert all(map(Gst.ElementFactory.find, ('appsrc', 'videoconvert', 'jpegenc', 'rtpjpegpay')))"
)
PASSWORD, ENCODED = "a/b@c:d", "a%2Fb%40c%3Ad"


class RtspCamera:
    """A camera that needs a user and a password."""

    def __init__(self) -> None:
        if not _has_server():
            pytest.skip("needs an RTSP server: gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-good")
        self._server = subprocess.Popen(
            [PYTHON, str(TREE / "tests" / "rtsp_server.py"), PASSWORD], stdout=subprocess.PIPE, text=True
        )
        assert self._server.stdout is not None
        self.port = int(self._server.stdout.readline())
        self.source = f"rtsp://owner:{ENCODED}@127.0.0.1:{self.port}/door"
        self.shown = f"rtsp://127.0.0.1:{self.port}/…"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._server.kill()
        self._server.communicate(timeout=60)

    def stop(self, number: signal.Signals) -> None:
        """Send a signal: SIGKILL ends the connection, SIGSTOP silences the camera, SIGUSR1 freezes its picture."""
        self._server.send_signal(number)


def _has_server() -> bool:
    if not Path(PYTHON).exists():
        return False
    return subprocess.run([PYTHON, "-c", NEEDS], capture_output=True, check=False, timeout=60).returncode == 0
