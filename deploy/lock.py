"""Reads deploy/debian-*.lock: the Python packages of one Debian release, each pinned and hashed."""

import re
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DeployError

RUNTIMES = ("ai-edge-litert", "tflite-runtime")  # what runs a .tflite; the first is the default
SYSTEMS = "numpy"  # never from a wheel: picamera2 is compiled against the system's own


@dataclass(frozen=True)
class Pin:
    """One package of a lock."""

    name: str
    version: str
    hashes: frozenset[str]  # SHA-256 of each of its wheels, hexadecimal

    def names_wheel(self, file: str) -> bool:
        """Tell whether a wheel's file name is one of this package and version."""
        return file.lower().startswith(f"{self.name.replace('-', '_')}-{self.version}-")


def read_lock(text: str) -> list[Pin]:
    """Return the pins of a lock file in its order."""
    found = re.findall(r"^([a-z0-9-]+)==(\S+)((?: \\\n\s+--hash=sha256:[0-9a-f]{64})+)$", text, re.MULTILINE)
    return [Pin(name, version, frozenset(re.findall(r"[0-9a-f]{64}", hashes))) for name, version, hashes in found]


def lock_path(tree: Path, debian: str) -> Path:
    """Return where a tree has the lock of a Debian release."""
    return tree / "deploy" / f"debian-{debian}.lock"


def pins_of(tree: Path, debian: str) -> list[Pin]:
    """Return the pins of a tree for a Debian release."""
    return read_lock(lock_path(tree, debian).read_text(encoding="utf-8"))


def wheels_of(pins: list[Pin], runtime: str) -> list[Pin]:
    """Return what a venv is made of: everything but the system's packages and the other runtime."""
    return [pin for pin in pins if pin.name != SYSTEMS and (pin.name == runtime or pin.name not in RUNTIMES)]


def requirements(pins: list[Pin]) -> str:
    """Return pins as pip reads them, hashes included."""
    return "".join(
        f"{pin.name}=={pin.version}" + "".join(f" --hash=sha256:{each}" for each in sorted(pin.hashes)) + "\n"
        for pin in pins
    )


def chosen(folder: Path, pins: list[Pin]) -> list[Path]:
    """Return the one wheel of each pin; raises DeployError that names the first that a folder lacks."""
    files = sorted(folder.glob("*.whl"))
    wheels = []
    for pin in pins:
        wheel = next((file for file in files if pin.names_wheel(file.name)), None)
        if wheel is None:
            raise DeployError(f"{folder} has no wheel of {pin.name} {pin.version}, expected it from the package index")
        wheels.append(wheel)
    return wheels
