"""Turns the state of this computer into findings: each known trouble of kiosks, why it matters, what to do."""

import itertools
import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from device.doctor import camera, models, packages, pins, screen, service, storage, system, telemetry
from device.doctor.finding import Case, Check, Finding, Level
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

On the workstation, `make doctor HOST=pi@kiosk.local` looks for everything on this page, and prints what it found, why
that matters and what to do. On the kiosk itself, `cd /opt/mask-kiosk/current && sudo venv/bin/python -m device doctor`
does the same. Without `sudo` it can't see which programs of other users hold camera and pins, nor what only the service
may read. If no check runs because the Pi can't be reached, see [below](#if-the-pi-isnt-reached).

**Where to type the commands.** Those that begin with `make` are typed in a terminal on the workstation, in this
project's folder; `make deploy` and `make rollback` need `HOST=pi@kiosk.local` after them. All others are typed on the
Pi, in the shell that `ssh pi@kiosk.local` opens. Where one begins with `python -m`, type two commands:
`cd /opt/mask-kiosk/current`, then `sudo venv/bin/python -m` and the rest.

**How to change a file.** `sudo nano` and the file's name open it in an editor on the Pi: Ctrl-O and Enter save, Ctrl-X
closes. The settings are in `/etc/mask-kiosk/kiosk.toml`: to set a key, remove the `#` before it.

**Levels.** *trouble*: the kiosk doesn't work, or soon won't. *warning*: it works, but not as it should, or not for
long. *note*: worth knowing. *unknown*: the check couldn't run; its line says why. Words in capitals stand for what
differs from kiosk to kiosk.

**Exit codes.** On the kiosk: 0 nothing to do, or a check couldn't run; 1 a warning; 2 trouble. From the workstation,
`python -m deploy doctor pi@kiosk.local` ends with 1 for either, with 2 if it can't be run, and with 3 if the kiosk
can't be reached; `make` turns every failure into 2. `--json` prints one object; `JSON=1` does so with the host's name,
one line a host. In it, `do` has one step a line.

This page is what the checks say of themselves: `python -m device doctor --manual > docs/troubleshooting.md` writes it.

## if the Pi isn't reached

Then no command works that has `HOST=`. What its line says, why, and what to do:

- **Could not resolve hostname**: the name is misspelt, the Pi is off, or this computer or network doesn't know names
  that end in `.local`. Use the Pi's address instead, as `HOST=pi@192.168.1.20`.
- **timed out**, **No route to host**: nothing answers there. See that the Pi has power and is in the same network as
  the workstation. Its first start takes minutes. Guest networks often keep devices apart. The router may have given
  the Pi another address.
- **Connection refused**: the Pi is still starting, or SSH is off. With a keyboard and a monitor at the Pi,
  `sudo systemctl enable --now ssh` switches it on. Or write the card again, with SSH on (docs/deploy.md).
- **it doesn't take your key**: the Pi knows another key, or yours has a passphrase, which `ssh-add` asks for once. If
  the Pi takes a password, `ssh-copy-id pi@kiosk.local` gives it your key. If not, write the card again with your key.
- **its host key isn't known here**: log in once with `ssh pi@kiosk.local`, and answer yes if the fingerprint is the
  Pi's. A name and an address each need this.
- **its host key has changed**: if you wrote the card anew, `ssh-keygen -R kiosk.local` removes the old key; then log
  in once. If you didn't, another computer may be answering in the Pi's place: find out before you answer yes.

**How to find the address.** Your router lists the devices in its network. With a keyboard and a monitor at the Pi,
`hostname -I` prints it. Log in once with `ssh pi@ADDRESS`, and then write `HOST=pi@ADDRESS` in all commands.

## the checks
"""
SEVERAL = "what several checks find"


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
    for place, step in enumerate(_steps(finding.do)):
        lines.append(_paragraph(INDENT, f"{'    ' if place else 'Do: '}{step}"))
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
    told: dict[str, list[Case]] = {}  # what several checks find is written once
    for case in (case for check in CHECKS for case in reversed(check.cases) if case.do):
        told.setdefault(case.found, []).append(case)
    links = ", ".join(map(_link, (*(check.name for check in CHECKS), SEVERAL)))
    parts = [HEAD, textwrap.fill(links, 120, break_on_hyphens=False), ""]
    for check in CHECKS:
        cases = [case for case in reversed(check.cases) if case.do]
        own = [case for case in cases if len(told[case.found]) == 1]
        parts += [f"## {check.name}\n\n{check.why}\n"]
        parts += [_entry(same) for _, same in itertools.groupby(own, lambda case: case.do)]
        if len(own) < len(cases):
            parts.append(f"This check may also find {_link(SEVERAL)}.\n")
    return "\n".join([*parts, f"## {SEVERAL}\n", *(_entry(same) for same in told.values() if len(same) > 1)])


def _link(heading: str) -> str:
    return f"[{heading}](#{heading.replace(' ', '-')})"


def _entry(same: Iterable[Case]) -> str:
    """Return the entry of cases that ask for the same: what each is called, and once what is to be done."""
    levels: dict[str, list[str]] = {}  # a finding's, of all checks that have it
    for case in (case.with_names() for case in same):
        levels.setdefault(case.found, []).append(case.level)
    found = [f"**{' or '.join(sorted(set(those)))}:** {text}\n" for text, those in levels.items()]
    return "\n".join([*found, *_steps(case.do), ""])


def _steps(do: str) -> list[str]:
    """Return what is to be done, numbered where it is more than one step."""
    steps = do.splitlines()
    return [f"{number}. {step}" for number, step in enumerate(steps, 1)] if len(steps) > 1 else steps


def _paragraph(head: str, text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=head, subsequent_indent=INDENT, break_on_hyphens=False,
                         break_long_words=False)
