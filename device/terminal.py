"""Turns what happens into lines for a terminal, and a state into a block of its colour, to be read from afar."""

import os
import shutil
import sys
from contextlib import suppress
from types import TracebackType
from typing import TextIO

from device.events import Alert, Event, Kind, State
from device.model_card import ModelCard

WORDS = {
    State.IDLE: "nobody there",
    State.CHECKING: "not sure yet",
    State.CLEAR: "with a mask",
    State.ALARM: "without a mask",
    State.FAULT: "out of order",
}
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


def alert_block(alert: Alert, card: ModelCard) -> str:
    """Return the block that standard output gets of a change."""
    return block(alert.state, card.marked(WORDS[alert.state]), sys.stdout)


def show_fault(kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
    """Show an exception as FAULT on a terminal, below the last state, which is no longer true."""
    with suppress(OSError):  # it may be the terminal that is gone
        if isinstance(error, Exception):
            print(block(State.FAULT, WORDS[State.FAULT], sys.stdout), end="", flush=True)


def alert_line(alert: Alert, started: float, card: ModelCard) -> str:
    """Return what the terminal shows of a change; `started` is the time of the first frame, in seconds."""
    return _line(alert.at - started, f"{alert.state}  {WORDS[alert.state]}", alert.state, alert.score, card)


def event_line(event: Event, started: float, card: ModelCard) -> str:
    """Return what the terminal shows of an event, as `alert_line` does."""
    text = f"visit {event.visit}: {event.kind}"
    if event.kind in {Kind.ENTER, Kind.LEAVE}:
        return _line(event.at - started, text, State.IDLE, None, card)
    return _line(event.at - started, f"{text} {WORDS[event.state]}", event.state, event.score, card)


def _line(seconds: float, text: str, state: State, score: float | None, card: ModelCard) -> str:
    line = f"{seconds:.2f} s  {text}"
    if score is not None and state is not State.CHECKING:
        line += f" {1 - score if state is State.CLEAR else score:.2f}"
    return card.marked(line)
