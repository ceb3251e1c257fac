"""Lets a .tflite judge labelled photos or scenes as the device would."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from device.classifier import Classifier, Verdict
from device.errors import PictureError
from device.faces import FaceFinder, Luma, iou
from trainer.cutting import read_picture, require_inside
from trainer.dataset import Dataset, load_dataset
from trainer.left_out import left_out
from trainer.photos import BOXES_TABLE, LABELS, Photo, PhotosError, find_photos
from trainer.same_face import labelled_again
from trainer.scores import verdicts
from trainer.telling import tell

FOUND = 0.3  # intersection over union of a found and a known box; annotators disagree about hair and chin


@dataclass(frozen=True)
class Judged:
    """What a model said of the n faces in a folder that it judged, and how many it did not."""

    names: list[str]  # n
    labels: npt.NDArray[np.intp]  # (n,), indices into LABELS
    found: npt.NDArray[np.intp]  # (n,), the verdicts, as labels
    kinds: list[str]  # n, the slice of each, or nothing
    no_face: int
    refused: int


def judge_folder(classifier: Classifier, finder: FaceFinder | None, data: Path) -> tuple[Judged, Dataset | None]:
    """Judge every photo of a folder as `evaluate` does; of photos and crops, return the dataset too."""
    if finder and (data / BOXES_TABLE).exists():
        return _judge_scenes(classifier, finder, data), None
    cropped = finder is None
    dataset = load_dataset(data, classifier.card.input_size, cropped, finder)
    if dataset.finder:
        classifier.require_crops_of(dataset.finder)
    verdict = judge_crops(classifier, tqdm(dataset.crops, "photos", disable=None))
    no_face = 0 if cropped else int(dataset.no_face.sum())
    judged = Judged(
        list(dataset.names), dataset.labels, verdict, list(dataset.slices), no_face, len(dataset.refused)
    )
    return judged, dataset


def judge_crops(classifier: Classifier, crops: Sequence[Luma] | Luma) -> npt.NDArray[np.intp]:
    """Return verdicts, indices into LABELS (n,), of uint8 crops (n, size, size)."""
    return verdicts(np.stack([classifier.scores(crop) for crop in crops]), classifier.card.threshold)


def require_classes(data: Path, found: Sequence[str]) -> None:
    """Raise PhotosError unless faces of each label were found in a folder."""
    if lacking := [name for name in LABELS if name not in found]:
        raise PhotosError(f"{data}: no face {lacking[0]} was found in it, expected {' and '.join(LABELS)}: add some")


def _judge_scenes(classifier: Classifier, finder: FaceFinder, folder: Path) -> Judged:
    classifier.require_crops_of(finder)
    labelled, known = find_photos(folder), dict[Path, list[Photo]]()
    again = labelled_again(labelled)
    tell((*left_out(folder), *again.values()))
    for photo in (photo for i, photo in enumerate(labelled) if i not in again):
        known.setdefault(photo.path, []).append(photo)
    pairs, missed, refused = list[tuple[Photo, Verdict]](), 0, len(again)
    for photos in tqdm(known.values(), "scenes", disable=None):
        try:
            luma = read_picture(photos[0])
        except PictureError as error:
            tell([f"left out: {error}"])
            refused += 1
            continue
        inside = _inside(photos, luma)
        met = _met(inside, classifier.judge(luma, finder.find(luma)))
        pairs += met
        missed += len(inside) - len(met)
        refused += len(photos) - len(inside)
    return Judged(
        [photo.name for photo, _ in pairs],
        np.array([photo.label for photo, _ in pairs], np.intp),
        np.array([LABELS.index(verdict.label) for _, verdict in pairs], np.intp),
        [photo.slice for photo, _ in pairs],
        missed,
        refused,
    )


def _inside(photos: Sequence[Photo], luma: Luma) -> list[Photo]:
    """Return those of the faces whose box is in their picture; the others are named."""
    inside = []
    for photo in photos:
        try:
            require_inside(photo, luma)
        except PictureError as error:
            tell([f"left out: {error}"])
        else:
            inside.append(photo)
    return inside


def _met(photos: Sequence[Photo], judged: Sequence[Verdict]) -> list[tuple[Photo, Verdict]]:
    """Return the faces that were found, each with the verdict on it; a found box is one face's, the nearest one's."""
    overlaps = [
        (iou(photo.box, verdict.box), i, j)
        for i, photo in enumerate(photos) if photo.box for j, verdict in enumerate(judged)
    ]  # fmt: skip
    met = dict[int, int]()  # a face, and what was found of it
    for overlap, i, j in sorted(overlaps, reverse=True):
        if overlap >= FOUND and i not in met and j not in met.values():
            met[i] = j
    return [(photos[i], judged[j]) for i, j in sorted(met.items())]
