"""Shows a state as a block of its colour, to be read from afar on a terminal."""

import os
import shutil
from typing import TextIO

from device.events import State

# Background and foreground of ANSI terminals; IDLE is dark.
COLORS = {
    State.IDLE: "40;97",
    State.CHECKING: "44;97",
    State.CLEAR: "42;30",
    State.ALARM: "41;97",
    State.FAULT: "43;30",
}
RESET = "\x1b[0m"
ROWS = 5


def block(state: State, words: str, out: TextIO) -> str:
    """Return lines that fill the width of a terminal with a state's colour and name; none for what is no terminal."""
    if not out.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return ""
    width = shutil.get_terminal_size().columns
    rows = [""] * ROWS
    rows[ROWS // 2] = f"{' '.join(state)}   {words}"
    return "".join(f"\x1b[1;{COLORS[state]}m{row[:width].center(width)}{RESET}\n" for row in rows)
