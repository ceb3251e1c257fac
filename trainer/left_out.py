"""Says what of a folder of photos or scenes isn't read at all: pictures in no class, boxes with other labels."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from device.pictures import OF_PHONES, SUFFIXES
from trainer.photos import BOXES_TABLE, KNOWN, LABELS, Photo, has_table, read_rows


def left_out(folder: Path) -> list[str]:
    """Return the line, if there is one to say; of a folder that trainer.photos.find_photos reads."""
    if (folder / BOXES_TABLE).exists():
        return _boxes(folder / BOXES_TABLE)
    if has_table(folder):
        return []
    names = [path.name for path in folder.iterdir() if path.suffix.lower() in SUFFIXES | OF_PHONES and path.is_file()]
    count = sum(not name.startswith(".") for name in names)
    line = f"left out: {folder}: has {count} pictures outside of {' and '.join(LABELS)}: move each into its class"
    return [line] if count else []


def _boxes(table: Path) -> list[str]:
    labels = [row["label"] for row in read_rows(table, ("file", "label"))]
    others = [label for label in labels if label not in KNOWN]
    if not others:
        return []
    found = f"{len(others)} of {len(labels)} boxes have another label, as {others[0]!r}, expected {', '.join(KNOWN)}"
    return [f"left out: {table}: {found}: rename those that mean one of these"]


def unusable_lines(unusable: Sequence[tuple[Photo, str]]) -> list[str]:
    """Return a line for each photo and what is wrong with it; one for all whose names end in the same wrong way."""
    lines, counts = list[str](), Counter(photo.path.suffix for photo, _ in unusable if not photo.is_named_as_picture)
    for photo, reason in unusable:
        more = 0 if photo.is_named_as_picture else counts.pop(photo.path.suffix, 0) - 1
        if more >= 0:
            others = f" and {more} more *{photo.path.suffix}" if more else ""
            lines.append(f"left out: {photo.path}{others}: {reason}")
    return lines
