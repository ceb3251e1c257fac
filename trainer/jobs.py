"""Trains several networks, one after the other in their runs' folders, or side by side on a cluster."""

import dataclasses
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.cache import write_whole
from trainer.cluster import each
from trainer.dataset import Dataset
from trainer.provenance import commit
from trainer.runs import Run, State, save_state, tell_changes
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
    """Do each job; yield it with its run as far as that has come, as soon as it is done. Raises ClusterError.

    All are planned with the same number of threads. On a cluster a run goes on from its last epoch, but new ones come
    back only when it is done: a worker that is killed costs those.
    """
    for job in jobs:
        tell_changes(job.run.state, job.run.folder)
    if not os.environ.get("RAY_ADDRESS"):
        for job in jobs:
            yield job, train(job.run, job.dataset, job.split, job.epochs)
        return
    # Nobody finds faces any more, and some finders can't be sent.
    parts = [(dataclasses.replace(job, dataset=dataclasses.replace(job.dataset, finder=None)),
              _weights(job.run.state, job.run.folder)) for job in jobs]
    sent = commit()
    for number, (done, weights) in each(_train_away, parts, (), jobs[0].run.plan.threads):
        run = jobs[number].run
        # A worker has the code, but no checkout that would tell its commit.
        state = dataclasses.replace(done, commit=run.state.commit if done.best == run.state.best else sent)
        for name, content in weights.items():
            write_whole(run.folder / name, content)
        save_state(state, run.folder)
        yield jobs[number], dataclasses.replace(run, state=state)


def _train_away(part: tuple[Job, Weights]) -> tuple[State, Weights]:
    job, weights = part
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in weights.items():
            (folder / file).write_bytes(content)
        state = train(dataclasses.replace(job.run, folder=folder), job.dataset, job.split, job.epochs).state
        return state, _weights(state, folder)


def _weights(state: State, folder: Path) -> Weights:
    return {name: (folder / name).read_bytes() for name in {state.best, state.last} - {""}}
