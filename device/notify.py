"""Tells systemd that the kiosk is ready, alive and in which state, through the socket that NOTIFY_SOCKET names."""

import math
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from device.events import State

ALIVE_SECONDS = 1.0  # between two WATCHDOG=1, on systemd's clock: a recording may be played slower than its own


class Notifier:
    """The messages of sd_notify(3), sent by hand; without an address none are sent."""

    def __init__(self, address: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the value of NOTIFY_SOCKET, a path, or @NAME for an abstract socket, and a clock of seconds."""
        self._clock = clock
        self._socket: socket.socket | None = None
        self._ready = False  # READY=1 was sent
        self._alive_at = -math.inf  # seconds: when WATCHDOG=1 was last sent
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            with suppress(OSError):  # a systemd that is gone: what is sent is lost
                self._socket.connect(f"\0{address[1:]}" if address.startswith("@") else address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._socket is None:
            return
        with self._socket:
            if isinstance(error, Exception):  # not Stopped
                self.status(f"{State.FAULT} {error}")
            self._send("STOPPING=1")

    def decided(self) -> None:
        """Say that a frame was decided; the first one makes the service ready."""
        now = self._clock()
        if not self._ready:
            self._ready = self._send("READY=1")
        if now - self._alive_at >= ALIVE_SECONDS and self._send("WATCHDOG=1"):
            self._alive_at = now

    def status(self, text: str) -> None:
        """Show one line in `systemctl status`."""
        self._send(f"STATUS={' '.join(text.split())}")

    def _send(self, message: str) -> bool:
        """Return False if it is lost: a systemd that reads nothing, or is gone, neither delays the door nor ends it."""
        if self._socket is None:
            return True
        try:
            self._socket.send(message.encode(), socket.MSG_DONTWAIT)
        except OSError:
            return False
        return True
