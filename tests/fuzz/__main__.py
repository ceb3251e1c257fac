"""Fuzzes every target, each in a process of its own, and writes what came of it into docs/fuzz.md: make fuzz."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tables import put_rows

from device.arguments import Parser

from .outcome import HEAD, Outcome, read_log
from .targets import TARGETS

PAGE = Path("docs/fuzz.md")
MEMORY = Path("/dev/shm")  # noqa: S108 - targets write a file each run
LOOK_SECONDS, TOLD_SECONDS = 0.5, 30.0
INTERRUPTED = 130


class Fuzzing:
    """The process of one target."""

    def __init__(self, name: str, folder: Path, runs: int) -> None:
        self.name, self._log = name, folder / "log"
        folder.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fuzz.one", name, str(folder), str(runs)], stdout=log, stderr=subprocess.STDOUT
            )

    def ended(self) -> bool:
        """Tell whether all runs are done, or one has failed."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """Have it end, with what it has found so far."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait()

    def outcome(self) -> Outcome:
        """Return what came of it so far."""
        return read_log(self.name, self._log.read_text(encoding="utf-8", errors="replace"))

    def trouble(self) -> str:
        """Return what failed in a line, or nothing."""
        outcome = self.outcome()
        if outcome.failed:
            return f"{self.name}: {outcome.error}: the input is {outcome.failed}, the rest stands in {self._log}"
        code = self._process.returncode
        return f"{self.name}: ended with code {code}: see {self._log}" if code else ""


def fuzz(names: Sequence[str], folder: Path, runs: int, started: list[Fuzzing]) -> None:
    """Fuzz targets, as many at once as there are processors, and note each that was started."""
    waiting, running, told = list(names), list[Fuzzing](), time.monotonic()
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            name = waiting.pop(0)
            running.append(Fuzzing(name, folder / name, runs))
            started.append(running[-1])
        time.sleep(LOOK_SECONDS)
        ended = [each for each in running if each.ended()]
        for each in ended:
            running.remove(each)
            print(each.trouble() or line(each.outcome().cells()), flush=True)
        if running and time.monotonic() - told >= TOLD_SECONDS:
            told = time.monotonic()
            now = [each.outcome() for each in running]
            print(*(f"{each.name} {each.runs / runs:.0%}, {each.edges:,} edges" for each in now),
                  f"{len(waiting)} wait", sep="; ", flush=True)  # fmt: skip


def line(cells: Sequence[str]) -> str:
    """Return a row for a terminal."""
    name, _, *numbers = cells
    return f"{name:10}" + "".join(f"{number:>12}" for number in numbers)


def main() -> int:
    """Return 1 if a target failed, 130 if Ctrl-C ended it; what it found stays, and the page as it was."""
    parser = Parser("make fuzz", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--runs", type=int, required=True, help="of each target")
    parser.add_argument("--folder", type=Path, required=True, help="keeps inputs, from which another time goes on")
    options = parser.parse_args()
    if unknown := [name for name in options.only if name not in TARGETS]:
        parser.error(f"{unknown[0]} is no target, expected one of {', '.join(TARGETS)}")
    started, stopped = list[Fuzzing](), False
    # The processes end without tidying up.
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as memory:
        os.environ["TMPDIR"] = memory
        try:
            fuzz(options.only or list(TARGETS), options.folder, options.runs, started)
        except KeyboardInterrupt:
            stopped = True
            for each in started:
                each.stop()
    outcomes = [each.outcome() for each in started]
    print(*map(line, [HEAD, *(outcome.cells() for outcome in outcomes)]), sep="\n")
    if stopped:
        return INTERRUPTED
    put_rows(PAGE, "make fuzz", HEAD, {outcome.name: outcome.cells() for outcome in outcomes}, TARGETS)
    troubles = [each.trouble() for each in started if each.trouble()]
    print(*troubles, sep="\n")
    return int(bool(troubles))


if __name__ == "__main__":
    sys.exit(main())
