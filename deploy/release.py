"""What is put on a kiosk, and the version that names it: a hash of all of it."""

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.errors import DeployError
from deploy.lock import RUNTIMES, lock_path, read_lock

TREE = Path(__file__).parent.parent
PARTS = ("deploy", "device", "models", "systemd", "pyproject.toml")
SUFFIXES = {".tflite", ".json", ".png"}  # of what the device reads in models/
PRACTICE = "practice"  # in models/: a model of drawn faces, for no door


@dataclass(frozen=True)
class Release:
    """A version of the kiosk for one Debian release."""

    version: str
    debian: str  # "12" or "13"
    runtime: str  # one of RUNTIMES
    lock: str  # SHA-256 of the lock file and the runtime: with the same one, the venv is the same


def shipped(tree: Path) -> list[Path]:
    """Return the files that a kiosk gets, relative to the tree, in order; hidden ones are of editors and the like."""
    files: list[Path] = []
    for part in PARTS:
        found = [tree / part] if (tree / part).is_file() else (tree / part).rglob("*")
        files += (path.relative_to(tree) for path in found if path.is_file())
    seen = [path for path in files if not any(part.startswith((".", "__pycache__")) for part in path.parts)]
    kept = [path for path in seen if path.parts[0] != "models" or _is_model(path)]
    models = [path for path in kept if path.parts[0] == "models" and path.suffix == ".tflite"]
    if all(path.stem.startswith("faces") for path in models):
        raise DeployError(
            "models/ has no .tflite made from photos, expected one for the kiosk: run `git checkout models`, or, for "
            "your own, `make train convert`"
        )
    return sorted(kept)


def plan(tree: Path, debian: str, runtime: str) -> Release:
    """Return the release that this tree makes for a Debian release."""
    text = lock_path(tree, debian).read_bytes()
    names = {pin.name for pin in read_lock(text.decode())}
    if runtime not in RUNTIMES or runtime not in names:
        possible = [name for name in RUNTIMES if name in names]
        raise DeployError(f"runtime is {runtime}, expected {' or '.join(possible)} on Debian {debian}: set RUNTIME=")
    lock = hashlib.sha256(text + runtime.encode()).hexdigest()
    total = hashlib.sha256(lock.encode())
    for path in shipped(tree):
        total.update(f"{path.as_posix()}\0{hashlib.sha256((tree / path).read_bytes()).hexdigest()}\n".encode())
    number = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return Release(f"{number}-{total.hexdigest()[:12]}", debian, runtime, lock)


def as_json(release: Release) -> str:
    """Return the release as it lies beside its files."""
    return json.dumps(asdict(release), indent=1) + "\n"


def from_json(text: str) -> Release:
    """Return the release that as_json wrote."""
    return Release(**json.loads(text))


def _is_model(path: Path) -> bool:
    return path.suffix in SUFFIXES and PRACTICE not in (path.stem, path.parent.name)
