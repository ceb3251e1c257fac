"""Measures what training on many photos takes of memory: python -m tests.memory [PHOTOS …]; by hand, it takes minutes.

The photos are drawn and cut to 32 pixels. What is mapped from files can be given back at any time and is counted apart.
So that it takes minutes, copies are searched among the first photos only, and few batches are learnt from; all photos
are read.
"""

import multiprocessing
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import cv2
import numpy as np

SIDE = 32  # px
SEARCHED, LEARNT = 2000, 3200  # photos, at most
T = TypeVar("T")
COLUMNS = ("photos", "part", "seconds", "own MB at its end", "mapped MB", "most own MB")


def draw(folder: Path, count: int) -> None:
    """Write drawn photos, half of each class."""
    rng = np.random.default_rng(0)
    for label, level in (("with_mask", 60), ("without_mask", 160)):
        (folder / label).mkdir(parents=True)
        for number in range(count // 2):
            picture = rng.integers(level - 40, level + 40, (8, 8), np.uint8)
            cv2.imwrite(str(folder / label / f"{number}.bmp"), cv2.resize(picture, (SIDE, SIDE)))


def megabytes(field: str) -> float:
    """Return a field of this process's status."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1000


def measured(count: int, part: str, work: Callable[[], T]) -> T:
    """Do a part and print a row for it."""
    most, over, begin = [0.0], threading.Event(), time.monotonic()

    def watch() -> None:
        while not over.wait(0.05):
            most[0] = max(most[0], megabytes("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    result = work()
    over.set()
    watcher.join()
    print(f"| {count} | {part} | {time.monotonic() - begin:.0f} | {megabytes('RssAnon'):.0f} | "
          f"{megabytes('RssFile'):.0f} | {most[0]:.0f} |", flush=True)
    return result


def measure(count: int, folder: Path) -> None:
    """Load, search and train, in a process of its own."""
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    from trainer.dataset import load_dataset
    from trainer.groups import find_groups

    print(f"| {count} | start | 0 | {megabytes('RssAnon'):.0f} | {megabytes('RssFile'):.0f} | |", flush=True)
    dataset = measured(count, "cut", lambda: load_dataset(folder / "photos", SIDE, cropped=True))
    first = dataset.descriptions[:SEARCHED]
    names, folders = dataset.names[:SEARCHED], dataset.folders[:SEARCHED]
    measured(count, f"search {len(first)} for copies", lambda: find_groups(first, names, folders))

    from trainer import networks
    from trainer.runs import Plan, open_run
    from trainer.sampling import InOrder
    from trainer.split import Split
    from trainer.training import set_threads, train

    set_threads(2)
    everything = InOrder(dataset, np.arange(count), 32, seed=0)
    measured(count, "read in a shuffled order", lambda: [everything[i][0].sum() for i in range(len(everything))])
    numbers = np.random.default_rng(0).permutation(count)
    validation, test = numbers[: count // 10], numbers[count // 10 : count // 5]
    networks.NETWORKS["door"] = replace(networks.NETWORKS["door"], batches=20)
    for network, chosen in (("door", numbers[count // 5 :]), ("simple", numbers[count // 5 :][:LEARNT])):
        split = Split(chosen, validation, test, "random", count, 0.0, 0.0)
        plan = Plan(network, SIDE, "random", 0, 2, False, dataset.sha256, "", dataset.names[:3])
        run = open_run(plan, folder / "runs")
        measured(count, f"train {network}", partial(train, run, dataset, split, 1))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"| {count} | most with what is mapped | | | | {peak:.0f} |", flush=True)


def main() -> None:
    """Measure each number of photos that is asked for."""
    print("| " + " | ".join(COLUMNS) + " |\n|" + " --- |" * len(COLUMNS), flush=True)
    for count in map(int, sys.argv[1:] or ("20000", "200000")):
        with TemporaryDirectory() as name:
            draw(Path(name) / "photos", count)
            process = multiprocessing.get_context("spawn").Process(target=measure, args=(count, Path(name)))
            process.start()
            process.join()


if __name__ == "__main__":
    main()
