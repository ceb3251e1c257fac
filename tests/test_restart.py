"""A camera that fails while the process lives: the unit's times let the kiosk be started again within 15 s."""

import dataclasses
import re

from footprint import TREE

from device.cameras.frame import STALL_SECONDS
from device.cameras.sight import COVERED_SECONDS, FROZEN_SECONDS
from device.settings import SignalSettings

RESTARTED_SECONDS, OFF_SECONDS = 15, 2  # wanted, and what `python -m device off` may take on a Pi
# At least, of two Pythons that refuse a kiosk.toml: 0.4 s on a desktop. Of a program that isn't there: systemd's own.
REFUSED_SECONDS, ABSENT_SECONDS = 0.2, 0.05
NOTICE_SECONDS = max(STALL_SECONDS, COVERED_SECONDS, FROZEN_SECONDS)
CLOSE_SECONDS = STALL_SECONDS  # a reading thread is waited for so long


def unit(key: str) -> float:
    found = re.search(rf"^{key}=(\d+)$", (TREE / "systemd" / "mask-kiosk.service").read_text(), re.MULTILINE)
    assert found, key
    return float(found[1])


def fault_seconds() -> tuple[float, float]:
    """Return the least and the most that may be set."""
    (field,) = (field for field in dataclasses.fields(SignalSettings) if field.name == "fault_seconds")
    allowed = [tenth / 10 for tenth in range(1000) if field.metadata["check"](tenth / 10)]
    return allowed[0], allowed[-1]


def test_a_kiosk_that_ends_by_itself_may_show_its_fault_and_close_its_camera_before_it_is_killed() -> None:
    assert fault_seconds()[1] + CLOSE_SECONDS < unit("TimeoutStopSec")


def test_it_is_started_again_in_time() -> None:
    restart = unit("TimeoutStopSec") + OFF_SECONDS + unit("RestartSec")  # killed, as if closing the camera hung
    assert NOTICE_SECONDS + restart <= RESTARTED_SECONDS
    assert unit("WatchdogSec") + restart <= RESTARTED_SECONDS  # the loop hangs


def test_a_camera_that_stays_blind_is_never_given_up() -> None:
    cycle = fault_seconds()[0] + unit("RestartSec")  # at least; starting takes longer
    assert (unit("StartLimitBurst") - 1) * cycle > unit("StartLimitIntervalSec")


def test_a_kiosk_toml_that_is_refused_is_read_again_until_it_is_right_and_a_venv_that_is_missing_is_given_up() -> None:
    lasts = [(unit("StartLimitBurst") - 1) * (unit("RestartSec") + each) for each in (ABSENT_SECONDS, REFUSED_SECONDS)]
    assert lasts[0] < unit("StartLimitIntervalSec") < lasts[1]
