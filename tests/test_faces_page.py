"""What docs/faces.md says of the face finder is what its card says."""

import dataclasses
import re
from pathlib import Path

import pytest

from device.face_card import FacesFound, read_face_card
from device.finders import OWN_MODEL
from trainer.__main__ import main
from trainer.finder.page import FIGURES, comparison, with_card
from trainer.places import fill

PAGE = OWN_MODEL.parent.parent / "docs" / "faces.md"


@pytest.mark.skipif(not OWN_MODEL.with_suffix(".json").exists(), reason="needs models/faces.json, from make faces")
def test_the_figures_are_the_cards() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert text == with_card(text, read_face_card(OWN_MODEL)[0]), "run python -m trainer faces-page"


def test_the_card_fills_its_places(face_network: Path) -> None:
    card, _ = read_face_card(face_network)
    trained = dataclasses.replace(card.trained_on, pictures={"hall": 1200}, faces={"hall": 3000},
                                  backgrounds={"rooms": 50}, held_out=("wider-*",), samples=10**6, epochs=48)
    measured = dataclasses.replace(card.measured, recall_lost=0.004, sets={
        "door": FacesFound(400, 200, 100, 0.95, 0.98, 0.045), "rooms": FacesFound(200, 0, 0, 0.0, 0.0, 0.005),
    })  # fmt: skip
    page = with_card(PAGE.read_text(encoding="utf-8"), dataclasses.replace(card, trained_on=trained, measured=measured))

    lines = page.splitlines()
    assert "| 400, door | **95.0%** of 200 (91.0% to 97.3%) | **98.0%** of 100 (93.0% to 99.5%) | 0.045 (18) |" in lines
    assert "| 200, rooms |  |  | 0.005 (1) |" in lines
    assert "| hall | 1,200 | 3,000 |  |" in lines
    assert "| rooms |  |  | 50 |" in lines
    assert "1,000,000 changed copies of them were shown, in 48 epochs. Held out: `wider-*`." in lines
    assert "A face counts from score 0.60 on. The 8-bit numbers find 0.40% of the faces" in page
    checked = dataclasses.replace(card, measured=measured, check=read_face_card(OWN_MODEL)[0].check)
    assert "The check's 8-bit numbers find 0.40% of the faces\nless than the check" in with_card(page, checked)
    assert with_card(page, card) == with_card(PAGE.read_text(encoding="utf-8"), card)


def figures(name: str, faces: int, found: int, closer: int, false: int) -> dict[str, object]:
    """Return what compare-faces.json says of a finder that finds so many of the masked faces in 50 pictures."""
    chosen, strict = (
        {"recall": {"masked": {"hits": hits, "n": faces}, "bare": {"hits": 0, "n": 0}}, "false_boxes": false}
        for hits in (found, closer)
    )
    return {"name": name, "pictures": 50, "chosen": chosen, "strict": strict}


def test_finders_are_compared_a_row_each() -> None:
    halls = [figures("own", 8, 8, 6, 2), figures("haar", 8, 4, 4, 5)]
    rooms = [figures("own", 0, 0, 0, 0), figures("haar", 0, 0, 0, 1)]
    assert comparison({"halls": halls, "rooms": rooms}).splitlines() == [
        "| finder | halls: of 8 masked ones | halls: false boxes a picture | rooms: false boxes a picture |",
        "| --- | --- | --- | --- |",
        "| own | 100.0% / 75.0% | 0.040 (2) | 0.000 (0) |",
        "| haar | 50.0% / 50.0% | 0.100 (5) | 0.020 (1) |",
    ]


def test_each_place_is_there_once() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert fill(text, {FIGURES: "42 %"}).count("42 %") == 1
    assert re.findall(r"<!-- (?!end)(.+) -->", text) == ["trained on", "measured", "compared"]


def test_a_sheet_that_is_no_webp_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faces-sheet", "--to", str(tmp_path / "faces.webq")]) == 2

    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'faces.webq'}: isn't named as a WebP, expected")
