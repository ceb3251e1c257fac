"""Lets the pictures of a training be drawn in processes of their own, beside the thread that trains."""

import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Drawing holds the interpreter, which the training thread needs as well. Only where a process is forked does it share
# the photos; elsewhere each would get a copy.
FORKS = sys.platform == "linux"
WORKERS = 2
QUEUE = 12  # batches drawn ahead

# Ctrl-C in a terminal reaches them too; the answer is the trainer's alone.
os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))


@contextmanager
def forks_without_warning() -> Iterator[None]:
    """Keep Python 3.12 and later from warning of forks beside threads: these touch no lock of another thread."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"This process .* is multi-threaded", DeprecationWarning)
        yield
