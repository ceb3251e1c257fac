"""Brings faults about, one after the other, and writes them into docs/faults.md: make faults [ONLY=words]."""

import argparse
import sys
from pathlib import Path

from tables import put_rows

from .row import Missing, late, play
from .rows import ROWS
from .stage import Late
from .table import HEAD, cells

DOCS = Path("docs/faults.md")


def main() -> int:
    """Return 1 if a row didn't come out as it should; rows are chosen by words of their names."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("only", nargs="*", help="run rows whose name has one of these words; the others stay")
    options = parser.parse_args()
    rows = [row for row in ROWS if not options.only or any(word in row.name for word in options.only)]
    outcomes, failed = [], False
    for row in rows:
        try:
            outcome = play(row)
        except (Missing, Late, AssertionError, OSError) as error:
            print(f"{row.name}: {error}", flush=True)
            failed = failed or not isinstance(error, Missing)
            continue
        wrong = [*outcome.wrong, *late(outcome)]
        failed = failed or bool(wrong)
        outcomes.append(outcome)
        print(" | ".join(cells(outcome)), *wrong, sep="\n    ", flush=True)
    put_rows(
        DOCS, "make faults", HEAD, {outcome.row.name: cells(outcome) for outcome in outcomes},
        [row.name for row in ROWS],
    )  # fmt: skip
    return failed


if __name__ == "__main__":
    sys.exit(main())
