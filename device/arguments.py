"""Reads a command line, and refuses a wrong one in one line."""

import argparse
from pathlib import Path
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose refusal is one line and exit code 2, as every other refusal here.

    Its help keeps the lines of description and epilog, where the examples stand.
    """

    def __init__(self, prog: str | None = None, description: str | None = None, epilog: str | None = None) -> None:
        super().__init__(
            prog, description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
        )

    def error(self, message: str) -> NoReturn:
        """Print the line and exit."""
        self.exit(2, f"error: {message}: see {self.prog} --help\n")


def path(text: str) -> Path:
    """Return what is named; `~` is the home, which not every shell puts in for `make DATA=~/photos`."""
    try:
        return Path(text).expanduser()
    except (RuntimeError, ValueError):  # ~old is no user's home, but may be a folder; "~\0" isn't even a name
        return Path(text)
