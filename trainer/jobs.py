"""Trains several networks, one after the other in their runs' folders, or side by side on a cluster."""

import dataclasses
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from device.disk import write_whole
from trainer.cluster import each
from trainer.dataset import Dataset
from trainer.networks import NETWORKS
from trainer.provenance import commit
from trainer.runs import Run, RunError, State, load_state, save_state, tell_changes
from trainer.split import Split
from trainer.training import train

Weights = dict[str, bytes]  # the files that a state names


@dataclass(frozen=True)
class Job:
    """A training."""

    run: Run
    dataset: Dataset
    split: Split
    epochs: int  # at most


def train_each(jobs: Sequence[Job]) -> Iterator[tuple[Job, Run]]:
    """Do each job; yield it with its run as far as that has come, as soon as it is done. Raises ClusterError, RunError.

    All are planned with the same number of threads. On a cluster a run goes on from its last epoch, but new ones come
    back only when it is done: a worker that is killed costs those. What fails there is told when all have come back.
    """
    for job in jobs:
        tell_changes(job.run.state, job.run.folder, NETWORKS[job.run.plan.network].bfloat16)
    if not os.environ.get("RAY_ADDRESS"):
        for job in jobs:
            yield job, train(job.run, job.dataset, job.split, job.epochs)
        return
    # Nobody finds faces any more, and some finders can't be sent.
    parts = [(dataclasses.replace(job, dataset=dataclasses.replace(job.dataset, finder=None)),
              _weights(job.run.state, job.run.folder)) for job in jobs]
    sent, failed = commit(), list[RunError]()
    for number, (done, weights, errors) in each(_train_away, parts, (), jobs[0].run.plan.threads):
        run = jobs[number].run
        # A worker has the code, but no checkout that would tell its commit.
        state = dataclasses.replace(done, commit=run.state.commit if done.best == run.state.best else sent)
        for name, content in weights.items():
            write_whole(run.folder / name, content)
        save_state(state, run.folder)
        failed += errors
        if not errors:
            yield jobs[number], dataclasses.replace(run, state=state)
    if failed:
        raise failed[0]


def _train_away(part: tuple[Job, Weights]) -> tuple[State, Weights, list[RunError]]:
    """Return how far a training has come, with its weights, and what it failed of, if it has: its epochs are kept."""
    job, weights = part
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in weights.items():
            (folder / file).write_bytes(content)
        save_state(job.run.state, folder)
        errors = []
        try:
            train(dataclasses.replace(job.run, folder=folder), job.dataset, job.split, job.epochs)
        except RunError as error:
            errors = [RunError(str(error).replace(name, str(job.run.folder)))]
        state = load_state(folder)
        return state, _weights(state, folder), errors


def _weights(state: State, folder: Path) -> Weights:
    return {name: (folder / name).read_bytes() for name in {state.best, state.last} - {""}}
