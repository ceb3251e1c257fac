"""Turns the silence of a loop into a call, from a thread that no camera or network can stall."""

import threading
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Self


class Deadline:
    """A moment at which a thread calls `late`, unless it is moved or lifted before; none at first."""

    def __init__(self, lock: threading.RLock, late: Callable[[], None]) -> None:
        """Take the lock that guards what `late` touches; it is held during the call."""
        self._changed = threading.Condition(lock)
        self._late = late
        self._at: float | None = None  # seconds of time.monotonic(), whatever clock the frames are on
        self._failure: Exception | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._watch, name="deadline", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def move(self, seconds: float) -> None:
        """Set the moment to `seconds` from now. Raises what `late` raised, because nobody watches any more."""
        with self._changed:
            if self._failure:
                raise self._failure
            before, self._at = self._at, monotonic() + seconds
            if before is None or self._at < before:  # otherwise it wakes in time by itself
                self._changed.notify()

    def lift(self) -> None:
        """Let there be no deadline."""
        with self._changed:
            self._at = None

    def _watch(self) -> None:
        with self._changed:
            while not self._closing and not self._failure:
                left = None if self._at is None else self._at - monotonic()
                if left is None or left > 0:
                    self._changed.wait(left)
                    continue
                self._at = None
                try:
                    self._late()
                except Exception as error:  # raised again in move(), where the loop sees it
                    self._failure = error
