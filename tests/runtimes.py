"""Runs the device's command line in the environment of each runtime."""

import subprocess
import sys
from pathlib import Path

import pytest
from places import TREE

TFLITE_RUNTIME = TREE / ".venv-tflite-runtime/bin/python"
needs_tflite_runtime = pytest.mark.skipif(
    not TFLITE_RUNTIME.is_file(), reason="no .venv-tflite-runtime: run `make .venv-tflite-runtime`"
)
PYTHONS = [
    pytest.param(sys.executable, id="this environment"),
    pytest.param(str(TFLITE_RUNTIME), id="tflite-runtime", marks=needs_tflite_runtime),
]


def run_device(python: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `python -m device` with arguments from the tree's root."""
    return subprocess.run(
        [python, "-m", "device", *map(str, arguments)], cwd=TREE, check=False, capture_output=True, text=True
    )


def told(result: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the lines on stderr, less the one in which the runtime introduces itself."""
    return [line for line in result.stderr.splitlines() if not line.startswith("INFO: ")]
