import hashlib
import signal
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from drawn_photos import drawn_photos

from device.__main__ import main as device
from device.errors import KioskError
from device.faces import Box, Luma, iou
from device.haar import HaarFaceFinder
from device.model_card import read_card
from trainer.__main__ import main as trainer
from trainer.dataset import load_dataset
from trainer.drawn_person import random_person
from trainer.practice import draw_face, draw_practice_set
from trainer.runs import current, load_run
from trainer.sources import networks_for

PEOPLE = 60
NAMES = ("with_mask/person-000", "-masked"), ("without_mask/person-000", "")

Faces = dict[bool, list[tuple[Luma, Box]]]  # masked: pictures and true boxes


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.jpg")
    }


@pytest.fixture(scope="module")
def faces() -> Faces:
    drawn: Faces = {True: [], False: []}
    for number in range(PEOPLE):
        person = random_person(np.random.default_rng([9, number]))
        for masked, pictures in drawn.items():
            picture, box = draw_face(np.random.default_rng([9, number, masked]), masked, person)
            pictures.append((np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8), box))
    return drawn


def test_a_set_is_a_photo_folder_that_its_seed_decides(tmp_path: Path) -> None:
    draw_practice_set(tmp_path / "one", people=3, seed=1)
    draw_practice_set(tmp_path / "again", people=3, seed=1)
    draw_practice_set(tmp_path / "other", people=3, seed=2)
    one, other = digests(tmp_path / "one"), digests(tmp_path / "other")
    masked, bare = ([f"{name}{n}{end}.jpg" for n in range(3)] for name, end in NAMES)
    assert sorted(one) == masked + bare
    assert one == digests(tmp_path / "again")
    assert sorted(other) == sorted(one)
    assert len({*one.values(), *other.values()}) == 12
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "one", "other"]
    for name in one:
        picture = cv2.imread(str(tmp_path / "one" / name), cv2.IMREAD_UNCHANGED)
        assert picture is not None
        assert picture.dtype == np.uint8
        assert picture.shape[2] == 3
        assert 200 <= min(picture.shape[:2]) <= max(picture.shape[:2]) <= 320


def test_an_interrupted_drawing_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        if any(tmp_path.rglob("*.jpg")):
            signal.setitimer(signal.ITIMER_REAL, 0)  # one Ctrl-C, not a second one into the clearing up
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            draw_practice_set(tmp_path / "practice", people=10_000)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_filled_also_through_a_link_and_from_within(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("linked", "within"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "linked")
    monkeypatch.chdir(tmp_path / "within")
    draw_practice_set(tmp_path / "link", people=1)
    draw_practice_set(Path(), people=1)

    assert len(digests(tmp_path / "linked")) == len(digests(Path())) == 2
    assert (tmp_path / "link").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "linked", "within"]


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(KioskError) as refusal:
        draw_practice_set(tmp_path, people=1)
    assert str(refusal.value) == (
        f"{tmp_path} holds files, a practice set needs a new or empty folder: remove it or name another"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_practice_set_is_drawn_by_a_command_which_keeps_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn, command = tmp_path / "drawn", ["practice", "--people", "2", "--seed", "5", "--to", str(tmp_path / "drawn")]
    assert trainer(command) == 0
    before = {path.relative_to(drawn).as_posix(): path.read_bytes() for path in drawn.rglob("*.jpg")}
    assert len(before) == 4
    assert trainer(command) == 2
    assert "holds files" in capsys.readouterr().err
    assert {path.relative_to(drawn).as_posix(): path.read_bytes() for path in drawn.rglob("*.jpg")} == before


@pytest.mark.parametrize(("masked", "least"), [(False, 0.8), (True, 0.6)])
def test_the_face_finder_finds_drawn_faces_where_they_are(faces: Faces, masked: bool, least: float) -> None:
    finder = HaarFaceFinder()
    found = [any(iou(face.box, box) >= 0.5 for face in finder.find(luma)) for luma, box in faces[masked]]
    assert np.mean(found) >= least


def test_brightness_does_not_tell_the_classes(faces: Faces) -> None:
    def brightness(masked: bool) -> npt.NDArray[np.float64]:
        return np.array([luma[y:y + h, x:x + w].mean() for luma, (x, y, w, h) in faces[masked]])

    with_mask, without_mask = brightness(masked=True), brightness(masked=False)
    accuracies = [
        (np.mean(with_mask >= level) + np.mean(without_mask < level)) / 2 for level in (*with_mask, *without_mask)
    ]
    assert max(*accuracies, *(1 - accuracy for accuracy in accuracies)) < 0.65


def test_without_photos_and_network_a_practice_model_comes_out_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nobody answers there
    runs, models = tmp_path / "runs", tmp_path / "models"

    assert trainer(["train", "--size", "24", "--epochs", "2", "--runs", str(runs)]) == 0
    assert trainer(["convert", "--runs", str(runs), "--models", str(models)]) == 0

    printed = capsys.readouterr()
    lines = [line for line in printed.err.splitlines() if "PRACTICE" in line]
    assert len(lines) == 1
    assert lines[0].startswith("raw.githubusercontent.com can't be reached (ProxyError): drawn faces are used")
    assert sorted(path.name for path in models.iterdir()) == ["golden", "practice.json", "practice.tflite"]
    card, _ = read_card(models / "practice.tflite")
    assert (card.practice, card.trained_on.source, card.trained_on.photos) == (
        True, "drawn faces", {"with_mask": 200, "without_mask": 200},
    )
    picture = next((tmp_path / "cache").glob("mask-kiosk/practice-*/with_mask/person-0000-masked.jpg"))
    assert device(["judge", "--cropped", "--model", str(models / "practice.tflite"), str(picture)]) == 0
    assert capsys.readouterr().out.startswith("PRACTICE  person-0000-masked.jpg: ")
    drawing, _, training = card.trained_on.command.partition(" && ")  # of the folder, which is in this cache only
    assert training.startswith("make train convert DATA=practice-1 ")
    monkeypatch.chdir(tmp_path)
    assert trainer(drawing.partition(" -m trainer ")[2].split()) == 0
    assert load_dataset(tmp_path / "practice-1", 24).sha256 == card.trained_on.dataset_sha256


def test_several_networks_on_drawn_faces_are_refused_before_they_overwrite_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_practice_set(tmp_path / "drawn", people=3, seed=1)
    wanted = ["train", "--data", str(tmp_path / "drawn"), "--runs", str(tmp_path / "runs"), "--model"]
    assert trainer([*wanted, "door", "simple", "door"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: door, simple: drawn faces make one model, practice.tflite, expected one network: name one as MODEL, or "
        "give photos as DATA"
    )
    assert not (tmp_path / "runs").exists()


def test_a_network_that_is_named_twice_is_trained_once() -> None:
    assert networks_for(["simple", "door", "simple"], practice=False) == ["simple", "door"]
    assert networks_for(["simple", "simple"], practice=True) == ["simple"]


def test_a_model_of_drawn_people_is_for_practice_and_one_of_photos_with_some_beside_them_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    drawn, photos, runs = tmp_path / "drawn", drawn_photos(tmp_path / "photos", 12), tmp_path / "runs"
    assert trainer(["practice", "--people", "12", "--to", str(drawn)]) == 0
    small = ["--model", "simple", "--size", "24", "--epochs", "1", "--runs", str(runs)]

    assert trainer(["train", "--data", str(photos), "--extra", str(drawn), *small]) == 0
    assert not load_run(current(runs)[-1]).plan.practice
    assert "PRACTICE" not in capsys.readouterr().err
    assert trainer(["train", "--data", str(drawn), *small]) == 0
    assert f"{drawn}: holds drawn faces, for PRACTICE only" in capsys.readouterr().err
    assert trainer(["convert", "--runs", str(runs), "--models", str(tmp_path / "models")]) == 0
    card, _ = read_card(tmp_path / "models" / "practice.tflite")
    assert (card.practice, card.trained_on.source) == (True, "drawn faces")
    assert card.trained_on.command.startswith("make train convert DATA=drawn MODEL=simple ")
