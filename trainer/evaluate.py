"""Runs a .tflite over a labelled folder of photos, as the device would judge them, and counts what it gets right."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from device.classifier import Classifier
from trainer.cache import write_whole
from trainer.dataset import load_dataset
from trainer.scores import Scores, score, verdicts


@dataclass(frozen=True)
class Evaluation(Scores):
    """The scores of a model on a folder; `interval` is the balanced accuracy's."""

    interval: tuple[float, float]
    model: str
    model_sha256: str
    practice: bool
    data: str
    cropped: bool
    seen: bool  # they are the very photos that the model was trained on
    no_face: int  # photos in which no face was found; they were used whole
    refused: int  # files that are no usable pictures


def evaluate(model: str, data: Path, cropped: bool) -> Evaluation:
    """Judge every photo of a folder with one folder a class; `cropped` photos are taken whole.

    The largest face of a photo is judged; a photo in which no face is found is judged whole, as in training.
    Raises ModelError or PhotosError.
    """
    classifier = Classifier(model)
    card = classifier.card
    dataset = load_dataset(data, card.input_size, cropped)
    crops = tqdm(dataset.crops, "photos", disable=None)
    scores = score(dataset.labels, verdicts(np.stack([classifier.scores(crop) for crop in crops]), card.threshold))
    return Evaluation(
        **dataclasses.asdict(scores),
        interval=scores.balanced_accuracy_interval,
        model=card.name,
        model_sha256=card.sha256,
        practice=card.practice,
        data=data.name,
        cropped=cropped,
        seen=dataset.sha256 == card.trained_on.dataset_sha256,
        no_face=0 if cropped else int(dataset.no_face.sum()),
        refused=len(dataset.refused),
    )


def write_evaluation(evaluation: Evaluation, path: Path) -> None:
    """Write an evaluation as JSON."""
    write_whole(path, (json.dumps(dataclasses.asdict(evaluation), indent=2) + "\n").encode())


def describe_evaluation(evaluation: Evaluation) -> str:
    """Return an evaluation as a few lines for people."""
    low, high = evaluation.interval
    recall = ", ".join(f"{name} {share:.1%}" for name, share in evaluation.recall.items())
    return (
        f"{'PRACTICE ' if evaluation.practice else ''}{evaluation.model}: {evaluation.n} photos of {evaluation.data}\n"
        f"balanced accuracy {evaluation.balanced_accuracy:.1%} (95 % interval {low:.1%} to {high:.1%})\n"
        f"recall            {recall}\n"
        f"no face found in  {evaluation.no_face} (judged whole), left out {evaluation.refused}"
        + "\nThe model was trained on these photos: its card says how it does on unseen ones." * evaluation.seen
    )
