import resource
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from places import TREE

from device.telemetry.counts import NAMES, WRITE_SECONDS, Counts, rows

NOON = datetime(2026, 11, 27, 12, 0)
LARGEST_DAY = 5_000_000  # bytes


def table(path: Path) -> list[dict[str, str | int]]:
    return [dict(zip(("day", "hour", *NAMES), row, strict=True)) for row in rows(path)]


def test_hours_are_summed_and_today_is_known_again_after_a_start(tmp_path: Path) -> None:
    path = tmp_path / "state" / "counts.db"
    for start in range(3):
        counts = Counts(path, keep_days=90)
        counts.turn(NOON)
        assert counts.today == Counter({"starts": start, "visits": 2 * start} if start else {})
        counts.add(NOON, "starts")
        counts.add(NOON, "visits")
        counts.write()
        counts.add(NOON + timedelta(hours=1), "visits")
        counts.write()
        counts.close()
    none = dict.fromkeys(NAMES, 0)
    assert table(path) == [
        {"day": "2026-11-27", "hour": 12} | none | {"starts": 3, "visits": 3},
        {"day": "2026-11-27", "hour": 13} | none | {"visits": 3},
    ]


def test_a_new_day_begins_at_nothing_and_old_days_go(tmp_path: Path) -> None:
    path = tmp_path / "counts.db"
    counts = Counts(path, keep_days=3)
    for day in range(5):
        counts.add(NOON + timedelta(days=day), "visits")
        assert counts.today == {"visits": 1}
        counts.write()
    assert [row["day"] for row in table(path)] == ["2026-11-29", "2026-11-30", "2026-12-01"]
    counts.turn(NOON + timedelta(days=3))  # the clock was set back
    assert counts.today["visits"] == 1
    counts.close()


def test_a_clock_that_ran_a_year_ahead_costs_no_day(tmp_path: Path) -> None:
    path = tmp_path / "counts.db"
    counts = Counts(path, keep_days=3)
    for days in (0, 1, 365, 366, 2, 3):  # the clock is wrong twice, and set right
        counts.add(NOON + timedelta(days=days), "visits")
        counts.write()
    counts.close()
    assert [row["day"] for row in table(path)] == ["2026-11-28", "2026-11-29", "2026-11-30", "2027-11-27", "2027-11-28"]


@pytest.mark.parametrize("removed", ["counts.db*", "counts.db"])
def test_counts_begin_anew_where_their_file_was_removed(removed: str, tmp_path: Path) -> None:
    path = tmp_path / "counts.db"
    counts = Counts(path, keep_days=90)
    counts.add(NOON, "visits")
    counts.write()
    for file in list(tmp_path.glob(removed)):
        file.unlink()
    for hour in (1, 2):
        counts.add(NOON + timedelta(hours=hour), "with_mask")
        counts.write()
        assert [row["hour"] for row in table(path)] == [13, 14][:hour]
    assert counts.today == {"with_mask": 2}
    counts.close()
    assert [(row["hour"], row["visits"], row["with_mask"]) for row in table(path)] == [(13, 0, 1), (14, 0, 1)]


def test_counts_go_on_from_another_file_that_was_put_there(tmp_path: Path) -> None:
    path, other = tmp_path / "counts.db", tmp_path / "other.db"
    counts, saved = Counts(path, keep_days=90), Counts(other, keep_days=90)
    for each, times in ((counts, 2), (saved, 5)):
        for _ in range(times):
            each.add(NOON, "visits")
        each.write()
    saved.close()
    for file in list(tmp_path.glob("counts.db*")):
        file.unlink()
    other.rename(path)
    counts.add(NOON, "visits")
    counts.write()
    assert counts.today == {"visits": 6}
    counts.close()
    assert [row["visits"] for row in table(path)] == [6]


def test_a_day_that_has_begun_finds_the_day_before_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "counts.db"
    counts = Counts(path, keep_days=90)
    counts.add(NOON.replace(hour=23), "visits")
    counts.turn(NOON + timedelta(days=1))
    assert [(row["day"], row["hour"], row["visits"]) for row in table(path)] == [("2026-11-27", 23, 1)]
    assert counts.rows() == []
    counts.close()


def test_a_power_cut_costs_the_last_minutes_at_most(tmp_path: Path) -> None:
    """The file is whole, with all of a prefix of the batches, wherever the write-ahead log was cut off or damaged."""
    path = tmp_path / "counts.db"
    counts = Counts(path, keep_days=90)
    for minute in range(8):
        counts.add(NOON + timedelta(minutes=10 * minute), "visits")
        counts.write()
    whole, wal = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    counts.close()
    assert len(wal) > 4096
    seen = set()
    for length in (*range(0, len(wal), 2060), len(wal)):  # half a page each
        for tail in (b"", b"\xff" * 3000):
            folder = tmp_path / "cut"
            folder.mkdir()
            cut = folder / "counts.db"
            cut.write_bytes(whole)
            Path(f"{cut}-wal").write_bytes(wal[:length] + tail)
            again = Counts(cut, keep_days=90)
            again.add(NOON, "starts")
            again.write()
            again.close()
            with closing(sqlite3.connect(cut)) as file:
                assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            seen.add(sum(int(row["visits"]) for row in table(cut)))
            shutil.rmtree(folder)
    assert seen == set(range(9))


def test_a_killed_kiosk_leaves_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "counts.db"
    code = (
        "import os, sys\nfrom datetime import datetime\nfrom pathlib import Path\n"
        "from device.telemetry.counts import Counts\n"
        "counts = Counts(Path(sys.argv[1]), 90)\ncounts.add(datetime(2026, 11, 27, 12), 'visits')\ncounts.write()\n"
        "counts.add(datetime(2026, 11, 27, 12), 'visits')\nos.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, path], cwd=TREE, check=False).returncode == -9
    assert [row["visits"] for row in table(path)] == [1]


def test_a_day_writes_less_than_five_megabytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A busy day: something is counted in every batch, into a file of as many days as by default are kept."""
    counts = Counts(tmp_path / "counts.db", keep_days=90)
    for hour in range(90 * 24):
        counts.add(NOON + timedelta(hours=hour), "visits")
    counts.write()
    before, batches = written(), round(24 * 3600 / WRITE_SECONDS)
    for batch in range(batches):
        counts.add(NOON + timedelta(days=90, seconds=batch * WRITE_SECONDS), "visits")
        counts.write()
    counts.close()
    found = written() - before
    with capsys.disabled():
        print(f"\n{batches} batches wrote {found / 1e6:.2f} MB")
    assert 0 < found <= LARGEST_DAY


def written() -> int:
    """Return the bytes that this process has handed to write calls."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["wchar"])


def test_damaged_files_are_set_aside_each_under_its_own_name_and_counts_begin_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "counts.db"
    for number in (1, 2):
        path.write_bytes(f"no database {number}".encode() * 1000)
        for start in (1, 2):
            counts = Counts(path, keep_days=90)
            counts.add(NOON, "visits")
            counts.write()
            assert counts.today == {"visits": start}
            counts.close()
        assert [row["visits"] for row in table(path)] == [2]
        aside = tmp_path / f"counts-damaged-{number}.db"
        assert aside.read_bytes() == f"no database {number}".encode() * 1000
    assert caplog.messages == [
        f"counts: {path} is damaged (file is not a database): it is now counts-damaged-{number}.db, and counting "
        "starts again"
        for number in (1, 2)
    ]


def test_damage_while_the_kiosk_runs_costs_nothing_of_today(tmp_path: Path) -> None:
    path = tmp_path / "counts.db"
    counts = Counts(path, keep_days=90)
    for day in (0, 1):
        counts.add(NOON + timedelta(days=day), "visits")
        counts.write()
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(4096)  # the table's page
        file.write(b"\xff" * 4096)
    with closing(sqlite3.connect(path)) as other, other:  # which keeps the log from being put into the file
        other.execute("CREATE TABLE other (x)")  # so that the kiosk's connection reads the pages anew
        other.commit()
        counts.add(NOON + timedelta(days=1, hours=1), "with_mask")
        counts.write()
        assert (tmp_path / "counts-damaged-1.db-wal").stat().st_size > 4096
    assert counts.today == {"visits": 1, "with_mask": 1}
    counts.close()
    assert [(row["day"], row["hour"], row["visits"], row["with_mask"]) for row in table(path)] == [
        ("2026-11-28", 12, 1, 0), ("2026-11-28", 13, 0, 1),
    ]
    assert (tmp_path / "counts-damaged-1.db").exists()


@pytest.mark.parametrize(
    "damage",
    ["UPDATE hours SET hour = 'noon'", "UPDATE hours SET visits = x'00'", "UPDATE hours SET day = CAST(x'ff' AS TEXT)"],
)
def test_a_row_that_is_none_is_told_and_its_file_set_aside(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "counts.db"
    counts = Counts(path, keep_days=90)
    counts.add(NOON, "visits")
    counts.write()
    counts.close()
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(damage)
    with pytest.raises(sqlite3.DatabaseError):
        table(path)
    again = Counts(path, keep_days=90)
    again.add(NOON, "visits")
    assert again.today == {"visits": 1}
    again.write()
    again.close()
    assert [row["visits"] for row in table(path)] == [1]
    with pytest.raises(sqlite3.DatabaseError):
        table(tmp_path / "counts-damaged-1.db")


def test_a_damaged_name_in_the_file_is_told_as_damage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "counts.db"
    counts = Counts(path, keep_days=90)
    counts.add(NOON, "visits")
    counts.write()
    counts.close()
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE hours", b"CREATE TABLE ho \xe0s"))
    with pytest.raises(sqlite3.DatabaseError, match="the file is damaged"):
        table(path)
    again = Counts(path, keep_days=90)
    again.add(NOON, "visits")
    again.write()
    again.close()
    assert "counts-damaged-1.db" in caplog.text
    assert [row["visits"] for row in table(path)] == [1]


def test_a_table_of_another_program_is_told_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "counts.db"
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("CREATE TABLE hours (opened TEXT)")
    counts = Counts(path, keep_days=90)
    counts.add(NOON, "visits")
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="no such column"):
            counts.write()
    assert counts.today == {"visits": 1}
    counts.close()
    assert [file.name for file in tmp_path.iterdir()] == ["counts.db"]


def test_a_file_that_could_not_be_made_is_made_once_it_can(tmp_path: Path) -> None:
    path = tmp_path / "counts.db"
    counts = Counts(path, keep_days=90)
    counts.add(NOON, "visits")
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, most[1]))  # as on a full card
        with pytest.raises(sqlite3.OperationalError):
            counts.write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    counts.write()
    counts.close()
    assert [(row["day"], row["visits"]) for row in table(path)] == [("2026-11-27", 1)]


def test_a_folder_that_cannot_be_reached_costs_no_count(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 300) / "counts.db"
    counts = Counts(path, keep_days=90)
    counts.add(NOON, "visits")
    assert counts.today == {"visits": 1}
    for read in (lambda: table(path), counts.write):
        with pytest.raises(sqlite3.OperationalError, match="can't be reached"):
            read()
