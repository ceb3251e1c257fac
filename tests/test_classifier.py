import dataclasses
import hashlib
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_face import drawn_face
from runtimes import PYTHONS, run_device, told

from device.cards import card_json
from device.classifier import MODELS, Classifier
from device.errors import ModelError
from device.faces import Box, Face, Luma
from device.finders import OwnFaceFinder
from device.model_card import read_card

FACE = Face(Box(1, 2, 30, 40), 5.5)
DOOR = MODELS / "door.tflite"
INT8_STEPS = 0.012  # of the toy model's brightness and score: about three of 1/256


def with_card(model: Path, folder: Path, content: bytes | None = None, **changes: Any) -> str:
    """Write a model, by default that of the card, with the card changed to fit or not; return its path."""
    card, own_content = read_card(model)
    content = own_content if content is None else content
    path = folder / "other.tflite"
    path.write_bytes(content)
    changed = dataclasses.replace(card, sha256=hashlib.sha256(content).hexdigest(), **changes)
    path.with_suffix(".json").write_text(card_json(changed), encoding="utf-8")
    return str(path)


def float_model(size: int) -> bytes:
    import tensorflow as tf

    picture = tf.keras.Input(batch_shape=(1, size, size, 1))
    model = tf.keras.Model(picture, tf.keras.layers.Dense(2)(tf.keras.layers.Flatten()(picture)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow warns of its own calls
        content: bytes = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    return content


def test_a_model_is_found_by_its_name_in_models() -> None:
    with pytest.raises(ModelError, match=r"no model 'absent' in .*, expected one of door, simple, simple-random: name"):
        Classifier("absent")
    with pytest.raises(ModelError, match=r"random: name one; `make .*` makes it only where .*, else a door$"):
        Classifier("practice")
    with pytest.raises(ModelError, match="no model 'aaa"):
        Classifier(300 * "a")  # longer than a file's name may be


def test_a_model_is_found_by_a_path_without_its_ending(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Classifier(str(toy.with_suffix(""))).path == toy
    monkeypatch.chdir(toy.parent)
    for name in (f"./{toy.stem}", f"../{toy.parent.name}/{toy.stem}", f"./{toy.name}", toy.name):
        assert Classifier(name).path.resolve() == toy.resolve()
    for absent in ("absent", 300 * "a"):
        with pytest.raises(ModelError, match=f"^{tmp_path}/{absent}"):
            Classifier(f"{tmp_path}/{absent}")


@dataclasses.dataclass
class OtherFinder:
    """A finder of some name and model, that finds nothing."""

    name: str
    sha256: str

    def find(self, luma: Luma) -> list[Face]:
        return []


def test_a_model_takes_the_crops_of_its_own_finder_only() -> None:
    classifier, own = Classifier("door"), OwnFaceFinder()
    classifier.require_crops_of(own)
    for name, sha256, advice in (
        ("yunet", "0123456789abcdef", 'set [faces] finder = "own" in a kiosk.toml and name it (--config, CONFIG=)'),
        ("own", "0123456789abcdef", "run `make train convert` with this version"),
        ("yunet", own.sha256, 'set [faces] finder = "own" in a kiosk.toml and name it (--config, CONFIG=)'),
    ):
        with pytest.raises(ModelError) as error:
            classifier.require_crops_of(OtherFinder(name, sha256))
        assert str(error.value) == (
            f"model door was trained on faces found by 'own' ({own.sha256[:12]}…), here {name!r} ({sha256[:12]}…) "
            f"finds them: {advice}"
        )


@pytest.mark.parametrize(
    ("threshold", "alarm", "label"),
    [
        (0.5, 0.5, "without_mask"),
        (0.5, np.nextafter(np.float32(0.5), np.float32(0)), "with_mask"),
        (0.75, 0.75, "without_mask"),
        (0.25, 0.3, "without_mask"),  # though the other is likelier
        (0.7, 0.7, "with_mask"),  # the nearest float32 is below 0.7
    ],
)
def test_a_score_at_the_threshold_is_the_alarm(
    tmp_path: Path, threshold: float, alarm: float, label: str
) -> None:
    path = with_card(DOOR, tmp_path, threshold=threshold, release=0.1)
    scores = np.array([1 - alarm, alarm], np.float32)
    verdict = Classifier(path).verdict(FACE, scores)
    assert (verdict.box, verdict.face_score, verdict.label) == (FACE.box, 5.5, label)
    assert verdict.scores == (float(scores[0]), float(scores[1]))
    assert verdict.alarm_score == float(scores[1])


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"input_size": 24},
            "takes uint8 [1, 16, 16, 1] scale 1.0 zero 0, its card says uint8 [1, 24, 24, 1] scale 1.0 zero 0",
        ),
    ],
)
def test_a_model_that_is_not_what_its_card_says_is_refused(
    toy: Path, tmp_path: Path, changes: dict[str, Any], line: str
) -> None:
    path = with_card(toy, tmp_path, **changes)
    with pytest.raises(ModelError) as error:
        Classifier(path)
    assert str(error.value) == f"{path}: {line}: run `make train convert MODELS={tmp_path}`"


def test_a_model_that_was_not_quantized_is_refused(toy: Path, tmp_path: Path) -> None:
    path = with_card(toy, tmp_path, float_model(16))
    with pytest.raises(ModelError) as error:
        Classifier(path)
    assert str(error.value) == (
        f"{path}: takes float32 [1, 16, 16, 1], its card says uint8 [1, 16, 16, 1] scale 1.0 zero 0: run `make train "
        f"convert MODELS={tmp_path}`"
    )


@pytest.mark.parametrize("python", PYTHONS)
def test_what_the_runtime_refuses_is_told_in_one_line(toy: Path, tmp_path: Path, python: str) -> None:
    path = with_card(toy, tmp_path, b"no model at all, and yet the card's hash is its own")
    result = run_device(python, "judge", tmp_path, "--model", path)
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = [line for line in told(result) if line.startswith("error: ")]
    prefix = re.escape(f"error: {path}: can't be run by ")
    assert re.fullmatch(prefix + r"(ai_edge_litert|tflite_runtime) \(.+\): update it, or convert the model again", line)


def test_the_toy_model_scores_brightness(toy: Path) -> None:
    classifier = Classifier(str(toy))
    for grey in (0, 51, 128, 204, 255):
        scores = classifier.scores(np.full((16, 16), grey, np.uint8))
        assert scores.dtype == np.float32
        assert scores.shape == (2,)
        assert scores == pytest.approx([1 - grey / 255, grey / 255], abs=INT8_STEPS)


def test_every_face_is_judged_by_its_own_crop_and_the_frame_is_left_alone(toy: Path) -> None:
    classifier = Classifier(str(toy))
    luma = np.zeros((60, 120), np.uint8)
    luma[:, 60:] = 255
    before = luma.copy()
    left, right = Face(Box(0, 0, 40, 40), 1.0), Face(Box(70, 10, 40, 40), 2.0)
    verdicts = classifier.judge(luma, [right, left])
    assert [(v.box, v.face_score, v.label) for v in verdicts] == [
        (right.box, 2.0, "without_mask"), (left.box, 1.0, "with_mask"),
    ]  # fmt: skip
    assert [v.alarm_score for v in verdicts] == pytest.approx([1.0, 0.0], abs=INT8_STEPS)
    assert luma.tolist() == before.tolist()
    assert classifier.judge(luma, []) == []
    # A frame whose rows and columns lie apart in memory.
    wide = np.repeat(drawn_face(), 2, axis=1)
    assert classifier.judge(wide[:, ::2], [FACE]) == classifier.judge(drawn_face(), [FACE])
