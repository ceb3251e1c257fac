"""A network is trained, stopped, gone on with, and its best epoch is what is kept."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from drawn_photos import drawn_photos
from whole_dataset import alone

from device.faces import Luma
from device.pictures import read_luma
from trainer import bfloat16
from trainer.__main__ import main
from trainer.dataset import Dataset, load_dataset
from trainer.finder.check import errors_of
from trainer.finder.crops import Crops
from trainer.interrupts import BetweenBatches
from trainer.jobs import Job, _train_away
from trainer.networks import simple
from trainer.provenance import commit
from trainer.report import _curves
from trainer.runs import Plan, Run, RunError, current, load_run, load_state, only_one, open_run, tell_changes
from trainer.split import Split, split_photos
from trainer.training import predict, read_network, set_threads, train

set_threads(2)  # the default of `train`, and only possible before TensorFlow's first operation

SIZE = 24  # px


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Dataset, Split]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    dataset = load_dataset(drawn_photos(tmp_path / "photos", 40), SIZE, cropped=True)
    return dataset, split_photos(alone(dataset), "grouped", seed=0)


def plan(dataset: Dataset, seed: int = 0) -> Plan:
    return Plan("simple", SIZE, "grouped", seed, 2, False, dataset.sha256, str(dataset.folder), dataset.names[:3])


@pytest.mark.parametrize(("size", "parameters"), [(100, 2_827_252), (224, 14_762_252)])
def test_the_simple_network_is_the_originals(size: int, parameters: int) -> None:
    network = simple(size)

    assert network.count_params() == parameters
    assert [type(layer).__name__ for layer in network.layers] == [
        "Rescaling", "Conv2D", "ReLU", "MaxPooling2D", "Conv2D", "ReLU", "MaxPooling2D", "Flatten", "Dropout", "Dense",
        "Dense",
    ]
    assert network.output_shape == (None, 2)


def test_the_best_epoch_is_kept_and_a_second_call_goes_on(photos: tuple[Dataset, Split], tmp_path: Path) -> None:
    dataset, split = photos
    first = train(open_run(plan(dataset), tmp_path), dataset, split, epochs=2)
    second = train(open_run(plan(dataset), tmp_path), dataset, split, epochs=4)

    losses = second.state.history["val_loss"]
    assert first.state.history["val_loss"] == losses[:2]
    assert (first.state.epochs, second.state.epochs, len(losses)) == (2, 4, 4)
    assert second.state.best_epoch == int(np.argmin(losses))
    assert sorted(path.name for path in second.folder.glob("*.keras")) == sorted({second.state.best, second.state.last})

    best = keras.saving.load_model(second.folder / second.state.best)
    labels = keras.utils.to_categorical(dataset.labels, 2)[split.validation]
    loss, _ = best.evaluate(dataset.crops[split.validation], labels, verbose=0)
    assert loss == pytest.approx(min(losses), abs=1e-3)  # which may have been computed in bfloat16

    done = train(second, dataset, split, epochs=4)
    assert done.state == second.state
    assert load_run(second.folder) == second


def test_training_stops_when_validation_loss_no_longer_falls(photos: tuple[Dataset, Split], tmp_path: Path) -> None:
    dataset, split = photos
    run = open_run(plan(dataset), tmp_path)
    one = train(run, dataset, split, epochs=1)
    # Nothing can be better than a loss of -1, so patience is all that is left.
    state = json.loads((run.folder / "state.json").read_text())
    state["history"]["val_loss"] = [-1.0]
    state["callbacks"]["stopping"]["best"] = state["callbacks"]["plateau"]["best"] = -1.0
    (run.folder / "state.json").write_text(json.dumps(state))

    stopped = train(open_run(plan(dataset), tmp_path), dataset, split, epochs=40)

    assert (stopped.state.epochs, stopped.state.stopped) == (4, True)
    assert stopped.state.best == one.state.best
    rates = stopped.state.history["learning_rate"]
    assert rates[:3] == pytest.approx([1e-3] * 3)
    assert rates[3] == pytest.approx(3e-4)
    assert train(stopped, dataset, split, epochs=40).state == stopped.state


def test_a_training_whose_loss_is_no_number_is_refused_and_keeps_what_came_before(
    photos: tuple[Dataset, Split], tmp_path: Path
) -> None:
    dataset, split = photos
    run = train(open_run(plan(dataset), tmp_path), dataset, split, epochs=1)
    network = read_network(run.folder / run.state.last)
    network.set_weights([np.full_like(weights, np.nan) for weights in network.get_weights()])
    network.save(run.folder / run.state.last)

    with pytest.raises(RunError, match=r"training diverged: loss isn't a number after epoch 2, expected one: set an"):
        train(open_run(plan(dataset), tmp_path), dataset, split, epochs=3)

    assert load_state(run.folder) == run.state


def test_a_training_that_diverges_on_a_worker_brings_back_the_epochs_before(
    photos: tuple[Dataset, Split], tmp_path: Path
) -> None:
    dataset, split = photos
    run = train(open_run(plan(dataset), tmp_path / "runs"), dataset, split, epochs=1)
    last = run.folder / run.state.last
    network = read_network(last)
    steps = int(network.optimizer.iterations.numpy())
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([steps], [1e-3, 1e38])
    network.compile(keras.optimizers.Adam(rate), "categorical_crossentropy", metrics=["accuracy"])
    network.optimizer.build(network.trainable_variables)
    network.save(last)
    weights = {name: (run.folder / name).read_bytes() for name in (run.state.best, run.state.last)}

    state, brought, (error,) = _train_away((Job(run, dataset, split, 5), weights))

    assert str(error).startswith(f"{run.folder}: training diverged: loss isn't a number after epoch 3, expected one")
    assert (state.epochs, state.last, set(brought)) == (2, "last-002.keras", {state.best, state.last})
    assert state.history["val_loss"][0] == run.state.history["val_loss"][0]


def test_the_same_seed_trains_the_same_network(photos: tuple[Dataset, Split], tmp_path: Path) -> None:
    dataset, split = photos
    scores = []
    for folder in ("a", "b"):
        run: Run = train(open_run(plan(dataset), tmp_path / folder), dataset, split, epochs=1)
        scores.append(predict(keras.saving.load_model(run.folder / run.state.best), dataset.crops[split.test]))

    assert (scores[0] == scores[1]).all()


def test_a_run_that_goes_on_is_the_same_as_one_that_was_never_stopped(
    photos: tuple[Dataset, Split], tmp_path: Path
) -> None:
    dataset, split = photos
    whole = train(open_run(plan(dataset), tmp_path / "whole"), dataset, split, epochs=3)
    for epochs in (1, 2, 3):
        parts = train(open_run(plan(dataset), tmp_path / "parts"), dataset, split, epochs)

    assert parts.state == whole.state
    ends = [read_network(run.folder / run.state.last) for run in (whole, parts)]
    for expected, found in zip(*(network.get_weights() for network in ends), strict=True):
        assert (expected == found).all()


def training(folder: Path, epochs: int) -> "subprocess.Popen[str]":
    """Start a training in a process of its own, with photos, runs and cache below a folder."""
    command = [sys.executable, "-m", "trainer", "train", "--model", "simple", "--size", str(SIZE)]
    command += ["--data", str(folder / "photos"), "--runs", str(folder / "runs"), "--epochs", str(epochs)]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE)


def stopped_by(number: signal.Signals, folder: Path) -> int:
    """Draw photos, and train on them until a signal comes in the third epoch; return the exit code."""
    drawn_photos(folder / "photos", 40)
    with training(folder, 500) as stopped:
        assert stopped.stdout is not None
        next(line for line in stopped.stdout if line.startswith("Epoch 3/"))
        stopped.send_signal(number)
        stopped.stdout.read()
    return stopped.returncode


class Pressed(keras.callbacks.Callback):  # type: ignore[misc]
    """Press Ctrl-C as an epoch begins, where TensorFlow makes of its exception a damaged heap; note what is done."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._times = times
        self.done: list[str] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.on_predict_begin()

    def on_predict_begin(self, logs: dict[str, float] | None = None) -> None:
        for _ in range(self._times):
            self.done.append("pressed")
            signal.raise_signal(signal.SIGINT)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.done.append("a batch")

    on_predict_batch_end = on_train_batch_end


@pytest.mark.parametrize(("times", "done"), [(1, ["pressed", "a batch"]), (2, ["pressed", "pressed"])])
def test_ctrl_c_waits_for_the_end_of_a_batch_and_a_second_one_does_not(
    times: int, done: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    network.compile("sgd", "mse")
    pressed, zeros = Pressed(times), np.zeros((4, 1), np.float32)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a test runner's processes may ignore it
    try:
        with pytest.raises(KeyboardInterrupt), BetweenBatches() as interrupts:
            network.fit(zeros, zeros, batch_size=1, verbose=0, callbacks=[pressed, interrupts])
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert pressed.done == done
    assert capfd.readouterr().err == "\nstops after this batch\n"


@pytest.mark.parametrize("asked", [
    lambda network, crops, _: predict(network, crops),
    lambda network, crops, at: errors_of(network, Crops(crops, np.zeros(len(crops), np.float32)), at / "errors.npy"),
])  # fmt: skip
def test_ctrl_c_waits_for_the_end_of_a_batch_of_predictions_too(
    asked: Callable[[Any, Luma, Path], object], tmp_path: Path
) -> None:
    class Network(keras.Sequential):  # type: ignore[misc]
        def predict(self, *words: Any, callbacks: Any = (), **named: Any) -> Any:
            return super().predict(*words, callbacks=[pressed, *callbacks], **named)

    network, pressed = Network([keras.Input((2, 2)), keras.layers.Flatten(), keras.layers.Dense(1)]), Pressed(1)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            asked(network, np.zeros((600, 2, 2), np.uint8), tmp_path)  # of more than one batch
    finally:
        signal.signal(signal.SIGINT, before)
    assert pressed.done == ["pressed", "a batch"]


def test_ctrl_c_leaves_the_best_epoch_usable_and_the_same_command_resumes(tmp_path: Path) -> None:
    assert stopped_by(signal.SIGINT, tmp_path) == 130

    stopped = load_run(current(tmp_path / "runs")[-1])
    assert 2 <= stopped.state.epochs < stopped.state.asked == 500
    kept = shutil.copytree(stopped.folder, tmp_path / "kept")
    assert keras.saving.load_model(kept / stopped.state.best).count_params() == simple(SIZE).count_params()

    wanted = stopped.state.epochs + 1
    with training(tmp_path, wanted) as resumed:
        assert [line for line in resumed.stdout or () if line.startswith("Epoch")] == [f"Epoch {wanted}/{wanted}\n"]
    assert resumed.returncode == 0
    assert load_run(current(tmp_path / "runs")[-1]).folder == stopped.folder
    assert (stopped.folder / "report.html").exists()


def test_the_run_whose_training_ended_last_is_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    photos, runs = drawn_photos(tmp_path / "photos", 12), tmp_path / "runs"
    with training(tmp_path, 500) as longer:
        next(line for line in longer.stdout or () if line.startswith("Epoch 2/"))
        shorter = ["train", "--model", "simple", "--data", str(photos), "--size", str(SIZE), "--runs", str(runs)]
        (first,) = current(runs)
        assert main([*shorter, "--epochs", "1", "--seed", "1"]) == 0
        assert current(runs) != [first]
        longer.send_signal(signal.SIGINT)

    assert current(runs) == [first]


def test_a_note_of_the_current_run_that_the_disk_has_damaged_is_refused(tmp_path: Path) -> None:
    (tmp_path / "current").write_bytes(b"\xff\xfe")
    with pytest.raises(RunError, match=r"��: is no training run, expected a folder with run\.json: run `make train`"):
        load_run(*current(tmp_path))


def test_a_run_with_nothing_left_to_train_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    runs = tmp_path / "runs"
    command = ["train", "--model", "simple", "--data", str(drawn_photos(tmp_path / "photos", 20)), "--size", str(SIZE)]
    command += ["--runs", str(runs), "--epochs"]
    assert main([*command, "2"]) == 0
    assert "nothing was left" not in capsys.readouterr().out
    folder = load_run(current(runs)[-1]).folder
    folder.chmod(0o755)

    assert main([*command, "1"]) == 0
    assert folder.stat().st_mode & 0o777 == 0o700  # its report shows photos
    line = "nothing was left to train, 2 epochs are done and at most 1 were asked for: set larger EPOCHS to go on"
    assert f"{folder}: {line}" in capsys.readouterr().out

    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps({**state, "stopped": True}))
    assert main([*command, "9"]) == 0
    line = "nothing was left to train, its validation loss no longer fell after 2 epochs: set another SEED"
    assert f"{folder}: {line}" in capsys.readouterr().out


def test_a_run_keeps_the_code_that_trained_its_best_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    runs = tmp_path / "runs"
    command = ["train", "--model", "simple", "--data", str(drawn_photos(tmp_path / "photos", 12)), "--size", str(SIZE)]
    command += ["--runs", str(runs), "--epochs"]
    assert main([*command, "1"]) == 0
    (folder,) = current(runs)
    assert "its best epoch" not in capsys.readouterr().err

    for epochs, loss, kept in ((2, -1.0, "0" * 40), (3, 99.0, commit())):  # nothing is better than -1
        state = json.loads((folder / "state.json").read_text())
        state["history"]["val_loss"] = [loss] * (epochs - 1)
        (folder / "state.json").write_text(json.dumps({**state, "commit": "0" * 40}))
        assert main([*command, str(epochs)]) == 0
        line = f"{folder}: its best epoch was trained by commit {'0' * 40}, now {commit()}: the card tells of then\n"
        assert line in capsys.readouterr().err
        assert load_state(folder).commit == kept


@pytest.mark.parametrize(("flags", "arithmetic"), [("fpu avx512_bf16", "bfloat16"), ("fpu", "float32")])
def test_a_run_keeps_in_which_numbers_it_was_computed(
    flags: str, arithmetic: str, photos: tuple[Dataset, Split], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    processor = tmp_path / "cpuinfo"
    monkeypatch.setattr(bfloat16, "PROCESSOR", processor)
    processor.write_text(f"flags : {flags}\n")
    dataset, split = photos
    run = train(open_run(plan(dataset), tmp_path / "runs"), dataset, split, epochs=1)
    assert run.state.versions["arithmetic"] == arithmetic

    tell_changes(run.state, run.folder, bfloat16=True)
    assert capsys.readouterr().err == ""
    processor.write_text("flags : fpu\n" if arithmetic == "bfloat16" else "flags : amx_bf16\n")
    tell_changes(run.state, run.folder, bfloat16=True)
    assert f"its best epoch was trained by arithmetic {arithmetic}, now " in capsys.readouterr().err


def test_a_table_that_says_otherwise_how_photos_are_sampled_makes_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder, runs = drawn_photos(tmp_path / "photos", 12), tmp_path / "runs"
    places = enumerate(path.relative_to(folder) for path in sorted(folder.rglob("*.png")))
    rows = [f"{place},{place.parent},{('bank', 'shop')[i % 2]},real," for i, place in places]
    table, said = folder / "crops.csv", "\n".join(["file,label,source,kind,note", *rows])
    table.write_text(said)
    command = ["train", "--model", "simple", "--data", str(folder), "--size", str(SIZE), "--epochs", "1"]
    command += ["--runs", str(runs)]
    assert main(command) == 0
    first = load_run(current(runs)[-1]).folder

    for before, after in ((",bank,", ",shop,"), (",real,", ",real,hand_x"), (",real,", ",synthetic,")):
        table.write_text(said.replace(before, after, 1))
        assert main(["convert", "--runs", str(runs), "--models", str(tmp_path / "models")]) == 2
        assert f"{folder}: has changed since the training" in capsys.readouterr().err
    assert main(command) == 0
    assert "nothing was left to train" not in capsys.readouterr().out
    assert load_run(current(runs)[-1]).folder != first


def test_a_run_that_another_process_trains_is_refused_before_its_state_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The other one could end while a second network's photos are cut, and what was read of the first be gone by then.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    runs = tmp_path / "runs"
    command = ["train", "--data", str(drawn_photos(tmp_path / "photos", 12)), "--size", str(SIZE), "--runs", str(runs)]
    assert main([*command, "--epochs", "1", "--model", "simple"]) == 0
    (folder,) = current(runs)
    capsys.readouterr()

    with only_one(folder):
        assert main([*command, "--epochs", "2", "--model", "simple", "door"]) == 2

    said = capsys.readouterr()
    assert said.err == f"error: {folder}: is being trained or converted by another process: wait for it, or set RUNS=\n"
    assert said.out.count("photos in ") == 1


def test_photos_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = drawn_photos(tmp_path / "photos", 12)
    for number, path in enumerate(sorted((folder / "with_mask").iterdir())):
        path.rename(path.with_name(os.fsdecode(b"%d $_1^$ caf\xe9.png" % number)))
    (folder / "with_mask" / os.fsdecode(b"\xe9.txt")).touch()
    train = ["train", "--data", str(folder), "--size", "24", "--epochs", "1", "--runs", str(tmp_path / "runs")]

    assert main([*train, "--model", "simple"]) == 0

    (page,) = (tmp_path / "runs").glob("*/report.html")
    assert r"with_mask/\udce9.txt: isn" in page.read_text()


def test_a_report_of_one_epoch_and_few_photos_has_no_empty_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    train = ["train", "--data", str(drawn_photos(tmp_path / "photos", 12)), "--size", "24", "--epochs", "1"]
    assert main([*train, "--model", "simple", "--runs", str(tmp_path / "runs")]) == 0

    run = load_run(current(tmp_path / "runs")[-1])
    worst = read_luma(run.folder / "worst.png")
    assert np.flatnonzero((worst < 250).any(axis=1))[-1] > 0.7 * len(worst)  # nearly reaches its lower edge
    (axes,) = _curves(run, "loss", "unit").axes
    low, high = axes.get_xlim()
    assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]


def test_a_killed_training_loses_no_finished_epoch(tmp_path: Path) -> None:
    assert stopped_by(signal.SIGKILL, tmp_path) == -signal.SIGKILL

    killed = load_run(current(tmp_path / "runs")[-1])
    assert killed.state.epochs >= 2
    wanted = killed.state.epochs + 1
    with training(tmp_path, wanted) as resumed:
        assert [line for line in resumed.stdout or () if line.startswith("Epoch")] == [f"Epoch {wanted}/{wanted}\n"]
    assert resumed.returncode == 0
    history = load_run(current(tmp_path / "runs")[-1]).state.history
    assert history["val_loss"][:-1] == killed.state.history["val_loss"]

    shutil.copytree(tmp_path / "photos", tmp_path / "other" / "photos")
    with training(tmp_path / "other", wanted) as unstopped:
        unstopped.communicate()
    assert unstopped.returncode == 0
    assert load_run(current(tmp_path / "other" / "runs")[-1]).state.history == history


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ("{", "is damaged"),
        ('{"epochs": 1, "best": "best-001.keras", "last": "last-001.keras"}', "best-001.keras: is missing"),
        ('{"epochs": 2, "best": "best-002.keras", "last": "last-002.keras"}', "last-002.keras: is missing"),
    ],
)
def test_a_damaged_run_is_refused_in_one_line(tmp_path: Path, state: str, line: str) -> None:
    (tmp_path / "state.json").write_text(state)
    (tmp_path / "best-002.keras").touch()
    with pytest.raises(RunError, match=line):
        load_state(tmp_path)


def test_damaged_weights_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "last-001.keras").write_bytes(b"half a file")

    with pytest.raises(RunError, match=r"last-001.keras: Keras can't read it, expected a network: remove .* train aga"):
        read_network(tmp_path / "last-001.keras")
