"""Turns photos into the arrays that networks learn from, and keeps them in the cache until a photo changes."""

import dataclasses
import hashlib
import inspect
import itertools
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from device import crop, faces, finders, haar, heatmap, pictures, reduce, yunet
from device.cards import card_json
from device.crop import crop_face, whole_picture
from device.errors import PictureError
from device.faces import Box, FaceFinder, Luma
from device.finders import OwnFaceFinder
from device.pictures import SUFFIXES, read_luma
from trainer import views
from trainer.cache import GrowingArray, cache_folder, scratch_array, whole_folder
from trainer.photos import Photo, PhotosError, beside_classes, find_photos, require_enough
from trainer.views import DESCRIPTION_LENGTH, describe

CROP_MARGIN = 0.2  # of the face box's longer side, on each side: hair, chin and ear loops are in
DESCRIBED_SIZE = 100  # px: what trainer.views describes
CONTEXT = 1.25  # sides of a wide crop in those of the crop itself: what augmentation may turn, move and zoom out into
# Part of the cache's key: with other code, the same photos may give other arrays.
SHAPING_CODE = (crop, faces, finders, haar, heatmap, pictures, reduce, views, yunet, sys.modules[__name__])


@dataclass(frozen=True)
class Dataset:
    """The usable photos of one or several folders, in the folders' order; n is their number.

    Pictures and descriptions stay on disk, and are read as they are used: there may be more of them than memory.
    """

    folder: Path  # the first
    names: tuple[str, ...]  # n, as with_mask/anna.jpg
    sources: tuple[str, ...]  # n
    slices: tuple[str, ...]  # n, as worn_wrong, or nothing
    drawn: npt.NDArray[np.bool_]  # (n,): the mask in it was drawn
    crops: Luma  # uint8 (n, size, size)
    wide: Luma  # uint8 (n, size * CONTEXT, size * CONTEXT): the same with more around it
    labels: npt.NDArray[np.intp]  # (n,), indices into LABELS
    no_face: npt.NDArray[np.bool_]  # (n,): no face was found, the picture is used whole
    descriptions: npt.NDArray[np.uint8]  # (n, bytes), for trainer.groups
    refused: tuple[str, ...]  # one line for each file that is no usable picture
    sha256: str  # over the hashes and labels of all photos
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
    photos = [photo for folder in folders for photo in find_photos(folder)]
    told = "".join(f"{photo.sha256} {photo.label}{_place(photo)}\n" for photo in photos)
    dataset_sha256 = hashlib.sha256(told.encode()).hexdigest()
    told_by = np.unique([photo.source for photo in photos], return_inverse=True)[1].tolist()
    shown = [[source, bool(photo.slice), photo.drawn] for source, photo in zip(told_by, photos, strict=True)]
    needed = not (cropped or all(photo.cropped or photo.box for photo in photos))
    finder = finder or OwnFaceFinder() if needed else None
    code = hashlib.sha256("".join(inspect.getsource(module) for module in SHAPING_CODE).encode()).hexdigest()
    cut_by = [finder.name, finder.sha256] if finder else []
    if isinstance(finder, OwnFaceFinder):  # which finds as its card's threshold and check let it
        cut_by.append(card_json(finder.card))
    shaping = [code, size, CROP_MARGIN, cut_by, cv2.__version__, dataset_sha256]
    key = hashlib.sha256(json.dumps([shaping, [photo.name for photo in photos]]).encode()).hexdigest()[:32]
    arrays = cache_folder() / "arrays" / key
    if not _is_whole(arrays):
        _make_arrays(photos, size, finder, arrays)
    index = json.loads((arrays / "index.json").read_text(encoding="utf-8"))
    kept = [photos[i] for i in index["kept"]]
    for line in (*itertools.chain(*map(beside_classes, folders)), *index["refused"]):
        print(line, file=sys.stderr)
    require_enough([photo.label for photo in kept], folders[0])
    return Dataset(
        folder=folders[0],
        names=tuple(photo.name for photo in kept),
        sources=tuple(photo.source for photo in kept),
        slices=tuple(photo.slice for photo in kept),
        drawn=np.array([photo.drawn for photo in kept]),
        crops=_mapped(arrays / "crops.npy"),
        wide=_mapped(arrays / "wide.npy"),
        labels=np.array([photo.label for photo in kept], dtype=np.intp),
        no_face=np.load(arrays / "no_face.npy"),
        descriptions=_mapped(arrays / "descriptions.npy"),
        refused=tuple(index["refused"]),
        sha256=dataset_sha256,
        sampling_sha256=hashlib.sha256(json.dumps(shown).encode()).hexdigest(),
        finder=finder,
    )


def part_of(dataset: Dataset, chosen: npt.NDArray[np.intp]) -> Dataset:
    """Return a dataset of only these photos, by index."""
    return dataclasses.replace(
        dataset,
        names=tuple(dataset.names[i] for i in chosen),
        sources=tuple(dataset.sources[i] for i in chosen),
        slices=tuple(dataset.slices[i] for i in chosen),
        crops=_picked(dataset.crops, chosen),
        wide=_picked(dataset.wide, chosen),
        **{name: getattr(dataset, name)[chosen] for name in ("drawn", "labels", "no_face", "descriptions")},
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


def _make_arrays(photos: Sequence[Photo], size: int, finder: FaceFinder | None, folder: Path) -> None:
    kept, refused, no_face = [], [], []
    with whole_folder(folder) as partial:
        with (
            GrowingArray(partial / "crops.npy", (size, size)) as crops,
            GrowingArray(partial / "wide.npy", (round(size * CONTEXT),) * 2) as wide,
            GrowingArray(partial / "descriptions.npy", (DESCRIPTION_LENGTH,)) as descriptions,
        ):
            for i, photo in enumerate(tqdm(photos, desc="faces", unit="photo", disable=None)):
                try:
                    if photo.path.suffix.lower() not in SUFFIXES:
                        raise PictureError(
                            f"{photo.path}: isn't named as a picture, expected {', '.join(sorted(SUFFIXES))}"
                        )
                    luma = read_luma(photo.path)
                    if photo.box:
                        _require_inside(photo.box, luma, photo.path)
                except PictureError as error:
                    if photo.sha256 and isinstance(error.__cause__, OSError):  # a folder that is gone is no bad photo
                        raise PhotosError(f"{error}; it could be read a moment ago: run the same again") from error
                    refused.append(f"left out: {error}")
                    continue
                box = photo.box
                if not (box or photo.cropped) and finder and (found := finder.find(luma)):
                    box = found[0].box
                kept.append(i)
                crops.append(_cut(luma, box, size))
                wide.append(_cut(luma, box, round(size * CONTEXT), CONTEXT))
                no_face.append(box is None and not photo.cropped)
                descriptions.append(describe(_surroundings(luma, photo.box), _cut(luma, box, DESCRIBED_SIZE)))
        np.save(partial / "no_face.npy", np.array(no_face, dtype=bool))
        (partial / "index.json").write_text(json.dumps({"kept": kept, "refused": refused}), encoding="utf-8")


def _require_inside(box: Box, luma: Luma, path: Path) -> None:
    height, width = luma.shape
    x, y = box.x + box.width / 2, box.y + box.height / 2
    if not (0 <= x < width and 0 <= y < height and box.width <= 2 * width and box.height <= 2 * height):
        raise PictureError(
            f"{path}: box {' '.join(map(str, box))} isn't in its {width}x{height} pixels, expected a face there: "
            "correct the table"
        )


def _cut(luma: Luma, box: Box | None, size: int, context: float = 1.0) -> Luma:
    if box is not None:
        return crop_face(luma, box, (context * (1 + 2 * CROP_MARGIN) - 1) / 2, size)
    if context > 1:
        height, width = luma.shape
        rows, columns = round(height * (context - 1) / 2), round(width * (context - 1) / 2)
        return whole_picture(cv2.copyMakeBorder(luma, rows, rows, columns, columns, cv2.BORDER_REPLICATE), size)
    return whole_picture(luma, size)


def _surroundings(luma: Luma, box: Box | None) -> Luma:
    # Of a scene with several faces, each is described by what is near it: whole scenes would all be copies.
    return luma if box is None else crop_face(luma, box, CROP_MARGIN, DESCRIBED_SIZE)
