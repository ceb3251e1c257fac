import dataclasses
import json
import shutil
import subprocess
from pathlib import Path
from typing import Self

import pytest
from places import TREE
from runtimes import PYTHONS

from device.__main__ import main as device
from device.cards import card_json
from device.classifier import MODELS, Classifier
from device.errors import ModelError
from device.finders import OwnFaceFinder, open_finder
from device.golden import TOLERANCE, golden_answers, golden_folder, require_right
from device.kiosk import run
from device.settings import CameraSettings, FaceSettings, ModelSettings, ScreenSettings, Settings, SignalSettings
from device.signals.signals import Signals
from trainer.__main__ import main
from trainer.golden import write_golden

SHIPPED = sorted(path.parent.name for path in MODELS.glob("golden/*/golden.json"))
STATES = {"masked.png": "CLEAR", "bare.png": "ALARM", "empty.png": "IDLE"}
JUDGE = """
import sys
from device.classifier import Classifier
from device.finders import open_finder
from device.golden import golden_answers
from device.kiosk import run
from device.settings import CameraSettings, FaceSettings, ModelSettings, ScreenSettings, Settings, SignalSettings
from device.signals.signals import Signals
for name in sys.argv[1:]:
    classifier = Classifier(name)
    for answer in golden_answers(classifier, open_finder(FaceSettings(finder=classifier.card.face_finder))):
        print(name, answer.picture.file, answer.state, answer.right)
"""


@pytest.fixture
def door(tmp_path: Path) -> Classifier:
    """A copy of the shipped door with its golden pictures."""
    for suffix in (".tflite", ".json"):
        shutil.copy(MODELS / f"door{suffix}", tmp_path)
    shutil.copytree(MODELS / "golden" / "door", tmp_path / "golden" / "door")
    return Classifier(str(tmp_path / "door.tflite"))


def edit(classifier: Classifier, number: int, **changes: object) -> None:
    """Change what stands in golden.json of one picture."""
    path = golden_folder(classifier.path) / "golden.json"
    content = json.loads(path.read_text())
    content["pictures"][number].update(changes)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("python", PYTHONS)
def test_the_shipped_models_judge_their_golden_pictures_rightly_here(python: str) -> None:
    assert sorted(path.stem for path in MODELS.glob("*.json") if path.stem not in {"faces", "practice"}) == SHIPPED
    judged = subprocess.run(
        [python, "-c", JUDGE, *SHIPPED], cwd=TREE, capture_output=True, text=True, check=True, timeout=300
    )
    expected = [f"{name} {file} {state} True" for name in SHIPPED for file, state in STATES.items()]
    assert judged.stdout.splitlines() == expected


def test_golden_pictures_are_small() -> None:
    assert max(path.stat().st_size for path in MODELS.glob("golden/*/*.png")) < 12_000


def rights(door: Classifier) -> list[bool]:
    return [answer.right for answer in golden_answers(door, OwnFaceFinder())]


def test_another_score_or_state_than_the_written_one_is_wrong(door: Classifier) -> None:
    finder = OwnFaceFinder()
    masked = golden_answers(door, finder)[0]
    assert all(rights(door))
    for off, right in ((TOLERANCE - 0.01, True), (TOLERANCE + 0.01, False)):
        edit(door, 0, scores=[masked.scores[0] + off])
        assert rights(door) == [right, True, True]
    edit(door, 0, scores=list(masked.scores), state="ALARM")
    assert rights(door) == [False, True, True]
    assert str(golden_answers(door, finder)[0]) == (
        f"masked.png: CLEAR {masked.scores[0]:.2f}, expected ALARM {masked.scores[0]:.2f}"
    )
    edit(door, 0, scores=[], state="CLEAR")
    assert rights(door) == [False, True, True]


class HeldDown(Signals):
    """Signals whose button was held down."""

    def __enter__(self) -> Self:
        self.self_test()
        return self


def test_a_self_test_judges_them_and_ends_in_fault_where_they_are_wrong(
    door: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.kiosk.Signals", HeldDown)
    (tmp_path / "frames").mkdir()
    shutil.copy(golden_folder(door.path) / "empty.png", tmp_path / "frames")
    settings = Settings(
        model=ModelSettings(str(door.path)), camera=CameraSettings(str(tmp_path / "frames")),
        signals=SignalSettings(fault_seconds=0.0), screen=ScreenSettings(enabled=False),
    )  # fmt: skip
    assert run(settings, pins="mock") == 0
    edit(door, 2, state="ALARM")
    with pytest.raises(ModelError, match="its golden pictures are judged wrongly here"):
        run(settings, pins="mock")
    shutil.rmtree(golden_folder(door.path))  # as of a model from elsewhere: lamps and buzzer are tested alone
    assert run(settings, pins="mock") == 0


def test_check_refuses_a_model_that_judges_them_wrongly(
    door: Classifier, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(f'[model]\nname = "{door.path}"\n')
    assert device(["check", "--config", str(config)]) == 0
    assert capsys.readouterr().out.splitlines()[2] == "golden pictures     judged rightly here"
    edit(door, 2, state="ALARM")
    assert device(["check", "--config", str(config)]) == 2
    assert capsys.readouterr() == ("", (
        f"error: {door.path}: its golden pictures are judged wrongly here (empty.png: IDLE, expected ALARM): run `make "
        "doctor`, and put the release before back\n"
    ))


def test_golden_pictures_of_another_model_or_none_are_refused(door: Classifier) -> None:
    finder, folder = OwnFaceFinder(), golden_folder(door.path)
    command = f"run `python -m trainer golden --model {door.path}`"

    def refusal() -> str:
        with pytest.raises(ModelError) as error:
            golden_answers(door, finder)
        return str(error.value)

    bare, masked = (folder / "bare.png").read_bytes(), (folder / "masked.png").read_bytes()
    for content in (bare, masked[:-20], b""):
        (folder / "masked.png").write_bytes(content)
        assert refusal() == f"{folder / 'masked.png'}: isn't the picture that was judged: copy it again or {command}"
    (folder / "masked.png").unlink()
    assert refusal() == (
        f"{folder / 'masked.png'}: can't be read (No such file or directory): copy it again or {command}"
    )
    (folder / "masked.png").write_bytes(masked)
    other = dataclasses.replace(door.card, sha256="0" * 64)
    door.path.with_suffix(".json").write_text(card_json(other))
    door.card = other
    assert refusal() == f"{folder}: was written for another model or face finder, expected these: {command}"
    shutil.rmtree(folder)
    assert refusal() == f"{folder / 'golden.json'}: can't be read (No such file or directory): {command}"


def test_one_command_writes_them_anew(door: Classifier, capsys: pytest.CaptureFixture[str]) -> None:
    folder = golden_folder(door.path)
    shutil.rmtree(folder)
    assert main(["golden", "--model", str(door.path)]) == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [
        [f"{file}:", state] for file, state in STATES.items()
    ]
    require_right(door, OwnFaceFinder())


def test_the_same_models_give_the_same_golden_pictures(toy: Path, tmp_path: Path) -> None:
    written = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for path in (toy, toy.with_suffix(".json")):
            shutil.copy(path, tmp_path / name)
        classifier = Classifier(str(tmp_path / name / toy.name))
        write_golden(classifier, open_finder(FaceSettings(finder="haar")), tries=2)
        written.append({path.name: path.read_bytes() for path in golden_folder(classifier.path).iterdir()})
    assert written[0].keys() == {*STATES, "golden.json"}
    assert written[0] == written[1]
