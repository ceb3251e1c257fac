"""Divides photos into train, validation and test parts so that nobody stands on both sides."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from device.errors import KioskError
from trainer.copies import Material
from trainer.groups import shared_group_fraction

TEST_PARTS = 10  # a tenth is the test part, as in the original
VALIDATION_PARTS = 5  # a fifth of the rest is the validation part, as in the original
CALIBRATION_PHOTOS = 1000  # at most

Indices = npt.NDArray[np.intp]


class SplitError(KioskError, ValueError):
    """Photos of too few people to stand on different sides."""


class LeakError(KioskError, RuntimeError):
    """A grouped split that has one group on both sides."""


@dataclass(frozen=True)
class Split:
    """Indices of the photos of each part, ascending, and how many photos leak."""

    train: Indices
    validation: Indices
    test: Indices
    kind: str  # "grouped" or "random"
    groups: int
    leak: float  # share of test photos that share a group with a photo outside the test part, 0-1
    random_leak: float  # what the plain random split leaks, 0-1


def split_photos(material: Material, kind: str, seed: int, validation_parts: int = VALIDATION_PARTS) -> Split:
    """Split by group, or at random as the original did; stratified by label, repeatable by seed.

    Of what the test part leaves, the validation part is one of `validation_parts` parts; at random always a fifth.

    Raises LeakError if a grouped split has a group on both sides.
    """
    groups, labels = material.groups, material.dataset.labels
    at_random = _random_parts(labels, seed)
    train, validation, test = at_random if kind == "random" else _grouped_parts(
        labels, groups, seed, validation_parts
    )
    everything = np.arange(len(groups))
    leak = shared_group_fraction(groups, np.isin(everything, test))
    if kind == "grouped" and (leak or set(groups[train]) & set(groups[validation])):
        raise LeakError(f"the grouped split leaks {leak:.1%} of the test photos, expected none: please report this")
    return Split(
        train,
        validation,
        test,
        kind=kind,
        groups=int(groups.max()) + 1,
        leak=leak,
        random_leak=shared_group_fraction(groups, np.isin(everything, at_random[2])),
    )


def calibration_photos(split: Split, seed: int) -> Indices:
    """Return which photos of the training part set the ranges of the integers: indices, ascending."""
    return np.sort(np.random.default_rng(seed).permutation(split.train)[:CALIBRATION_PHOTOS])


def _grouped_parts(labels: Indices, groups: Indices, seed: int, parts: int) -> tuple[Indices, Indices, Indices]:
    rest, test = _first_fold(labels, groups, TEST_PARTS, seed)
    train, validation = _first_fold(labels[rest], groups[rest], parts, seed)
    return rest[train], rest[validation], test


def _first_fold(labels: Indices, groups: Indices, parts: int, seed: int) -> tuple[Indices, Indices]:
    fewest = min(len(set(groups[labels == label])) for label in set(labels))
    if fewest >= 2:
        folds = StratifiedGroupKFold(min(parts, fewest), shuffle=True, random_state=seed)
        for rest, fold in folds.split(labels, labels, groups):
            if len(set(labels[rest])) == len(set(labels[fold])) == len(set(labels)):
                return rest, fold
    raise SplitError(
        f"the photos of one class show too few different people or scenes, {fewest}, expected some for each part of "
        "the split, better hundreds: add photos of other people, or use SPLIT=random to try things out"
    )


def _random_parts(labels: Indices, seed: int) -> tuple[Indices, Indices, Indices]:
    everything = np.arange(len(labels))
    rest, test = train_test_split(everything, test_size=1 / TEST_PARTS, stratify=labels, random_state=seed)
    train, validation = train_test_split(
        rest, test_size=1 / VALIDATION_PARTS, stratify=labels[rest], random_state=seed
    )
    return np.sort(train), np.sort(validation), np.sort(test)
