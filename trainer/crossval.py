"""Turns a dataset into figures about strangers: each fold is judged by an int8 model that saw nothing like it."""

import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from trainer.bfloat16 import in_bfloat16
from trainer.cache import read_array, write_array
from trainer.cluster import each
from trainer.copies import Material
from trainer.dataset import Dataset
from trainer.interrupts import BetweenBatches
from trainer.networks import NETWORKS, imagenet_weights
from trainer.options import TREE
from trainer.photos import LABELS, MASKED, WORN_WRONG_SLICE, PhotosError
from trainer.provenance import versions
from trainer.quantize import quantize, run_tflite
from trainer.scores import right_share, threshold, verdicts
from trainer.split import Indices
from trainer.training import batches, falling_rate

LINEAR, LINEAR_SIZE = "linear", 12  # px: logistic regression on so few pixels, what anything must beat
CALIBRATION_PHOTOS = 200


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

    Photos of other sources that share a group with one of a fold are kept out of its training, but not judged in it.
    Raises PhotosError where all photos are of one source.
    """
    names, counts = np.unique(material.dataset.sources, return_counts=True)
    if len(names) < 2:
        raise PhotosError(f"{material.dataset.folder}: all photos are of one source, {names[0]}, which leaves none to "
                          "train on: add folders with EXTRA=, or set BY=group")
    parts: list[list[str]] = [[] for _ in range(min(folds, len(names)))]
    sizes = np.zeros(len(parts))
    for i in np.argsort(-counts, kind="stable"):
        smallest = int(sizes.argmin())
        parts[smallest].append(str(names[i]))
        sizes[smallest] += counts[i]
    return [np.flatnonzero(np.isin(material.dataset.sources, part)) for part in parts]


def by_group(material: Material, folds: int) -> list[Indices]:
    """Divide the photos so that each group is in one fold, stratified by label; as many folds as there can be.

    Raises PhotosError where all photos are one group.
    """
    labels, groups = material.dataset.labels, len(set(material.groups))
    if groups < 2:
        raise PhotosError(f"{material.dataset.folder}: all photos show one person or scene, which leaves none to train "
                          "on: add photos of other people")
    folds = min(folds, int(np.bincount(labels).min()), groups)
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=0).split(labels, labels, material.groups)
    return [fold for _, fold in split]


@dataclass(frozen=True)
class Asked:
    """How each fold's model is trained."""

    network: str  # of NETWORKS, or LINEAR
    epochs: int
    seed: int
    threads: int  # of one operation; they change the weights


def cross_validate(
    material: Material, parts: list[Indices], asked: Asked, per_source: bool, runs: Path
) -> Iterator[FoldScore]:
    """Judge each part by a model that learned from the other parts, but from no photo of this part's groups.

    Models are trained side by side where there is a cluster. Each part's verdicts are kept in a folder below `runs`, so
    that the same call, made again, trains only what is missing. Raises ClusterError.
    """
    dataset = dataclasses.replace(material.dataset, finder=None)  # nobody finds faces any more, and some can't be sent
    folder = runs / f"crossval-{asked.network}-{_digest(material, parts, asked)}"
    kept = {number: read_array(folder / f"{number}.npy") for number in range(len(parts))}
    known = {number: found for number, found in kept.items() if found is not None}
    if known:
        print(f"{len(known)} of {len(parts)} folds were done before: {folder}", file=sys.stderr)
    missing = [number for number in range(len(parts)) if number not in known]
    judged = each(_judge, [parts[number] for number in missing], (dataset, material.groups, asked), asked.threads)
    for number, part in enumerate(parts):
        while number not in known:
            place, found = next(judged)
            known[missing[place]] = found
            write_array(folder / f"{missing[place]}.npy", found)
        found = known[number]
        keys = np.array([dataset.sources[i] if per_source else f"fold {number + 1}" for i in part])
        wrong = np.array([dataset.slices[i] == WORN_WRONG_SLICE for i in part])
        for name in sorted(set(keys)):
            of = keys == name
            yield _fold_score(name, dataset.labels[part][of & ~wrong], found[of & ~wrong], found[of & wrong])


def _digest(material: Material, parts: list[Indices], asked: Asked) -> str:
    # All that a verdict depends on, the code as well: a fold of other code would be compared as if it were of this.
    code = [path.read_text(encoding="utf-8") for part in ("trainer", "device")
            for path in sorted((TREE / part).glob("*.py"))]
    dataset, pictures = material.dataset, hashlib.sha256()
    for crops in (dataset.crops, dataset.wide):  # another face finder cuts the same photos otherwise
        pictures.update(np.ascontiguousarray(crops).data)
    weights = imagenet_weights(asked.network)
    bfloat16 = asked.network != LINEAR and NETWORKS[asked.network].bfloat16
    told = [code, versions(bfloat16), dataset.sha256, pictures.hexdigest(), dataset.names, dataset.sources,
            dataset.slices, dataset.drawn.tolist(), material.groups.tolist(), [part.tolist() for part in parts],
            dataclasses.astuple(asked),
            hashlib.sha256(weights.read_bytes()).hexdigest() if weights.exists() else ""]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]


def _judge(part: Indices, dataset: Dataset, groups: Indices, asked: Asked) -> Indices:
    """Return verdicts on the photos `part`, by a model that was trained on none of their groups."""
    train = np.flatnonzero(~np.isin(groups, groups[part]))
    if len(set(dataset.labels[train])) < len(LABELS):
        raise PhotosError(f"{dataset.folder}: a fold leaves photos of one class or none to train on: add "
                          "photos of other people and sources, or ask for more FOLDS")
    if asked.network == LINEAR:
        return _linear(dataset, train, part)
    scores = run_tflite(_trained(dataset, train, asked), dataset.crops, part)
    return verdicts(scores, threshold(1.0))


def _fold_score(name: str, labels: Indices, found: Indices, wrong: Indices) -> FoldScore:
    right = right_share(labels, found)[0] if len(labels) else 0.0
    called = float((wrong == MASKED).mean()) if len(wrong) else 0.0
    return FoldScore(name, len(labels), right, len(wrong), round(called, 4))


def _trained(dataset: Dataset, train: Indices, asked: Asked) -> bytes:
    recipe, epochs, seed = NETWORKS[asked.network], asked.epochs, asked.seed
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    network = recipe.build(dataset.size)
    network.compile(keras.optimizers.Adam(recipe.learning_rate), "categorical_crossentropy")
    falling = [falling_rate(recipe.learning_rate, epochs)] if recipe.augmented else []
    shown = batches(dataset, train, recipe, seed, 0)
    with in_bfloat16(recipe.bfloat16), BetweenBatches() as interrupts:
        network.fit(shown, epochs=epochs, shuffle=False, callbacks=[*falling, interrupts], verbose=0)
    chosen = np.random.default_rng(seed).permutation(train)[:CALIBRATION_PHOTOS]
    return quantize(network, dataset.crops[chosen])


def _linear(dataset: Dataset, train: Indices, part: Indices) -> Indices:
    small = np.array([
        cv2.resize(dataset.crops[i], (LINEAR_SIZE, LINEAR_SIZE), interpolation=cv2.INTER_AREA).ravel()
        for i in range(len(dataset.names))
    ]) / 255.0
    model = LogisticRegression(max_iter=2000).fit(small[train], dataset.labels[train])
    return np.asarray(model.predict(small[part]), np.intp)
