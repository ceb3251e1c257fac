import io
import os
import pty

import pytest

from device.events import State
from device.terminal import COLORS, block


@pytest.fixture(autouse=True)
def _a_colour_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.parametrize("state", State)
def test_a_state_fills_the_width_of_a_terminal_with_its_colour(state: State) -> None:
    _, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as out:
        rows = block(state, "nobody there", out).splitlines()
    start, end = f"\x1b[1;{COLORS[state]}m", "\x1b[0m"
    assert [row.startswith(start) and row.endswith(end) for row in rows] == [True] * 5
    texts = [row.removeprefix(start).removesuffix(end) for row in rows]
    assert {len(text) for text in texts} == {40}
    assert [text.strip() for text in texts] == ["", "", f"{' '.join(state)}   nobody there", "", ""]


def test_there_is_none_in_a_pipe_or_where_colours_are_unwanted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert block(State.IDLE, "nobody there", io.StringIO()) == ""
    _, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as out:
        monkeypatch.setenv("NO_COLOR", "1")
        assert block(State.IDLE, "nobody there", out) == ""
        monkeypatch.delenv("NO_COLOR")
        monkeypatch.setenv("TERM", "dumb")
        assert block(State.IDLE, "nobody there", out) == ""
