"""A conversion keeps its promises to the device, or writes nothing."""

import contextlib
import dataclasses
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from drawn_photos import drawn_photos
from whole_dataset import alone

from device.classifier import Classifier
from device.finders import OwnFaceFinder
from device.golden import require_right
from device.haar import HaarFaceFinder
from trainer.__main__ import main
from trainer.convert import LEAST_PARITY, _parity_on, require_parity
from trainer.dataset import load_dataset
from trainer.evaluate import evaluate
from trainer.provenance import commit, versions
from trainer.quantize import ConversionError, run_tflite
from trainer.runs import Run, current, load_run, only_one, save_state
from trainer.scores import threshold, verdicts
from trainer.split import split_photos
from trainer.training import predict, set_threads

set_threads(2)  # the default of `train`, and only possible before TensorFlow's first operation

SIZE = 24  # px


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """A run of three epochs on drawn photos, and the folder that everything of it is below."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        photos = drawn_photos(folder / "photos", 40)
        wanted = ["--data", str(photos), "--size", str(SIZE), "--epochs", "3", "--runs", str(folder / "runs")]
        assert main(["train", "--model", "simple", *wanted]) == 0
    return load_run(current(folder / "runs")[-1]), folder


@pytest.fixture(autouse=True)
def _shared_cache(trained: tuple[Run, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(trained[1] / "cache"))


def convert(folder: Path, models: Path) -> int:
    return main(["convert", "--runs", str(folder / "runs"), "--models", str(models)])


def test_the_model_takes_camera_bytes_and_judges_as_keras_does(trained: tuple[Run, Path], tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    run, folder = trained
    assert convert(folder, tmp_path) == 0

    interpreter = Interpreter(model_path=str(tmp_path / "simple.tflite"))
    (takes,), (gives,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (takes["dtype"], takes["shape"].tolist(), takes["quantization"]) == (np.uint8, [1, SIZE, SIZE, 1], (1.0, 0))
    assert (gives["dtype"], gives["shape"].tolist()) == (np.float32, [1, 2])
    scales = {
        tuple(tensor["shape"].tolist()): len(tensor["quantization_parameters"]["scales"])
        for tensor in interpreter.get_tensor_details()
        if tensor["dtype"] == np.int8 and len(tensor["shape"]) in (2, 4) and tensor["shape"][0] > 1
    }
    assert scales == {(200, 3, 3, 1): 200, (100, 3, 3, 200): 100, (50, 1600): 1, (2, 50): 1}

    card = Classifier(str(tmp_path / "simple.tflite")).card
    dataset = load_dataset(folder / "photos", SIZE)
    split = split_photos(alone(dataset), "grouped", seed=0)
    crops, labels = dataset.crops[split.test], dataset.labels[split.test]
    found = verdicts(run_tflite((tmp_path / "simple.tflite").read_bytes(), crops), threshold(1.0))
    wanted = verdicts(predict(keras.saving.load_model(run.folder / run.state.best), crops), threshold(1.0))
    assert (found == wanted).mean() == card.measured.parity >= LEAST_PARITY
    assert (found == labels).mean() == pytest.approx(card.measured.accuracy, abs=1e-4)
    assert card.measured.n == len(split.test) == card.trained_on.test
    assert card.trained_on.photos == {"with_mask": 40, "without_mask": 40}
    assert (card.trained_on.epochs, card.trained_on.best_epoch) == (3, run.state.best_epoch + 1)
    assert (card.face_finder, card.face_finder_sha256) == ("own", OwnFaceFinder().sha256)
    assert (card.practice, card.trained_on.leak, card.trained_on.split) == (False, 0.0, "grouped")
    assert str(folder) not in (tmp_path / "simple.json").read_text()


@pytest.mark.parametrize(
    ("asked", "rests", "told"),
    [(3, False, "EPOCHS=3 "), (9, True, "EPOCHS=9 "), (9, False, "EPOCHS=9 ")],
)
def test_the_card_tells_the_epochs_done_and_the_command_that_made_them(
    trained: tuple[Run, Path], tmp_path: Path, asked: int, rests: bool, told: str
) -> None:
    run, folder = trained
    runs = tmp_path / "runs"
    shutil.copytree(folder / "runs", runs)
    state = dataclasses.replace(run.state, asked=asked, stopped=rests)
    save_state(state, runs / run.folder.name)
    assert convert(tmp_path, tmp_path) == 0
    made = Classifier(str(tmp_path / "simple.tflite")).card.trained_on
    assert made.epochs == 3
    assert told in made.command
    assert made.command.endswith("THREADS=2" + ("  # stopped after 3 epochs" if asked == 9 and not rests else ""))


@pytest.mark.parametrize(("kept", "told"), [
    ({"commit": "0" * 40, "versions": {"keras": "3.0.0"}}, f"commit {'0' * 40}, now {commit()}; keras 3.0.0, now 3."),
    ({"commit": "unknown"}, f"commit unknown, now {commit()}: the card tells of then\n"),
])
def test_the_card_tells_the_code_that_trained_whatever_converts(
    trained: tuple[Run, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], kept: dict[str, object], told: str
) -> None:
    copy = shutil.copytree(trained[0].folder, tmp_path / "run")
    state = json.loads((copy / "state.json").read_text())
    assert (state["commit"], state["versions"]) == (commit(), versions(bfloat16=True))
    (copy / "state.json").write_text(json.dumps({**state, **kept}))

    assert main(["convert", "--run", str(copy), "--models", str(tmp_path)]) == 0

    card = Classifier(str(tmp_path / "simple.tflite")).card.trained_on
    assert (card.commit, card.versions) == (kept["commit"], kept.get("versions", state["versions"]))
    assert f"{copy}: its best epoch was trained by {told}" in capsys.readouterr().err


def test_a_model_can_be_trained_on_the_crops_of_another_finder(tmp_path: Path) -> None:
    photos, runs, models = drawn_photos(tmp_path / "photos", 40), tmp_path / "runs", tmp_path / "models"
    wanted = ["--data", str(photos), "--size", str(SIZE), "--epochs", "2", "--runs", str(runs), "--finder", "haar"]
    assert main(["train", "--model", "simple", *wanted]) == 0
    assert main(["convert", "--runs", str(runs), "--models", str(models)]) == 0

    card, cascade = Classifier(str(models / "simple.tflite")).card, HaarFaceFinder()
    assert (card.face_finder, card.face_finder_sha256) == ("haar", cascade.sha256)
    assert "FINDER=haar" in card.trained_on.command
    assert evaluate(Classifier(str(models / "simple.tflite")), cascade, photos).no_face == 80


def test_calibration_photos_are_training_photos(trained: tuple[Run, Path]) -> None:
    run, folder = trained
    dataset = load_dataset(folder / "photos", SIZE)
    split = split_photos(alone(dataset), "grouped", seed=0)

    assert len(run.plan.calibration) == len(set(run.plan.calibration)) == len(split.train)
    assert set(run.plan.calibration) <= {dataset.names[i] for i in split.train}


def test_photos_of_two_folders_may_have_the_same_names(tmp_path: Path) -> None:
    photos, extra = drawn_photos(tmp_path / "my photos", 20), drawn_photos(tmp_path / "more $photos", 20, seed=1)
    renamed = {path.with_name(f"extra-{path.name}"): path for path in extra.glob("*/*.png")}
    for unique, same in renamed.items():
        same.rename(unique)
    wanted = ["--data", str(photos), "--extra", str(extra), "--size", str(SIZE), "--epochs", "1"]
    assert main(["train", "--model", "simple", *wanted, "--runs", str(tmp_path / "runs")]) == 0
    assert convert(tmp_path, tmp_path / "unique") == 0

    for unique, same in renamed.items():
        unique.rename(same)
    plan = load_run(current(tmp_path / "runs")[-1]).folder / "run.json"
    plan.write_text(plan.read_text().replace("/extra-", "/"))
    assert convert(tmp_path, tmp_path / "same") == 0

    assert (tmp_path / "same/simple.tflite").read_bytes() == (tmp_path / "unique/simple.tflite").read_bytes()
    words = shlex.split(Classifier(str(tmp_path / "same/simple.tflite")).card.trained_on.command)
    assert "DATA=my photos" in words
    (extras,) = (word.removeprefix("EXTRA=") for word in words if word.startswith("EXTRA="))
    assert shlex.split(extras) == ["more $$photos"]  # as make reads it


def test_the_line_of_a_conversion_tells_the_classes_apart(
    trained: tuple[Run, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(trained[1], tmp_path) == 0

    recall = json.loads((tmp_path / "simple.json").read_text())["measured"]["recall"]
    said = f"{recall['with_mask']:.1%} of with_mask, {recall['without_mask']:.1%} of without_mask"
    assert f" photos, {said}, same verdict as Keras on " in capsys.readouterr().out


def test_the_same_run_converts_to_the_same_bytes(trained: tuple[Run, Path], tmp_path: Path) -> None:
    assert convert(trained[1], tmp_path / "a") == convert(trained[1], tmp_path / "b") == 0

    assert (tmp_path / "a" / "simple.tflite").read_bytes() == (tmp_path / "b" / "simple.tflite").read_bytes()
    golden = [{path.name: path.read_bytes() for path in (tmp_path / name / "golden/simple").iterdir()} for name in "ab"]
    assert golden[0] == golden[1]
    require_right(Classifier(str(tmp_path / "a" / "simple.tflite")), OwnFaceFinder())


def test_a_network_that_integers_cannot_follow_is_not_written(
    trained: tuple[Run, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, _ = trained
    copy = shutil.copytree(run.folder, tmp_path / "run")
    network = keras.saving.load_model(run.folder / run.state.best)
    # A unit that never fires, with weights so large that eight bits have nothing left for the others of the matrix.
    hidden = network.layers[-2]
    weights, bias = hidden.get_weights()
    weights[:, 0], bias[0] = -1e4, -1.0
    hidden.set_weights([weights, bias])
    network.save(copy / run.state.best)

    assert main(["convert", "--run", str(copy), "--models", str(tmp_path / "models")]) == 2

    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: simple.tflite agrees with Keras on ")
    assert "nothing was written" in line
    assert not (tmp_path / "models").exists()


def test_a_card_that_cannot_be_written_leaves_the_model_that_was_there(
    trained: tuple[Run, Path], tmp_path: Path
) -> None:
    run, _ = trained
    copy, models = shutil.copytree(run.folder, tmp_path / "run"), tmp_path / "models"
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    odd.symlink_to(trained[1] / "photos")
    plan = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**plan, "data": str(odd)}))  # `train` refuses such a name
    models.mkdir()
    (models / "simple.tflite").write_text("the old one")

    with pytest.raises(UnicodeEncodeError):
        main(["convert", "--run", str(copy), "--models", str(models)])

    assert [(path.name, path.read_text()) for path in models.iterdir()] == [("simple.tflite", "the old one")]


@pytest.mark.parametrize(("photos", "others", "line"), [
    (20, 1, ""), (20, 2, "agrees with Keras on 90.00% of 20 photos"),
    (400, 2, ""), (400, 3, "agrees with Keras on 99.25% of 400 photos"),
])
def test_a_single_photo_decides_nothing(
    photos: int, others: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exact = np.tile(np.array([[0.1, 0.9]], np.float32), (photos, 1))
    rounded = exact.copy()
    rounded[:others] = rounded[:others, ::-1]
    with pytest.raises(ConversionError, match=line) if line else contextlib.nullcontext():
        require_parity(exact, rounded, "door", 0.5)

    few = "door.tflite was compared with Keras on 20 photos, which proves little, expected 200: add photos\n"
    assert capsys.readouterr().err == (few if photos == 20 and not line else "")


def test_a_conversion_compares_more_photos_than_a_small_test_part_has(
    trained: tuple[Run, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(trained[1], tmp_path) == 0

    assert "simple.tflite was compared with Keras on 80 photos, which proves little" in capsys.readouterr().err
    assert json.loads((tmp_path / "simple.json").read_text())["measured"]["n"] == 8


def test_photos_that_changed_since_the_training_are_refused(
    trained: tuple[Run, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, folder = trained
    extra = folder / "photos" / "with_mask" / "extra.png"
    extra.write_bytes((folder / "photos" / "with_mask" / "0.png").read_bytes())
    code = convert(folder, tmp_path / "models")
    extra.unlink()

    assert code == 2
    assert "has changed since the training" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


def test_photos_that_were_moved_since_the_training_are_named_again_and_nothing_is_trained(
    trained: tuple[Run, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = shutil.copytree(trained[1] / "photos", tmp_path / "moved")
    runs = shutil.copytree(trained[1] / "runs", tmp_path / "runs")
    told = runs / trained[0].folder.name / "run.json"
    told.write_text(json.dumps({**json.loads(told.read_text()), "data": str(tmp_path / "gone")}))
    assert convert(tmp_path, tmp_path / "models") == 2
    assert capsys.readouterr().err == (
        f"error: {tmp_path / 'gone'}: no such folder, expected the photos that simple was trained with: run `make "
        "train DATA=` as then, but with the folder where they are now: nothing is trained again\n"
    )

    wanted = ["--data", str(moved), "--size", str(SIZE), "--epochs", "3", "--runs", str(runs)]
    assert main(["train", "--model", "simple", *wanted]) == 0
    assert "nothing was left to train" in capsys.readouterr().out
    assert convert(tmp_path, tmp_path / "models") == 0
    assert load_run(current(runs)[-1]).state == trained[0].state


def test_a_run_whose_photos_would_be_divided_otherwise_is_refused(
    trained: tuple[Run, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # What it is measured with has changed: other photos are left out, and some of the test part were learned from.
    photos, apart = trained[1] / "photos", drawn_photos(tmp_path / "apart", 12, seed=1)
    wanted = ["--data", str(photos), "--apart", str(apart), "--size", str(SIZE), "--epochs", "1"]
    assert main(["train", "--model", "simple", *wanted, "--runs", str(tmp_path / "runs")]) == 0
    for number in range(4):
        shutil.copy(photos / "with_mask" / f"{number}.png", apart / "with_mask" / f"more-{number}.png")

    assert convert(tmp_path, tmp_path / "models") == 2

    assert "its photos are divided differently than in the training" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "models").exists()


def test_photos_cut_by_another_finder_than_todays_are_refused(
    trained: tuple[Run, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, _ = trained
    copy = shutil.copytree(run.folder, tmp_path / "run")
    plan = json.loads((copy / "run.json").read_text())
    assert plan["finder_sha256"] == OwnFaceFinder().sha256
    (copy / "run.json").write_text(json.dumps({**plan, "finder_sha256": "0" * 64}))

    assert main(["convert", "--run", str(copy), "--models", str(tmp_path / "models")]) == 2

    assert capsys.readouterr().err == (
        "error: simple: was trained on faces cut by the finder 'own', whose file has changed since: run `make train`\n"
    )
    assert not (tmp_path / "models").exists()


def test_a_run_that_another_process_trains_is_not_converted(
    trained: tuple[Run, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with only_one(trained[0].folder):
        assert convert(trained[1], tmp_path / "models") == 2

    assert capsys.readouterr().err == (
        f"error: {trained[0].folder}: is being trained or converted by another process: wait for it, or set RUNS=\n"
    )
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("plan", ["{", "[]", '{"scenes": ["/home/me/scenes"], "epochs": 48}'])
def test_a_run_of_something_else_is_refused_in_one_line(
    plan: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.json").write_text(plan)

    assert main(["convert", "--run", str(tmp_path), "--models", str(tmp_path / "models")]) == 2

    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'run.json'}: is no plan of a classifier, expected")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("note", [None, "", "\n"])
def test_without_a_trained_run_convert_says_what_to_do(
    note: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if note is not None:  # as a damaged disk may leave it
        (tmp_path / "runs").mkdir()
        (tmp_path / "runs" / "current").write_text(note)
    assert convert(tmp_path, tmp_path / "models") == 2

    expected = f"error: {tmp_path / 'runs'}: holds no trained network, expected one: run `make train`\n"
    assert capsys.readouterr().err == expected


def test_evaluate_counts_what_the_model_says(trained: tuple[Run, Path], tmp_path: Path) -> None:
    _, folder = trained
    assert convert(folder, tmp_path) == 0
    model, others = str(tmp_path / "simple.tflite"), drawn_photos(tmp_path / "others", 30, seed=1)
    (others / "with_mask" / "bad.png").write_bytes(b"no picture")

    figures = tmp_path / "figures.json"
    command = ["evaluate", "--data", str(others), "--cropped", "--model", model, "--json", str(figures)]
    assert main(command) == 0

    classifier = Classifier(model)
    dataset = load_dataset(others, SIZE, cropped=True)
    scores = np.stack([classifier.scores(crop) for crop in dataset.crops])
    right = verdicts(scores, classifier.card.threshold) == dataset.labels
    recall = {"with_mask": round(right[:30].mean(), 4), "without_mask": round(right[30:].mean(), 4)}
    found = json.loads(figures.read_text())
    assert (found["n"], found["no_face"], found["refused"], found["cropped"]) == (60, 0, 1, True)
    assert found["recall"] == recall
    assert found["balanced_accuracy"] == pytest.approx(sum(recall.values()) / 2, abs=1e-4)
    low, high = found["balanced_accuracy_interval"]
    assert low <= found["balanced_accuracy"] <= high
    assert 45 <= evaluate(classifier, OwnFaceFinder(), others).no_face <= 60  # the shipped finder takes a few for faces


def test_a_conversion_leaves_masks_worn_wrong_out_of_balanced_accuracy_as_evaluate_does(tmp_path: Path) -> None:
    apart = drawn_photos(tmp_path / "apart", 20, seed=1)
    worn_wrong = apart / "mask_weared_incorrect"
    worn_wrong.mkdir()
    for number in range(10):
        (apart / "with_mask" / f"{number}.png").rename(worn_wrong / f"{number}.png")
    dataset = load_dataset(apart, SIZE, cropped=True)
    says = np.array([name.startswith("without_mask") for name in dataset.names], int)  # of those worn wrong: with_mask
    scores = np.eye(2, dtype=np.float32)[says]
    assert _parity_on(dataset, scores, scores, 0.5) == (
        "apart: same verdict as Keras on 100.00% of 40, balanced accuracy 100.00%, Keras's 100.00%"
    )
    for number in range(20):
        (apart / "without_mask" / f"{number}.png").rename(worn_wrong / f"bare-{number}.png")
    dataset = load_dataset(apart, SIZE, cropped=True)
    assert _parity_on(dataset, scores, scores, 0.5) == "apart: same verdict as Keras on 100.00% of 40"


def test_evaluate_refuses_a_model_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, photos = str(tmp_path / "nowhere.tflite"), drawn_photos(tmp_path / "photos", 10)
    assert main(["evaluate", "--data", str(photos), "--cropped", "--model", model]) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'nowhere.json'}: can't be read")


def test_the_same_photos_and_seed_make_the_same_bytes(tmp_path: Path) -> None:
    photos = drawn_photos(tmp_path / "photos", 40)
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    made = []
    for turn in ("first", "second"):  # each in processes of its own, as two calls of make would be
        runs, models = tmp_path / f"runs-{turn}", tmp_path / f"models-{turn}"
        for arguments in (
            ["train", "--model", "door", "simple", "--data", photos, "--size", SIZE, "--epochs", 1, "--runs", runs],
            ["convert", "--runs", runs, "--models", models],
        ):
            command = [sys.executable, "-m", "trainer", *map(str, arguments)]
            subprocess.run(command, env=environment, check=True, capture_output=True)
        made.append({path.name: path.read_bytes() for path in models.iterdir() if path.is_file()})
    assert sorted(made[0]) == ["door.json", "door.tflite", "simple.json", "simple.tflite"]
    assert made[0] == made[1]
