"""Prints lines of several hosts, each with its host's name before it."""

from collections.abc import Callable
from threading import Lock

Say = Callable[[str], None]
ONE = Lock()  # prints at a time: hosts are talked to side by side, and `print` writes a line and its end apart


def sayer(host: str) -> Say:
    """Return what prints the lines of one host."""
    return lambda line: tell(f"{host}: {line}")


def tell(line: str) -> None:
    """Print a line, whole, whoever else prints meanwhile; what a host's lines could do to a terminal is left out."""
    with ONE:
        print(shown(line), flush=True)


def shown(line: str) -> str:
    """Return what of a host's line is to be read: an escape sequence would colour, move or rename the terminal."""
    return "".join(each for each in line if each.isprintable() or each == "\t")
