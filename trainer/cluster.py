"""Runs the parts of a long job one after the other, or side by side on the Ray cluster that RAY_ADDRESS names.

TensorFlow and Ray each bring a library of locks of their own under the same names, and one process with both crashes
sooner or later. So this process never loads Ray: trainer.on_ray does, in a process without TensorFlow, and on a worker
it starts trainer.on_worker, without Ray. They leave files for each other.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import joblib

from device.errors import KioskError
from trainer.options import TREE

WORK, SHARED, DONE = "work", "shared", "done"  # names of files
FAILED, LOG = "failed", "log"

T = TypeVar("T")


class ClusterError(KioskError, RuntimeError):
    """A Ray cluster that is named and can't be used."""


def each(
    work: Callable[..., T], parts: Sequence[object], shared: Sequence[object], threads: int
) -> Iterator[tuple[int, T]]:
    """Yield number and result of work(part, *shared) for each part, in the order in which they get done.

    Without RAY_ADDRESS they are done here, one after the other. On a cluster each gets a process with so many
    processors, and `shared` is sent to each machine once; a part whose process dies is done again. `work` is a module's
    function; what it raises passes through. Raises ClusterError.
    """
    address = os.environ.get("RAY_ADDRESS")
    if address and parts:
        yield from _on_cluster(address, work, parts, shared, threads)
    else:
        for number, part in enumerate(parts):
            yield number, work(part, *shared)


def _on_cluster(
    address: str, work: Callable[..., T], parts: Sequence[object], shared: Sequence[object], threads: int
) -> Iterator[tuple[int, Any]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        joblib.dump(shared, folder / SHARED)
        for number, part in enumerate(parts):
            joblib.dump((work, part, threads), folder / f"{WORK}{number}")
        command = [sys.executable, "-m", "trainer.on_ray", name, address, str(len(parts)), str(threads)]
        with (folder / LOG).open("w") as log, subprocess.Popen(
            command, cwd=TREE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            start_new_session=True,
        ) as driver:  # fmt: skip
            assert driver.stdin  # noqa: S101
            assert driver.stdout  # noqa: S101
            with driver.stdin:  # the end of which ends the driver, and all that it has started
                for line in driver.stdout:
                    kind, _, told = line.rstrip().partition(" ")
                    if kind == DONE:
                        right, result = joblib.load(folder / f"{DONE}{told}")
                        if not right:
                            raise result
                        yield int(told), result
                    elif kind == FAILED:
                        raise ClusterError(f"RAY_ADDRESS={address}: {told}")
        if driver.returncode:
            last = ["no word", *(folder / LOG).read_text(errors="replace").splitlines()][-1]
            raise ClusterError(f"RAY_ADDRESS={address}: Ray has failed ({last}): the same command goes on from here")
