"""Turns a run's best checkpoint into a full-integer .tflite and its card, after proving that both judge alike."""

import hashlib
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device.cards import card_json
from device.disk import write_whole
from device.model_card import FORMAT, Measured, ModelCard, TrainedOn
from trainer.cache import cache_folder
from trainer.calibration import calibrate
from trainer.copies import Material
from trainer.cutting import CROP_MARGIN
from trainer.dataset import Dataset
from trainer.networks import NETWORKS
from trainer.photos import ALARM_LABEL, BARE, LABELS, WORN_WRONG_SLICE
from trainer.provenance import make_name, make_names
from trainer.quantize import ConversionError, quantize, run_tflite
from trainer.runs import Run, tell_changes
from trainer.scores import DIGITS, release, score, threshold, verdicts
from trainer.sources import PRACTICE
from trainer.split import Split, calibration_photos
from trainer.training import predict, read_network

LEAST_PARITY = 0.995  # share of photos, ties left out, on which .tflite and Keras give the same verdict
COMPARED = 200  # photos at least, where there are so many: of fewer, one other verdict alone would be too many
TIE = 3 / 256  # from the threshold: so far can eight bits move a score, and turn a verdict that says nothing


def convert(run: Run, material: Material, split: Split, models: Path, miss_cost: float = 1.0) -> ModelCard:
    """Convert the best checkpoint, measure the result on the test part, and write NAME.tflite and NAME.json.

    miss_cost: what a missed bare face costs, in false alarms. Nothing is written unless the .tflite agrees with Keras.
    Raises ConversionError.
    """
    plan, dataset, level = run.plan, material.dataset, threshold(miss_cost)
    tell_changes(run.state, run.folder, NETWORKS[plan.network].bfloat16)
    network = read_network(run.folder / run.state.best)
    temperature = calibrate(network, dataset, split.validation, plan.seed)
    # Not by the plan's names: photos of several folders may share one.
    content = quantize(network, dataset.crops[calibration_photos(split, plan.seed)])
    # Unlike accuracy, this can be seen on photos that were learned from.
    compared = np.concatenate([split.test, split.validation, split.train])[: max(COMPARED, len(split.test))]
    exact, rounded = predict(network, dataset.crops, compared), run_tflite(content, dataset.crops, compared)
    require_parity(exact, rounded, plan.name, level)
    for apart in material.apart:
        print(_parity_on(apart, predict(network, apart.crops), run_tflite(content, apart.crops), level))
    of_test = slice(len(split.test))
    measured = _measure(dataset, split, verdicts(rounded[of_test], level), verdicts(exact[of_test], level))
    card = ModelCard(
        format=FORMAT,
        name=plan.name,
        practice=plan.practice,
        network=plan.network,
        sha256=hashlib.sha256(content).hexdigest(),
        labels=LABELS,
        alarm_label=ALARM_LABEL,
        input_size=plan.size,
        face_finder=plan.finder,
        face_finder_sha256=plan.finder_sha256,
        crop_margin=CROP_MARGIN,
        threshold=level,
        release=release(miss_cost),
        trained_on=_trained_on(run, material, split, temperature, miss_cost),
        measured=measured,
    )
    told = card_json(card).encode()  # before anything is replaced
    # The device refuses a pair that doesn't belong together, so a power cut between these two is noticed.
    write_whole(models / f"{plan.name}.tflite", content)
    write_whole(models / f"{plan.name}.json", told)
    return card


def require_parity(
    exact: npt.NDArray[np.float32], rounded: npt.NDArray[np.float32], name: str, level: float
) -> None:
    """Raise ConversionError unless two sets of scores, float32 (n, labels), lead to the same verdicts.

    exact: Keras's; rounded: the .tflite's. level: the threshold. Photos whose exact score lies within a few rounding
    steps of it are ties and left out. A single other verdict proves nothing; that few photos don't either, is said.
    """
    sure = np.abs(exact[:, BARE] - level) > TIE
    if not sure.any():
        raise ConversionError(f"{name} gives no verdict on any photo, expected some: train with more EPOCHS")
    same = verdicts(exact[sure], level) == verdicts(rounded[sure], level)
    if same.mean() < LEAST_PARITY and (~same).sum() > 1:
        raise ConversionError(
            f"{name}.tflite agrees with Keras on {same.mean():.2%} of {len(same)} photos, expected at least "
            f"{LEAST_PARITY:.1%}: nothing was written; train with more photos or another SEED"
        )
    if len(exact) < COMPARED:
        print(f"{name}.tflite was compared with Keras on {len(exact)} photos, which proves little, expected "
              f"{COMPARED}: add photos", file=sys.stderr)


def _parity_on(
    dataset: Dataset, exact: npt.NDArray[np.float32], rounded: npt.NDArray[np.float32], level: float
) -> str:
    """Say how alike both judge a set to measure with: Keras's scores, float32 (n, labels), and the .tflite's.

    The balanced accuracy is without masks worn wrong, as `evaluate` has it.
    """
    expected, found = (verdicts(scores, level) for scores in (exact, rounded))
    same = f"same verdict as Keras on {np.mean(found == expected):.2%} of {len(found)}"
    plain = np.array(dataset.slices) != WORN_WRONG_SLICE
    labels = dataset.labels[plain]
    if len(set(labels.tolist())) < len(LABELS):
        return f"{dataset.folder.name}: {same}"
    keras_balanced, balanced = (score(labels, of[plain]).balanced_accuracy for of in (expected, found))
    return f"{dataset.folder.name}: {same}, balanced accuracy {balanced:.2%}, Keras's {keras_balanced:.2%}"


def _measure(
    dataset: Dataset, split: Split, found: npt.NDArray[np.intp], expected: npt.NDArray[np.intp]
) -> Measured:
    labels = dataset.labels[split.test]
    scores = score(labels, found)
    return Measured(
        n=scores.n,
        no_face=int(dataset.no_face[split.test].sum()),
        accuracy=scores.accuracy,
        accuracy_interval=scores.accuracy_interval,
        balanced_accuracy=scores.balanced_accuracy,
        balanced_accuracy_interval=scores.balanced_accuracy_interval,
        recall=scores.recall,
        keras_accuracy=score(labels, expected).accuracy,
        parity=round(float((found == expected).mean()), DIGITS),
    )


def _trained_on(run: Run, material: Material, split: Split, temperature: float, miss_cost: float) -> TrainedOn:
    plan, state, dataset = run.plan, run.state, material.dataset
    source = "drawn faces" if plan.practice else dataset.folder.name
    drawing = ""
    if dataset.folder == cache_folder() / PRACTICE:  # which nobody else has, before it is drawn
        drawing = f".venv/bin/python -m trainer practice --to {PRACTICE} && "
    asked = f"DATA={make_name(dataset.folder.name)} "
    asked += f"MODEL={plan.network} SIZE={plan.size} EPOCHS={state.asked} SEED={plan.seed} "
    asked += f"SPLIT={plan.split} THREADS={plan.threads}" + (f" MISS_COST={miss_cost:g}" if miss_cost != 1 else "")
    asked += f" FINDER={plan.finder}" if plan.finder != "own" else ""
    asked += f" YUNET={make_name(Path(plan.yunet).name)}" if plan.yunet else ""
    for name, folders in (("EXTRA", plan.extra), ("APART", plan.apart)):
        asked += f" {name}={make_names(Path(folder).name for folder in folders)}" if folders else ""
    asked += f"  # stopped after {state.epochs} epochs" if state.epochs < state.asked and not state.stopped else ""
    return TrainedOn(
        source=" ".join([source, *(Path(folder).name for folder in plan.extra)]),
        photos={label: int((dataset.labels == i).sum()) for i, label in enumerate(LABELS)},
        sources=dict(sorted(Counter(dataset.sources).items())),
        near_copies=material.dropped,
        measuring={dataset.folder.name: dataset.sha256 for dataset in material.apart},
        no_face=int(dataset.no_face.sum()),
        refused=len(dataset.refused),
        dataset_sha256=dataset.sha256,
        split=split.kind,
        groups=split.groups,
        leak=round(split.leak, DIGITS),
        random_split_leak=round(split.random_leak, DIGITS),
        train=len(split.train),
        validation=len(split.validation),
        test=len(split.test),
        epochs=state.epochs,
        best_epoch=state.best_epoch + 1,
        temperature=round(temperature, DIGITS),
        miss_cost=miss_cost,
        seed=plan.seed,
        threads=plan.threads,
        versions=state.versions,
        commit=state.commit,
        command=f"{drawing}make train convert {asked}",
    )
