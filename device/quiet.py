"""Keeps what TensorFlow and its runtimes print in native code from burying what this program says."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, TextIO, cast


@contextmanager
def native_code_quiet() -> Iterator[None]:
    """Hold back what native code writes to stderr, and show it only if the block fails; Python's own stderr goes on."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with _memory() as held, os.fdopen(terminal, "w", closefd=False) as shown:
        python_stderr, sys.stderr = sys.stderr, cast("TextIO", _Stderr(shown))
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            shown.write(held.read().decode(errors="replace"))
            raise
        finally:
            shown.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            sys.stderr = python_stderr


class _Stderr:
    """Is the terminal while native code is held back, and Python's stderr of the moment afterwards.

    What is imported meanwhile may keep it, as TensorFlow's log does, and write into it as long as the process lives.
    """

    def __init__(self, shown: TextIO) -> None:
        self._shown = shown

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if not self._shown.closed:
            return getattr(self._shown, name)
        return getattr(sys.__stderr__ if sys.stderr is self else sys.stderr, name)


def _memory() -> IO[bytes]:
    """Return a file that, on the device, is on no disk."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("stderr"), "w+b")
    else:
        return tempfile.TemporaryFile()
