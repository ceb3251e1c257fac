"""Prints lines of several hosts, each with its host's name before it."""

from collections.abc import Callable

Say = Callable[[str], None]


def sayer(host: str) -> Say:
    """Return what prints the lines of one host."""

    def say(line: str) -> None:
        print(f"{host}: {line}", flush=True)

    return say
