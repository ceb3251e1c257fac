"""Sends the parts that trainer.cluster left in a folder to a Ray cluster's workers, and puts their results there.

Prints `done NUMBER` for each, or one line that says why there is nothing more to come. Loads no TensorFlow.
"""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainer.cluster import DONE, FAILED, SHARED, WORK
from trainer.options import TREE
from trainer.parent import end_with_parent

# Neither environments nor what training leaves behind goes to the workers.
NOT_SENT = ["/.git", "/.venv*", "/runs", "/tests", "/docs", "__pycache__"]
ANSWER_SECONDS = 10.0
RETRIES = 3  # of a part whose process was killed or whose machine was lost

Bytes = npt.NDArray[np.uint8]  # Ray shares arrays among a machine's processes without a copy


class LostError(Exception):
    """A part's process has ended without a result."""


def main(folder: Path, address: str, parts: int, threads: int) -> None:
    """Do all parts; say what fails."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would tell its makers
    os.environ.setdefault("RAY_AUTH_MODE", "token")  # what can run code here has to know ~/.ray/auth_token
    try:
        import ray
    except ImportError:
        return _say(f"{FAILED} Ray isn't installed here: run `make .venv/cluster`")
    if address != "local" and not _answers(address):  # for which Ray would wait a quarter of an hour
        return _say(f"{FAILED} nothing answers there, expected `local` or the address that `ray start --head` printed")
    carried = {name: value for name, value in os.environ.items() if name.startswith(("MALLOC_", "TF_"))}
    try:
        ray.init(address, include_dashboard=False if address == "local" else None, logging_level="ERROR",
                 log_to_driver=False,
                 runtime_env={"working_dir": str(TREE), "excludes": NOT_SENT, "env_vars": carried})
    except Exception as error:  # Ray raises plain ones, too
        return _say(
            f"{FAILED} no cluster that can be used ({str(error).splitlines()[0]}), expected one that was started with "
            "RAY_AUTH_MODE=token and the token that lies in ~/.ray/auth_token here: docs/training.md"
        )
    most = max((node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]), default=0)
    if most < threads:  # Ray would wait for a larger machine for ever
        return _say(f"{FAILED} its largest machine has {most:g} processors, expected {threads}: set THREADS=")
    do = ray.remote(num_cpus=threads, max_retries=RETRIES, retry_exceptions=[LostError])(part_on_worker)
    shared = ray.put(np.fromfile(folder / SHARED, np.uint8))
    numbers = {do.remote(np.fromfile(folder / f"{WORK}{i}", np.uint8), shared): i for i in range(parts)}
    waiting = list(numbers)
    try:
        while waiting:
            (done,), waiting = ray.wait(waiting)
            ray.get(done).tofile(folder / f"{DONE}{numbers[done]}")
            _say(f"{DONE} {numbers[done]}")
    except (ray.exceptions.RayError, LostError) as error:
        _say(f"{FAILED} {str(error).splitlines()[-1]}: the same command goes on from here")


def part_on_worker(work: Bytes, shared: Bytes) -> Bytes:
    """Do a part in a process of its own; it ends with this one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        work.tofile(folder / WORK)
        shared.tofile(folder / SHARED)
        command = [sys.executable, "-m", "trainer.on_worker", name]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stderr  # noqa: S101
            said = process.stderr.read().decode(errors="replace").strip()
        if process.returncode:
            raise LostError(f"a part ended with {process.returncode}: {said[-500:]}")
        return np.fromfile(folder / DONE, np.uint8)


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), ANSWER_SECONDS):
            return True
    except (OSError, ValueError):  # the latter of what is no address
        return False


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    from trainer.on_ray import main as of_module  # what Ray sends has to be found by name on the worker

    end_with_parent()
    of_module(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
