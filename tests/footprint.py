"""Measures what the device costs in each runtime's environment: CPU time of its imports, peak memory of a judgement."""

import os
import subprocess
import tempfile
from pathlib import Path

import cv2
import numpy as np

from device.faces import Luma
from device.model_card import read_card

TREE = Path(__file__).parent.parent
TFLITE_RUNTIME = TREE / ".venv-tflite-runtime/bin/python"
DEVICE_MODULES = tuple(
    ".".join(path.relative_to(TREE).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((TREE / "device").rglob("*.py"))
)

IMPORT = "import importlib, sys, time; [importlib.import_module(name) for name in sys.argv[1:]]; "
IMPORT += "print(time.process_time())"
# Not getrusage: its peak includes the parent's, from before the interpreter replaced it.
JUDGE = """
import sys
from device.__main__ import main
status = main(sys.argv[1:])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(int(peak.split()[1]) / 1024)
sys.exit(status)
"""


def import_seconds(python: str) -> float:
    """Return the CPU seconds, user and system, of starting Python and importing every module of the device."""
    return float(_last_line([python, "-c", IMPORT, *DEVICE_MODULES]))


def peak_megabytes(python: str, model: Path) -> float:
    """Return the peak resident memory, in MB of 1024 x 1024 bytes, of a device process that judged a drawn face."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "face.png"
        cv2.imwrite(str(picture), drawn_face())
        config = str(config_for(model, Path(folder)))
        command = ["judge", str(picture), "--json", "--model", str(model), "--config", config]
        return float(_last_line([python, "-c", JUDGE, *command]))


def used(pid: int) -> tuple[float, float]:
    """Return the resident memory, in MB of 1024 x 1024 bytes, and the CPU time, in seconds, of a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return int(status["VmRSS"].split()[0]) / 1024, sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def config_for(model: Path, folder: Path) -> Path:
    """Write a kiosk.toml with the face finder that a model was trained with, and no screen; return its path."""
    path = folder / f"{model.stem}.toml"
    path.write_text(f'[faces]\nfinder = "{read_card(model)[0].face_finder}"\n[screen]\nenabled = false\n')
    return path


def drawn_face(width: int = 640, height: int = 480, x: int = 220, y: int = 120, side: int = 200) -> Luma:
    """Return a picture, uint8 (height, width), with a face in the square at (x, y) that the Haar cascade finds."""
    picture = np.full((height, width), 90, np.uint8)
    for center_x, center_y, half_width, half_height, grey in (  # shares of the side
        (0.5, 0.55, 0.42, 0.56, 190),  # head
        (0.3, 0.36, 0.14, 0.09, 110), (0.7, 0.36, 0.14, 0.09, 110),  # eye sockets
        (0.3, 0.38, 0.07, 0.04, 40), (0.7, 0.38, 0.07, 0.04, 40),  # eyes
        (0.5, 0.5, 0.05, 0.16, 215),  # nose
        (0.5, 0.82, 0.16, 0.05, 90),  # mouth
    ):  # fmt: skip
        center, axes = (x + center_x * side, y + center_y * side), (half_width * side, half_height * side)
        cv2.ellipse(picture, (*map(round, center),), (*map(round, axes),), 0, 0, 360, grey, cv2.FILLED)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), side / 50), dtype=np.uint8)


def _last_line(command: list[str]) -> str:
    return subprocess.run(command, cwd=TREE, check=True, capture_output=True, text=True).stdout.splitlines()[-1]

