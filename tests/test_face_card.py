"""The face network's card is read as it was written, or refused in one line."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from device.cards import card_json
from device.errors import ModelError
from device.face_card import BOX, FacesFound, read_face_card
from device.finders import OwnFaceFinder

OTHER_VERSION = "it is of another version, or was edited"
FOUND = FacesFound(10, 20, 30, 0.95, 0.97, 0.05)
# What is changed in the card, and what is said of it.
BAD_CARDS: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda card: card.pop("threshold"), f"key 'threshold' of card is missing: {OTHER_VERSION}"),
    (lambda card: card.update(practice=True), f"key 'practice' of card is unknown: {OTHER_VERSION}"),
    (lambda card: card["trained_on"].pop("teacher"), f"key 'teacher' of trained_on is missing: {OTHER_VERSION}"),
    (lambda card: card["trained_on"].update(samples="1"), "key 'samples' is \"1\", expected int"),
    (lambda card: card["measured"]["sets"].update(a=1), "sets.a is 1, expected an object"),
    (lambda card: card["measured"]["sets"]["nothing"].update(recall_bare=None), "key 'recall_bare' is null, expected"),
    (lambda card: card.update(format=1), "has card format 1, expected 2: convert it with this version"),
    (lambda card: card.pop("check"), f"key 'check' of card is missing: {OTHER_VERSION}"),
    (lambda card: card.update(check="no"), "check is \"no\", expected an object"),
    (
        lambda card: card.update(input_size=[256, 192]),
        f"has input size (256, 192) and boxes {BOX!r}, expected (320, 224) and {BOX!r}: convert it with this version",
    ),
    (
        lambda card: card.update(box="eyes to mouth"),
        f"has input size (320, 224) and boxes 'eyes to mouth', expected (320, 224) and {BOX!r}: convert it with this",
    ),
    (lambda card: card.update(threshold=0), "has threshold 0.0 and overlap 0.3, expected both from 0 to 1: convert it"),
    (lambda card: card.update(overlap=float("nan")), "has threshold 0.6 and overlap nan, expected both from 0 to 1"),
]


def copied(face_network: Path, folder: Path) -> Path:
    """Copy the toy face network and its card; return the former's path."""
    path = folder / face_network.name
    path.write_bytes(face_network.read_bytes())
    path.with_suffix(".json").write_bytes(face_network.with_suffix(".json").read_bytes())
    return path


def refusal(model: Path) -> str:
    with pytest.raises(ModelError) as error:
        OwnFaceFinder(model)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_card_is_read_as_it_was_written(face_network: Path, tmp_path: Path) -> None:
    card, content = read_face_card(face_network)
    assert content == face_network.read_bytes()
    changed = dataclasses.replace(
        card, threshold=0.4,
        trained_on=dataclasses.replace(card.trained_on, pictures={"wider": 3}, held_out=("wider", "karan")),
        measured=dataclasses.replace(card.measured, sets={"hall": FOUND, "yard": FOUND}, recall_lost=-0.01),
    )  # fmt: skip
    path = copied(face_network, tmp_path)
    path.with_suffix(".json").write_text(card_json(changed), encoding="utf-8")
    assert read_face_card(path) == (changed, content)


@pytest.mark.parametrize(("change", "line"), BAD_CARDS)
def test_a_bad_card_is_refused_in_one_line(
    face_network: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], line: str
) -> None:
    path = copied(face_network, tmp_path)
    card = json.loads(path.with_suffix(".json").read_text())
    change(card)
    path.with_suffix(".json").write_text(json.dumps(card))
    assert refusal(path).startswith(f"{path.with_suffix('.json')}: {line}")


def test_a_model_that_is_not_the_cards_is_refused_in_one_line(face_network: Path, tmp_path: Path) -> None:
    path = copied(face_network, tmp_path)
    whole, wanted = path.read_bytes(), hashlib.sha256(path.read_bytes()).hexdigest()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for content in (bytes(flipped), whole[: len(whole) // 2], b""):
        path.write_bytes(content)
        found = hashlib.sha256(content).hexdigest()
        assert refusal(path) == (
            f"{path}: has SHA-256 {found[:12]}…, its card says {wanted[:12]}…: copy both files again or run `make "
            f"faces MODELS={tmp_path}`"
        )
    path.unlink()
    assert refusal(path) == f"{path}: can't be read (No such file or directory): run `make faces MODELS={tmp_path}`"


def test_a_network_of_other_tensors_is_refused_in_one_line(face_network: Path, toy: Path, tmp_path: Path) -> None:
    card, _ = read_face_card(face_network)
    path = tmp_path / "faces.tflite"
    path.write_bytes(toy.read_bytes())
    card = dataclasses.replace(card, sha256=hashlib.sha256(toy.read_bytes()).hexdigest())
    path.with_suffix(".json").write_text(card_json(card), encoding="utf-8")
    assert refusal(path) == (
        f"{path}: takes uint8 [1, 16, 16, 1] scale 1.0 zero 0, its card says uint8 [1, 224, 320, 1] scale 1.0 zero 0: "
        f"run `make faces MODELS={tmp_path}`"
    )
