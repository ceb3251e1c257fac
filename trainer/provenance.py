"""Says with which packages, on what machine, from which commit and by what command a model is made."""

import contextlib
import importlib.metadata
import platform
import re
import shlex
import subprocess
from collections.abc import Iterable
from pathlib import Path

from trainer.bfloat16 import has_bfloat16

PACKAGES = ("tensorflow-cpu", "tensorflow", "keras", "ai-edge-litert", "numpy", "opencv-python-headless")


def versions(bfloat16: bool = False) -> dict[str, str]:
    """Return the versions of Python, the machine's kind, and the packages that a model depends on.

    bfloat16: whether a training asks for such numbers; then also say in which numbers this machine computes it.
    """
    installed = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            installed[package] = importlib.metadata.version(package)
    arithmetic = {"arithmetic": "bfloat16" if has_bfloat16() else "float32"} if bfloat16 else {}
    return {"python": platform.python_version(), "machine": platform.machine(), **arithmetic, **installed}


def commit() -> str:
    """Return the tree's commit, with -changed if tracked files differ from it, or "unknown" outside a checkout."""
    git = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=-changed"]
    try:
        here = Path(__file__).parent
        return subprocess.run(git, cwd=here, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


# Three read what stands in a command: the shell of whoever repeats it, make, and make's shell.
def make_name(name: str) -> str:
    """Return a name as the value of a variable that the Makefile puts into double quotes."""
    return shlex.quote(re.sub(r'[\\"`$]', r"\\\g<0>", name).replace("$", "$$"))


def make_names(names: Iterable[str]) -> str:
    """Return names as the value of a variable that the Makefile hands on as it is."""
    return shlex.quote(shlex.join(names).replace("$", "$$"))
