"""Reads what came of a target out of the log of its process."""

import datetime
import re
from dataclasses import dataclass
from pathlib import Path

from .targets import TARGETS

HEAD = ("target", "what it is", "runs", "a second", "edges", "new inputs", "failures", "on")


@dataclass(frozen=True)
class Outcome:
    """What came of a target, so far."""

    name: str
    runs: int
    a_second: int
    edges: int  # of the code that is written in Python
    new: int  # inputs that reached more of them, or reached them otherwise
    failed: Path | None  # the input that failed
    error: str  # how

    def cells(self) -> tuple[str, ...]:
        """Return the row's cells, as they stand under HEAD."""
        numbers = (f"{number:,}" for number in (self.runs, self.a_second, self.edges, self.new, int(bool(self.failed))))
        return self.name, TARGETS[self.name].what, *numbers, f"{datetime.datetime.now():%Y-%m-%d}"


def read_log(name: str, log: str) -> Outcome:
    """Return what a log says up to now."""

    def last(pattern: str) -> int:
        return int((re.findall(pattern, log, re.MULTILINE) or ["0"])[-1])

    failed = re.search(r"Test unit written to (.*/(?:crash|timeout|oom|leak)-\w+)$", log, re.MULTILINE)
    errors = re.findall(r"Uncaught Python exception: ===\n(.*)|(ERROR: libFuzzer: .*)", log)
    return Outcome(
        name, max(last(r"^done (\d+)$"), last(r"^stat::number_of_executed_units: +(\d+)")),
        last(r"^stat::average_exec_per_sec: +(\d+)"), last(r"^#\d+\s.* cov: (\d+)"),
        last(r"^stat::new_units_added: +(\d+)"), Path(failed[1]) if failed else None,
        "".join(errors[0]) if errors else "",
    )  # fmt: skip
