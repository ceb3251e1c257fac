"""Turns the state of this computer into findings: each known trouble of kiosks, why it matters, what to do."""

import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from device.doctor import camera, models, packages, pins, screen, service, storage, system, telemetry
from device.doctor.finding import Check, Finding, Level
from device.doctor.host import Host

CHECKS: tuple[Check, ...] = (
    *system.CHECKS,
    *storage.CHECKS,
    *packages.CHECKS,
    *models.CHECKS,
    *camera.CHECKS,
    *pins.CHECKS,
    *service.CHECKS,
    *screen.CHECKS,
    *telemetry.CHECKS,
)
URGENCY = tuple(Level)  # least urgent first
EXIT_CODES = {Level.WARNING: 1, Level.TROUBLE: 2}  # of the worst finding; the others are 0
WIDTH = 110  # characters of a line
NAME_WIDTH = max(len(check.name) for check in CHECKS) + 2
LEVEL_WIDTH = max(len(level) for level in Level) + 2
INDENT = " " * (LEVEL_WIDTH + NAME_WIDTH)

HEAD = """\
# What can be wrong with a kiosk, and what to do

`make doctor HOST=pi@kiosk.local` on the workstation looks for all of this, and prints what it finds and what to do. On
the kiosk itself, `cd /opt/mask-kiosk/current && sudo venv/bin/python -m device doctor` does; without `sudo` it sees
neither which programs of other users hold camera and pins, nor what the service alone may read.

Exit codes on the kiosk: 0 nothing to do, or a check that couldn't run; 1 a warning; 2 a trouble. From the workstation,
`python -m deploy doctor pi@kiosk.local` ends with 1 for either, and with 2 or 3 where it can't be run or reached;
`make` turns every failure into 2. `--json` prints one object; `JSON=1` does so with the host's name, one line a host.

This page is what the checks say of themselves: `python -m device doctor --manual > docs/troubleshooting.md` writes it.
Words in capitals stand for what differs from kiosk to kiosk.
"""


def examine(host: Host, checks: Iterable[Check] = CHECKS) -> Iterator[Finding]:
    """Make check after check; none keeps another from being made."""
    for check in checks:
        yield check.finding(host)


def worst(findings: Sequence[Finding]) -> Level:
    """Return the level of the most urgent finding."""
    return max((finding.level for finding in findings), key=URGENCY.index, default=Level.OK)


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 2 for any trouble, else 1 for any warning, else 0."""
    return EXIT_CODES.get(worst(findings), 0)


def as_text(finding: Finding) -> str:
    """Return a finding for people: one line, and for what asks for something also why, and what to do."""
    lines = [_paragraph(f"{finding.level:<{LEVEL_WIDTH}}{finding.name:<{NAME_WIDTH}}", finding.found)]
    if finding.level in EXIT_CODES:
        lines.append(_paragraph(INDENT, f"Why: {finding.why}"))
    if finding.do:
        lines.append(_paragraph(INDENT, f"Do: {finding.do}"))
    return "\n".join(lines)


def summary(findings: Sequence[Finding]) -> str:
    """Return the last line for people."""
    counts = Counter(finding.level for finding in findings)
    return f"{len(findings)} checks: " + ", ".join(f"{counts[level]} {level}" for level in reversed(URGENCY))


def as_json(findings: Sequence[Finding]) -> str:
    """Return all findings as one object on one line."""
    return json.dumps({"worst": worst(findings), "findings": [vars(finding) for finding in findings]})


def manual() -> str:
    """Return docs/troubleshooting.md: every case of every check that asks for something."""
    parts = [HEAD]
    for check in CHECKS:
        parts.append(f"## {check.name}\n\n{check.why}\n")
        cases = [case.with_names() for case in check.cases if case.do]
        parts.append("| finding | level | what to do |\n| --- | --- | --- |\n" + "".join(
            f"| {_cell(case.found)} | {case.level} | {_cell(case.do)} |\n" for case in reversed(cases)
        ))
    return "\n".join(parts)


def _paragraph(head: str, text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=head, subsequent_indent=INDENT, break_on_hyphens=False,
                         break_long_words=False)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
