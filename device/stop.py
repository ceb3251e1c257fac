"""Hears the signals that end the kiosk, and has them end it at a moment that leaves nothing half done."""

import select
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

from device.cameras.frame import Frame


class Stopped(BaseException):
    """A signal came while the camera was waited for."""


class StopRequest:
    """Notes SIGTERM and SIGINT, so that the loop ends between two frames and never while a device is being closed."""

    received: signal.Signals | None = None

    def __init__(self) -> None:
        self._at_once = False

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Raise Stopped as soon as a signal comes, or has come, in a block that leaves nothing half done."""
        self._at_once = True
        try:
            if self.received:
                raise Stopped
            yield
        finally:
            self._at_once = False

    def before_each(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Yield frames. Raises Stopped where one would be waited for after a signal."""
        while True:
            with self.at_once():
                frame = next(frames, None)
            if frame is None:
                return
            yield frame

    def pause(self, seconds: float) -> None:
        """Wait, but not after a signal."""
        select.select([self._heard], [], [], seconds)

    def __enter__(self) -> Self:
        # Readable from a signal on: a lock's wait isn't ended by one that came just before it, or to another thread.
        self._heard, self._sound = socket.socketpair()
        self._sound.setblocking(False)
        self._previous_sound = signal.set_wakeup_fd(self._sound.fileno(), warn_on_full_buffer=False)
        self._previous = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._previous_sound)
        self._heard.close()
        self._sound.close()
        return isinstance(error, Stopped)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.received = signal.Signals(number)
        if self._at_once:
            self._at_once = False  # what ends then isn't to be interrupted by another signal
            raise Stopped
