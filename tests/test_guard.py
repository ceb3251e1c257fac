"""What becomes of the outputs when the process of the kiosk ends, by itself or killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from places import TREE

KIOSK = """
import os, signal, sys
from device.guard import Guard
from device.settings import SignalSettings

with Guard(SignalSettings(relay_pin=16, camera_pin=25, lamps_active_high=False), "auto"):
    {end}
"""
OFF = {"17 1", "27 1", "25 1", "22 0", "16 0"}


def end(how: str, folder: Path) -> tuple[int, set[str]]:
    """Return the exit code of a kiosk that ends so, and what was claimed once all its processes were gone."""
    claims = folder / "claims"
    (folder / "tmp").mkdir()
    environment = os.environ | {
        "PYTHONPATH": f"{folder}:{TREE}:{TREE / 'tests' / 'fakes'}", "LGPIO_CLAIMS": str(claims),
        "TMPDIR": str(folder / "tmp"),
    }  # fmt: skip
    # Its output ends with the last process that holds it.
    done = subprocess.run(
        [sys.executable, "-c", KIOSK.format(end=how)], env=environment, capture_output=True, check=False, timeout=60
    )
    assert done.stderr == b"" or done.returncode == 1, done.stderr
    assert list((folder / "tmp").iterdir()) == []
    return done.returncode, set(claims.read_text().splitlines()) if claims.exists() else set()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_kiosk_that_was_killed_has_every_output_switched_off(tmp_path: Path, number: signal.Signals) -> None:
    assert end(f"os.kill(os.getpid(), {number.value})", tmp_path) == (-number, OFF)


def test_the_signal_that_stops_all_of_a_service_does_not_stop_its_guard(tmp_path: Path) -> None:
    assert end("os.setpgid(0, 0); os.killpg(0, signal.SIGTERM)", tmp_path) == (-signal.SIGTERM, OFF)


@pytest.mark.parametrize(("how", "code"), [("pass", 0), ("raise ValueError", 1), ("sys.exit(3)", 3)])
def test_a_kiosk_that_ends_by_itself_is_left_to_itself(tmp_path: Path, how: str, code: int) -> None:
    assert end(how, tmp_path) == (code, set())


def test_a_guard_that_has_ended_before_takes_nothing_from_how_the_kiosk_ends(tmp_path: Path) -> None:
    (tmp_path / "lgpio.py").write_text(
        "class error(Exception): pass\n\ndef gpiochip_open(number): raise error('can not open gpiochip')\n"
    )
    assert end("os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT); sys.exit(3)", tmp_path) == (3, set())
