"""Measures the kiosk in the environment of each runtime: its start, its memory, and its networks by threads."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from footprint import import_seconds, used
from places import TREE
from ports import free_port
from runtimes import TFLITE_RUNTIME

from trainer.practice import draw_face

from .report import Inference, Whole

RUNTIMES = {"ai-edge-litert": Path(sys.executable), "tflite-runtime": TFLITE_RUNTIME}
NETWORKS, THREADS = ("faces", "faces-check", "door"), (1, 2)
FRAMES, SEED = 100, 3  # of a drawn person whom the finder finds
ALIVE = 5  # of the kiosk's signs of life, one a second, before its memory is read
WAIT_SECONDS = 60.0
# The least of all rounds counts: what else runs on the computer makes the others slower.
INFER = """
import json, sys, time
import numpy as np
from device.tflite import _interpreter_class
network = _interpreter_class()(sys.argv[1], num_threads=int(sys.argv[2]))
network.allocate_tensors()
(takes,) = network.get_input_details()
noise = np.random.default_rng(0).integers(0, 256, takes["shape"], np.uint8)
network.set_tensor(takes["index"], noise)
network.invoke()
rounds = []
for _ in range(15):
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(20):
        network.invoke()
    rounds.append(((time.process_time() - cpu) * 50, (time.perf_counter() - wall) * 50))
print(json.dumps([min(times) for times in zip(*rounds)]))
"""


def installed() -> dict[str, Path]:
    """Return the Python of each runtime whose environment is there."""
    return {name: python for name, python in RUNTIMES.items() if python.is_file()}


def inferences(models: Path) -> Iterator[Inference]:
    """Yield what an inference takes, of each network, with each runtime and one thread or two."""
    for network in NETWORKS:
        for runtime, python in installed().items():
            for threads in THREADS:
                command = [str(python), "-c", INFER, str(models / f"{network}.tflite"), str(threads)]
                said = subprocess.run(command, cwd=TREE, check=True, capture_output=True, text=True).stdout
                yield Inference(network, runtime, threads, *json.loads(said))


def kiosks(models: Path) -> Iterator[Whole]:
    """Yield what the whole kiosk costs with each runtime."""
    for runtime, python in installed().items():
        yield Whole(runtime, import_seconds(str(python)), *_run(python, models / "door.tflite"))


def _run(python: Path, model: Path) -> tuple[float, float]:
    """Run a kiosk before a drawn person; return its CPU seconds up to the first decision, and its resident MB."""
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notes:
        folder = Path(name)
        notes.bind(str(folder / "notify"))
        notes.settimeout(WAIT_SECONDS)
        person = np.asarray(cv2.resize(draw_face(np.random.default_rng(SEED), False)[0], (640, 480)), np.uint8)
        (folder / "frames").mkdir()
        for frame in range(FRAMES):  # no two alike, as from a sensor
            cv2.imwrite(str(folder / f"frames/{frame:03}.jpg"), np.roll(person, frame % 7, axis=1))
        config = folder / "kiosk.toml"
        config.write_text(f"[screen]\nport = {free_port()}\n")
        options = {"--camera": folder / "frames", "--config": config, "--model": model, "--pins": "mock"}
        command = [str(python), "-m", "device", "run", *(str(part) for option in options.items() for part in option)]
        environment = os.environ | {"NOTIFY_SOCKET": str(folder / "notify")}
        with subprocess.Popen(command, cwd=TREE, env=environment, stdout=subprocess.DEVNULL) as kiosk:
            try:
                while notes.recv(1024) != b"READY=1":
                    pass
                (_, started), alive = used(kiosk.pid), 0
                while alive < ALIVE:
                    alive += notes.recv(1024) == b"WATCHDOG=1"
                return started, used(kiosk.pid)[0]
            finally:
                kiosk.terminate()
