"""Turns a folder with one folder a class into a list of photos, each with its label and hash."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from device import model_card
from device.errors import KioskError

LABELS, ALARM_LABEL = model_card.LABELS, model_card.ALARM_LABEL
FEWEST = 10  # photos a class


class PhotosError(KioskError, ValueError):
    """A folder of photos that can't be trained on or measured with."""


@dataclass(frozen=True)
class Photo:
    """A file below the folder of its class, hopefully a picture."""

    path: Path
    name: str  # the class folder and what follows, as with_mask/anna.jpg
    label: int  # index into LABELS
    sha256: str


def find_photos(folder: Path) -> list[Photo]:
    """List the files of a folder that holds one folder a class, in a stable order, hidden ones left out.

    They aren't decoded yet.

    Raises PhotosError for a folder that is absent, lacks a class, or holds another folder: what isn't understood is
    never left out in silence.
    """
    if not folder.is_dir():
        raise PhotosError(f"{folder}: no such folder, expected one that holds {' and '.join(LABELS)}: check DATA")
    folders = {path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")}
    if unknown := sorted(folders - set(LABELS)):
        raise PhotosError(
            f"{folder}: has a folder {unknown[0]!r}, expected only {' and '.join(LABELS)}: move it elsewhere"
        )
    for label in LABELS:
        if label not in folders:
            raise PhotosError(f"{folder}: has no folder {label!r}, expected {' and '.join(LABELS)}: both are needed")
    return [
        Photo(path, path.relative_to(folder).as_posix(), label, _sha256(path))
        for label, name in enumerate(LABELS)
        for path in sorted((folder / name).rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""  # the reader of pictures says so, by name


def require_enough(labels: list[int], folder: Path) -> None:
    """Raise PhotosError unless each class has at least 10 usable photos."""
    counts = Counter(labels)
    for label, name in enumerate(LABELS):
        if counts[label] < FEWEST:
            raise PhotosError(
                f"{folder / name}: has {counts[label]} usable photos, expected at least {FEWEST}: add photos"
            )
