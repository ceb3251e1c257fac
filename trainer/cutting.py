"""Cuts faces out of photos as the device does, wide crops beside them, into arrays on the disk."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from device.crop import crop_face, whole_picture
from device.errors import PictureError
from device.faces import Box, FaceFinder, Luma
from device.pictures import OF_PHONES, SUFFIXES, read_luma
from trainer.cache import GrowingArray, whole_folder
from trainer.photos import Photo, PhotosError
from trainer.views import DESCRIPTION_LENGTH, describe

CROP_MARGIN = 0.2  # of the face box's longer side, on each side: hair, chin and ear loops are in
DESCRIBED_SIZE = 100  # px: what trainer.views describes
CONTEXT = 1.25  # sides of a wide crop in those of the crop itself: what augmentation may turn, move and zoom out into


def cut_photos(photos: Sequence[Photo], size: int, finder: FaceFinder | None, folder: Path) -> None:
    """Write a folder: crops, wide crops and descriptions of the usable photos, which those are, and why not the others.

    index.json names photos by their places among `photos`: {"kept": [place], "refused": [[place, reason]]}.

    Raises PhotosError where a photo can no longer be read.
    """
    kept, refused, no_face = [], [], []
    with whole_folder(folder) as partial:
        with (
            GrowingArray(partial / "crops.npy", (size, size)) as crops,
            GrowingArray(partial / "wide.npy", (round(size * CONTEXT),) * 2) as wide,
            GrowingArray(partial / "descriptions.npy", (DESCRIPTION_LENGTH,)) as descriptions,
        ):
            for i, photo in enumerate(tqdm(photos, desc="faces", unit="photo", disable=None)):
                try:
                    luma = read_picture(photo)
                    require_inside(photo, luma)
                except PictureError as error:
                    refused.append((i, str(error).removeprefix(f"{photo.path}: ")))  # the folder may be moved
                    continue
                box = photo.box
                if not (box or photo.cropped) and finder and (found := finder.find(luma)):
                    box = found[0].box
                kept.append(i)
                crops.append(_cut(luma, box, size))
                wide.append(_cut(luma, box, round(size * CONTEXT), CONTEXT))
                has_face = box is not None or photo.cropped
                no_face.append(not has_face)
                described = _cut(luma, box, DESCRIBED_SIZE)
                descriptions.append(describe(_surroundings(luma, photo.box), described, has_face))
        np.save(partial / "no_face.npy", np.array(no_face, dtype=bool))
        (partial / "index.json").write_text(json.dumps({"kept": kept, "refused": refused}), encoding="utf-8")


def read_picture(photo: Photo) -> Luma:
    """Return the picture that a photo is, or is in.

    Raises PictureError, also where it isn't named as one, and PhotosError where it can no longer be read.
    """
    if photo.path.suffix.lower() in OF_PHONES:
        raise PictureError(f"{photo.path}: isn't read, expected JPEG or PNG: convert it to JPEG first")
    if not photo.is_named_as_picture:
        raise PictureError(f"{photo.path}: isn't named as a picture, expected {', '.join(sorted(SUFFIXES))}")
    try:
        return read_luma(photo.path)
    except PictureError as error:
        if photo.sha256 and isinstance(error.__cause__, OSError):  # a folder that is gone is no bad photo
            raise PhotosError(f"{error}; it could be read a moment ago: run the same again") from error
        raise


def require_inside(photo: Photo, luma: Luma) -> None:
    """Raise PictureError if a photo has a box, and that isn't in its picture."""
    if photo.box is None:
        return
    height, width = luma.shape
    x, y = photo.box.x + photo.box.width / 2, photo.box.y + photo.box.height / 2
    if not (0 <= x < width and 0 <= y < height and photo.box.width <= 2 * width and photo.box.height <= 2 * height):
        raise PictureError(
            f"{photo.path}: box {' '.join(map(str, photo.box))} isn't in its {width}x{height} pixels, expected a face "
            "there: correct the table"
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
