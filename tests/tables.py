"""Puts measured rows into a table of a page."""

import datetime
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

END = "<!-- until here -->"


def put_rows(
    page: Path, command: str, head: Sequence[str], measured: Mapping[str, Sequence[str]], names: Iterable[str]
) -> None:
    """Put rows, by their first cell, between the marker of a command and END, in the order of the names.

    Rows that weren't measured now stay as they are.
    """
    begin = f"<!-- written by {command} -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    former, _, after = rest.partition(END)
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in former.splitlines() if line.startswith("| ")}
    rows |= {name: _line(cells) for name, cells in measured.items()}
    table = "\n".join([_line(head), _line(("---",) * len(head)), *(rows[name] for name in names if name in rows)])
    said = f"Last run {datetime.datetime.now():%Y-%m-%d}, on {platform.machine()}."
    page.write_text(f"{before}{begin}\n{said}\n\n{table}\n{END}{after}", encoding="utf-8")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
