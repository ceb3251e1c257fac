"""The face finder is trained by the one command, stopped, gone on with, and converted, or refused in one line.

A face is drawn so that it takes no learning to find it: a bright cell in the middle of its box.
"""

import contextlib
import hashlib
import inspect
import io
import math
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest
from perfect_answer import perfect_answer
from real_data import real_data

from device import finders
from device.errors import ModelError
from device.face_card import FacesFound, read_face_card
from device.faces import Box, Luma
from device.finders import OwnFaceFinder
from device.heatmap import CHANNELS, HEIGHT, OCTAVES, SMALLEST_SIDE, STRIDE, WIDTH, Floats, decode
from device.tflite import TFLite
from trainer.__main__ import main
from trainer.finder import check, contenders, convert, crops, make_check, teacher, training
from trainer.finder.compose import Composer
from trainer.finder.lay import picture
from trainer.finder.material import FinderPlan, gather
from trainer.finder.network import finder, finder_loss
from trainer.finder.run import command, require_unknown, scenes_of
from trainer.finder.scenes import read_backgrounds
from trainer.finder.teacher import taught
from trainer.finder.training import Compositions, samples
from trainer.photos import PhotosError
from trainer.practice import draw_face
from trainer.runs import State, load_state, only_one, save_state
from trainer.training import set_threads

set_threads(2)  # the default of `faces`, and only possible before TensorFlow's first operation

SIDE = 40  # px, of every face
BRIGHT, DIM = 255, 64  # grey levels of its middle
SCENES, ROOMS, HELD, DIM_FROM = 24, 20, 4, 16
EPOCHS = 5
SMALL = {"STEPS": 3, "CANVASES": ((0.6, 64, 64, 4), (1.0, 64, 64, 4)), "VALIDATION_BATCHES": 1}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SMALL.items():
        monkeypatch.setattr(training, name, value)
    monkeypatch.setattr(convert, "CALIBRATION_PICTURES", 8)


def draw(path: Path, column: int | None, row: int, grey: int = BRIGHT) -> str:
    """Write a picture of the network's size with a face around a cell; return where, as boxes.csv says it."""
    luma = np.full((HEIGHT, WIDTH), 2, np.uint8)
    if column is None:
        luma[row : row + 40] = 4
    else:
        luma[row * STRIDE : (row + 1) * STRIDE, column * STRIDE : (column + 1) * STRIDE] = grey
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), luma)
    corner = [(cell + 0.5) * STRIDE - SIDE / 2 for cell in (column or 0, row)]
    return f"{path.name},{corner[0]:g},{corner[1]:g},{SIDE},{SIDE}"


def drawn_material(folder: Path) -> Path:
    """Write scenes/ and rooms/, in which yard-* are to be held out, and plaza/ to measure with."""
    rows = {"scenes": ["file,x,y,w,h,label"], "plaza": ["file,x,y,w,h,label"]}
    labels = ("with_mask", "without_mask")
    names = [f"hall-{i:02}" for i in range(SCENES)] + [f"yard-{i}" for i in range(HELD)]
    for i, name in enumerate(names):
        grey = DIM if DIM_FROM <= i < SCENES else BRIGHT
        row = draw(folder / "scenes" / f"{name}.png", 4 + i % 20, 4 + i % 15, grey)
        rows["scenes"].append(f"{row},{labels[i % 2]}")
    rows["plaza"].append(draw(folder / "plaza" / "plaza-0.png", 10, 10) + ",with_mask")
    for name, lines in rows.items():
        (folder / name / "boxes.csv").write_text("\n".join(lines) + "\n")
    for i in range(ROOMS):
        draw(folder / "rooms" / f"room-{i:02}.png", None, i * 5)
    draw(folder / "rooms" / "yard-0.png", None, 3)
    draw(folder / "rooms" / "hard" / "yard-1.png", None, 30)
    return folder


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed by a test."""
    return drawn_material(tmp_path_factory.mktemp("material"))


def asked(material: Path, runs: Path, *more: str, epochs: int = EPOCHS) -> list[str]:
    return [
        "faces", "--scenes", str(material / "scenes"), "--backgrounds", str(material / "rooms"), "--hold-out", "yard-*",
        "--epochs", str(epochs), "--runs", str(runs), "--models", str(runs / "models"), *more,
    ]  # fmt: skip


def planned(material: Path) -> FinderPlan:
    return FinderPlan((str(material / "scenes"),), (str(material / "rooms"),), (), "", ("yard-*",), "", EPOCHS, 0, 2)


def run_folder(runs: Path) -> Path:
    (folder,) = runs.glob("faces-*")
    return folder


@dataclass(frozen=True)
class Trained:
    """What came of a training that was stopped in its third epoch, and called again."""

    runs: Path
    code: int  # of the stopped process
    errors: str  # of the stopped process
    stopped: State
    resumed_code: int
    resumed: str
    resumed_errors: str


@pytest.fixture(scope="module")
def trained(material: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    runs = tmp_path_factory.mktemp("runs")
    script = (
        "import sys; from trainer.__main__ import end, main; from trainer.finder import training\n"
        f"vars(training).update({SMALL!r}); end(main(sys.argv[1:]))"
    )
    words = [sys.executable, "-c", script, *asked(material, runs)]
    with subprocess.Popen(
        words, env={**os.environ, "PYTHONUNBUFFERED": "1"}, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Epoch 3/"):
                process.send_signal(signal.SIGINT)
                break
        _, errors = process.communicate()
    stopped = load_state(run_folder(runs))
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as out, \
            contextlib.redirect_stderr(io.StringIO()) as err:
        for name, value in SMALL.items():
            patch.setattr(training, name, value)
        patch.setattr(convert, "CALIBRATION_PICTURES", 8)
        code = main(asked(material, runs))
    return Trained(runs, process.returncode, errors, stopped, code, out.getvalue(), err.getvalue())


def test_ctrl_c_is_answered_in_one_line_and_leaves_a_usable_run(trained: Trained) -> None:
    assert trained.code == 130
    assert trained.errors.splitlines()[-2:] == ["", "stopped; the same command goes on from here"]
    assert "Traceback" not in trained.errors
    assert 2 <= trained.stopped.epochs < EPOCHS


def test_the_same_command_goes_on_from_the_last_epoch(trained: Trained) -> None:
    folder, epochs = run_folder(trained.runs), trained.stopped.epochs
    state = load_state(folder)

    began = [line for line in trained.resumed.splitlines() if line.startswith("Epoch ")]
    assert [line.partition("/")[0] for line in began] == [f"Epoch {i + 1}" for i in range(epochs, EPOCHS)]
    assert state.epochs == EPOCHS
    assert {name: values[:epochs] for name, values in state.history.items()} == trained.stopped.history
    assert {len(values) for values in state.history.values()} == {EPOCHS}
    assert state.best_epoch == int(np.argmin(state.history["val_loss"]))
    assert {path.name for path in folder.glob("*.keras")} == {state.best, state.last}


def test_a_network_that_finds_nothing_yet_is_not_written(trained: Trained) -> None:
    assert trained.resumed_code == 2
    assert trained.resumed_errors.splitlines()[-1] == (
        "error: faces.tflite finds no watched face at so few false boxes as are asked for, expected some: nothing was "
        "written; train with more EPOCHS or more pictures"
    )
    assert not (trained.runs / "models").exists()
    folder = run_folder(trained.runs)
    assert (folder / "loss.png").exists()
    assert folder.stat().st_mode & 0o777 == 0o700  # pictures of a run may show faces


def test_a_training_that_was_never_stopped_is_the_same(trained: Trained, material: Path, tmp_path: Path) -> None:
    state = training.train_finder(tmp_path, State(), gather(planned(material)), EPOCHS, 0)

    resumed = load_state(run_folder(trained.runs))
    assert state.history == {name: pytest.approx(values, rel=1e-5) for name, values in resumed.history.items()}


def test_a_second_process_on_the_same_run_is_refused(
    trained: Trained, material: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run_folder(trained.runs)
    with only_one(folder):
        assert main(asked(material, trained.runs)) == 2

    assert capsys.readouterr().err == (
        f"error: {folder}: is being trained or converted by another process: wait for it, or set RUNS=\n"
    )


def known_network(path: Path, coarse: bool) -> None:
    """Save a network that finds the bright middle of every face, dim ones too.

    coarse: eight bits have to cover so much in one of its layers that dim faces round to nothing.
    """
    layers = keras.layers
    luma = keras.Input((None, None, 1))
    cells = layers.AveragePooling2D(STRIDE)(layers.Rescaling(1 / 255)(luma))
    wide, head = layers.Conv2D(2, 1, activation="relu"), layers.Conv2D(CHANNELS, 1, activation="sigmoid")
    network = keras.Model(luma, head(wide(cells)))
    wide.set_weights([np.array([[[[153.0 if coarse else 1.0, 1.0]]]]), np.zeros(2)])
    weights = np.zeros((1, 1, 2, CHANNELS))
    weights[0, 0, 1, 0] = 64
    size = math.log2(SIDE / SMALLEST_SIDE) / OCTAVES
    head.set_weights([weights, np.array([-5, 0, 0, *[math.log(size / (1 - size))] * 2])])
    network.compile("sgd", finder_loss)
    network.save(path)


@pytest.fixture
def finished(trained: Trained, material: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Runs in which the training has ended with a network that is known."""
    folder = tmp_path / run_folder(trained.runs).name
    folder.mkdir()
    state = load_state(run_folder(trained.runs))
    known_network(folder / state.best, coarse=request.param)
    save_state(replace(state, last=state.best), folder)
    return tmp_path


@pytest.mark.parametrize("finished", [False], indirect=True)
def test_the_command_ends_with_a_model_and_its_card(
    finished: Path, material: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(asked(material, finished, "--measure", str(material / "plaza"))) == 0

    model = finished / "models" / "faces.tflite"
    card, content = read_face_card(model)
    network = TFLite(content)
    assert network.takes == f"uint8 [1, {HEIGHT}, {WIDTH}, 1] scale 1.0 zero 0"
    assert network.gives == f"float32 [1, {HEIGHT // STRIDE}, {WIDTH // STRIDE}, {CHANNELS}]"
    scene = np.full((HEIGHT, WIDTH), 2, np.uint8)
    scene[80:88, 120:128] = BRIGHT
    (face,) = OwnFaceFinder(model).find(scene)
    assert np.array(face.box) == pytest.approx(np.array(Box(104, 64, SIDE, SIDE)), abs=2)

    nothing = FacesFound(1, 0, 0, 0.0, 0.0, 0.0)
    assert card.measured.sets == {
        "held-out scenes": FacesFound(4, 2, 2, 1.0, 1.0, 0.0), "held-out backgrounds": nothing,
        "held-out hard backgrounds": nothing, "plaza": FacesFound(1, 1, 0, 1.0, 0.0, 0.0),
    }
    assert card.measured.recall_lost == 0
    told = card.trained_on
    assert (told.pictures, told.faces, told.backgrounds) == ({"hall": 22}, {"hall": 22}, {"room": 19})
    assert (told.held_out, told.epochs, told.seed, told.threads) == (("yard-*",), EPOCHS, 0, 2)
    assert told.samples == EPOCHS * 3 * 4
    assert told.command == (
        f"make faces SCENES=scenes BACKGROUNDS=rooms MEASURE=plaza HOLD_OUT='yard-*' EPOCHS={EPOCHS} SEED=0 THREADS=2"
    )
    lines = capsys.readouterr().out.splitlines()
    assert not any(line.startswith("Epoch") for line in lines)
    assert lines[-1] == (
        "plaza: 0.000 false boxes a picture in 1, found: 100.0% of 1 masked faces and 0.0% of 0 bare ones"
    )


def test_a_command_of_folders_with_odd_names_can_be_repeated() -> None:
    plan = FinderPlan(("/my scenes", "/more"), ("/$rooms",), (), "/my $yunet.onnx", ("yard-*", "$*"), "", 1, 0, 2)
    assert shlex.split(command("faces", plan, [Path("/a plaza")])) == [  # as make reads it
        "make", "faces", "SCENES='my scenes' more", "BACKGROUNDS='$$rooms'", "MEASURE='a plaza'",
        r"TEACHER=my \$$yunet.onnx", r"HOLD_OUT=yard-* \$$*", "EPOCHS=1", "SEED=0", "THREADS=2",
    ]


@pytest.mark.parametrize("finished", [False], indirect=True)
def test_a_check_learns_from_what_the_finder_names(
    finished: Path, material: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name, value in ((check, "STEPS", 2), (check, "BATCH", 16), (crops, "AT_ONCE", 20),
                                (make_check, "PICTURES", 40), (make_check, "WATCHED_PICTURES", 100),
                                (make_check, "WATCHED_QUIET", 1.0)):  # fmt: skip
        monkeypatch.setattr(module, name, value)
    assert main(asked(material, finished, "--measure", str(material / "plaza"))) == 0
    model = finished / "models" / "faces.tflite"
    before, content = read_face_card(model)
    verb, *rest = asked(material, finished, "--measure", str(material / "plaza"), epochs=2)
    assert main([f"{verb.removesuffix('s')}-check", *rest]) == 0

    card, same = read_face_card(model)
    assert (same, card.trained_on, set(card.measured.sets)) == (content, before.trained_on, set(before.measured.sets))
    assert card.check is not None
    assert card.check.sha256 == hashlib.sha256((finished / "models" / "faces-check.tflite").read_bytes()).hexdigest()
    assert (card.check.pictures, card.check.epochs) == (40, 2)
    assert card.check.faces >= 10
    assert card.check.command == (
        "make face-check SCENES=scenes BACKGROUNDS=rooms MEASURE=plaza HOLD_OUT='yard-*' EPOCHS=2 SEED=0 THREADS=2"
    )
    assert OwnFaceFinder(model).find(np.full((HEIGHT, WIDTH), 2, np.uint8)) == []
    assert "faces-check.tflite and its card, a face from score" in capsys.readouterr().out
    written, made = model.with_suffix(".json").read_bytes(), finished / "models" / "faces-check.tflite"
    made.write_bytes(b"of another card")  # as a power cut leaves it between the two files
    with pytest.raises(ModelError, match=r"for your own `make face-check`$"):
        OwnFaceFinder(model)
    assert main([f"{verb.removesuffix('s')}-check", *rest]) == 0
    assert "Epoch" not in capsys.readouterr().out  # it had ended
    assert model.with_suffix(".json").read_bytes() == written
    OwnFaceFinder(model)

    weights = finished / "models" / "faces-check.keras"
    learned = keras.saving.load_model(weights).trainable_weights
    monkeypatch.setattr(check, "LEARNING_RATE", 0.0)
    monkeypatch.setattr(check, "WEIGHT_DECAY", 0.0)
    made.unlink()
    made.mkdir()  # so that writing ends in an error, as a power cut would end it
    started = [f"{verb.removesuffix('s')}-check", *rest, "--start", str(weights)]
    assert main(started) == 2
    made.rmdir()
    assert main(started) == 0
    assert len(list(finished.glob("face-check-*"))) == 2  # the same line went on
    assert len(list(finished.glob("face-crops-*"))) == 1  # cut once for both
    kept = keras.saving.load_model(weights).trainable_weights
    assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(learned, kept, strict=True))
    again = read_face_card(model)[0].check
    assert again is not None
    assert again.command == card.check.command.replace(" EPOCHS", " START=faces-check.keras EPOCHS")
    capsys.readouterr()
    assert main([f"{verb.removesuffix('s')}-check", *rest, "--start", str(weights.with_name("faces.keras"))]) == 2
    assert capsys.readouterr().err == (
        f"error: {weights.with_name('faces.keras')}: its network takes (None, None, None, 1) and gives (None, None, "
        "None, 5), expected (None, 48, 48, 1) and (None, 1), as models/faces-check.keras: check START\n"
    )

    rest[rest.index("yard-*")] = "hall-1*"
    assert main([f"{verb.removesuffix('s')}-check", *rest]) == 2
    assert capsys.readouterr().err == (
        f"error: --hold-out is hall-1*, the card of {model} says yard-*: give the same, or what it is measured with "
        "was learned\n"
    )


def test_other_code_and_other_counts_cut_the_crops_anew(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(material)
    made = [make_check.folders_of(replace(plan, epochs=epochs), ["photos", "card"], tmp_path) for epochs in (1, 2)]
    assert (made[0][0] != made[1][0], made[0][1] == made[1][1]) == (True, True)
    for name, value in (("PICTURES", 7), ("WATCHED_PICTURES", 7), ("SHAPING_CODE", (crops,))):
        monkeypatch.setattr(make_check, name, value)
        made.append(make_check.folders_of(plan, ["photos", "card"], tmp_path))
    made.append(make_check.folders_of(plan, ["other photos", "card"], tmp_path))
    assert len({cut for _, cut in made[1:]}) == len({run for run, _ in made[1:]}) == 5


def test_a_check_of_other_code_that_finds_its_faces_is_another() -> None:
    # These find: a module's functions are all of ours, but for what reads, keeps, or is known by its sha256.
    used = {value.__module__ for module in (contenders, finders, teacher) for value in vars(module).values()
            if inspect.isfunction(value) and value.__module__.startswith(("device.", "trainer."))}
    apart = {"device.arguments", "device.face_card", "device.tflite"}
    assert used - apart <= {module.__name__ for module in make_check.SHAPING_CODE}


def test_damaged_crops_are_cut_again(tmp_path: Path, face_network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crops, "AT_ONCE", 10)
    luma, none = np.full((HEIGHT, WIDTH), 90, np.uint8), np.empty((0, 4), np.float32)
    composer = Composer([(1.0, [picture(luma, np.array([[40, 40, 60, 80]], np.float32), ["face"], none)])],
                        [picture(luma, none, [], none)])

    def cut() -> tuple[bytes, bytes]:
        found = crops.crops_in(tmp_path / "learned", composer, face_network, 20, 0, 1)
        assert len(found.lumas) == len(found.is_face)
        return found.lumas.tobytes(), found.is_face.tobytes()

    whole = cut()
    for name in (crops.LUMAS, crops.ANSWERS):
        path = tmp_path / "learned" / name
        content = path.read_bytes()
        for damaged in (b"", content[: len(content) // 2], bytes(len(content)), content[:-crops.SIZE]):
            path.write_bytes(damaged)
            assert cut() == whole
        path.unlink()
        assert cut() == whole
    other = tmp_path / "learned" / crops.ANSWERS
    np.save(other, np.load(other)[:-1])
    assert cut() == whole


class Counting(Composer):
    """Counts what it composes, and is stopped by Ctrl-C after so many pictures."""

    def __init__(self, luma: Luma, stopped_after: int) -> None:
        none = np.empty((0, 4), np.float32)
        face = picture(luma, np.array([[40, 40, 60, 80]], np.float32), ["face"], none)
        super().__init__([(1.0, [face])], [picture(luma, none, [], none)])
        self.composed, self.stopped_after = 0, stopped_after

    def compose(self, rng: np.random.Generator, width: int, height: int) -> tuple[Luma, Floats, Floats]:
        if self.composed == self.stopped_after:
            raise KeyboardInterrupt
        self.composed += 1
        return super().compose(rng, width, height)


def test_cutting_that_was_stopped_goes_on_from_its_last_part(
    tmp_path: Path, face_network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crops, "AT_ONCE", 10)
    luma = np.full((HEIGHT, WIDTH), 90, np.uint8)
    stopped, resumed, never = Counting(luma, 25), Counting(luma, 1000), Counting(luma, 1000)

    kept = tmp_path / "learned-parts"
    for composer in (stopped, Counting(luma, 0)):
        with pytest.raises(KeyboardInterrupt):
            crops.crops_in(tmp_path / "learned", composer, face_network, 40, 0, 1)
        assert kept.stat().st_mode & 0o777 == 0o700  # they show faces
        kept.chmod(0o755)  # as an older version made it
    assert not (tmp_path / "learned").exists()
    found = crops.crops_in(tmp_path / "learned", resumed, face_network, 40, 0, 1)

    assert (stopped.composed, resumed.composed) == (25, 20)
    whole = crops.crops_in(tmp_path / "never stopped", never, face_network, 40, 0, 1)
    assert np.array_equal(found.lumas, whole.lumas)
    assert np.array_equal(found.is_face, whole.is_face)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["learned", "never stopped"]


@pytest.mark.parametrize("finished", [True], indirect=True)
def test_a_network_that_integers_cannot_follow_is_not_written(
    finished: Path, material: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(asked(material, finished)) == 2

    line = capsys.readouterr().err.splitlines()[-1]
    assert re.match(r"error: faces.tflite finds [\d.]+% fewer faces than Keras at a threshold of ", line)
    assert "nothing was written" in line
    assert not (finished / "models").exists()


def test_pictures_are_learned_from_watched_or_held_out(material: Path) -> None:
    gathered = gather(planned(material))

    assert [scene.name for scene in gathered.watched] == ["hall-07.png", "hall-23.png", "room-07.png"]
    assert [scene.name for scene in gathered.held_scenes] == [f"yard-{i}.png" for i in range(HELD)]
    assert [scene.name for scene in gathered.held_backgrounds] == ["hard/yard-1.png", "yard-0.png"]
    assert (gathered.pictures, gathered.faces, gathered.backgrounds) == ({"hall": 22}, {"hall": 22}, {"room": 19})
    names = [scene.name for scene in gathered.calibration]
    assert len(names) == len(set(names)) == 41
    assert not {"hall-07.png", "hall-23.png", "room-07.png"} & set(names)
    assert gather(planned(material)).sha256 == gathered.sha256


def test_nothing_that_is_held_out_is_taught(material: Path, tmp_path: Path) -> None:
    draw(tmp_path / "hall-day.png", 4, 4)
    plan = replace(planned(material), unlabelled=(str(tmp_path),), hold_out=("*-night*", "yard-*"))
    before = gather(plan).sha256

    for name in ("hall-night.png", "yard-day.png"):  # named so, and of a source of which some are
        draw(tmp_path / name, 4, 4)
    assert gather(plan).sha256 == before
    draw(tmp_path / "hall-dusk.png", 4, 4)
    assert gather(plan).sha256 != before


@pytest.mark.parametrize("pattern", ["*.jpg", "[ty]ard-*"])
def test_whole_sources_are_not_taught_however_a_pattern_begins(
    pattern: str, material: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(material, tmp_path / "material")
    (folder / "scenes" / "yard-0.png").rename(folder / "scenes" / "yard-0.jpg")
    table = folder / "scenes" / "boxes.csv"
    table.write_text(table.read_text().replace("yard-0.png", "yard-0.jpg"))
    draw(tmp_path / "unlabelled" / "yard-day.png", 4, 4)
    plan = replace(planned(folder), unlabelled=(str(tmp_path / "unlabelled"),), hold_out=(pattern,))

    with pytest.raises(PhotosError, match=f"^{tmp_path}/unlabelled: every picture is of a source that --hold-out"):
        gather(plan)

    draw(tmp_path / "unlabelled" / "lane-day.png", 4, 4)
    gather(plan)
    away = f"left out: {tmp_path}/unlabelled: 1 of 2 pictures are of sources that --hold-out keeps away"
    assert (away in capsys.readouterr().err.splitlines()) == (pattern == "*.jpg")  # the other names it itself


def test_scenes_without_faces_are_counted_as_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = drawn_material(tmp_path)
    for name in ("hall-90.png", "yard-90.png"):
        draw(folder / "scenes" / name, None, 3)
    (folder / "scenes" / "images.csv").write_text("file\nhall-90.png\nyard-90.png\n")

    gathered = gather(planned(folder))

    assert capsys.readouterr().err.splitlines() == [
        f"left out: {folder}/scenes: 2 of {SCENES + HELD + 2} pictures have no face to learn from, expected one in "
        "each: move those without any into a folder of BACKGROUNDS"
    ]
    assert (sum(gathered.pictures.values()), len(gathered.held_scenes)) == (SCENES - 2, HELD)


def test_sixteen_pictures_with_faces_are_enough_whatever_stands_between_them(tmp_path: Path) -> None:
    folder = drawn_material(tmp_path)
    draw(folder / "scenes" / "hall-06-empty.png", None, 3)  # the eighth
    (folder / "scenes" / "images.csv").write_text("file\nhall-06-empty.png\n")

    gathered = gather(replace(planned(folder), hold_out=("yard-*", "hall-1[6-9]*", "hall-2*")))

    assert sum(gathered.pictures.values()) == 15
    assert [scene.name for scene in gathered.watched] == ["hall-07.png", "room-07.png"]


def test_pictures_that_cannot_be_read_are_named_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = drawn_material(tmp_path)
    for name in ("scenes/hall-00.png", "scenes/hall-07.png", "rooms/room-01.png"):
        path = folder / name
        path.write_bytes(path.read_bytes()[:-12])  # its header still says how large it is

    gathered = gather(planned(folder))

    assert [line.partition(": is")[0] for line in capsys.readouterr().err.splitlines()] == [
        f"left out: {folder}/{name}" for name in ("scenes/hall-00.png", "scenes/hall-07.png", "rooms/room-01.png")
    ]
    assert [scene.name for scene in gathered.watched] == ["hall-09.png", "room-08.png"]
    assert (gathered.pictures, gathered.faces, gathered.backgrounds) == ({"hall": 21}, {"hall": 21}, {"room": 18})
    assert len(gathered.calibration) == 39


@pytest.mark.parametrize("learned", ["scenes/hall-00.png", "rooms/room-00.png"])
def test_a_picture_whose_name_no_card_can_tell_is_refused_before_anything_is_trained(
    learned: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = drawn_material(tmp_path)
    odd = (folder / learned).with_name(os.fsdecode(b"caf\xe9.png"))
    (folder / learned).rename(odd)
    (folder / "scenes" / "boxes.csv").unlink()
    (folder / "scenes" / "classes.txt").write_text("face\n")
    for path in (folder / "scenes").glob("*.png"):
        path.with_suffix(".txt").write_text("0 0.5 0.5 0.2 0.3\n")

    assert main(asked(folder, tmp_path / "runs")) == 2

    assert capsys.readouterr().err == (
        f"error: {odd.parent}/caf\\xe9.png: isn't UTF-8, expected a name that a card or table can tell: "
        "rename it\n"
    )
    assert not (tmp_path / "runs").exists()


REFUSED = {
    "no scenes": (["--scenes", "{0}/gone"], "{0}/gone: no such folder"),
    "no backgrounds": (["--backgrounds", "{0}/gone"], "{0}/gone: no such folder"),
    "empty backgrounds": (["--backgrounds", "{1}"], "{1}: holds no pictures, expected some without faces"),
    "nothing to measure": (["--measure", "{0}/gone"], "{0}/gone: no such folder"),
    "learned and measured with": (["--measure", "{0}/scenes"], "{0}/scenes/hall-00.png: is trained on, so measuring"),
    "nobody teaches": (["--unlabelled", "{0}/rooms"], "no teacher: no such file, expected YuNet's .onnx"),
    "no such teacher": (["--unlabelled", "{0}/rooms", "--teacher", "{0}/gone"], "{0}/gone: no such file, expected"),
    "no teacher at all": (
        ["--unlabelled", "{0}/plaza", "--teacher", "{0}/plaza/boxes.csv"],
        "{0}/plaza/boxes.csv: is no network that OpenCV reads",
    ),
    "all held out": (
        ["--hold-out", "*"],
        "{0}/scenes: 0 pictures with faces are left to learn from, expected 16 or more beside those that --hold-out",
    ),
    "all scenes held out": (["--hold-out", "hall-*", "yard-*"], "{0}/scenes: 0 pictures with faces are left"),
    "all backgrounds held out": (["--hold-out", "room-*"], "{0}/rooms: 2 pictures without faces are left to learn"),
    "few scenes": (["--hold-out", "yard-*", "hall-0*"], "{0}/scenes: 14 pictures with faces are left to learn from,"),
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_what_cannot_be_trained_on_is_refused_in_one_line(
    wrong: str, material: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given, expected = REFUSED[wrong]

    assert main([*asked(material, tmp_path / "runs"), *(word.format(material, tmp_path) for word in given)]) == 2

    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: " + expected.format(material, tmp_path))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("learned", ["scenes", "backgrounds", "unlabelled"])
def test_a_picture_that_is_learned_from_is_not_measured_with_inside_or_around_its_folder(
    learned: str, tmp_path: Path
) -> None:
    planned_for, lane = planned(drawn_material(tmp_path)), tmp_path / "all" / "lane"
    row = draw(lane / "lane-0.png", 4, 4)
    draw(lane / "alley-0.png", 4, 4)
    (lane / "boxes.csv").write_text(f"file,x,y,w,h,label\n{row},face\n")
    (lane.parent / "boxes.csv").write_text(f"file,x,y,w,h,label\nlane/{row},face\n")

    for folder, measured in ((lane.parent, lane), (lane, lane.parent)):
        plan = with_more(planned_for, learned, folder)
        with pytest.raises(PhotosError, match=r"/lane/lane-0\.png: is trained on, so measuring with it would flatter"):
            require_unknown(scenes_of([measured]), gather(plan))
        require_unknown(scenes_of([measured]), gather(replace(plan, hold_out=("yard-*", "lane-*"))))


def with_more(plan: FinderPlan, learned: str, folder: Path) -> FinderPlan:
    more: dict[str, Any] = {learned: (*getattr(plan, learned), str(folder))}
    return replace(plan, **more)


def test_a_picture_that_is_not_learned_from_may_be_measured_with_inside_a_folder_that_is(tmp_path: Path) -> None:
    folder = drawn_material(tmp_path)
    no_row = tmp_path / "scenes" / "other"  # in the table of scenes/
    for at in (no_row, tmp_path / "crops"):
        at.mkdir()
        (at / "boxes.csv").write_text(f"file,x,y,w,h,label\n{draw(at / 'lane-0.png', 4, 4)},face\n")
    draw(tmp_path / "crops" / "alley-0.png", 4, 4)
    plan = with_more(planned(folder), "unlabelled", tmp_path / "crops")

    # Of the source of what is held out no unlabelled picture is learned from.
    sets = scenes_of([no_row, tmp_path / "crops"])
    require_unknown(sets, gather(replace(plan, hold_out=("yard-*", "lane-9.png"))))
    assert [len(scenes) for scenes in sets.values()] == [1, 1]


def test_a_picture_that_is_learned_from_is_known_by_whatever_path(tmp_path: Path) -> None:
    folder = drawn_material(tmp_path)
    (folder / "tables").mkdir()
    rows = (folder / "scenes" / "boxes.csv").read_text()
    (folder / "tables" / "boxes.csv").write_text(re.sub("^(?=hall|yard)", "../scenes/", rows, flags=re.MULTILINE))

    with pytest.raises(PhotosError, match=r"/scenes/hall-00\.png: is trained on"):
        require_unknown(scenes_of([folder / "scenes"]), gather(replace(planned(folder), scenes=(f"{folder}/tables",))))


def test_a_teacher_without_pupils_is_not_asked_for(material: Path, trained: Trained) -> None:
    with only_one(run_folder(trained.runs)):  # the same run: it would go on to convert
        assert main(asked(material, trained.runs, "--teacher", str(material / "gone"))) == 2


def boxes_of(wanted: Floats) -> Floats:
    return np.array(sorted(box for box, _ in decode(perfect_answer(wanted), 0.99, 0.9)), np.float32).reshape(-1, 4)


def test_every_second_picture_is_the_one_before_it_mirrored() -> None:
    luma = np.full((120, 160), 2, np.uint8)
    faces = np.array([[20, 20, 40, 50], [100, 50, 30, 36]], np.float32)
    pictures = [picture(luma, faces, ["face", "face"], np.empty((0, 4), np.float32))]
    rooms = [picture(luma, np.empty((0, 4), np.float32), [], np.empty((0, 4), np.float32))]
    compositions, again = (Compositions(Composer([(1.0, pictures)], rooms), (128, 96, 6), 8, 3, 0) for _ in range(2))

    assert len(compositions) == 8
    seen = 0
    for index in range(len(compositions)):
        photos, wanted = compositions[index]
        assert (photos.shape, wanted.shape) == ((6, 96, 128, 1), (6, 12, 16, 7))
        assert photos.dtype == np.uint8
        for plain, mirrored in zip(wanted[::2], wanted[1::2], strict=True):
            there, back = boxes_of(plain), boxes_of(mirrored)
            back[:, 0] = 128 - back[:, 0] - back[:, 2]
            assert back[np.lexsort(back.T[::-1])] == pytest.approx(there, abs=0.05)
            seen += len(there)
        assert np.array_equal(again[index][0], photos)
        assert np.array_equal(again[index][1], wanted)
    assert seen > 15
    first = compositions[0][0]
    compositions.on_epoch_end()
    assert not np.array_equal(compositions[0][0], first)


def test_the_pictures_that_epochs_show_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "STEPS", 10)
    monkeypatch.setattr(training, "CANVASES", ((0.4, 160, 128, 84), (0.7, 224, 160, 48), (1.0, 320, 224, 24)))

    assert [samples(done, 10, False) for done in (0, 1, 4, 5, 7, 8, 10)] == [
        0, 840, 3360, 3840, 4800, 5040, 5520,
    ]  # fmt: skip
    assert samples(1, 1, False) == 480
    assert samples(10, 10, True) == 2400  # from other weights: all on the device's canvas


def test_a_training_starts_from_the_weights_of_another(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {**SMALL, "LEARNING_RATE": 0.0, "WEIGHT_DECAY": 0.0}.items():
        monkeypatch.setattr(training, name, value)
    other, start = finder(), tmp_path / "faces.keras"
    other.save(start)

    state = training.train_finder(
        tmp_path, State(), gather(planned(material)), 1, 0, training.read_start(start, finder(), "faces", 0)
    )

    kept = keras.saving.load_model(tmp_path / state.last, compile=False)
    pairs = zip(other.trainable_weights, kept.trainable_weights, strict=True)
    assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in pairs)
    assert main([*asked(material, tmp_path / "runs"), "--start", str(tmp_path / "none.keras")]) == 2
    assert capsys.readouterr().err == (
        f"error: {tmp_path / 'none.keras'}: no such file, expected weights as models/faces.keras: check START\n"
    )


def test_a_network_that_is_gone_on_from_drops_out_by_its_seed(tmp_path: Path) -> None:
    start, like = tmp_path / "faces-check.keras", check.check()
    like.save(start)
    crops_shown = np.random.default_rng(0).integers(0, 256, (8, *like.input_shape[1:]), np.uint8)

    def answers(seed: int) -> Floats:
        network = training.read_start(start, like, "faces-check", seed)
        return np.asarray(network(crops_shown, training=True))

    assert np.array_equal(answers(1), answers(1))
    assert not np.array_equal(answers(1), answers(2))


def test_what_is_no_face_network_is_nothing_to_start_from(
    material: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = tmp_path / "faces.keras"

    def refused() -> str:
        assert main([*asked(material, tmp_path / "runs"), "--start", str(start)]) == 2
        assert not (tmp_path / "runs").exists()
        return capsys.readouterr().err

    for content in (b"", b"no network"):
        start.write_bytes(content)
        assert refused() == (
            f"error: {start}: Keras can't read it as a network, expected one as models/faces.keras: check START\n"
        )
    with zipfile.ZipFile(start, "w") as archive:
        archive.writestr("notes.txt", "none either")
    assert "Keras can't read it as a network" in refused()
    check.check().save(start)
    assert refused() == (
        f"error: {start}: its network takes (None, 48, 48, 1) and gives (None, 1), expected (None, None, None, 1) and "
        "(None, None, None, 5), as models/faces.keras: check START\n"
    )


def test_other_weights_to_start_from_make_another_run_whatever_their_files_are_called(
    material: Path, tmp_path: Path
) -> None:
    runs, start = tmp_path / "runs", tmp_path / "faces.keras"
    for seed, found in ((0, 1), (1, 2)):
        keras.utils.set_random_seed(seed)
        finder().save(start)
        main([*asked(material, runs, epochs=1), "--start", str(start)])  # finds nothing yet, but has a run
        assert len(list(runs.glob("faces-*"))) == found
    plan = replace(planned(material), start=str(start), teacher=str(start))
    before = plan.identity()
    elsewhere = str(start.rename(tmp_path / "other.keras"))
    assert replace(plan, start=elsewhere, teacher=elsewhere).identity() == before


def test_a_teacher_marks_the_faces_that_it_is_sure_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (teacher,) = real_data("YUNET")
    folder = tmp_path / "without_mask"
    folder.mkdir()
    expected = []
    for number in range(6):
        drawn, box = draw_face(np.random.default_rng(number), masked=False)
        cv2.imwrite(str(folder / f"{number}.png"), drawn)
        expected.append(np.array(box, np.float32))
    cv2.imwrite(str(folder / "wall.png"), np.full((200, 200), 90, np.uint8))
    (folder / "words.png").write_text("words")

    pictures = list(taught(teacher, read_backgrounds(folder)))

    assert 1 <= len(pictures) <= 6
    for marked in pictures:
        height, width = marked.levels[0].shape
        assert len(marked.boxes) >= 1
        assert marked.bare.tolist() == [True] * len(marked.boxes)
        assert (marked.boxes[:, :2] >= 0).all()
        assert (marked.boxes[:, :2] + marked.boxes[:, 2:] <= (width, height)).all()
        assert any(np.abs(marked.boxes[0] - box).max() < 0.35 * box[3] for box in expected)
    assert f"left out: {folder / 'words.png'}: is damaged or no picture" in capsys.readouterr().err
