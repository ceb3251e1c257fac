"""Measures how many photos a second the trainer learns from, and the notebook's way with the same network.

The notebook's way: each photo is opened, made grey and resized in a Python loop, in every epoch anew, by a process that
nobody has tuned. Run by itself, with `ours` or `plain` and a folder, it prints the seconds of its last epoch.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import numpy.typing as npt
from places import TREE

from trainer.bfloat16 import in_bfloat16
from trainer.dataset import load_dataset
from trainer.networks import NETWORKS
from trainer.photos import LABELS
from trainer.practice import draw_practice_set
from trainer.training import batches, set_threads

from . import ENVIRONMENT
from .report import Training

PEOPLE, ROUNDS, EPOCHS = 96, 3, 2  # the first epoch builds the graph, the last is timed
TUNED = ("MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_")  # by the Makefile, for the trainer
SIZE, BATCH = NETWORKS["simple"].size, NETWORKS["simple"].batch


def measure() -> Training:
    """Return how fast both are, by turns; the fastest of the rounds counts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "photos"
        draw_practice_set(folder, PEOPLE)
        seconds: dict[str, list[float]] = {"ours": [], "plain": []}
        for _ in range(ROUNDS):
            for way, found in seconds.items():
                environment = ENVIRONMENT | {"XDG_CACHE_HOME": name}
                for key in TUNED if way == "plain" else ():
                    environment.pop(key, None)
                command = [sys.executable, "-m", "bench.training", way, str(folder)]
                said = subprocess.run(command, cwd=TREE, env=environment, check=True, capture_output=True, text=True)
                found.append(float(said.stdout.splitlines()[-1]))
    photos = len(LABELS) * PEOPLE
    return Training(photos, photos / min(seconds["ours"]), photos / min(seconds["plain"]))


class Clock(keras.callbacks.Callback):  # type: ignore[misc]
    """Knows how long the last epoch took."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Begin anew."""
        self._begun = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Stop."""
        self.seconds = time.monotonic() - self._begun


def ours(folder: Path) -> dict[str, Any]:
    """Return what the trainer fits on a folder of photos."""
    set_threads(2)
    dataset = load_dataset(folder, SIZE)
    return {"x": batches(dataset, np.arange(len(dataset.names)), NETWORKS["simple"], 0, 0)}


def plain(folder: Path) -> dict[str, Any]:
    """Return what the notebook's way fits."""
    photos = [(path, label) for label, name in enumerate(LABELS) for path in sorted((folder / name).iterdir())]
    chosen = np.random.default_rng(0).permutation(len(photos))
    parts = [[photos[i] for i in chosen[start : start + BATCH]] for start in range(0, len(photos), BATCH)]

    def opened() -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
        while True:
            for part in parts:
                grey = [cv2.cvtColor(np.asarray(cv2.imread(str(path))), cv2.COLOR_BGR2GRAY) for path, _ in part]
                resized = [cv2.resize(luma, (SIZE, SIZE)) for luma in grey]
                labels = np.eye(len(LABELS), dtype=np.float32)[[label for _, label in part]]
                yield np.array(resized, np.float32)[..., np.newaxis], labels

    return {"x": opened(), "steps_per_epoch": len(parts)}


def main() -> int:
    """Train, and print the seconds of the last epoch."""
    way, folder = sys.argv[1:]
    fitted, clock = {"ours": ours, "plain": plain}[way](Path(folder)), Clock()
    network = NETWORKS["simple"].build(SIZE)
    network.compile(keras.optimizers.Adam(), "categorical_crossentropy", metrics=["accuracy"])
    with in_bfloat16(way == "ours" and NETWORKS["simple"].bfloat16):
        network.fit(**fitted, epochs=EPOCHS, shuffle=False, callbacks=[clock], verbose=0)
    print(clock.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
