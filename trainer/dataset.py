"""Turns photos into the arrays that networks learn from, and keeps them in the cache until a photo changes."""

import dataclasses
import hashlib
import inspect
import itertools
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from device import crop, face_check, faces, finders, haar, heatmap, pictures, reduce, yunet
from device.cards import card_json
from device.faces import FaceFinder, Luma
from device.finders import OwnFaceFinder
from trainer import cutting, views
from trainer.cache import cache_folder, scratch_array
from trainer.cutting import CROP_MARGIN, cut_photos
from trainer.left_out import left_out, unusable_lines
from trainer.photos import Photo, find_photos
from trainer.same_face import labelled_again
from trainer.sources import require_enough
from trainer.telling import tell

# Part of the cache's key: with other code, the same photos may give other arrays.
SHAPING_CODE = (crop, cutting, face_check, faces, finders, haar, heatmap, pictures, reduce, views, yunet)


@dataclass(frozen=True)
class Dataset:
    """The usable photos of one or several folders, in the folders' order; n is their number.

    Pictures and descriptions stay on disk, and are read as they are used: there may be more of them than memory.
    """

    folder: Path  # the first
    names: tuple[str, ...]  # n, as with_mask/anna.jpg
    folders: npt.NDArray[np.intp]  # (n,): which of the folders each is of, from 0
    sources: tuple[str, ...]  # n
    slices: tuple[str, ...]  # n, as worn_wrong, or nothing
    drawn: npt.NDArray[np.bool_]  # (n,): the mask in it was drawn
    crops: Luma  # uint8 (n, size, size)
    wide: Luma  # uint8 (n, size * CONTEXT, size * CONTEXT): the same with more around it
    labels: npt.NDArray[np.intp]  # (n,), indices into LABELS
    no_face: npt.NDArray[np.bool_]  # (n,): no face was found, the picture is used whole
    descriptions: npt.NDArray[np.uint8]  # (n, bytes), for trainer.groups
    refused: tuple[str, ...]  # one line for each picture or face that is left out, and why
    sha256: str  # over the hashes and labels of all that is named as a picture
    sampling_sha256: str  # over what decides how often each is shown: sources as far as they differ, notes, kinds
    finder: FaceFinder | None  # whose boxes were cut out, where any was needed

    @property
    def size(self) -> int:
        """Side of the crops in pixels."""
        return int(self.crops.shape[1])


def load_dataset(
    folders: Path | Sequence[Path], size: int, cropped: bool = False, finder: FaceFinder | None = None
) -> Dataset:
    """Read the photos of folders as trainer.photos describes them, as crops of size x size pixels.

    A known box is cut out, else the largest face that `finder` finds (by default our own); a photo in which none
    is found is used whole, and so are face crops, and every photo when `cropped` says that they are crops already.
    The arrays are kept in the cache under a key made of every photo's hash and of all that shapes them.
    Raises PhotosError, and ModelError where a finder is needed and can't be used.
    """
    folders = [folders] if isinstance(folders, Path) else folders
    found = [find_photos(folder) for folder in folders]
    photos = list(itertools.chain(*found))
    needed = not (cropped or all(photo.cropped or photo.box for photo in photos))
    finder = finder or OwnFaceFinder() if needed else None
    arrays = _arrays(photos, size, finder)
    index = json.loads((arrays / "index.json").read_text(encoding="utf-8"))
    kept = [photos[i] for i in index["kept"]]
    others = labelled_again(kept)
    unusable = [(photos[i], reason) for i, reason in index["refused"]]
    refused = (*(f"left out: {photo.path}: {reason}" for photo, reason in unusable), *others.values())
    tell((*itertools.chain(*map(left_out, folders)), *unusable_lines(unusable), *others.values()))
    chosen = [i for i in range(len(kept)) if i not in others]
    lost = [photo.label for photo, _ in unusable] + [kept[i].label for i in others]
    require_enough([kept[i].label for i in chosen], folders[0], left_out=lost)
    dataset = Dataset(
        folder=folders[0],
        names=tuple(photo.name for photo in kept),
        folders=np.repeat(np.arange(len(found)), [len(part) for part in found])[index["kept"]],
        sources=tuple(photo.source for photo in kept),
        slices=tuple(photo.slice for photo in kept),
        drawn=np.array([photo.drawn for photo in kept]),
        crops=_mapped(arrays / "crops.npy"),
        wide=_mapped(arrays / "wide.npy"),
        labels=np.array([photo.label for photo in kept], dtype=np.intp),
        no_face=np.load(arrays / "no_face.npy"),
        descriptions=_mapped(arrays / "descriptions.npy"),
        refused=refused,
        sha256=digest(photos),
        sampling_sha256=_sampling_digest(photos),
        finder=finder,
    )
    return part_of(dataset, np.array(chosen)) if others else dataset


def _arrays(photos: Sequence[Photo], size: int, finder: FaceFinder | None) -> Path:
    """Return the folder in the cache with the arrays of photos; they are cut where it isn't there."""
    folder = cache_folder() / "arrays" / _key(photos, size, finder)
    if not _is_whole(folder):
        cut_photos(photos, size, finder, folder)
    return folder


def _key(photos: Sequence[Photo], size: int, finder: FaceFinder | None) -> str:
    """Return the name of the arrays, made of all that shapes them."""
    code = hashlib.sha256("".join(inspect.getsource(module) for module in SHAPING_CODE).encode()).hexdigest()
    cut_by = [finder.name, finder.sha256] if finder else []
    if isinstance(finder, OwnFaceFinder):  # which finds as its card's threshold and check let it
        cut_by.append(card_json(finder.card))
    shaping = [code, size, CROP_MARGIN, cut_by, cv2.__version__, digest(photos)]
    return hashlib.sha256(json.dumps([shaping, [photo.name for photo in photos]]).encode()).hexdigest()[:32]


def _sampling_digest(photos: Sequence[Photo]) -> str:
    """Return a SHA-256 over what decides how often each photo is shown."""
    named = [photo for photo in photos if photo.is_named_as_picture]
    numbers = np.unique([photo.source for photo in named], return_inverse=True)[1].tolist()
    shown = [[source, bool(photo.slice), photo.drawn] for source, photo in zip(numbers, named, strict=True)]
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()


def digest(photos: Sequence[Photo]) -> str:
    """Return a SHA-256 over the hashes and labels of photos, without what isn't named as a picture."""
    told = "".join(f"{photo.sha256} {photo.label}{_place(photo)}\n" for photo in photos if photo.is_named_as_picture)
    return hashlib.sha256(told.encode()).hexdigest()


def part_of(dataset: Dataset, chosen: npt.NDArray[np.intp]) -> Dataset:
    """Return a dataset of only these photos, by index."""
    return dataclasses.replace(
        dataset,
        names=tuple(dataset.names[i] for i in chosen),
        sources=tuple(dataset.sources[i] for i in chosen),
        slices=tuple(dataset.slices[i] for i in chosen),
        crops=_picked(dataset.crops, chosen),
        wide=_picked(dataset.wide, chosen),
        **{name: getattr(dataset, name)[chosen] for name in ("folders", "drawn", "labels", "no_face", "descriptions")},
    )


def _mapped(path: Path) -> npt.NDArray[np.uint8]:
    array: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r").view(np.ndarray)
    return array


def _picked(pictures: Luma, chosen: npt.NDArray[np.intp]) -> Luma:
    array = scratch_array((len(chosen), *pictures.shape[1:]))
    for place, i in enumerate(chosen):
        array[place] = pictures[i]
    return array


def _is_whole(arrays: Path) -> bool:
    """Tell whether a folder of arrays is there and can be read; a damaged one is removed, to be made anew."""
    if not arrays.is_dir():
        return False
    try:
        json.loads((arrays / "index.json").read_text(encoding="utf-8"))
        for name in ("crops", "wide", "no_face", "descriptions"):
            np.load(arrays / f"{name}.npy", mmap_mode="r")  # reads the head, and compares the size
    except (OSError, ValueError, EOFError):
        shutil.rmtree(arrays)
        return False
    return True


def _place(photo: Photo) -> str:
    # Nothing for plain photos: their datasets keep the hash that older cards name.
    return f" {photo.box}" if photo.box else " cropped" if photo.cropped else ""
