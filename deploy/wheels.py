"""Fetches the wheels of a lock with pip, for the Pi's Python and architecture, into a cache on the workstation."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from threading import Lock

from deploy.errors import DeployError, require_end
from deploy.lock import Pin, chosen, requirements
from device.disk import NO_ROOM, sync
from device.folders import user_folder

PYTHONS = {"12": "3.11", "13": "3.13"}  # of each Debian release
GLIBC = {"12": 36, "13": 41}  # the minor version of glibc 2; a wheel for an older one runs too
OLDEST_GLIBC = 17
ONE = Lock()  # hosts side by side want the same wheels: the first has them fetched for all


def cache() -> Path:
    """Return where wheels are kept between deployments."""
    return user_folder("XDG_CACHE_HOME", ".cache") / "wheels"


def fetch(pins: list[Pin], debian: str) -> list[Path]:
    """Return the wheels of these pins for a Pi with that Debian release, as the lock has them.

    Those that are missing or damaged come from the index. Raises DeployError.
    """
    folder = cache() / f"debian-{debian}"
    with ONE:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_wrong(folder, pins)
        missing = [pin for pin in pins if not any(pin.names_wheel(file.name) for file in folder.glob("*.whl"))]
        if missing:
            _fetch(missing, debian, folder)
        return chosen(folder, pins)


def _remove_wrong(folder: Path, pins: list[Pin]) -> None:
    """Remove what bears the name of a pin's wheel and isn't one of the lock's."""
    for file in list(folder.glob("*.whl")):
        hashes = [pin.hashes for pin in pins if pin.names_wheel(file.name)]
        if hashes and sha256(file.read_bytes()).hexdigest() not in hashes[0]:
            file.unlink()


def _fetch(pins: list[Pin], debian: str, folder: Path) -> None:
    if importlib.util.find_spec("pip") is None:
        raise DeployError(
            f"{sys.executable} has no pip, expected it to fetch wheels: `sudo apt install python3-pip`, "
            "or let the Pi fetch them with ONLINE=1"
        )
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        download(sys.executable, pins, Path(fresh), *_platform(debian))
        for wheel in Path(fresh).glob("*.whl"):
            sync(wheel)
            wheel.replace(folder / wheel.name)


def download(python: str, pins: list[Pin], folder: Path, *platform: str) -> None:
    """Fetch the wheels of these pins with a Python's pip, which checks their hashes; nothing is ever built.

    Raises DeployError with pip's last line, UnkeptError where it was killed, and OSError for a full disk.
    """
    wanted = folder / "requirements.txt"
    wanted.write_text(requirements(pins), encoding="utf-8")
    command = [  # in English, as a full disk is told by; C.UTF-8 wouldn't do, before which LANGUAGE goes
        "env", "LC_ALL=C", python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--only-binary", ":all:", "--require-hashes", "--dest", str(folder), "--requirement", str(wanted), *platform,
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        shutil.rmtree(folder)
        folder.mkdir()
        require_end(done.returncode, "pip")
        if full := [number for number in NO_ROOM if os.strerror(number) in done.stderr]:
            raise OSError(full[0], os.strerror(full[0]))  # where, pip doesn't say: it unpacks in /tmp first
        found = next((line for line in reversed(done.stderr.splitlines()) if line.startswith("ERROR")), "no reason")
        raise DeployError(f"pip can't fetch the wheels ({found}), expected a network and the package index")


def _platform(debian: str) -> list[str]:
    tags = [f"manylinux_2_{minor}_aarch64" for minor in range(GLIBC[debian], OLDEST_GLIBC - 1, -1)]
    python = PYTHONS[debian]
    abis = (f"cp{python.replace('.', '')}", "abi3", "none")
    return [
        "--implementation", "cp", "--python-version", python,
        *(word for abi in abis for word in ("--abi", abi)),
        *(word for tag in (*tags, "manylinux2014_aarch64") for word in ("--platform", tag)),
    ]  # fmt: skip
