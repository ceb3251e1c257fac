"""Says which labelled faces are left out because the same face is labelled again, or otherwise."""

from collections import defaultdict
from collections.abc import Sequence

from device.faces import iou
from trainer.photos import WORN_WRONG_SLICE, Photo

SAME_FACE = 0.8  # intersection over union from which two boxes can't be two people's


def labelled_again(photos: Sequence[Photo]) -> dict[int, str]:
    """Return which photos are left out, by their places, each with the line that says so.

    A picture or face with two labels is left out wherever it is; one that a table names twice with one label counts
    once.
    """
    copies, lines = defaultdict[str, list[tuple[int, Photo]]](list), dict[int, str]()
    for i, photo in enumerate(photos):
        copies[photo.sha256].append((i, photo))
    for same_file in copies.values():
        for i, photo in same_file:
            same = [(place, other) for place, other in same_file if place != i and _is_same_face(photo, other)]
            otherwise = next((other for _, other in same if _kind(other) != _kind(photo)), None)
            if otherwise:
                lines[i] = (f"left out: {photo.path}: {_the_same(photo, otherwise)}, which has another label: remove "
                            "the wrong one")
            elif any(place < i and other.path == photo.path for place, other in same):
                lines[i] = f"left out: {photo.path}: {_again(photo)}: remove it"
    return dict(sorted(lines.items()))


def _is_same_face(photo: Photo, other: Photo) -> bool:
    if photo.box and other.box:
        return iou(photo.box, other.box) >= SAME_FACE
    return photo.box is other.box


def _kind(photo: Photo) -> tuple[int, bool]:
    return photo.label, photo.slice == WORN_WRONG_SLICE


def _again(photo: Photo) -> str:
    if photo.box:
        return f"box {' '.join(map(str, photo.box))} marks a face again, expected one box for each"
    return "is named again in its table, expected one row for each"


def _the_same(photo: Photo, other: Photo) -> str:
    if photo.box and other.box:
        here, there = (",".join(map(str, box)) for box in (photo.box, other.box))
        return f"its face at {here} is the same as at {there} in {other.path}"
    return f"is the same picture as {other.path}"
