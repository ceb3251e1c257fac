"""A camera that fails while the process lives: the unit's times let the kiosk be started again within 15 s."""

import dataclasses
import re

from places import TREE

from device.cameras.frame import STALL_SECONDS
from device.cameras.sight import COVERED_SECONDS, FROZEN_SECONDS
from device.settings import SignalSettings

RESTARTED_SECONDS, OFF_SECONDS = 15, 2  # wanted, and what `python -m device off` may take on a Pi
NOTICE_SECONDS = max(STALL_SECONDS, COVERED_SECONDS, FROZEN_SECONDS)
CLOSE_SECONDS = STALL_SECONDS  # a reading thread is waited for so long


def unit(key: str) -> float:
    found = re.search(rf"^{key}=(\d+)$", (TREE / "systemd" / "mask-kiosk.service").read_text(), re.MULTILINE)
    assert found, key
    return float(found[1])


def most_fault_seconds() -> float:
    """Return the most that may be set."""
    (field,) = (field for field in dataclasses.fields(SignalSettings) if field.name == "fault_seconds")
    return max(tenth / 10 for tenth in range(1000) if field.metadata["check"](tenth / 10))


def test_a_kiosk_that_ends_by_itself_may_show_its_fault_and_close_its_camera_before_it_is_killed() -> None:
    assert most_fault_seconds() + CLOSE_SECONDS < unit("TimeoutStopSec")


def test_it_is_started_again_in_time() -> None:
    restart = unit("TimeoutStopSec") + OFF_SECONDS + unit("RestartSec")  # killed, as if closing the camera hung
    assert NOTICE_SECONDS + restart <= RESTARTED_SECONDS
    assert unit("WatchdogSec") + restart <= RESTARTED_SECONDS  # the loop hangs


def test_whatever_keeps_it_from_starting_is_tried_again_until_it_works() -> None:
    lines = (TREE / "systemd" / "mask-kiosk.service").read_text().splitlines()
    assert {"StartLimitIntervalSec=0", "Restart=always", "RestartSec=1"} <= set(lines)
    assert not [line for line in lines if line.startswith("RestartPreventExitStatus=")]  # for a refused kiosk.toml
