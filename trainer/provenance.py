"""Says with which packages, on what machine and from which commit a model is made."""

import contextlib
import importlib.metadata
import platform
import subprocess
from pathlib import Path

PACKAGES = ("tensorflow-cpu", "tensorflow", "keras", "ai-edge-litert", "numpy", "opencv-python-headless")


def versions() -> dict[str, str]:
    """Return the versions of Python, the machine's kind, and the packages that a model depends on."""
    installed = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            installed[package] = importlib.metadata.version(package)
    return {"python": platform.python_version(), "machine": platform.machine(), **installed}


def commit() -> str:
    """Return the tree's commit, with -changed if tracked files differ from it, or "unknown" outside a checkout."""
    git = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=-changed"]
    try:
        here = Path(__file__).parent
        return subprocess.run(git, cwd=here, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
