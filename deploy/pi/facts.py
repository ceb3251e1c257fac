"""Prints as JSON what a deployment needs to know of this computer; changes nothing.

Sent over ssh, so it stands alone, and it has to run on the Pythons of releases that are refused (3.8 and later).
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

HOME = Path("/opt/mask-kiosk")
GONE = HOME.with_name(f".{HOME.name}.gone")  # what of HOME is being removed
CONFIG = Path("/etc/mask-kiosk/kiosk.toml")
FACES = Path("/var/lib/mask-kiosk/collected")  # that the kiosk keeps where its owner wants that
UNIT = "mask-kiosk.service"
PULLED = Path("/run/mask-kiosk-pull/last.json")  # what the pull agent said last: when, exit code and line
PYTHON = "/usr/bin/python3"  # Debian's, whatever else is on PATH: its packages are made for it
LOOK_SECONDS = 300  # that a slow card may take
# Runs intact.py in a release's folder, without what pip put in somebody's home.
LOOK = ("timeout", str(LOOK_SECONDS), "venv/bin/python", "-E", "-s", "-B")
# Debian's packages, by the Python module each brings: they are tied to the system's Python, kernel and libcamera.
PACKAGES = {"numpy": "python3-numpy", "lgpio": "python3-lgpio"}
PI_CAMERA = {"picamera2": "python3-picamera2"}
GROUPS = ("video", "render", "gpio")  # whose members may use camera and pins


def facts() -> dict[str, Any]:
    """Return all of it."""
    found, wrong = settings()
    camera = source(found)
    unit = output("systemctl", "show", "--property=ActiveState,SubState,NRestarts,StatusText", UNIT)
    return {
        "user": output("id", "-un"),
        "architecture": output("dpkg", "--print-architecture") or os.uname().machine,
        "system": system(),
        "systemd": Path("/run/systemd/system").is_dir(),
        "sudo": output("sudo", "-n", "echo", "yes") == "yes",
        "groups_missing": [group for group in GROUPS if not output("getent", "group", group)],
        "free_mb": shutil.disk_usage(HOME if HOME.exists() else "/opt").free // 1_000_000,
        "time": time.time(),
        "packages_missing": missing(found),
        "pip": importlib.util.find_spec("pip") is not None,
        "numpy": version("numpy"),
        "settings_wrong": wrong,
        "usb_missing": camera if camera.startswith("usb:") and not usb_device(camera).exists() else "",
        "released": (HOME / "current").exists(),  # what it is may be unknown: its release.json may be damaged
        "half_removed": GONE.exists(),  # by a power cut
        "current": said(HOME / "current" / "release.json"),
        "former": said(HOME / "former" / "release.json"),
        "pulled": said(PULLED),
        "wheels": sizes(HOME / "incoming" / "wheels"),
        "unit": dict(line.split("=", 1) for line in unit.splitlines() if "=" in line),
    }


def system(root: Path = Path("/")) -> str:
    """Return which system the one below `root` is, as `debian 12`."""
    said = dict(line.split("=", 1) for line in lines(root / "etc/os-release") if "=" in line)
    return " ".join(said.get(key, "?").strip('"') for key in ("ID", "VERSION_ID"))


def output(*command: str) -> str:
    """Return what a command prints, without its last newline; nothing where it isn't or fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def lines(path: Path) -> list[str]:
    """Return the lines of a file; none where it isn't."""
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []


def said(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; nothing where there is none, a damaged one, or one that can't be read."""
    try:
        return dict(json.loads("\n".join(lines(path))))
    except (OSError, TypeError, ValueError):
        return {}


def sizes(folder: Path) -> dict[str, int]:
    """Return how large the wheels in a folder are; a deployment that has just ended may be removing them."""
    found = {}
    with contextlib.suppress(OSError):
        for path in folder.glob("*.whl"):
            found[path.name] = path.stat().st_size
    return found


def settings() -> tuple[dict[str, Any], str]:
    """Return the kiosk's settings, and what keeps them from being read."""
    try:
        import tomllib

        if not CONFIG.exists():
            return {}, ""
        if not CONFIG.is_file():  # the kiosk may write there: a pipe or a device would be read for ever
            return {}, f"{CONFIG}: is no file"
        # The kiosk may have written it for itself alone.
        text = CONFIG.read_text("utf-8") if os.access(CONFIG, os.R_OK) else output("sudo", "-n", "cat", str(CONFIG))
        return tomllib.loads(text.removeprefix("\ufeff")), ""  # Windows may mark it
    except ImportError:  # before Python 3.11
        return {}, ""
    except (OSError, ValueError) as error:
        return {}, f"{CONFIG}: {error}"


def source(found: dict[str, Any]) -> str:
    """Return where the frames come from with these settings; nothing where they have a shape that the kiosk refuses."""
    section = found.get("camera", {})
    named = section.get("source", "pi") if isinstance(section, dict) else ""
    return named if isinstance(named, str) else ""


def usb_device(usb: str) -> Path:
    """Return the device of a source such as usb:0."""
    return Path(f"/dev/video{usb.partition(':')[2]}")


def missing(found: dict[str, Any]) -> list[str]:
    """Return the names of Debian's packages that the kiosk lacks with these settings."""
    wanted = {**PACKAGES, **(PI_CAMERA if source(found) == "pi" else {})}  # `|` is Python 3.9
    return [package for module, package in wanted.items() if importlib.util.find_spec(module) is None]


def version(module: str) -> str:
    """Return the version of an installed Python module; nothing where it isn't."""
    try:
        return importlib.metadata.version(module)
    except importlib.metadata.PackageNotFoundError:
        return ""


if __name__ == "__main__":
    print(json.dumps(facts()))
