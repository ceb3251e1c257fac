"""Writes what came of the faults into a page."""

import datetime
import platform
import re
from collections.abc import Sequence
from pathlib import Path

from .row import Outcome

BEGIN, END = "<!-- written by make faults -->", "<!-- until here -->"
HEAD = ("fault", "what the kiosk says", "lamp", "outputs safe", "works again", "lost")
FOLDER = re.compile(r"/[^ ]*/(?:tree/models|etc)/")


def cells(outcome: Outcome) -> tuple[str, ...]:
    """Return a row's cells, as they stand under HEAD."""
    return (
        outcome.row.name, FOLDER.sub("", outcome.said) or "nothing", ", ".join(outcome.lamp),
        "untouched" if outcome.safe is None else f"{outcome.safe:.1f} s",
        "goes on" if outcome.back is None else f"{outcome.back:.1f} s" + (" by hand" if outcome.by_hand else ""),
        ", ".join(outcome.lost) or "nothing",
    )  # fmt: skip


def write_table(page: Path, outcomes: Sequence[Outcome], names: Sequence[str]) -> None:
    """Put outcomes between the page's markers, in the order of the names; rows of others stay as they are."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    former, _, after = rest.partition(END)
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in former.splitlines() if line.startswith("| ")}
    rows |= {outcome.row.name: _line(cells(outcome)) for outcome in outcomes}
    table = "\n".join([_line(HEAD), _line(("---",) * len(HEAD)), *(rows[name] for name in names if name in rows)])
    said = f"Last run {datetime.datetime.now():%Y-%m-%d}, on {platform.machine()}."
    page.write_text(f"{before}{BEGIN}\n{said}\n\n{table}\n{END}{after}", encoding="utf-8")


def _line(row: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"
