"""Turns the annotations of a folder of pictures, in the format people have them in, into what they say of each face.

The format is told by what the folder holds, hidden files apart:
- boxes.csv (file,x,y,w,h,label; pixels; other columns are ignored). A picture without a row counts as one without faces
  if images.csv (file) lists it; small.csv (file,x,y,w,h) holds faces that are too small to count.
- any .xml: Pascal VOC, one for each picture. A box reaches from xmin, ymin to xmax, ymax, in pixels.
- a list of classes (classes.txt, obj.names, or `names` in data.yaml): YOLO, one .txt for each picture with lines of
  class, middle x, middle y, width, height, as shares of the picture's width and height.
In the latter two a picture and its annotation share the path, except for the suffix and for folders that are named
images, JPEGImages, labels or Annotations; an annotation without a box says that the picture has no face.
All places are in the picture as it is shown, turned upright by its EXIF orientation.
"""

import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NoReturn

from device.pictures import picture_files
from trainer.photos import BOXES_TABLE, PhotosError, read_rows, read_text

IMAGES_TABLE, SMALL_TABLE = "images.csv", "small.csv"
CLASS_LISTS = ("classes.txt", "obj.names", "data.yaml")
SHELVES = ("annotations", "images", "jpegimages", "labels")
CORNERS = ("xmin", "ymin", "xmax", "ymax")

Four = tuple[float, float, float, float]


@dataclass(frozen=True)
class Mark:
    """What an annotation says of one face."""

    where: str  # the file that says it, for messages
    label: str | None  # as it is written there; None: of a face that is too small to count
    values: tuple[str, ...]  # four, as they are written there


@dataclass(frozen=True)
class Annotations:
    """What is written of the pictures of a folder."""

    to_box: Callable[[Four, tuple[int, int]], Four]  # values and size of the picture -> left, top, width, height in px
    marks: dict[str, list[Mark]]  # by the picture's path below the folder; an empty list: it has no face
    refused: list[str] = field(default_factory=list)  # one line for each file that can't be understood


def read_annotations(folder: Path) -> Annotations:
    """Read the annotations of a folder. Raises PhotosError where the folder as a whole can't be understood."""
    if (folder / BOXES_TABLE).exists():
        return _table(folder)
    if any(_files(folder, "*.xml")):
        return _beside(folder, "*.xml", _voc, lambda v, _: (v[0], v[1], v[2] - v[0], v[3] - v[1]))
    if lists := [path for name in CLASS_LISTS for path in _files(folder, name)]:
        names = _class_names(lists[0])
        if other := [path for path in lists[1:] if _class_names(path) != names]:
            raise PhotosError(f"{other[0]}: names other classes than {lists[0]}, expected one list: remove one")
        return _beside(folder, "*.txt", lambda path: _yolo(path, names), _from_shares)
    raise PhotosError(
        f"{folder}: has no face boxes, expected {BOXES_TABLE}, Pascal VOC's .xml, or YOLO's .txt and one of "
        f"{', '.join(CLASS_LISTS)}: check the path"
    )


def _table(folder: Path) -> Annotations:
    marks = defaultdict[str, list[Mark]](list)
    if (folder / IMAGES_TABLE).exists():
        for row in read_rows(folder / IMAGES_TABLE, ("file",)):
            marks[PurePosixPath(row["file"]).as_posix()] = []
    rows = [(BOXES_TABLE, row) for row in read_rows(folder / BOXES_TABLE, ("file", *"xywh", "label"))]
    if (folder / SMALL_TABLE).exists():
        rows += [(SMALL_TABLE, row) for row in read_rows(folder / SMALL_TABLE, ("file", *"xywh"))]
    for table, row in rows:
        label = row["label"] if table == BOXES_TABLE else None
        mark = Mark(f"{folder / table}: {row['file']}", label, tuple(row[side] for side in "xywh"))
        marks[PurePosixPath(row["file"]).as_posix()].append(mark)
    names = [path.relative_to(folder).as_posix() for path in picture_files(folder)]
    return Annotations(lambda values, _: values, dict(marks), _unmarked(folder, [n for n in names if n not in marks]))


def _beside(folder: Path, pattern: str, read: Callable[[Path], list[Mark]], to_box: Callable[[Four, tuple[int, int]],
            Four]) -> Annotations:
    pictures = defaultdict[str, list[str]](list)
    for path in picture_files(folder):
        pictures[_key(folder, path)].append(path.relative_to(folder).as_posix())
    marks, refused, named = defaultdict[str, list[Mark]](list), [], set()
    for path in _files(folder, pattern):
        if path.name in CLASS_LISTS:
            continue
        named.add(_key(folder, path))
        candidates = pictures.get(_key(folder, path), [])
        if len(candidates) != 1:
            found = "no picture goes" if not candidates else f"{' and '.join(candidates)} go"
            refused.append(f"left out: {path}: {found} with it, expected one picture of that name: add or remove it")
            continue
        try:
            told = read(path)
        except PhotosError as error:
            refused.append(f"left out: {error}")
        else:
            marks[candidates[0]] += told
    bare = [name for key, names in pictures.items() if key not in named for name in names]
    return Annotations(to_box, dict(marks), refused + _unmarked(folder, bare))


def _unmarked(folder: Path, names: list[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return [f"left out: {folder / names[0]}{more}: without an annotation, expected one for each: annotate them"]


def _key(folder: Path, path: Path) -> str:
    below = [part for part in path.relative_to(folder).parent.parts if part.lower() not in SHELVES]
    return "/".join([*below, path.stem])


def _files(folder: Path, pattern: str) -> Iterator[Path]:
    for path in sorted(folder.rglob(pattern)):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


class _NoDoctype(ET.TreeBuilder):
    # Entities are declared in a DOCTYPE: without one, a file can neither name other files nor grow when it is read.
    def doctype(self, *_: object) -> NoReturn:
        raise PhotosError("has a DOCTYPE, expected none: remove it")


def _voc(path: Path) -> list[Mark]:
    try:
        tree = ET.fromstring(path.read_bytes(), ET.XMLParser(target=_NoDoctype()))  # noqa: S314
    except (ET.ParseError, ValueError, LookupError) as error:  # the latter two: of encodings that can't be read
        raise PhotosError(f"{path}: {error if isinstance(error, PhotosError) else f'is no XML ({error})'}") from error
    marks = []
    for thing in tree.iter("object"):
        label, *values = (thing.findtext(tag) for tag in ("name", *(f"bndbox/{corner}" for corner in CORNERS)))
        texts = [" ".join(value.split()) for value in values if value is not None]
        if label is None or len(texts) != len(CORNERS):
            raise PhotosError(f"{path}: has an object without name or box, expected {', '.join(CORNERS)}: complete it")
        marks.append(Mark(str(path), label, tuple(texts)))
    return marks


def _yolo(path: Path, names: dict[str, str]) -> list[Mark]:
    marks = []
    for line in read_text(path).splitlines():
        kind, *values = line.split() or [""]
        if kind and (kind not in names or len(values) != 4):
            raise PhotosError(f"{path}: has {line!r}, expected one of {len(names)} classes and 4 numbers: correct it")
        if kind:
            marks.append(Mark(str(path), names[kind], tuple(values)))
    return marks


def _from_shares(values: Four, size: tuple[int, int]) -> Four:
    x, y, width, height = values
    return (x - width / 2) * size[0], (y - height / 2) * size[1], width * size[0], height * size[1]


def _class_names(path: Path) -> dict[str, str]:
    """Return the names of classes by their numbers, as those are written."""
    text = read_text(path)
    if path.suffix != ".yaml":
        return {str(i): line.strip() for i, line in enumerate(text.splitlines())}
    text = re.sub(r"(^|[ \t])#.*", "", text, flags=re.MULTILINE)  # its comments
    # The three ways in which YAML may write them: [a, b], {0: a, 1: b}, or one a line after `names:`.
    block = re.search(r"^names:\s*(?:[\[{]([^\]}]*)[\]}]|((?:[ \t-].*(?:\n|$)|\s*\n)+))", text, re.MULTILINE)
    if block is None:
        raise PhotosError(f"{path}: has no list 'names', expected the names of the classes: add it")
    items = block[1].split(",") if block[1] is not None else block[2].splitlines()
    names = dict[str, str]()
    for item in filter(None, map(str.strip, items)):
        told = re.fullmatch(r"(?s)(?:-\s*|['\"]?(\d+)['\"]?\s*:\s*)?(.*)", item)
        number, name = told.groups()  # type: ignore[union-attr]
        names[number or str(len(names))] = name.strip("'\"")
    return names
