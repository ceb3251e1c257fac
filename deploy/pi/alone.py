"""Lets one deployment at a time change this computer: a lock that ends with its process, whatever ends that."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.errors import BusyError
from deploy.pi.receive import BUSY, LOCK


@contextmanager
def alone(lock: Path = LOCK) -> Iterator[int]:
    """Hold the lock; yield its file descriptor. Raises BusyError if another process holds it."""
    lock.parent.mkdir(exist_ok=True)
    lock.touch(0o600)  # who can open it can hold it
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(BUSY) from None
        yield held.fileno()
