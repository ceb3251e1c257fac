"""What the story did and how long it took: printed as it goes, and written down as a page of the docs."""

import json
import os
import pty
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from virtual_pi.guest import CACHE, TREE, environment
from virtual_pi.page import DOCS, page_commands

KEPT = CACHE / "diary.json"
HEAD = """\
# From a sealed box to a judging door, on the virtual Pi

`make test-pi PAGE=docs/virtual-pi.md` writes this page, after each chapter that held ({date}). The Pi is an arm64
Debian Bookworm under qemu with a camera and pins of its own, described in
[tests/virtual_pi](../tests/virtual_pi/README.md). The first column is what a step took there, on a core of a shared
computer: it says nothing of a board. The moments at which deployments are cut off count so too; other times in a step
are the guest's own clock, which counts a nanosecond an instruction. Levels are read at the simulated chip, from outside
of the kiosk's process. Each step is a check that held.

| seconds | step |
| --- | --- |
"""


class Diary:
    """The steps in their order, and the commands with what they printed; kept, so that a story can be gone on with."""

    def __init__(self, fresh: bool) -> None:
        self.steps: list[tuple[float, str]] = []
        self.log: list[str] = []
        if not fresh and KEPT.exists():
            self.steps, self.log = json.loads(KEPT.read_text(encoding="utf-8"))

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Time a step that has to hold; what is put into the list is said beside its name."""
        measured: list[str] = []
        began = time.monotonic()
        self.log.append(f"# {name}")
        yield measured
        line = "; ".join([name, *measured])
        self.steps.append((time.monotonic() - began, line))
        print(f"{time.monotonic() - began:7.1f} s  {line}", flush=True)
        KEPT.write_text(json.dumps([self.steps, self.log]), encoding="utf-8")

    def page(self, command: str, tree: Path = TREE, code: int = 0) -> list[str]:
        """Run a command that docs/deploy.md shows, as it stands there; return what it printed."""
        assert command in page_commands(), f"{DOCS} doesn't show {command}"
        return self.run(command, tree, code)

    def type(self, command: str, shown: bytes, keys: bytes) -> None:
        """Run a command that docs/deploy.md shows in a terminal; once it shows something, type these keys."""
        assert command in page_commands(), f"{DOCS} doesn't show {command}"
        terminal, inside = pty.openpty()
        with subprocess.Popen(
            ["bash", "-c", command], stdin=inside, stdout=inside, stderr=inside, env=environment() | {"TERM": "linux"},
            start_new_session=True,
        ) as editor:  # fmt: skip
            os.close(inside)
            seen = b""
            while shown not in seen:
                seen += os.read(terminal, 4096)
            os.write(terminal, keys)
            with suppress(OSError):  # the terminal is closed
                while os.read(terminal, 4096):
                    pass
        os.close(terminal)
        self.note(command, [])
        assert editor.returncode == 0, seen

    def run(self, command: str, tree: Path = TREE, code: int = 0) -> list[str]:
        """Run a shell command in a tree, to which every host is the guest; return its lines."""
        done = subprocess.run(
            ["bash", "-c", command], cwd=tree, env=environment(), stdin=subprocess.DEVNULL, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        lines = done.stdout.splitlines()
        self.note(command, lines)
        assert done.returncode == code, (command, done.returncode, lines)
        return lines

    def note(self, command: str, lines: list[str]) -> None:
        """Write a command and what it printed into the log."""
        self.log += [f"$ {command}", *lines]

    def write(self, path: Path) -> None:
        """Write the page."""
        table = "".join(f"| {seconds:.0f} | {line} |\n" for seconds, line in self.steps)
        log = "\n".join(f"    {_trimmed(line)}".rstrip() for line in self.log)
        head = HEAD.format(date=datetime.now(UTC).date())
        path.write_text(f"{head}{table}\n## What was said\n\n{log}\n", encoding="utf-8")


def _trimmed(line: str) -> str:
    """Return a line without the places of this computer."""
    for place, shown in ((str(CACHE), "…"), (str(TREE), "."), (str(Path.home()), "~")):
        line = line.replace(place, shown)
    return re.sub(r"(/setup#)\S+", r"\1…", line)
