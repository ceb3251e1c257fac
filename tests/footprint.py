"""Measures what the device costs in each runtime's environment: CPU time of its imports, peak memory of a judgement."""

import os
import subprocess
import tempfile
from pathlib import Path

import cv2
from drawn_face import drawn_face
from kiosk_toml import config_for
from places import TREE

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


def _last_line(command: list[str]) -> str:
    return subprocess.run(command, cwd=TREE, check=True, capture_output=True, text=True).stdout.splitlines()[-1]

