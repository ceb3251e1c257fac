import dataclasses
import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from places import TREE
from runtimes import PYTHONS, run_device, told
from toy_model import with_toy_card

from device.cards import card_json, read_described
from device.errors import ModelError
from device.model_card import read_card

JUDGE_WITH_EACH = """
import contextlib, io, json, sys
from device.__main__ import main
for model in sys.argv[1:]:
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        status = main(["judge", ".", "--model", model])
    print(json.dumps([status, out.getvalue(), err.getvalue()]))
print(json.dumps([name for name in sys.modules if name.startswith(("ai_edge_litert", "tflite_runtime"))]))
"""
OTHER_VERSION = "it is of another version, or was edited"
LABELS = "('with_mask', 'without_mask')"
# What is changed in the card, and what is said of it.
BAD_CARDS: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda card: card.pop("labels"), f"key 'labels' of card is missing: {OTHER_VERSION}"),
    (lambda card: card.update(colour=card.pop("labels")), f"key 'colour' of card is unknown: {OTHER_VERSION}"),
    (lambda card: card["trained_on"].pop("seed"), f"key 'seed' of trained_on is missing: {OTHER_VERSION}"),
    (lambda card: card.update(colour="grey"), f"key 'colour' of card is unknown: {OTHER_VERSION}"),
    (lambda card: card["measured"].update(f1=1.0), f"key 'f1' of measured is unknown: {OTHER_VERSION}"),
    (lambda card: card.update(input_size="16"), "key 'input_size' is \"16\", expected int"),
    (lambda card: card.update(input_size=16.0), "key 'input_size' is 16.0, expected int"),
    (lambda card: card.update(input_size=True), "key 'input_size' is true, expected int"),
    (lambda card: card.update(practice=0), "key 'practice' is 0, expected bool"),
    (lambda card: card.update(threshold=None), "key 'threshold' is null, expected float"),
    (lambda card: card.update(crop_margin=True), "key 'crop_margin' is true, expected float"),
    (lambda card: card.update(labels="with_mask"), "key 'labels' is \"with_mask\", expected tuple"),
    (lambda card: card.update(labels=["with_mask", 1]), "key 'labels' is 1, expected str"),
    (lambda card: card["measured"].update(accuracy_interval=[0.9]), "key 'accuracy_interval' is [0.9], expected tuple"),
    (lambda card: card["measured"].update(recall={"a": "1"}), "key 'recall.a' is \"1\", expected float"),
    (lambda card: card["measured"].update(recall=[1]), "key 'recall' is [1], expected dict"),
    (lambda card: card.update(name={}), "key 'name' is {{}}, expected str"),
    (lambda card: card.update(measured=[]), "measured is [], expected an object"),
    (lambda card: card.update(format=2), "has card format 2, expected 3: convert it with this version"),
    (
        lambda card: card.update(threshold=0.4, release=0.5),
        "has release 0.5 and threshold 0.4, expected 0 < release <= threshold < 1",
    ),
    (
        lambda card: card.update(threshold=1, release=0.5),
        "has release 0.5 and threshold 1.0, expected 0 < release <= threshold < 1",
    ),
    (
        lambda card: card.update(threshold=float("nan")),
        "has release 0.4 and threshold nan, expected 0 < release <= threshold < 1",
    ),
    (
        lambda card: card.update(alarm_label="no_mask"),
        f"has labels {LABELS} and alarm label 'no_mask', expected {LABELS} and 'without_mask': convert the model again",
    ),
    (
        lambda card: card.update(labels=["without_mask", "with_mask"]),
        f"has labels ('without_mask', 'with_mask') and alarm label 'without_mask', expected {LABELS} and "
        "'without_mask': convert the model again",
    ),
    (
        lambda card: card.update(release=0.0),
        "has release 0.0 and threshold 0.6, expected 0 < release <= threshold < 1",
    ),
    (lambda card: card.update(crop_margin=1.5), "has input size 16 and crop margin 1.5: convert it again"),
    (lambda card: card.update(crop_margin=-0.25), "has input size 16 and crop margin -0.25: convert it again"),
    (lambda card: card.update(practice="n" * 38), f"key 'practice' is \"{'n' * 38}\", expected bool"),
    (lambda card: card.update(practice="n" * 39), f"key 'practice' is \"{'n' * 38}…, expected bool"),
    (lambda card: card.update(input_size=0), "has input size 0 and crop margin 0.0: convert it again"),
    (lambda card: card.update(crop_margin=float("nan")), "has input size 16 and crop margin nan: convert it again"),
]


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A pair of which no more is read here than the card and the bytes."""
    return with_toy_card(tmp_path / "toy.tflite", bytes(range(256)) * 8)


def bad_models(toy: Path, folder: Path) -> dict[str, str]:
    """Write models that must not reach the runtime; return what is said of each by the path of its .tflite."""
    card, model = toy.with_suffix(".json").read_text(encoding="utf-8"), toy.read_bytes()
    said: dict[str, str] = {}
    run = f"run `make train convert MODELS={folder}`"
    anew = f"expected a model card: {run}"

    def write(name: str, content: bytes | None, text: bytes | None, line: str) -> None:
        path = folder / f"{name}.tflite"
        if content is not None:
            path.write_bytes(content)
        if text is not None:
            path.with_suffix(".json").write_bytes(text)
        said[str(path)] = line.format(model=path, card=path.with_suffix(".json"))

    for number, (change, line) in enumerate(BAD_CARDS):
        changed = json.loads(card)
        change(changed)
        write(f"card-{number}", model, json.dumps(changed).encode(), "{card}: " + line)
    write("list", model, b"[1]", "{card}: card is [1], expected an object")
    write("no-json", model, b"{", f"{{card}}: is not JSON ({json_error('{')}), {anew}")
    write("empty", model, b"", f"{{card}}: is not JSON ({json_error('')}), {anew}")
    write("latin", model, card.replace("nothing", "Käthe").encode("latin-1"), f"{{card}}: is not UTF-8 text, {anew}")
    unreadable = f"can't be read (No such file or directory): {run}"
    write("no-card", model, None, f"{{card}}: {unreadable}")
    write("no-model", None, card.encode(), f"{{model}}: {unreadable}")
    flipped = bytearray(model)
    flipped[len(model) // 2] ^= 1
    wanted = hashlib.sha256(model).hexdigest()[:12]
    for name, content in (("flipped", bytes(flipped)), ("cut", model[: len(model) // 2]), ("nothing", b"")):
        found = hashlib.sha256(content).hexdigest()[:12]
        line = f"has SHA-256 {found}…, its card says {wanted}…: copy both files again or {run}"
        write(name, content, card.encode(), f"{{model}}: {line}")
    return said


def json_error(text: str) -> str:
    with pytest.raises(json.JSONDecodeError) as error:
        json.loads(text)
    return str(error.value)


def test_a_card_is_read_as_it_was_written(toy: Path, tmp_path: Path) -> None:
    card, content = read_card(toy)
    changed = dataclasses.replace(
        card, practice=True, threshold=0.75,
        trained_on=dataclasses.replace(card.trained_on, source="Käthe's", versions={"numpy": "2"}, photos={"a": 3}),
        measured=dataclasses.replace(card.measured, accuracy_interval=(0.25, 1.0)),
    )  # fmt: skip
    path = tmp_path / "other.tflite"
    path.write_bytes(content)
    path.with_suffix(".json").write_text(card_json(changed), encoding="utf-8")
    assert read_card(path) == (changed, toy.read_bytes())
    assert "Käthe's" in path.with_suffix(".json").read_text(encoding="utf-8")  # as people write it


def test_a_card_may_be_at_its_limits(toy: Path) -> None:
    card, content = read_card(toy)
    for changes in ({"crop_margin": 1.0}, {"input_size": 1}, {"release": card.threshold}):
        changed = dataclasses.replace(card, **changes)
        toy.with_suffix(".json").write_text(card_json(changed), encoding="utf-8")
        assert read_card(toy) == (changed, content)


@dataclasses.dataclass
class Answer:
    """What isn't in a model's card, but in other files that are read in the same way."""

    score: float | None
    place: tuple[int, int]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('{"score": 1, "place": [2, 3]}', Answer(1.0, (2, 3))),
        ('{"score": null, "place": [2, 3]}', Answer(None, (2, 3))),
        ('{"score": "1", "place": [2, 3]}', "key 'score' is \"1\", expected float"),
        ('{"score": 1, "place": [2, "3"]}', "key 'place' is \"3\", expected int"),
        ('{"score": 1, "place": [2]}', "key 'place' is [2], expected tuple"),
        ('{"score": 1, "place": [2, 3, 4]}', "key 'place' is [2, 3, 4], expected tuple"),
    ],
)
def test_what_may_be_absent_and_what_has_a_length(tmp_path: Path, written: str, read: Answer | str) -> None:
    path = tmp_path / "answer.json"
    path.write_text(written, encoding="utf-8")
    if isinstance(read, Answer):
        assert read_described(Answer, path, "an answer", "make answers") == read
    else:
        with pytest.raises(ModelError) as error:
            read_described(Answer, path, "an answer", "make answers")
        assert str(error.value) == f"{path}: {read}"


def test_every_line_of_a_practice_model_is_marked(toy: Path) -> None:
    card, _ = read_card(toy)
    assert card.marked("CLEAR 0.12") == "CLEAR 0.12"
    assert dataclasses.replace(card, practice=True).marked("CLEAR 0.12") == "PRACTICE  CLEAR 0.12"


def test_a_bad_model_is_refused_in_one_line(toy: Path, tmp_path: Path) -> None:
    for path, line in bad_models(toy, tmp_path).items():
        with pytest.raises(ModelError) as error:
            read_card(Path(path))
        assert str(error.value) == line


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("models/door.tflite", "`git checkout models` for the shipped one, for your own `make train convert`"),
        ("models/simple-random.tflite", "`git checkout models` for the shipped one, for your own `make train convert`"),
        ("models/practice.tflite", "`make train convert`"),
        ("new/door.tflite", "`make train convert MODELS=new`"),
    ],
)
def test_a_shipped_model_that_is_missing_is_not_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError) as error:
        read_card(Path(path))
    found = f"{path.replace('.tflite', '.json')}: can't be read (No such file or directory)"
    assert str(error.value) == f"{found}: run {command}"


@pytest.mark.parametrize("python", PYTHONS)
def test_the_runtime_never_sees_a_bad_model(toy: Path, tmp_path: Path, python: str) -> None:
    said = bad_models(toy, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    shown = subprocess.check_output([python, "-c", JUDGE_WITH_EACH, *said], cwd=TREE, text=True)
    *answers, runtime_modules = map(json.loads, shown.splitlines())
    assert answers == [[2, "", f"error: {line}\n"] for line in said.values()]
    assert runtime_modules == []
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("python", PYTHONS)
def test_a_model_cut_short_ends_the_command_line_with_2(toy: Path, tmp_path: Path, python: str) -> None:
    said = bad_models(toy, tmp_path)
    model = str(tmp_path / "cut.tflite")
    result = run_device(python, "judge", tmp_path, "--model", model)
    assert (result.returncode, result.stdout, told(result)) == (2, "", [f"error: {said[model]}"])
