"""Turns a folder of pictures with annotated faces into scenes: each picture's path, and the boxes that can be meant."""

import math
import os
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from device.errors import PictureError
from device.pictures import SMALLEST_SIDE, picture_files, read_luma
from trainer.finder.annotations import Annotations, Mark, read_annotations
from trainer.photos import LABELS, WORN_WRONG, PhotosError, source_of
from trainer.same_face import SAME_FACE

WITH_MASK, WITHOUT_MASK = LABELS
FACE = "face"  # whether it wears a mask isn't known
NAMES = {  # what people call them, in lower case with every other sign left out
    WITH_MASK: "withmask mask masked facemask maskon wearingmask facewithmask maskedface correctmask maskweared",
    WITHOUT_MASK: "withoutmask nomask unmasked bare bareface notmasked nofacemask facenomask facewithoutmask maskoff",
    WORN_WRONG: "maskwearedincorrect incorrectmask maskincorrect wrongmask impropermask maskwornincorrectly wornwrong "
                "incorrectlywornmask wearincorrectly",
    FACE: "face faces humanface",
}
OURS = {name: label for label, names in NAMES.items() for name in names.split()}
HARD = "hard"  # folder of the backgrounds on which face finders are known to fire
TURNED = range(5, 9)  # EXIF orientations that swap width and height
ORIENTATION = 0x0112  # EXIF's tag of it

Boxes = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture and the faces in it. Boxes are left, top, width, height in px of the upright picture, cut to it."""

    path: Path
    name: str  # the path below the folder, with slashes
    boxes: Boxes  # float32 (n, 4)
    labels: tuple[str, ...]  # n: with_mask, without_mask, mask_weared_incorrect, or face where it isn't known
    ignored: Boxes  # float32 (m, 4): faces that are too small to count
    source: str  # the file's name up to the first hyphen; pictures of one source resemble each other

    @property
    def is_hard(self) -> bool:
        """Tell whether it is one of the hard backgrounds."""
        return self.path.parent.name == HARD


def read_scenes(folder: Path) -> tuple[list[Scene], list[str]]:
    """List the scenes of a folder by name, and one line for each thing in it that was left out.

    What a folder may hold stands in trainer.finder.annotations. Pictures aren't decoded: one may still turn out to be
    damaged when it is read. Raises PhotosError for a folder that can't be understood or has nothing left to use, and
    for a label that isn't known: pictures without those boxes would be learned wrong.
    """
    _require_folder(folder)
    annotations = read_annotations(folder)
    scenes, refused = list[Scene](), list(annotations.refused)
    for name in sorted(annotations.marks):
        try:
            scene, lines = _scene(folder, name, annotations)
        except PictureError as error:
            refused.append(f"left out: {error}")
            continue
        refused += lines
        if len(scene.boxes) + len(scene.ignored) or not lines:
            scenes.append(scene)
        else:
            refused.append(f"left out: {scene.path}: none of its boxes can be used, expected one: correct them")
    if not scenes:
        first = f", the first is {refused[0]}" if refused else ""
        raise PhotosError(f"{folder}: has no picture that can be used{first}: add annotated pictures")
    return scenes, refused


def read_backgrounds(folder: Path) -> list[Scene]:
    """List the pictures below a folder, all without faces, by name. Raises PhotosError if there are none."""
    _require_folder(folder)
    none = np.zeros((0, 4), np.float32)
    scenes = [
        Scene(path, path.relative_to(folder).as_posix(), none, (), none, source_of(path))
        for path in picture_files(folder)
    ]
    if not scenes:
        raise PhotosError(f"{folder}: holds no pictures, expected some without faces: check the path")
    return scenes


def named_like(scenes: Sequence[Scene], patterns: Sequence[str], folder: Path) -> list[Scene]:
    """Return the scenes whose file name fits one of the patterns, as wider-*; all if there are none.

    Raises PhotosError if no scene of the folder is left.
    """
    left = [scene for scene in scenes if not patterns or any(fnmatchcase(scene.path.name, p) for p in patterns)]
    if not left:
        raise PhotosError(f"{folder}: has no picture named {' or '.join(patterns)}, expected some: check ONLY")
    return left


def picture_size(path: Path) -> tuple[int, int]:
    """Return (width, height) of a picture as `device.pictures.read_luma` gives it, from its header where that says it.

    Raises PictureError for what that refuses by looking at the header.
    """
    try:
        # Of too many pixels, and of damage that only its own readers mind.
        with warnings.catch_warnings(action="ignore"), Image.open(path) as picture:
            width, height = picture.size
            picture.getexif()  # reads to a PNG's end, where EXIF may stand; it answers with XMP's too
            exif = Image.Exif()
            exif.load(picture.info.get("exif", b""))
            if picture.format in {"AVIF", "TIFF"}:  # which versions of Pillow and OpenCV turn or not
                width = height = 0
            elif exif.get(ORIENTATION) in TURNED:
                width, height = height, width
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError):
        width = height = 0
    if min(width, height) < SMALLEST_SIDE:
        height, width = read_luma(path).shape  # says what is wrong with it
    return width, height


def intersection_over_union(boxes: Boxes, box: Boxes) -> Boxes:
    """Return the overlap, float32 (n,) 0-1, of boxes (n, 4) with one box (4,), all as left, top, width, height."""
    low = np.maximum(boxes[:, :2], box[:2])
    high = np.minimum(boxes[:, :2] + boxes[:, 2:], box[:2] + box[2:])
    both = np.prod(np.clip(high - low, 0, None), axis=1)
    return np.asarray(both / (np.prod(boxes[:, 2:], axis=1) + np.prod(box[2:]) - both), np.float32)


def _scene(folder: Path, name: str, annotations: Annotations) -> tuple[Scene, list[str]]:
    path = folder / name
    if not os.path.isfile(path):  # noqa: PTH113 - no error either for a name that no file can have
        raise PictureError(f"{path}: is missing, but annotated: copy it there or remove its annotation")
    size = picture_size(path)
    boxes, ignored = list[Boxes](), list[Boxes]()
    labels, refused = list[str](), list[str]()
    for mark in annotations.marks[name]:
        said = f"left out: {mark.where}: box {' '.join(mark.values)}"
        try:
            box = _box(mark, annotations, size)
        except ValueError as error:
            refused.append(f"{said} {error}: correct or remove it")
            continue
        label = _label(mark)
        if label is None:
            ignored.append(box)
        elif boxes and intersection_over_union(np.array(boxes), box).max() >= SAME_FACE:
            refused.append(f"{said} marks a face again, expected one box for each: remove it")
        else:
            boxes.append(box)
            labels.append(label)
    scene = Scene(path, name, np.reshape(boxes, (-1, 4)).astype(np.float32), tuple(labels),
                  np.reshape(ignored, (-1, 4)).astype(np.float32), source_of(path))
    return scene, refused


def _label(mark: Mark) -> str | None:
    if mark.label is None:
        return None
    label = OURS.get("".join(filter(str.isalnum, mark.label.lower())))
    if label is None:
        raise PhotosError(f"{mark.where}: has the label {mark.label!r}, expected {', '.join(NAMES)}: rename it")
    return label


def _box(mark: Mark, annotations: Annotations, size: tuple[int, int]) -> Boxes:
    """Return the box of a mark, float32 (4,), cut to a picture of this size. Raises ValueError with what is wrong."""
    try:
        x, y, width, height = map(float, mark.values)
    except ValueError:
        raise ValueError("has a value that is no number, expected four numbers") from None
    left, top, width, height = annotations.to_box((x, y, width, height), size)
    if not all(map(math.isfinite, (left, top, width, height))):
        raise ValueError("has a value that is no finite number, expected four numbers")
    if width <= 0 or height <= 0:
        raise ValueError("has no area, expected a width and a height above 0")
    low = np.clip((left, top), 0, size)
    high = np.clip((left + width, top + height), 0, size)
    if (high <= low).any():
        raise ValueError(f"lies outside the picture, expected a place in {size[0]}x{size[1]} pixels")
    return np.concatenate([low, high - low]).astype(np.float32)


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise PhotosError(f"{folder}: no such folder, expected one of pictures: check the path")
