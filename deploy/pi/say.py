"""Prints a line, if somebody is still there to read it: a broken connection doesn't end what was begun."""

import os
import sys


def say(line: str) -> None:
    """Print one line at once."""
    try:
        print(line, flush=True)
    except OSError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # until the process ends
