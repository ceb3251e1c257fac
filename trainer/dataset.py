"""Turns photos into the arrays that networks learn from, and keeps them in the cache until a photo changes."""

import hashlib
import inspect
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from device import crop, faces, pictures
from device.crop import crop_face, whole_picture
from device.errors import PictureError
from device.faces import Face, FaceFinder, HaarFaceFinder, Luma
from device.pictures import SUFFIXES, read_luma
from trainer import groups
from trainer.cache import cache_folder, whole_folder
from trainer.groups import describe
from trainer.photos import Photo, find_photos, require_enough

CROP_MARGIN = 0.2  # of the face box's longer side, on each side: hair, chin and ear loops are in
DESCRIBED_SIZE = 100  # px: what trainer.groups describes
# Part of the cache's key: with other code, the same photos may give other arrays.
SHAPING_CODE = (crop, faces, groups, pictures)


@dataclass(frozen=True)
class Dataset:
    """The usable photos of a folder, in the folder's order; n is their number."""

    folder: Path
    names: tuple[str, ...]  # n, as with_mask/anna.jpg
    crops: Luma  # uint8 (n, size, size)
    labels: npt.NDArray[np.intp]  # (n,), indices into LABELS
    no_face: npt.NDArray[np.bool_]  # (n,): no face was found, the picture is used whole
    descriptions: npt.NDArray[np.uint8]  # (n, bytes), for trainer.groups
    refused: tuple[str, ...]  # one line for each file that is no usable picture
    sha256: str  # over the hashes and labels of all photos

    @property
    def size(self) -> int:
        """Side of the crops in pixels."""
        return int(self.crops.shape[1])


def load_dataset(folder: Path, size: int, cropped: bool = False) -> Dataset:
    """Read the photos of a folder with one folder a class, as crops of size x size pixels.

    The largest face of each photo is cut out; a photo in which none is found is used whole, and so is every photo when
    `cropped` says that they are face crops already. The arrays are kept in the cache under a key made of every photo's
    hash and of all that shapes them. Raises PhotosError.
    """
    photos = find_photos(folder)
    dataset_sha256 = hashlib.sha256("".join(f"{photo.sha256} {photo.label}\n" for photo in photos).encode()).hexdigest()
    finder = None if cropped else HaarFaceFinder()
    code = hashlib.sha256("".join(inspect.getsource(module) for module in SHAPING_CODE).encode()).hexdigest()
    shaping = [code, size, CROP_MARGIN, finder.name if finder else None, cv2.__version__, dataset_sha256]
    key = hashlib.sha256(json.dumps([shaping, [photo.name for photo in photos]]).encode()).hexdigest()[:32]
    arrays = cache_folder() / "arrays" / key
    if not arrays.is_dir():
        _make_arrays(photos, size, finder, arrays)
    index = json.loads((arrays / "index.json").read_text(encoding="utf-8"))
    kept = [photos[i] for i in index["kept"]]
    for line in index["refused"]:
        print(line, file=sys.stderr)
    require_enough([photo.label for photo in kept], folder)
    return Dataset(
        folder=folder,
        names=tuple(photo.name for photo in kept),
        crops=np.load(arrays / "crops.npy"),
        labels=np.array([photo.label for photo in kept], dtype=np.intp),
        no_face=np.load(arrays / "no_face.npy"),
        descriptions=np.load(arrays / "descriptions.npy"),
        refused=tuple(index["refused"]),
        sha256=dataset_sha256,
    )


def _make_arrays(photos: Sequence[Photo], size: int, finder: FaceFinder | None, folder: Path) -> None:
    kept, refused, crops, no_face, descriptions = [], [], [], [], []
    for i, photo in enumerate(tqdm(photos, desc="faces", unit="photo", disable=None)):
        try:
            if photo.path.suffix.lower() not in SUFFIXES:
                raise PictureError(f"{photo.path}: isn't named as a picture, expected {', '.join(sorted(SUFFIXES))}")
            luma = read_luma(photo.path)
        except PictureError as error:
            refused.append(f"left out: {error}")
            continue
        found = finder.find(luma) if finder else []
        kept.append(i)
        crops.append(_cut(luma, found, size))
        no_face.append(not found)
        descriptions.append(describe(luma, _cut(luma, found, DESCRIBED_SIZE)))
    with whole_folder(folder) as partial:
        np.save(partial / "crops.npy", np.array(crops, dtype=np.uint8).reshape(-1, size, size))
        np.save(partial / "no_face.npy", np.array(no_face, dtype=bool))
        np.save(partial / "descriptions.npy", np.array(descriptions))
        (partial / "index.json").write_text(json.dumps({"kept": kept, "refused": refused}), encoding="utf-8")


def _cut(luma: Luma, found: Sequence[Face], size: int) -> Luma:
    return crop_face(luma, found[0].box, CROP_MARGIN, size) if found else whole_picture(luma, size)
