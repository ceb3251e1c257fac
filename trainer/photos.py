"""Turns a folder of photos into a list of them, each with its label, source and hash.

A folder is one of three kinds, told by what it holds:
- photos: with_mask/ and without_mask/, any pictures below them, and where there are any mask_weared_incorrect/: masks
  worn wrong, which count as without_mask. The largest face found is cut out of each.
- face crops: the same beside a table crops.csv (file,label,source,kind,note; other columns are ignored), taken whole.
  Notes are parted by semicolons; one that begins with the word hand or cloth says that it is before the mouth.
  Rows with the label waiting or dropped, which `make label` writes, aren't read.
- scenes: pictures beside a table boxes.csv (file,x,y,w,h,label; whole pixels). Each box is a face to cut out; boxes
  with another label than those three are left out. A picture's source is its file's name up to the first hyphen.
"""

import csv
import hashlib
import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from device import model_card
from device.errors import KioskError
from device.faces import Box
from device.pictures import SUFFIXES
from trainer.class_folders import wrong_folders

LABELS, ALARM_LABEL = model_card.LABELS, model_card.ALARM_LABEL
MASKED, BARE = LABELS.index("with_mask"), LABELS.index(ALARM_LABEL)
WORN_WRONG = "mask_weared_incorrect"  # the field's word for a mask on the chin or under the nose: no mask
WORN_WRONG_SLICE = "worn_wrong"
KNOWN = (*LABELS, WORN_WRONG)  # labels of folders and tables
UNREAD = WAITING, DROPPED = "waiting", "dropped"  # in place of labels in crops.csv: nothing is to be learned there
CROPS_TABLE, BOXES_TABLE = "crops.csv", "boxes.csv"
SMALLEST_BOX = 20  # px, the shorter side: below it people can't tell either
# What a note in crops.csv begins with, as the name of the slice that the crop is measured in.
NOTES = dict.fromkeys(("hand", "hands", "cloth"), "hand_near_mouth")


class PhotosError(KioskError, ValueError):
    """A folder of photos that can't be trained on or measured with."""


@dataclass(frozen=True)
class Photo:
    """A face to learn from: a picture file, or a box in one."""

    path: Path
    name: str  # the path below the folder, as with_mask/anna.jpg; of a box also its place, as hall.jpg#12,40,96,96
    label: int  # index into LABELS
    sha256: str  # of the file
    source: str  # photos of one source share light, sharpness and framing
    slice: str = ""  # what makes it special, as worn_wrong, or nothing
    drawn: bool = False  # the mask in it, or all of it, was drawn
    cropped: bool = False  # it is a face crop already
    box: Box | None = None  # of the face, where it is known

    @property
    def is_named_as_picture(self) -> bool:
        """Tell whether the file's suffix is a picture's; another one is left out, by name, and tells nothing apart."""
        return self.path.suffix.lower() in SUFFIXES


def find_photos(folder: Path) -> list[Photo]:
    """List the photos of a folder, in a stable order; the files aren't decoded yet.

    Raises PhotosError for a folder that is absent, lacks a class, or holds another folder: what isn't understood is
    never left out in silence.
    """
    if not folder.is_dir():
        raise PhotosError(f"{folder}: no such folder, expected one that holds {' and '.join(LABELS)}: check the path")
    if (folder / BOXES_TABLE).exists():
        return _boxes(folder)
    if (folder / CROPS_TABLE).exists():
        return _crops(folder)
    if wrong := wrong_folders(folder, LABELS, KNOWN):
        raise PhotosError(wrong)
    return [
        Photo(path, path.relative_to(folder).as_posix(), _index(name), _readable_sha256(path), folder.name,
              WORN_WRONG_SLICE if name == WORN_WRONG else "")
        for name in KNOWN if (folder / name).is_dir()
        for path in _files(folder / name)
    ]  # fmt: skip


def has_table(folder: Path) -> bool:
    """Tell whether a folder holds face crops or scenes, of which a table says everything."""
    return (folder / BOXES_TABLE).exists() or (folder / CROPS_TABLE).exists()


def _files(folder: Path) -> list[Path]:
    found = list[Path]()
    for parent, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in (*folders, *files) if not name.startswith(".")]
    return sorted(path for path in found if path.is_file() or path.is_symlink())  # one to a folder is named as left out


def _refuse(error: OSError) -> None:
    raise PhotosError(f"{error.filename}: can't be read ({error.strerror}): open it, or move it away") from error


def _crops(folder: Path) -> list[Photo]:
    table, photos = folder / CROPS_TABLE, list[Photo]()
    rows = read_rows(table, ("file", "label", "source", "kind", "note"))
    for row in (row for row in rows if row["label"] not in UNREAD):
        file, label = row["file"], row["label"]
        if label not in KNOWN:
            raise PhotosError(f"{table}: {file} has the label {label!r}, expected {', '.join(KNOWN)}: correct it")
        words = [re.split(r"[\W_]", note.strip())[0] for note in row["note"].split(";")]
        notes = [NOTES[word] for word in words if word in NOTES]
        photos.append(Photo(
            folder / file, file, _index(label), _sha256(folder / file), row["source"],
            WORN_WRONG_SLICE if label == WORN_WRONG else (notes or [""])[0], row["kind"] == "synthetic", cropped=True,
        ))
    return photos


def _boxes(folder: Path) -> list[Photo]:
    photos, digests = [], dict[str, str]()
    for row in read_rows(folder / BOXES_TABLE, ("file", *"xywh", "label")):
        file, label = row["file"], row["label"]
        try:
            box = Box(*(round(float(row[side])) for side in "xywh"))
        except (ValueError, OverflowError):  # of infinity
            raise PhotosError(f"{folder / BOXES_TABLE}: {file} has a side that is no number, expected pixels") from None
        if label not in KNOWN or min(box.width, box.height) < SMALLEST_BOX:
            continue
        if file not in digests:
            digests[file] = _sha256(folder / file)
        photos.append(Photo(
            folder / file, f"{file}#{','.join(map(str, box))}", _index(label), digests[file],
            source_of(folder / file), WORN_WRONG_SLICE if label == WORN_WRONG else "", box=box,
        ))
    return photos


def source_of(path: Path) -> str:
    """Return the source of a picture in a scene: its file's name up to the first hyphen."""
    return path.stem.partition("-")[0]


def read_rows(table: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a table with a head line; a row that ends early has empty values, and an empty row says nothing.

    Raises PhotosError for what is no such table, and for a row without a value in the first of these columns.
    """
    text = read_text(table)
    if "\0" in text:
        raise PhotosError(f"{table}: is no table (has a NUL), expected comma-separated values: correct it")
    try:
        reader = csv.DictReader(io.StringIO(text), restval="", strict=True)
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise PhotosError(f"{table}: is no table ({error}), expected comma-separated values: correct it") from error
    if lacking := [column for column in columns if column not in (reader.fieldnames or ())]:
        raise PhotosError(f"{table}: has no column {lacking[0]!r}, expected {', '.join(columns)}: add it")
    beyond = [row.pop(None, []) for _, row in rows]  # of a note with a comma, or empty ones, as spreadsheets write them
    if longer := [row for (_, row), values in zip(rows, beyond, strict=True) if any(values)]:
        raise PhotosError(f"{table}: {longer[0][columns[0]]} has more values than the table has columns, expected one "
                          "each: put a value with a comma into double quotes")
    told = [(line, row) for line, row in rows if any(row.values())]  # spreadsheets write empty rows too
    if nameless := [line for line, row in told if not row[columns[0]]]:
        raise PhotosError(f"{table}: line {nameless[0]} has no {columns[0]}, expected one: correct or remove it")
    return [row for _, row in told]


def read_text(path: Path) -> str:
    """Read a text file, with or without the mark that Excel puts before UTF-8. Raises PhotosError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise PhotosError(f"{path}: is no UTF-8, expected text: save it as UTF-8") from error


def _index(label: str) -> int:
    return LABELS.index(label) if label in LABELS else BARE


def _sha256(path: Path) -> str:
    if not os.path.isfile(path):  # noqa: PTH113 - no error either for a name that no file can have
        raise PhotosError(f"{path}: is no file, but a table names it: correct the table, or, where it is the "
                          f"{CROPS_TABLE} of `make label`, run that again")
    try:
        with path.open("rb") as file:  # which may be a film that lies among the photos
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise PhotosError(f"{path}: can't be read ({error.strerror}), a table names it: correct the table") from error


def _readable_sha256(path: Path) -> str:
    try:
        return _sha256(path)
    except PhotosError:
        return ""  # the reader of pictures says so, by name
