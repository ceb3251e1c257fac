import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from device.signals.quiet_hours import QuietHours, is_clock, is_time_zone

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def changes(begin: str, end: str, zone: str, first: str, hours: int) -> list[str]:
    """Return each minute, in UTC, at which it becomes quiet or loud within some hours."""
    hours_of_quiet, found = QuietHours.read(begin, end, zone), []
    start = datetime.fromisoformat(first).replace(tzinfo=UTC)
    before = hours_of_quiet.hold(start)
    for minute in range(1, 60 * hours):
        moment = start + timedelta(minutes=minute)
        now = hours_of_quiet.hold(moment)
        # The answer is the moment's, whatever zone it is written in.
        assert hours_of_quiet.hold(moment.astimezone(ZoneInfo("Asia/Kathmandu"))) is now
        if now is not before:
            found.append(f"{'quiet' if now else 'loud'} {moment:%d %H:%M}")
        before = now
    return found


def test_they_last_over_midnight_or_within_a_day_or_never() -> None:
    assert changes("22:00", "06:30", "UTC", "2026-06-01T12:00", 24) == ["quiet 01 22:00", "loud 02 06:30"]
    assert changes("13:00", "15:00", "UTC", "2026-06-01T12:00", 24) == ["quiet 01 13:00", "loud 01 15:00"]
    assert changes("22:00", "00:00", "UTC", "2026-06-01T12:00", 24) == ["quiet 01 22:00", "loud 02 00:00"]
    assert changes("00:00", "00:00", "UTC", "2026-06-01T12:00", 48) == []
    # The Azores show 00:00 to 01:00 twice on 25 October.
    assert changes("00:00", "00:00", "Atlantic/Azores", "2026-10-24T12:00", 24) == []
    assert not QuietHours.read("00:00", "00:00", "UTC").hold(datetime(2026, 6, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("begin", "end", "zone", "evening", "expected"),
    [
        # Berlin skips 02:00 to 03:00 on 29 March (01:00 UTC), and shows it twice on 25 October (00:00 to 02:00 UTC).
        ("22:00", "06:30", BERLIN, "2026-03-28T12:00", ["quiet 28 21:00", "loud 29 04:30"]),
        ("22:00", "06:30", BERLIN, "2026-10-24T12:00", ["quiet 24 20:00", "loud 25 05:30"]),
        ("22:00", "02:30", BERLIN, "2026-03-28T12:00", ["quiet 28 21:00", "loud 29 01:00"]),
        ("02:30", "06:00", BERLIN, "2026-03-28T12:00", ["quiet 29 01:00", "loud 29 04:00"]),
        ("02:15", "02:45", BERLIN, "2026-03-28T12:00", []),
        ("22:00", "02:30", BERLIN, "2026-10-24T12:00", ["quiet 24 20:00", "loud 25 01:30"]),
        ("02:30", "06:00", BERLIN, "2026-10-24T12:00", ["quiet 25 00:30", "loud 25 05:00"]),
        ("02:15", "02:45", BERLIN, "2026-10-24T12:00", ["quiet 25 00:15", "loud 25 01:45"]),
        # New York skips 02:00 to 03:00 on 8 March (07:00 UTC), and shows 01:00 to 02:00 twice on 1 November.
        ("22:00", "06:30", NEW_YORK, "2026-03-07T18:00", ["quiet 08 03:00", "loud 08 10:30"]),
        ("22:00", "06:30", NEW_YORK, "2026-10-31T18:00", ["quiet 01 02:00", "loud 01 11:30"]),
        ("02:30", "06:00", NEW_YORK, "2026-03-07T18:00", ["quiet 08 07:00", "loud 08 10:00"]),
        ("22:00", "01:30", NEW_YORK, "2026-10-31T18:00", ["quiet 01 02:00", "loud 01 06:30"]),
        ("01:30", "05:00", NEW_YORK, "2026-10-31T18:00", ["quiet 01 05:30", "loud 01 10:00"]),
    ],
)
def test_a_night_in_which_the_clocks_change_has_one_begin_and_one_end(
    begin: str, end: str, zone: str, evening: str, expected: list[str]
) -> None:
    assert changes(begin, end, zone, evening, 20) == expected


@pytest.fixture
def _in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as context:
        context.setenv("TZ", NEW_YORK)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_in_new_york")
def test_without_a_zone_they_are_in_the_computers_own() -> None:
    for evening in ("2026-03-07T18:00", "2026-10-31T18:00"):
        assert changes("22:00", "01:30", "local", evening, 20) == changes("22:00", "01:30", NEW_YORK, evening, 20)


def test_what_is_a_time_and_what_a_zone() -> None:
    texts = ("00:00", "23:59", "24:00", "7:00", "0700", "07:00:00", "0\u0667:00", "")
    assert [text for text in texts if is_clock(text)] == ["00:00", "23:59"]
    names = ("local", BERLIN, "Asia/Kathmandu", "Europe", "Europe/Berlim", "../UTC", "/etc/passwd", "\0", "")
    assert [name for name in names if is_time_zone(name)] == ["local", BERLIN, "Asia/Kathmandu"]
