"""The virtual Pi from outside: commands in it, pictures before its camera, what its outputs did, and its power."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2

TREE = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
CACHE = Path(os.environ.get("MASK_KIOSK_PI") or Path.home() / ".cache" / "mask-kiosk-pi")
UNIT = "mask-kiosk.service"
BUTTON = 6
FRAME = (320, 240)  # width, height: as feeder.py
PATIENCE_SECONDS = 900.0  # here, where an emulated second may take twenty


class Levels(NamedTuple):
    """What recorder.py saw of the outputs, from a moment on."""

    at: float  # seconds since the guest was started
    red: int
    green: int
    buzzer: int
    relay: int


def ssh_for_others() -> None:
    """Write the ssh that commands of the docs find first on PATH: every name is the guest."""
    program = CACHE / "bin" / "ssh"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {CACHE}/ssh_config "$@"\n')
    program.chmod(0o755)


def environment() -> dict[str, str]:
    """Return the environment of commands that go to the guest, as if typed: not what `make` gives a make below it."""
    typed = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    return typed | {"PATH": f"{CACHE}/bin:{os.environ['PATH']}"}


def guest(command: str, given: bytes = b"", *, check: bool = True) -> str:
    """Run a command as root in the guest; return what it prints."""
    done = subprocess.run(
        ["ssh", "-F", CACHE / "ssh_config", "root", command], input=given, capture_output=True, timeout=900, check=False
    )
    assert not check or done.returncode == 0, (command, done.returncode, done.stdout, done.stderr)
    return done.stdout.decode().strip()


def power(word: str) -> None:
    """Switch the guest on or off, or wait until it answers."""
    subprocess.run([HERE / "power.sh", word], check=True)


def now() -> float:
    """Return the seconds since the guest was started."""
    return float(guest("cut -d ' ' -f 1 /proc/uptime"))


def levels(since: float = 0.0) -> list[Levels]:
    """Return what the outputs were at a moment, and every change since."""
    lines = [line.split() for line in guest("cat /run/recorder/levels").splitlines()]
    history = [Levels(float(line[0]), *map(int, line[1:])) for line in lines if len(line) == len(Levels._fields)]
    first = max((place for place, each in enumerate(history) if each.at <= since), default=0)
    return history[first:]


def shine(*, red: int, green: int, relay: int) -> Callable[[], bool]:
    """Return what tells whether lamps and relay are so, whatever the buzzer does."""
    return lambda: (levels()[-1].red, levels()[-1].green, levels()[-1].relay) == (red, green, relay)


def until(what: Callable[[], bool], wanted: str, patience: float = PATIENCE_SECONDS) -> None:
    """Return when something holds."""
    deadline = time.monotonic() + patience
    while not what():
        assert time.monotonic() < deadline, (
            f"not seen in {patience:.0f} s: {wanted}; {levels()[-5:]}\n{guest(f'journalctl -u {UNIT} -n 40')}"
        )
        time.sleep(1)  # each look costs the guest more than a frame of its camera


def show(name: str) -> None:
    """Put one of the golden pictures before the camera."""
    luma = cv2.imread(str(TREE / "models" / "golden" / "door" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
    assert luma is not None
    guest("cat >/run/feeder/new && mv /run/feeder/new /run/feeder/picture", cv2.resize(luma, FRAME).tobytes())


def unit(name: str) -> str:
    """Return a property of the kiosk's unit."""
    return guest(f"systemctl show --property={name} --value {UNIT}")


def release() -> str:
    """Return the release that runs."""
    main = guest(f"tr '\\0' ' ' </proc/$(systemctl show --property=MainPID --value {UNIT})/cmdline")
    link = guest("readlink /opt/mask-kiosk/current")
    found = re.search(r"/releases/([^/]+)/", main.replace("/opt/mask-kiosk/current", link))
    assert found, (main, link)
    return found[1]
