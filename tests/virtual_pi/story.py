"""The whole story on the virtual Pi: from nothing to a judging door, through updates, power cuts, back to nothing.

Levels are read from the simulated chip, outside of the kiosk's process. `make test-pi` runs this on a guest that is up.
Each line is a step that held, with the seconds that it took under emulation.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

TREE = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
CACHE = Path(os.environ.get("MASK_KIOSK_PI") or Path.home() / ".cache" / "mask-kiosk-pi")
HOST = "pi@kiosk"
UNIT = "mask-kiosk.service"
CHIP = "/sys/devices/platform/gpio-sim/gpiochip0"
RED, GREEN, BUZZER, RELAY, BUTTON = 17, 27, 22, 16, 6
PICTURES = TREE / "models" / "golden" / "door"
FRAME = (640, 480)  # width, height: as feeder.py
PATIENCE_SECONDS = 300.0
SETTINGS = f"""\
[camera]
source = "usb:10"
[signals]
relay_pin = {RELAY}
button_pin = {BUTTON}
beeps = 20
release_seconds = 30
"""


def guest(command: str, given: bytes = b"") -> str:
    """Run a command as root in the guest; return what it prints."""
    done = subprocess.run(
        ["ssh", "-F", CACHE / "ssh_config", "root@kiosk", command],
        input=given,
        capture_output=True,
        timeout=600,
        check=True,
    )
    return done.stdout.decode().strip()


def power(word: str) -> None:
    """Switch the guest on or off, or wait until it answers."""
    subprocess.run([HERE / "power.sh", word], check=True)


def levels() -> tuple[int, ...]:
    """Return the levels of red, green, buzzer and relay."""
    names = " ".join(f"{CHIP}/sim_gpio{pin}/value" for pin in (RED, GREEN, BUZZER, RELAY))
    return tuple(int(level) for level in guest(f"cat {names}").split())


def until(what: Callable[[], bool], wanted: str) -> None:
    """Return when something holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline, f"{wanted}; levels {levels()}\n{guest(f'journalctl -u {UNIT} -n 30')}"
        time.sleep(0.2)


def show(name: str) -> None:
    """Put a picture before the camera."""
    luma = cv2.imread(str(PICTURES / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
    assert luma is not None
    guest("cat >/run/feeder/new && mv /run/feeder/new /run/feeder/picture", cv2.resize(luma, FRAME).tobytes())


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print a step and how long it took."""
    began = time.monotonic()
    yield
    print(f"{time.monotonic() - began:7.1f} s  {name}", flush=True)


def deploy(tree: Path, *words: str) -> int:
    """Run `python -m deploy WORDS` of a tree; return its exit code."""
    return start(tree, *words).wait()


def start(tree: Path, *words: str) -> "subprocess.Popen[bytes]":
    """Start that."""
    path = {"PATH": f"{CACHE}/bin:{os.environ['PATH']}"}
    return subprocess.Popen([sys.executable, "-m", "deploy", *words, HOST], cwd=tree, env=os.environ | path)


def changed(folder: Path, name: str, line: str) -> Path:
    """Return a copy of the tree that has a line more at the top of device/kiosk.py."""
    copy = folder / name
    for part in ("deploy", "device", "models", "systemd"):
        shutil.copytree(TREE / part, copy / part)
    shutil.copy(TREE / "pyproject.toml", copy)
    kiosk = copy / "device" / "kiosk.py"
    kiosk.write_text(f"{line}\n{kiosk.read_text()}")
    return copy


def current() -> str:
    """Return the release that runs and starts."""
    assert guest(f"systemctl is-active {UNIT}") == "active"
    return guest("readlink /opt/mask-kiosk/current")


def story(folder: Path) -> None:
    """Live it."""
    guest("mkdir -p /etc/mask-kiosk; cat >/etc/mask-kiosk/kiosk.toml", SETTINGS.encode())
    guest("! timeout 5 bash -c 'exec 3<>/dev/tcp/1.1.1.1/53' && ! type gcc")
    with step("deployed from nothing; no network, no compiler"):
        assert deploy(TREE, "deploy") == 0
    first = current()
    with step("deployed again, unchanged"):
        assert deploy(TREE, "deploy") == 0
    faces(first)
    with step("updated"):
        assert deploy(changed(folder, "newer", "# another version"), "deploy") == 0
    second = current()
    assert second != first
    with step("a broken update was taken back"):
        assert deploy(changed(folder, "broken", "raise RuntimeError('broken')"), "deploy") == 1
    assert current() == second
    with step("rolled back"):
        assert deploy(TREE, "rollback") == 0
    assert current() == first
    deaths()
    for number in range(3):
        with step(f"power cut {number + 1} in a deployment: it starts again"):
            with start(changed(folder, f"cut {number}", f"# version {number}"), "deploy"):
                time.sleep((20, 60, 100)[number])  # the moment is the input here
                power("off")
            power("on")
            power("wait")
            until(lambda: guest(f"systemctl is-active {UNIT} || true") == "active", "a running kiosk")
    with step("judges after the last power cut"):
        show("masked")
        until(lambda: levels()[:2] == (0, 1), "green alone")
    with step("undeployed: every output off, no unit"):
        assert deploy(TREE, "undeploy") == 0
        assert levels() == (0, 0, 0, 0)
        assert guest(f"systemctl show --property=LoadState --value {UNIT}") == "not-found"


def faces(release: str) -> None:
    """A masked and a bare face before the camera, and the button."""
    with step("nobody there: all dark"):
        until(lambda: levels() == (0, 0, 0, 0), "all dark")
    with step("a masked face: green, and the door released"):
        show("masked")
        until(lambda: levels() == (0, 1, 0, 1), "green and relay")
    with step("a bare face: red, locked, and it beeps"):
        show("bare")
        until(lambda: (levels()[:2], levels()[3]) == ((1, 0), 0), "red alone")
        until(lambda: levels()[2] == 1, "a beep")
    with step("the button silences it, and the lamp stays red"):
        guest(f"echo pull-down >{CHIP}/sim_gpio{BUTTON}/pull; sleep 0.5; echo pull-up >{CHIP}/sim_gpio{BUTTON}/pull")
        time.sleep(2)
        assert {levels() for _ in range(10)} == {(1, 0, 0, 0)}
    assert current() == release


def deaths() -> None:
    """The kiosk killed, and hung, while the door is released."""
    for signal, name in (("KILL", "killed"), ("STOP", "hung")):
        show("empty")
        until(lambda: levels() == (0, 0, 0, 0), "all dark")
        show("masked")
        until(lambda: levels()[3] == 1, "a released door")
        with step(f"{name} with the door released: every output off"):
            guest(f"systemctl kill --kill-whom=main --signal={signal} {UNIT}")
            until(lambda: levels() == (0, 0, 0, 0), "all dark")
        with step(f"{name}: it judges again"):
            until(lambda: levels()[1] == 1, "green")


if __name__ == "__main__":
    (CACHE / "bin").mkdir(exist_ok=True)
    (CACHE / "bin" / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {CACHE}/ssh_config "$@"\n')
    (CACHE / "bin" / "ssh").chmod(0o755)
    with tempfile.TemporaryDirectory() as trees, step("the whole story"):
        story(Path(trees))
