"""Prints lines for people on stderr, each once a command: several models may be shown the same folder."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_told = ContextVar[set[str]]("_told")


@contextmanager
def told_once() -> Iterator[None]:
    """Let `tell` print no line a second time."""
    before = _told.set(set())
    try:
        yield
    finally:
        _told.reset(before)


def tell(lines: Iterable[str]) -> None:
    """Print lines on stderr."""
    told = _told.get(set[str]())
    for line in lines:
        if line not in told:
            print(line, file=sys.stderr)
            told.add(line)
