"""Measures how training scales over a Ray cluster: PYTHONPATH=tests python -m workers; minutes, on a quiet machine.

The same folds are trained without Ray, then by one, two and four workers with a processor each, then by two of which
one is killed. All must come to the same verdicts, byte for byte; else 1. A machine of fewer processors than workers
shows what too many of them cost, no more. Needs `make .venv/cluster`, and that no other Ray runs here: it is stopped.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from drawn_photos import drawn_photos

TREE = Path(__file__).parent.parent
SOURCES, PHOTOS = 4, 200  # folds; photos of each class in a source
WORKERS = (1, 2, 4)
PORT = 6399  # of the cluster's head
KILL_AFTER = 0.4  # of the time that two workers take
Verdicts = dict[str, bytes]


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    """Start a cluster of so many processors; yield its address."""
    ray = [sys.executable, "-m", "ray.scripts.scripts"]
    quiet = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token"}
    subprocess.run([*ray, "get-auth-token", "--generate"], env=quiet, check=True, capture_output=True)
    start = [*ray, "start", "--head", f"--port={PORT}", f"--num-cpus={workers}", "--include-dashboard=false"]
    subprocess.run(start, env=quiet, check=True, capture_output=True)
    try:
        yield f"127.0.0.1:{PORT}"
    finally:
        subprocess.run([*ray, "stop", "--force"], env=quiet, check=True, capture_output=True)


def train(sources: list[Path], folder: Path, address: str, network: str = "simple") -> tuple[float, Verdicts]:
    """Train all folds; return the seconds and the verdicts by fold."""
    command = [sys.executable, "-m", "trainer", "crossval", "--data", *map(str, sources), "--model", network,
               "--size", "48", "--epochs", "16", "--threads", "1", "--runs", str(folder / "runs")]  # fmt: skip
    environment = {**os.environ, "RAY_ADDRESS": address, "XDG_CACHE_HOME": str(folder.parent / "cache")}
    begin = time.monotonic()
    subprocess.run(command, cwd=TREE, env=environment, check=True, capture_output=True)
    seconds = time.monotonic() - begin
    (done,) = (folder / "runs").iterdir()
    return seconds, {path.name: path.read_bytes() for path in done.glob("*.npy")}


def kill_a_worker(after: float, killed: list[int]) -> None:
    """Kill the first process that trains a fold after so many seconds, and note it."""
    time.sleep(after)
    while not killed:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):  # it has ended meanwhile
                if b"trainer.on_worker" in path.read_bytes():
                    os.kill(int(path.parent.name), signal.SIGKILL)
                    killed.append(int(path.parent.name))
                    break
        time.sleep(0.05)


def main() -> int:
    """Print the table."""
    print("| trained by | seconds | times as fast | verdicts |\n| --- | ---: | ---: | --- |", flush=True)
    with TemporaryDirectory() as name:
        here = Path(name)
        sources = [drawn_photos(here / f"source{i}", PHOTOS, i) for i in range(SOURCES)]
        train(sources, here / "warm", "", "linear")  # cuts the crops and finds the groups, which is kept
        alone, expected = train(sources, here / "alone", "")
        taken, same = {0: alone}, True

        def row(what: str, seconds: float, verdicts: Verdicts) -> None:
            nonlocal same
            same = same and verdicts == expected
            told = "the same" if verdicts == expected else "OTHERS"
            print(f"| {what} | {seconds:.0f} | {alone / seconds:.2f} | {told} |", flush=True)

        row("no cluster", alone, expected)
        for workers in WORKERS:
            with cluster(workers) as address:
                taken[workers], verdicts = train(sources, here / f"by{workers}", address)
            row(f"{workers} workers" if workers > 1 else "1 worker", taken[workers], verdicts)
        killed = list[int]()
        with cluster(2) as address:
            threading.Thread(target=kill_a_worker, args=(KILL_AFTER * taken[2], killed), daemon=True).start()
            seconds, verdicts = train(sources, here / "killed", address)
        row("2 workers, one killed midway", seconds, verdicts)
    return not (same and killed)


if __name__ == "__main__":
    sys.exit(main())
