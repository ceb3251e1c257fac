"""Gathers the events of a recording into visits, and compares them with a table of what is truly seen in it."""

import csv
import dataclasses
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from device.errors import KioskError
from device.events import Event, Kind, State

COLUMNS = ("video", "enter", "leave", "answer")
WITH_MASK, WITHOUT_MASK, POSTER = "with_mask", "without_mask", "poster"
ANSWERS = {State.CLEAR: WITH_MASK, State.ALARM: WITHOUT_MASK}
OFF_SECONDS = 2.0  # a table made by hand may make a visit so much too short, while a poster hangs there all along
THEN = ">"  # between two answers of one visit: a mask was put on, or taken off


class VisitsError(KioskError, ValueError):
    """A table of visits that can't be understood."""


@dataclass(frozen=True)
class Visit:
    """One person's visit, as it was told."""

    number: int
    enter: float  # seconds: when the face was first seen
    leave: float  # seconds: when it was last seen; the recording's end if that came before it was told to leave
    answers: tuple[str, ...]  # WITH_MASK and WITHOUT_MASK in turn; none: it never was sure
    told: tuple[float, ...]  # seconds: when each was told


@dataclass(frozen=True)
class TrueVisit:
    """One person's visit, as it was."""

    enter: float  # seconds
    leave: float  # seconds
    answers: tuple[str, ...]  # as a Visit's, or POSTER alone
    visible: float  # seconds: from here on the face is well seen


def gather(events: Iterable[Event], seconds: float) -> list[Visit]:
    """Return the visits that events tell of, by number; seconds: when the recording ends."""
    visits: dict[int, Visit] = {}
    for event in events:
        if event.kind is Kind.ENTER:
            visits[event.visit] = Visit(event.visit, event.seen, seconds, (), ())
            continue
        visit = visits[event.visit]
        if event.kind is Kind.LEAVE:
            visits[event.visit] = dataclasses.replace(visit, leave=event.seen)
        else:
            answers, told = (*visit.answers, ANSWERS[event.state]), (*visit.told, event.at)
            visits[event.visit] = dataclasses.replace(visit, answers=answers, told=told)
    return list(visits.values())


def read_visits(path: Path) -> dict[str, list[TrueVisit]]:
    """Read a table of true visits; return them by the name of the recording, which may have none.

    Raises VisitsError with one line that names the file and the line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets write that mark
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise VisitsError(f"{path}: has no column {missing[0]}, expected {', '.join(COLUMNS)}: see --help")
            visits: dict[str, list[TrueVisit]] = {}
            for row in reader:
                found = visits.setdefault(row["video"], [])
                if row["enter"] or row["leave"] or row["answer"]:
                    found.append(_true_visit(row, f"{path}, line {reader.line_num}"))
    except OSError as error:
        raise VisitsError(f"{path}: can't be read ({error.strerror}): check the path and its permissions") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise VisitsError(f"{path}: is no table of visits ({error}): see --help") from error
    return visits


def name_of(video: Path) -> str:
    """Return a recording's name, without the folder; of `.` and `..` too."""
    return Path(os.path.abspath(video)).name  # noqa: PTH100 - Path.absolute leaves each .. in


def require_named(videos: Iterable[Path], true: Mapping[str, Sequence[TrueVisit]]) -> None:
    """Raise VisitsError for a recording that a table of true visits doesn't name, or names together with another."""
    named: dict[str, Path] = {}
    for video in videos:
        name = name_of(video)
        other = named.setdefault(name, video)
        if other.resolve() != video.resolve():
            raise VisitsError(
                f"{other} and {video}: have the same name, so --visits can't tell them apart: rename one"
            )
        if name not in true:
            raise VisitsError(f"{name}: is in no line of --visits, expected one at least: add it, see --help")


def _true_visit(row: dict[str, str], where: str) -> TrueVisit:
    answers = tuple((row["answer"] or "").split(THEN))
    if answers != (POSTER,) and not set(answers) <= set(ANSWERS.values()):
        raise VisitsError(
            f"{where}: answer is {row['answer']!r}, expected {WITH_MASK}, {WITHOUT_MASK}, some of them with {THEN!r} "
            f"between, or {POSTER}: correct it"
        )
    try:
        enter, leave = float(row["enter"]), float(row["leave"])
        visible = float(row.get("visible") or enter)
    except (TypeError, ValueError) as error:
        raise VisitsError(f"{where}: {error}, expected seconds: correct it") from error
    if not 0 <= enter <= visible <= leave < math.inf:
        raise VisitsError(
            f"{where}: enter {enter}, visible {visible} and leave {leave}, expected seconds in this order: correct it"
        )
    return TrueVisit(enter, leave, answers, visible)


def is_of_poster(visit: Visit, true: Sequence[TrueVisit]) -> bool:
    """Tell whether what was told is likelier of a poster than of one of the people who were there then, or of nobody.

    It is where a poster was there for longer than any of them, and none of them had this answer.
    """
    people = [truth for truth in true if truth.answers != (POSTER,)]
    if any(abs(truth.enter - visit.enter) <= OFF_SECONDS for truth in people):
        return False  # it is somebody's who came then, and may have been taken for the poster once they had gone
    there = [truth for truth in true if _is_there(visit, truth)]
    return bool(there) and max(there, key=lambda truth: _rank(visit, truth)).answers == (POSTER,)


def told_of(visits: Sequence[Visit], people: Sequence[TrueVisit]) -> tuple[list[list[Visit]], list[Visit]]:
    """Return the visits told of each true one, the one that fits best first, and those told where nobody was.

    A visit that is nobody's best is one more of somebody who was there when it began or for half of it: of one with the
    same answer and that half, else of the one with whom it shares most.
    """
    pairs = _match(visits, people)
    told = [[visits[pairs[i]]] if i in pairs else [] for i in range(len(people))]
    nobodys = []
    for j, visit in enumerate(visits):
        if j in pairs.values():
            continue
        there = [i for i, truth in enumerate(people) if _is_there(visit, truth)]
        if there:
            told[max(there, key=lambda i: _rank(visit, people[i]))].append(visit)
        else:
            nobodys.append(visit)
    return told, nobodys


def _match(visits: Sequence[Visit], true: Sequence[TrueVisit]) -> dict[int, int]:
    """Return which visit, by its place in the list, belongs to each true one, by its place.

    They are paired one after the other: those first that share half of their time and the answer, because of two people
    who stand there at once it isn't told which is which; then those that share most of their time. Of people who share
    as much, one with the same answer comes first, then one who is bare: an alarm while one is there isn't wrong.
    """
    fits = []
    for i, truth in enumerate(true):
        for j, visit in enumerate(visits):
            share, same = _shared(visit, truth), visit.answers == truth.answers
            if share > 0:
                fits.append(((same and share >= 0.5, share, same, WITHOUT_MASK in truth.answers), i, j))
    pairs: dict[int, int] = {}
    for _, i, j in sorted(fits, key=lambda fit: fit[0], reverse=True):
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    return pairs


def _is_there(visit: Visit, truth: TrueVisit) -> bool:
    return truth.enter <= visit.enter <= truth.leave or _half(visit, truth)


def _rank(visit: Visit, truth: TrueVisit) -> tuple[bool, float, bool]:
    """Return a rank: the higher, the likelier this true visit is the one that was told."""
    seconds = _both(visit, truth) - (OFF_SECONDS if truth.answers == (POSTER,) else 0.0)
    return visit.answers == truth.answers and _half(visit, truth), seconds, WITHOUT_MASK in truth.answers


def _half(visit: Visit, truth: TrueVisit) -> bool:
    return _both(visit, truth) >= (visit.leave - visit.enter) / 2


def _shared(visit: Visit, truth: TrueVisit) -> float:
    """Return the share, 0-1, of the time of a visit and a true one that both have."""
    both = _both(visit, truth)
    return both / (max(visit.leave, truth.leave) - min(visit.enter, truth.enter)) if both > 0 else 0.0


def _both(visit: Visit, truth: TrueVisit) -> float:
    """Return for how many seconds both are there; less than 0 if they are never at once."""
    return min(visit.leave, truth.leave) - max(visit.enter, truth.enter)
