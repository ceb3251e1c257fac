"""Brings one fault about on a stage, and says what the door saw of it."""

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from .stage import GREEN, RED, Stage, safe, wait_for

Fault = Callable[[Stage], AbstractContextManager[object]]
SHOWN = {"both": "FAULT", "green": "CLEAR", "red": "ALARM", "dark": "dark"}
NOTICED_SECONDS = 2.0  # of what the program notices itself: buzzer and door relay are off by then
OFF_SECONDS = 5.0  # of a killed one, once `python -m device off` has switched its outputs
BACK_SECONDS = 15.0  # until frames are decided again, once the cause is gone


@dataclass(frozen=True)
class Row:
    """A way of breaking the kiosk, and what is to come of it."""

    name: str
    fault: Fault  # there within, gone behind
    standing: str = "masked"  # who stands at the door: the door is released then; bare: the buzzer sounds
    says: str = ""  # pattern of the error line; nothing: the kiosk ends without one, or goes on
    lamp: tuple[str, ...] = ("FAULT", "dark")  # what it comes to show before it works again
    safe_seconds: float = NOTICED_SECONDS
    back_seconds: float = BACK_SECONDS
    goes_on: bool = False  # the kiosk is to notice nothing
    prepare: Fault = nullcontext  # before the kiosk is started


@dataclass(frozen=True)
class Outcome:
    """What came of a row."""

    row: Row
    said: str
    lamp: tuple[str, ...]
    safe: float | None  # seconds; None: the outputs stayed as the scene asks for
    back: float | None  # seconds; None: it never went away
    lost: tuple[str, ...]
    wrong: tuple[str, ...]  # what isn't as the row wants it, times apart


class Missing(Exception):
    """Something that a row needs isn't on this computer."""


def play(row: Row) -> Outcome:
    """Run the kiosk, break it at the worst moment, mend it. Raises Late where that has no end, and Missing."""
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder))
        with row.prepare(stage), stage:
            return _play(row, stage)


def _play(row: Row, stage: Stage) -> Outcome:
    service = stage.service
    wait_for(lambda: service.when("READY=1"), "the first start")
    stage.show(row.standing)
    stage.wait_for_outputs(lambda present: not safe(present))
    kept, told, start = stage.kept(), len(service.log.read_text()), time.monotonic()
    with row.fault(stage):
        if row.goes_on:
            _follows(stage)
        else:
            until_safe = stage.wait_for_outputs(safe, start) - start
            wait_for(lambda: service.when("off", start), "its end")
            if row.says:
                wait_for(lambda: re.search(row.says, service.log.read_text()[told:]), f"the line {row.says!r}")
        lost = tuple(name for name, content in kept.items() if row.goes_on and stage.kept().get(name) != content)
    mended = time.monotonic()
    back = None
    if not row.goes_on:
        back = wait_for(lambda: service.when("READY=1", mended), "the start after it") - mended
    lamps = tuple(SHOWN[lamp] for lamp in stage.lamps(start, mended + (back or 0.0)))
    _follows(stage)
    lost += tuple(name for name, content in kept.items() if stage.kept().get(name) != content)
    log = service.log.read_text()[told:]
    lines = re.findall(r"^(?:error|screen|mqtt): (?!http)(.*)$", log, re.MULTILINE)
    return Outcome(
        row, (lines or [""])[0], lamps, None if row.goes_on else until_safe, back, lost,
        tuple(_wrong(row, lamps, lost, log, len([n for n in service.notes if n.what == "started"]))),
    )  # fmt: skip


def _follows(stage: Stage) -> None:
    """Wait until the lamps show who comes: the kiosk works."""
    for scene, pin in (("bare", RED), ("masked", GREEN)):
        stage.show(scene)
        lit = {RED: 0, GREEN: 0} | {pin: 1}
        stage.wait_for_outputs(lambda present, lit=lit: present == present | lit)  # type: ignore[misc]


def _wrong(row: Row, lamps: tuple[str, ...], lost: tuple[str, ...], log: str, starts: int) -> Iterator[str]:
    if row.says and not re.search(row.says, log):
        yield f"says {log!r}, expected {row.says!r}"
    if "Traceback" in log:
        yield f"a traceback: {log}"
    if not row.goes_on and not set(row.lamp) <= set(lamps):
        yield f"the lamp showed {', '.join(lamps)}, expected {', '.join(row.lamp)}"
    if lost:
        yield f"lost {', '.join(lost)}"
    if row.goes_on and starts > 1:
        yield f"was started {starts} times"


def late(outcome: Outcome) -> Iterator[str]:
    """Say which times of a row weren't kept."""
    for what, found, most in (("safe", outcome.safe, outcome.row.safe_seconds),
                              ("back", outcome.back, outcome.row.back_seconds)):
        if found is not None and found > most:
            yield f"{what} after {found:.1f} s, expected {most:.1f} s"
