"""Says what came of a fault, as a row of docs/faults.md."""

import re

from .row import Outcome

HEAD = ("fault", "what the kiosk says", "lamp", "outputs safe", "works again", "lost")
FOLDER = re.compile(r"/[^ ]*/(?:tree/models|etc)/")


def cells(outcome: Outcome) -> tuple[str, ...]:
    """Return a row's cells, as they stand under HEAD."""
    return (
        outcome.row.name, FOLDER.sub("", outcome.said) or "nothing", ", ".join(outcome.lamp),
        "untouched" if outcome.safe is None else f"{outcome.safe:.1f} s",
        "goes on" if outcome.back is None else f"{outcome.back:.1f} s",
        ", ".join(outcome.lost) or "nothing",
    )  # fmt: skip
