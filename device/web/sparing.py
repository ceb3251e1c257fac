"""Keeps whoever reaches the page's server from filling the log: its libraries tell of every malformed request."""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 60.0
LOGS = ("tornado.general", "tornado.application", "asyncio")


class Sparing(logging.Filter):
    """Lets one line of each level through in a while, with the number of those kept back since the one before."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[int, float] = {}  # by level, seconds
        self._kept_back = Counter[int]()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a line is logged."""
        now, level = time.monotonic(), record.levelno
        if level in self._last and now - self._last[level] < SECONDS:
            self._kept_back[level] += 1
            return False
        self._last[level] = now
        if kept_back := self._kept_back.pop(level, 0):
            record.msg, record.args = f"{record.getMessage()} (and {kept_back} such lines before it)", ()
        return True


@contextmanager
def sparing_logs() -> Iterator[None]:
    """Log what strangers cause no more often than that."""
    sparing = Sparing()
    for name in LOGS:
        logging.getLogger(name).addFilter(sparing)
    try:
        yield
    finally:
        for name in LOGS:
            logging.getLogger(name).removeFilter(sparing)
