"""Puts the figures of the face finder's card and of the comparison into their places in docs/faces.md."""

from pathlib import Path
from typing import Any

from device.face_card import FaceCard, FacesFound
from trainer.finder.matching import Share
from trainer.places import fill

FIGURES, SOURCES, COMPARED = "measured", "trained on", "compared"  # names of places


def with_card(page: str, card: FaceCard) -> str:
    """Return a page with what the card says of material and figures."""
    return fill(page, {SOURCES: _sources(card), FIGURES: _figures(card)})


def update(page: Path, card: FaceCard, compared: dict[str, Any] | None) -> None:
    """Bring docs/faces.md up to date; compared: compare-faces.json, if it was made."""
    text = with_card(page.read_text(encoding="utf-8"), card)
    page.write_text(fill(text, {COMPARED: comparison(compared)}) if compared else text, encoding="utf-8")


def comparison(compared: dict[str, Any]) -> str:
    """Return compare-faces.json as a Markdown table, a row a finder: faces found at both IoUs, and false boxes."""
    columns = [["finder", "---", *(row["name"] for row in next(iter(compared.values())))]]
    for name, rows in compared.items():
        for group in ("masked", "bare"):
            if faces := rows[0]["chosen"]["recall"][group]["n"]:
                found = [[row[at]["recall"][group]["hits"] / faces for at in ("chosen", "strict")] for row in rows]
                cells = [f"{loose:.1%} / {strict:.1%}" for loose, strict in found]
                columns.append([f"{name}: of {faces} {group} ones", "---", *cells])
        false = [(row["chosen"]["false_boxes"], row["pictures"]) for row in rows]
        columns.append([f"{name}: false boxes a picture", "---", *(f"{n / of:.3f} ({n})" for n, of in false)])
    return "".join(f"| {' | '.join(line)} |\n" for line in zip(*columns, strict=True))


def _figures(card: FaceCard) -> str:
    lines = [
        "| pictures | masked faces found | bare faces found | false boxes a picture |",
        "| --- | --- | --- | --- |",
    ]
    for name, found in card.measured.sets.items():
        masked = _found(found.recall_masked, found.faces_masked)
        bare = _found(found.recall_bare, found.faces_bare)
        lines.append(f"| {found.pictures}, {name} | {masked} | {bare} | {_false(found)} |")
    lost = card.measured.recall_lost
    numbers = ("The check's 8-bit numbers", "check that they were made from, both behind the same face network") if (
        card.check) else ("The 8-bit numbers", "network that they were made from")
    lines += [
        "",
        f"A face counts from score {card.threshold:.2f} on. {numbers[0]} find {abs(lost):.2%} of the faces",
        f"{'less' if lost >= 0 else 'more'} than the {numbers[1]}.",
    ]
    return "\n".join(lines) + "\n"


def _found(recall: float, faces: int) -> str:
    estimate = Share(round(recall * faces), faces).estimate
    if estimate is None:
        return ""
    found, (low, high) = estimate
    return f"**{found:.1%}** of {faces} ({low:.1%} to {high:.1%})"


def _false(found: FacesFound) -> str:
    return f"{found.false_boxes_a_picture:.3f} ({round(found.false_boxes_a_picture * found.pictures)})"


def _sources(card: FaceCard) -> str:
    trained = card.trained_on
    lines = ["| source | pictures with faces | faces in them | pictures without |", "| --- | ---: | ---: | ---: |"]
    for name in sorted(trained.pictures.keys() | trained.backgrounds.keys()):
        counts = (of.get(name) for of in (trained.pictures, trained.faces, trained.backgrounds))
        lines.append(f"| {name} | " + " | ".join("" if n is None else f"{n:,}" for n in counts) + " |")
    held = ", ".join(f"`{name}`" for name in trained.held_out) or "nothing"
    lines += [
        "",
        f"{trained.samples:,} changed copies of them were shown, in {trained.epochs} epochs. Held out: {held}.",
        "",
        f"    {trained.command}",
    ]
    if card.check:
        lines += [
            "",
            f"The check learned from {card.check.faces:,} crops of faces and {card.check.others:,} of what is none, as",
            f"the first network named them in {card.check.pictures:,} more such copies, in {card.check.epochs} epochs.",
            "",
            f"    {card.check.command}",
        ]
    return "\n".join(lines) + "\n"
