"""Keeps a training run on disk so that it can be stopped at any moment and gone on with.

A run is a folder below runs/: run.json says what was asked and with which photos, state.json says how far it has come
and which two files hold its weights. state.json is written last and whole, so it never points at half a file.
"""

import dataclasses
import fcntl
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from device.disk import sync, write_whole
from device.errors import KioskError
from trainer.provenance import commit, versions


class RunError(KioskError, ValueError):
    """A training run that is absent, unfinished, or made from other photos."""


@dataclass(frozen=True)
class Plan:
    """What a run was asked to do; two runs that differ in more than where their files lie have different folders."""

    network: str
    size: int  # px, side of the crops
    split: str  # "grouped" or "random"
    seed: int
    threads: int
    practice: bool
    dataset_sha256: str
    data: str  # the folder of photos; the same photos elsewhere make the same run
    calibration: tuple[str, ...]  # names of training photos whose crops set the ranges of the integers
    extra: tuple[str, ...] = ()  # more folders of photos
    apart: tuple[str, ...] = ()  # folders to measure with: photos that resemble theirs were left out
    finder: str = "own"  # what cut the faces out of the photos
    yunet: str = ""  # the .onnx, where that was YuNet
    finder_sha256: str = ""  # of the finder's file
    sampling_sha256: str = ""  # of what decides how often each photo is shown

    @property
    def name(self) -> str:
        """What the model will be called."""
        if self.practice:
            return "practice"
        return self.network if self.split == "grouped" else f"{self.network}-{self.split}"

    def folder(self, runs: Path) -> Path:
        """Return the folder of this run below `runs`."""
        asked = [v for k, v in dataclasses.asdict(self).items() if k not in ("data", "extra", "apart", "yunet")]
        digest = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:8]
        return runs / f"{self.name}-{self.size}px-{digest}"


@dataclass(frozen=True)
class State:
    """How far a run has come. Epochs count from 0 inside, as Keras counts them."""

    epochs: int = 0  # finished
    asked: int = 0  # at most; the learning rate may fall with them
    best: str = ""  # file of the weights with the lowest validation loss
    best_epoch: int = 0
    last: str = ""  # file of the model and optimizer after the last finished epoch
    stopped: bool = False  # validation loss has stopped falling
    history: dict[str, list[float]] = field(default_factory=dict)
    callbacks: dict[str, dict[str, float]] = field(default_factory=dict)
    draws: list[list[int]] = field(default_factory=list)  # of each layer that drops units: its seed, and how often yet
    commit: str = "unknown"  # the code that trained the best epoch
    versions: dict[str, str] = field(default_factory=dict)  # and what it ran on


@dataclass(frozen=True)
class Run:
    """A plan, how far it has come, and the folder that holds both."""

    plan: Plan
    state: State
    folder: Path


def open_run(plan: Plan, runs: Path) -> Run:
    """Write run.json where it isn't yet, and return the run as far as it has come."""
    folder = plan.folder(runs)
    write_whole(folder / "run.json", _json(plan))
    return Run(plan, load_state(folder), folder)


def make_current(folders: Sequence[Path], runs: Path) -> None:
    """Note which runs are trained last."""
    write_whole(runs / "current", "\n".join(folder.name for folder in folders).encode())


def current(runs: Path) -> list[Path]:
    """Return the folders of the runs that were trained last. Raises RunError where there is none."""
    try:
        names = (runs / "current").read_text(encoding="utf-8", errors="replace").split()
    except FileNotFoundError:
        names = []
    if not names:
        raise RunError(f"{runs}: holds no trained network, expected one: run `make train`")
    return [runs / name for name in names]


def save_state(state: State, folder: Path) -> None:
    """Have the weights it points at on the disk, write state.json, then remove those it no longer points at."""
    for name in {state.best, state.last} - {""}:
        sync(folder / name)
    sync(folder)
    write_whole(folder / "state.json", _json(state))
    for path in folder.glob("*.keras"):
        if path.name not in (state.best, state.last):
            path.unlink()


@contextmanager
def only_one(folder: Path, held: str = "is being trained or converted") -> Iterator[None]:
    """Hold a run's folder for this process; raise RunError while another one does, which says how it is `held`."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)  # its report shows photos, and a face finder's plan is written before it is held
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(f"{folder}: {held} by another process: wait for it, or set RUNS=") from error
        yield


def load_state(folder: Path) -> State:
    """Read state.json; a run that hasn't finished an epoch has none. Raises RunError if it is damaged."""
    path = folder / "state.json"
    if not path.exists():
        return State()
    try:
        state = State(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise RunError(f"{path}: is damaged ({error}): remove {folder}, and train again") from error
    for name in filter(None, (state.best, state.last)):
        if not (folder / name).exists():
            raise RunError(f"{folder / name}: is missing, {path} names it: remove {folder}, and train again")
    return state


def tell_changes(state: State, folder: Path, bfloat16: bool = False) -> None:
    """Print one line on stderr where code or packages aren't those any more that trained a run's best epoch.

    bfloat16: whether its training asks for such numbers.
    """
    now = {"commit": commit(), **versions(bfloat16)}
    then = {"commit": state.commit, **state.versions}
    changed = [f"{name} {then[name]}, now {now.get(name, 'none')}" for name in then if then[name] != now.get(name)]
    if state.best and changed:
        print(f"{folder}: its best epoch was trained by {'; '.join(changed)}: the card tells of then", file=sys.stderr)


def nothing_left(run: Run, epochs: int) -> str:
    """Return the line that says why a run of at most `epochs` wasn't trained any further, and what would be."""
    if run.state.stopped:
        return (f"{run.folder}: nothing was left to train, its validation loss no longer fell after {run.state.epochs} "
                "epochs: set another SEED to train anew")
    return (f"{run.folder}: nothing was left to train, {run.state.epochs} epochs are done and at most {epochs} were "
            "asked for: set larger EPOCHS to go on, or another SEED to train anew")


def load_run(folder: Path) -> Run:
    """Read a run that has finished an epoch at least. Raises RunError."""
    if not (folder / "run.json").exists():
        raise RunError(f"{folder}: is no training run, expected a folder with run.json: run `make train`")
    try:
        asked: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        lists = {name: tuple(value) for name, value in asked.items() if isinstance(value, list)}
        plan = Plan(**{**asked, **lists})
    except (ValueError, TypeError, AttributeError) as error:  # damaged, or a face finder's
        raise RunError(f"{folder / 'run.json'}: is no plan of a classifier, expected one: name a folder that "
                       "`make train` made, or run it again") from error
    state = load_state(folder)
    if not state.best:
        raise RunError(f"{folder}: has not finished an epoch, expected at least one: run `make train`")
    return Run(plan, state, folder)


@contextmanager
def held_run(folder: Path) -> Iterator[Run]:
    """Hold a run for this process and read it: a training meanwhile would remove the weights that its state names."""
    load_run(folder)  # before a lock is laid into a folder that is no run
    with only_one(folder):
        yield load_run(folder)


def _json(value: Plan | State) -> bytes:
    return (json.dumps(dataclasses.asdict(value), indent=1) + "\n").encode()
