"""Turns a dataset into figures about strangers: each fold is judged by an int8 model that saw nothing like it."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import keras
import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from trainer.convert import quantize, run_tflite
from trainer.copies import Material
from trainer.dataset import Dataset
from trainer.networks import NETWORKS
from trainer.photos import LABELS, WORN_WRONG_SLICE
from trainer.sampling import Batches
from trainer.scores import score, share, threshold, verdicts
from trainer.training import falling_rate

LINEAR, LINEAR_SIZE = "linear", 12  # px: logistic regression on so few pixels, what anything must beat
CALIBRATION_PHOTOS = 200

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class FoldScore:
    """What a model that never saw these photos says of them."""

    name: str  # the source, or the fold's number
    n: int
    balanced_accuracy: float  # 0-1; of a source with one class only, the share that is right
    worn_wrong: int  # photos of masks worn wrong, not in n
    worn_wrong_called_with_mask: float  # share of those


def by_source(material: Material, folds: int) -> list[Indices]:
    """Divide the photos so that each source is in one fold; with as many folds as sources, one is left out at a time.

    Photos of other sources that share a group with one of a fold are in the fold as well as in their own: they are
    kept out of its training.
    """
    names, counts = np.unique(material.dataset.sources, return_counts=True)
    parts: list[list[str]] = [[] for _ in range(min(folds, len(names)))]
    sizes = np.zeros(len(parts))
    for i in np.argsort(-counts, kind="stable"):
        smallest = int(sizes.argmin())
        parts[smallest].append(str(names[i]))
        sizes[smallest] += counts[i]
    return [np.flatnonzero(np.isin(material.dataset.sources, part)) for part in parts]


def by_group(material: Material, folds: int, seed: int) -> list[Indices]:
    """Divide the photos so that each group is in one fold, stratified by label."""
    labels = material.dataset.labels
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(labels, labels, material.groups)
    return [fold for _, fold in split]


def cross_validate(
    material: Material, parts: list[Indices], network: str, epochs: int, seed: int, per_source: bool
) -> Iterator[FoldScore]:
    """Train on all but one part after the other, without photos of its groups, and judge that part."""
    dataset = material.dataset
    for number, part in enumerate(parts, start=1):
        train = np.flatnonzero(~np.isin(material.groups, material.groups[part]))
        if network == LINEAR:
            found = _linear(dataset, train, part)
        else:
            scores = run_tflite(_trained(dataset, train, network, epochs, seed), dataset.crops[part])
            found = verdicts(scores, threshold(1.0))
        keys = np.array([dataset.sources[i] if per_source else f"fold {number}" for i in part])
        wrong = np.array([dataset.slices[i] == WORN_WRONG_SLICE for i in part])
        for name in sorted(set(keys)):
            of = keys == name
            yield _fold_score(name, dataset.labels[part][of & ~wrong], found[of & ~wrong], found[of & wrong])


def _fold_score(name: str, labels: Indices, found: Indices, wrong: Indices) -> FoldScore:
    both = len(set(labels.tolist())) == len(LABELS)
    right = 0.0
    if both:
        right = score(labels, found).balanced_accuracy
    elif len(labels):
        right = share(int((labels == found).sum()), len(labels))[0]
    called = float((wrong == LABELS.index("with_mask")).mean()) if len(wrong) else 0.0
    return FoldScore(name, len(labels), right, len(wrong), round(called, 4))


def _trained(dataset: Dataset, train: Indices, name: str, epochs: int, seed: int) -> bytes:
    recipe = NETWORKS[name]
    keras.utils.set_random_seed(seed)
    network = recipe.build(dataset.size)
    network.compile(keras.optimizers.Adam(recipe.learning_rate), "categorical_crossentropy")
    if recipe.augmented:
        batches = Batches(dataset, train, recipe.batch, recipe.batches, seed, 0)
        network.fit(batches, epochs=epochs, callbacks=[falling_rate(recipe.learning_rate, epochs)], verbose=0)
    else:
        labels = keras.utils.to_categorical(dataset.labels[train], len(LABELS))
        network.fit(dataset.crops[train], labels, batch_size=recipe.batch, epochs=epochs, verbose=0)
    chosen = np.random.default_rng(seed).permutation(train)[:CALIBRATION_PHOTOS]
    return quantize(network, dataset.crops[chosen])


def _linear(dataset: Dataset, train: Indices, part: Indices) -> Indices:
    small = np.array([
        cv2.resize(crop, (LINEAR_SIZE, LINEAR_SIZE), interpolation=cv2.INTER_AREA).ravel() for crop in dataset.crops
    ]) / 255.0
    model = LogisticRegression(max_iter=2000).fit(small[train], dataset.labels[train])
    return np.asarray(model.predict(small[part]), np.intp)
