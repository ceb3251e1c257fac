"""Builds a release with its own venv out of what was sent, under another name until it is complete."""

import hashlib
import os
import subprocess
import zipfile
from pathlib import Path
from shutil import copy2

from deploy.errors import DeployError, UnkeptError, require_end
from deploy.lock import Pin, chosen, pins_of, wheels_of
from deploy.pi.facts import LOOK, PYTHON, missing
from deploy.pi.files import AILING, CURRENT, RELEASES, exchange, remove
from deploy.pi.receive import INCOMING
from deploy.pi.say import say
from deploy.release import TREE, Release, from_json, plan, shipped
from deploy.wheels import download
from device.disk import NO_ROOM, sync

WHEELS = INCOMING / "wheels"
INTACT = (TREE / "deploy" / "pi" / "intact.py").read_text(encoding="utf-8")
VENV = ("imports", "packages")  # the parts of intact.py that are about the venv


def release_of(folder: Path) -> Release:
    """Return what a release's folder holds. Raises DeployError where it doesn't say."""
    try:
        return from_json((folder / "release.json").read_text(encoding="utf-8"))
    except (TypeError, ValueError) as error:
        raise DeployError(f"{folder}/release.json is damaged ({error}): run `make deploy`") from error


def is_intact(release: Path, *parts: str) -> bool:
    """Tell whether parts of a release on the card are what was built: a card loses bytes, and people change files."""
    if not release.exists():
        return False
    done = subprocess.run(
        [*LOOK, "-c", INTACT, *parts], cwd=release, capture_output=True, check=False, stdin=subprocess.DEVNULL
    )
    return done.returncode == 0


def build(version: str) -> Path:
    """Return the folder of a release, complete and on the card: the one that is there, unless it isn't what was built.

    Raises DeployError; then nothing has changed.
    """
    done, sent = RELEASES / version, INCOMING / version
    if is_intact(done, *VENV, "sources"):
        return done
    release = release_of(sent)
    if plan(sent, release.debian, release.runtime).version != version:
        raise DeployError(f"{sent} isn't what was sent, expected {version}: run the same command again")
    fresh = RELEASES / f".new-{version}"
    remove(fresh)
    for path in [*shipped(sent), Path("release.json")]:
        (fresh / path).parent.mkdir(parents=True, exist_ok=True)
        copy2(sent / path, fresh / path)
    try:
        _add_venv(fresh, release)
        python = fresh / "venv" / "bin" / "python"
        # The service can't write __pycache__.
        _run([str(python), "-m", "compileall", "-q", str(fresh / "device")], "compile device/")
        _run([*LOOK, "-c", INTACT, "imports"], "import its packages", fresh)
    except BaseException:
        remove(fresh)
        raise
    os.sync()  # everything, before the name says that it is complete
    if done.exists():
        say(f"{version} was damaged on the card: it is replaced")
        if not exchange(fresh, done):
            remove(done)  # a power cut before the next line leaves none: the same command goes on
            fresh.rename(done)
    else:
        fresh.rename(done)
    sync(RELEASES)
    remove(fresh)
    return done


def _add_venv(fresh: Path, release: Release) -> None:
    try:
        same = release_of(CURRENT).lock == release.lock
    except (DeployError, OSError):  # it is damaged, or there is none
        same = False
    if same and is_intact(CURRENT, *VENV):
        say("Python packages: as before")
        _take_over(fresh)
        return
    pins = wheels_of(pins_of(fresh, release.debian), release.runtime)
    try:
        wheels = _wheels(pins)
    except (DeployError, OSError) as error:  # no network, or no room
        if not same:
            raise
        say(f"Python packages: as before, though damaged on the card ({error}): `make deploy` mends them")
        _take_over(fresh)
        return
    # Without pip, which isn't needed: a wheel is a folder in a zip.
    venv = fresh / "venv"
    _run([PYTHON, "-m", "venv", "--system-site-packages", "--without-pip", str(venv)], "make a venv")
    (site,) = venv.glob("lib/python3*/site-packages")
    for number, (pin, wheel) in enumerate(zip(pins, wheels, strict=True), 1):
        say(f"Python packages: {number} of {len(pins)}, {pin.name} {pin.version}")
        _unpack(pin, wheel, site)
    _run([str(venv / "bin" / "python"), "-m", "compileall", "-q", str(site)], "compile its packages")


def _take_over(fresh: Path) -> None:
    # The same files under a second name: nothing in a venv is ever changed. In English, as a full card is told by.
    copy = ["env", "LC_ALL=C", "cp", "--archive", "--link", str(CURRENT / "venv"), str(fresh / "venv")]
    _run(copy, "take its packages over")


def _wheels(pins: list[Pin]) -> list[Path]:
    WHEELS.mkdir(parents=True, exist_ok=True)
    try:
        return chosen(WHEELS, pins)
    except DeployError:
        say("Python packages: fetched from the index")
        download(PYTHON, pins, WHEELS)
        return chosen(WHEELS, pins)


def _unpack(pin: Pin, wheel: Path, site: Path) -> None:
    content = wheel.read_bytes()
    if hashlib.sha256(content).hexdigest() not in pin.hashes:
        remove(wheel)
        raise DeployError(f"{wheel.name} isn't one of the lock's wheels: run the same command again, it is sent anew")
    with zipfile.ZipFile(wheel) as archive:
        if any(".data/" in name for name in archive.namelist()):
            raise DeployError(f"{wheel.name} holds more than modules, expected none such: leave it out of the lock")
        archive.extractall(site)  # its hash was checked


def _run(command: list[str], purpose: str, folder: Path | None = None) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, errors="replace", check=False, stdin=subprocess.DEVNULL
    )
    require_end(done.returncode, f"the program to {purpose}")
    if done.returncode:
        said = done.stdout + done.stderr  # compileall tells a full card on stdout
        found = next((line for line in reversed(said.splitlines()) if line.strip()), f"code {done.returncode}")
        line = f"the release can't {purpose} ({found})"
        if any(os.strerror(each) in said for each in NO_ROOM | AILING):
            raise UnkeptError(f"{line}: look with `df -h`, `df -i` and `sudo dmesg`")
        raise DeployError(line)


def require_packages(settings: dict[str, object]) -> None:
    """Raise DeployError if Debian's packages are missing that these settings need."""
    names = missing(settings)
    if names:
        raise DeployError(f"lacks {' '.join(names)}: run `sudo apt install --no-install-recommends {' '.join(names)}`")
