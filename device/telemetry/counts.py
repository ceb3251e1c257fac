"""Counts what happens at the door, hour by hour, and keeps it in a small file that survives power cuts.

A write is one transaction a batch of minutes: in WAL mode it appends the pages that it changes, and waits for the card.
"""

import itertools
import logging
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from device.events import Event, Kind, State
from device.folders import state_folder

NAMES = ("visits", "with_mask", "without_mask", "put_on", "taken_off", "starts")
WRITE_SECONDS = 600.0
# Of who is sure for the first time, and of who changes.
VERDICTS = {
    (Kind.VERDICT, State.CLEAR): "with_mask", (Kind.VERDICT, State.ALARM): "without_mask",
    (Kind.CHANGE, State.CLEAR): "put_on", (Kind.CHANGE, State.ALARM): "taken_off",
}  # fmt: skip
COLUMNS = ", ".join(NAMES)
TABLE = f"""
    CREATE TABLE IF NOT EXISTS hours (
        day TEXT NOT NULL, hour INTEGER NOT NULL, {", ".join(f"{name} INTEGER NOT NULL" for name in NAMES)},
        PRIMARY KEY (day, hour)
    ) WITHOUT ROWID
"""
ADD = f"""
    INSERT INTO hours (day, hour, {COLUMNS}) VALUES (?, ?, {", ".join("?" for _ in NAMES)})
    ON CONFLICT DO UPDATE SET {", ".join(f"{name} = {name} + excluded.{name}" for name in NAMES)}
"""  # noqa: S608 - of our own names
# The days that are there are numbered, because a clock may run a year ahead until a server sets it: what was counted
# meanwhile takes the place of as many days, and of none once it lies in the future again.
REMOVE = """
    DELETE FROM hours WHERE day < (SELECT DISTINCT day FROM hours WHERE day <= ? ORDER BY day DESC LIMIT 1 OFFSET ?)
"""

log = logging.getLogger(__name__)

Row = tuple[str | int, ...]  # of an hour: the day, the hour, and NAMES
Hour = tuple[str, int]  # the day as 2026-11-27, and the hour on the wall, 0-23; one that it shows twice is one


def counts_path() -> Path:
    """Return where the file is."""
    return state_folder() / "counts.db"


def name_of(event: Event) -> str | None:
    """Return what an event is counted as; some are nothing."""
    return "visits" if event.kind is Kind.ENTER else VERDICTS.get((event.kind, event.state))


@contextmanager
def _damage_told() -> Iterator[None]:
    """Raise what isn't SQLite's as its own: names that are no UTF-8, sizes that no memory has, a card that fails."""
    try:
        yield
    except (UnicodeDecodeError, MemoryError) as error:
        raise sqlite3.DatabaseError(f"the file is damaged ({error!r})") from error
    except OSError as error:
        raise sqlite3.OperationalError(f"the file can't be reached ({error})") from error


class Counts:
    """What was counted: of today, and what the file doesn't hold yet."""

    def __init__(self, path: Path | None, keep_days: int) -> None:
        """Take the file, which is made if need be; with None, all is forgotten in the end."""
        self._path, self._keep_days = path, keep_days
        self._file: sqlite3.Connection | None = None  # kept open: closing would copy the WAL into the file each time
        self._opened: os.stat_result | None = None  # which file that is
        self._unwritten: dict[Hour, Counter[str]] = {}
        self._day = ""
        self._hours: dict[Hour, Counter[str]] = {}  # of today; the file's and what it doesn't hold yet

    def add(self, moment: datetime, name: str) -> None:
        """Count something at a moment, by the clock on the wall."""
        self.turn(moment)
        hour = self._day, moment.hour
        self._hours.setdefault(hour, Counter())[name] += 1
        if self._path:
            self._unwritten.setdefault(hour, Counter())[name] += 1

    def turn(self, moment: datetime) -> None:
        """Begin anew if it is another day, from what is known of it; what is known of the day before is written."""
        day = moment.date().isoformat()
        if day == self._day:
            return
        with suppress(sqlite3.Error):  # which the next `write` tells
            self.write()
        self._begin(day)

    def _begin(self, day: str) -> None:
        hours = {hour: found.copy() for hour, found in self._unwritten.items() if hour[0] == day}
        with suppress(sqlite3.Error):  # which `write` tells
            for _, hour, *found in rows(self._path, day) if self._path else ():
                hours.setdefault((day, int(hour)), Counter()).update(dict(zip(NAMES, map(int, found), strict=True)))
        self._day, self._hours = day, hours

    @property
    def today(self) -> Counter[str]:
        """What was counted since midnight."""
        return sum(self._hours.values(), Counter())

    def rows(self) -> list[Row]:
        """Return today's hours as they are now, as `rows` yields them of the file; may be called from any thread."""
        return [(*hour, *(found[name] for name in NAMES)) for hour, found in sorted(self._hours.items())]

    @_damage_told()
    def write(self) -> None:
        """Put into the file what isn't there yet, and take out what is too old. Raises sqlite3.Error.

        A damaged file is set aside first, and told in the log.
        """
        if not self._path or not self._unwritten:
            return
        try:
            self._put(self._path)
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:  # no damage, but a full card, or another program's table
                raise
            self._set_aside(self._path, error)
            self._put(self._path)

    @_damage_told()
    def _put(self, path: Path) -> None:
        if self._file and not self._is_at(path):  # its owner has removed it, or put another there
            self.close()
        self._file = self._file or self._open(path)
        found = [(*hour, *(counted[name] for name in NAMES)) for hour, counted in self._unwritten.items()]
        with self._file:
            self._file.executemany(ADD, found)
            self._file.execute(REMOVE, (self._day, self._keep_days - 1))
        self._unwritten.clear()

    def _set_aside(self, path: Path, damage: sqlite3.DatabaseError) -> None:
        self.close()
        names = (f"{path.stem}-damaged-{number}{path.suffix}" for number in itertools.count(1))
        aside = next(file for name in names if not (file := path.with_name(name)).exists())
        for end in ("-wal", "-shm", ""):  # the file last: after a power cut in between, its log is under its new name
            with suppress(FileNotFoundError):
                Path(f"{path}{end}").rename(f"{aside}{end}")
        log.warning("counts: %s is damaged (%s): it is now %s, and counting starts again", path, damage, aside.name)
        self._unwritten |= {hour: found.copy() for hour, found in self._hours.items()}  # it held them

    def _is_at(self, path: Path) -> bool:
        try:
            return self._opened is not None and os.path.samestat(path.stat(), self._opened)
        except FileNotFoundError:
            return False

    def _open(self, path: Path) -> sqlite3.Connection:
        path.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as opening:  # what fails halfway, on a full card, is tried anew from the start
            file = opening.enter_context(closing(sqlite3.connect(path)))
            file.execute("PRAGMA journal_mode = WAL")
            file.execute("PRAGMA synchronous = FULL")
            file.execute(TABLE)
            list(rows(path))  # or /today would fail of what no write comes across
            self._opened = path.stat()
            self._begin(self._day)  # from this file
            opening.pop_all()
        return file

    def close(self) -> None:
        """Let go of the file, written or not."""
        if self._file:
            self._file.close()
            self._file = None


def rows(path: Path, day: str = "") -> Iterator[Row]:
    """Yield day, hour and NAMES of each hour in the file, of one day or of all. Raises sqlite3.Error."""
    with _damage_told():
        if not path.exists():
            return
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
            file.text_factory = bytes.decode  # whose error is told as damage; sqlite3's own is that of a full card too
            query = f"SELECT day, hour, {COLUMNS} FROM hours WHERE day = ? OR ? = '' ORDER BY day, hour"  # noqa: S608
            found = file.execute(query, (day, day)).fetchall()
    for row in found:
        if [type(value) for value in row] != [str, *[int] * (1 + len(NAMES))]:  # SQLite keeps to no type
            raise sqlite3.DatabaseError(f"{path} has a row that is none of an hour: {row}")
        yield row
