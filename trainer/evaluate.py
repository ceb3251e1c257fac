"""Runs a .tflite over labelled photos or scenes, as the device would judge them, and counts what it gets right."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device.classifier import Classifier
from device.disk import write_whole
from device.faces import FaceFinder
from trainer.judging import judge_crops, judge_folder, require_classes
from trainer.photos import BOXES_TABLE, LABELS, MASKED, WORN_WRONG_SLICE, PhotosError
from trainer.scores import Interval, Scores, right_share, score
from trainer.slices import drawn_slices


@dataclass(frozen=True)
class SliceScore:
    """How a model judges one kind of picture."""

    n: int
    right: float  # share of verdicts, 0-1; the mean of both classes' where both are there
    interval: Interval  # 95 %
    called_with_mask: float  # share of verdicts


@dataclass(frozen=True)
class Evaluation(Scores):
    """The scores of a model on a folder."""

    model: str
    model_sha256: str
    practice: bool
    data: str
    cropped: bool
    no_face: int  # photos in which no face was found; they were used whole. Of scenes: known faces not found
    refused: int  # pictures and faces that were left out, each by name
    slices: dict[str, SliceScore]


def evaluate(classifier: Classifier, finder: FaceFinder | None, data: Path, drawn: bool = False) -> Evaluation:
    """Judge every photo of a folder; without a finder, photos are face crops and taken whole; `drawn` adds slices.

    The largest face of a photo is judged; a photo in which no face is found is judged whole, as in training. Of scenes,
    every face that the finder finds is judged, and those that meet a known box are counted. The finder has to be the
    one that cut the model's training crops. Raises ModelError or PhotosError.
    """
    card, cropped = classifier.card, finder is None
    if (drawn or cropped) and (data / BOXES_TABLE).exists():
        why = "on which no slices are drawn" if drawn else "whole pictures in which faces are found"
        option = "SLICES= and --slices" if drawn else "CROPPED= and --cropped"
        raise PhotosError(f"{data}: holds scenes, {why}, expected photos or face crops: leave out {option}, or name "
                          "another folder")
    judged, dataset = judge_folder(classifier, finder, data)
    labels, found, kinds = judged.labels, judged.found, np.array(judged.kinds, np.str_)
    # A mask worn wrong is told apart from the two classes: few sets have any, and figures must compare.
    plain = kinds != WORN_WRONG_SLICE
    require_classes(data, [LABELS[i] for i in labels[plain]])
    asked = drawn_slices(dataset) if drawn and dataset else ()
    slices = {name: _slice(true, judge_crops(classifier, crops)) for name, crops, true in asked}
    real = {str(name): _slice(labels[kinds == name], found[kinds == name]) for name in sorted(set(kinds) - {""})}
    scores = score(labels[plain], found[plain])
    return Evaluation(
        **dataclasses.asdict(scores),
        model=card.name,
        model_sha256=card.sha256,
        practice=card.practice,
        data=data.name,
        cropped=cropped,
        no_face=judged.no_face,
        refused=judged.refused,
        slices={**real, **slices},
    )


def _slice(labels: npt.NDArray[np.intp], found: npt.NDArray[np.intp]) -> SliceScore:
    called = round(float((found == MASKED).mean()), 4)
    return SliceScore(len(labels), *right_share(labels, found), called)


def write_evaluation(evaluation: Evaluation, path: Path) -> None:
    """Write an evaluation as JSON."""
    write_whole(path, (json.dumps(dataclasses.asdict(evaluation), indent=2) + "\n").encode())


def describe_evaluation(evaluation: Evaluation) -> str:
    """Return an evaluation as a few lines for people."""
    low, high = evaluation.balanced_accuracy_interval
    recall = ", ".join(
        f"{name} {part:.1%} ({evaluation.recall_interval[name][0]:.1%} to {evaluation.recall_interval[name][1]:.1%})"
        for name, part in evaluation.recall.items()
    )
    lines = [
        f"{'PRACTICE ' if evaluation.practice else ''}{evaluation.model}: {evaluation.n} photos of {evaluation.data}",
        f"balanced accuracy {evaluation.balanced_accuracy:.1%} (95 % interval {low:.1%} to {high:.1%})",
        f"recall            {recall}",
        f"no face found in  {evaluation.no_face}, left out {evaluation.refused}",
    ]
    lines += [
        f"  {name:24}{part.right:7.1%} right ({part.interval[0]:.1%} to {part.interval[1]:.1%}), "
        f"{part.called_with_mask:.1%} called with_mask, n {part.n}"
        for name, part in evaluation.slices.items()
    ]
    return "\n".join(lines)
