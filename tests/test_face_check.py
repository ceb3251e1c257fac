"""What the face network names is looked at closer, and dropped where the check disagrees."""

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from test_face_card import copied, refusal
from toy_faces import SIDE, toy_check

from device.face_card import read_face_card
from device.face_check import MOST_PLACES, FaceCheck
from device.faces import Box, Face, Luma
from device.finders import OwnFaceFinder
from device.heatmap import HEIGHT, WIDTH

BRIGHT, DIMMER = 255, 200  # grey levels: the face network takes both for faces


@pytest.fixture
def checked(face_network: Path, tmp_path: Path) -> Path:
    """Return a face network that has a check."""
    path = copied(face_network, tmp_path)
    toy_check(path)
    return path


def squares(*places: tuple[int, int, int]) -> Luma:
    """Draw squares of a face's size: left, top in px of the network's picture, grey level."""
    luma = np.zeros((HEIGHT, WIDTH), np.uint8)
    for x, y, grey in places:
        luma[y : y + SIDE, x : x + SIDE] = grey
    return luma


def logit(share: float) -> float:
    return math.log(share / (1 - share))


def test_only_what_both_networks_believe_in_is_a_face(face_network: Path, checked: Path) -> None:
    luma = squares((40, 80, DIMMER), (200, 80, BRIGHT))
    named = OwnFaceFinder(face_network).find(luma)
    assert sorted(face.box.x for face in named) == pytest.approx([40, 200], abs=2)
    (face,) = OwnFaceFinder(checked).find(luma)
    assert face.box.x == pytest.approx(200, abs=2)


def test_the_score_is_the_mean_of_both_networks_odds(face_network: Path, checked: Path) -> None:
    luma = squares((200, 80, BRIGHT))
    (alone,), (both,) = OwnFaceFinder(face_network).find(luma), OwnFaceFinder(checked).find(luma)
    assert alone.box == both.box
    square = (SIDE / (both.box.width * 1.7)) ** 2  # of the crop, which has a margin of 0.35 on each side
    assert logit(both.score) == pytest.approx((logit(alone.score) + 40 * (square - 0.3)) / 2, abs=0.3)


@pytest.mark.parametrize(("steepness", "looks"), [(0.5, 2), (-0.5, 2), (40, 1), (-40, 1)])
def test_the_mirror_image_is_looked_at_in_doubt(checked: Path, steepness: float, looks: int) -> None:
    card = read_face_card(checked)[0].check
    assert card is not None
    seen: list[Luma] = []

    size = card.size

    def one_sided(crop: Luma) -> npt.NDArray[np.float32]:
        seen.append(crop)
        half = size // 2
        return np.array([steepness * (crop[:, :half].mean() - crop[:, half:].mean()) / BRIGHT], np.float32)

    luma = squares((100, 80, BRIGHT))  # on the left of the box below
    (face,) = FaceCheck(one_sided, card).confirm(luma, [Face(Box(100, 80, 2 * SIDE, 2 * SIDE), 0.6)], 0.0)
    assert len(seen) == looks
    left = one_sided(seen[0])[0] if looks == 1 else 0.0
    assert logit(face.score) == pytest.approx((logit(0.6) + left) / 2)


def test_what_a_picture_costs_has_a_bound(face_network: Path, checked: Path) -> None:
    luma = squares(*((x, y, BRIGHT) for x in range(8, WIDTH - 40, 64) for y in range(8, HEIGHT - 40, 72)))
    assert len(OwnFaceFinder(face_network).find(luma)) > MOST_PLACES
    assert len(OwnFaceFinder(checked).find(luma)) == MOST_PLACES


def test_a_check_that_is_not_the_cards_is_refused_in_one_line(checked: Path) -> None:
    path = checked.with_name("faces-check.tflite")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    wanted, found = (hashlib.sha256(content).hexdigest()[:12] for content in (whole, whole[:-1]))
    assert refusal(checked) == (
        f"{path}: has SHA-256 {found}…, its card says {wanted}…: copy both files again or run `make face-check "
        f"MODELS={path.parent}`"
    )
    path.unlink()
    run = f"run `make face-check MODELS={path.parent}`"
    assert refusal(checked) == f"{path}: can't be read (No such file or directory): {run}"


def test_a_check_of_other_tensors_is_refused_in_one_line(checked: Path) -> None:
    card = json.loads(checked.with_suffix(".json").read_text())
    card["check"]["size"] = 32
    checked.with_suffix(".json").write_text(json.dumps(card))
    assert refusal(checked) == (
        f"{checked.with_name('faces-check.tflite')}: takes uint8 [1, 16, 16, 1] scale 1.0 zero 0, its card says uint8 "
        "[1, 32, 32, 1] scale 1.0 zero 0: run `make face-check "
        f"MODELS={checked.parent}`"
    )


@pytest.mark.parametrize("change", [{"margin": float("nan")}, {"from_score": 0.0}, {"size": 0}])
def test_a_check_without_sense_is_refused_in_one_line(checked: Path, change: dict[str, float]) -> None:
    card = json.loads(checked.with_suffix(".json").read_text())
    card["check"].update(change)
    checked.with_suffix(".json").write_text(json.dumps(card))
    line = refusal(checked)
    assert line.startswith(f"{checked.with_suffix('.json')}: has a check from score ")
    assert line.endswith("expected the first and the last from 0 to 1: convert it again")
