"""Compares a new model with the present one face by face, and says where it is worse beyond chance.

A line is the faces of one kind (masked, bare, or with a mask worn wrong) of one folder, so that no kind hides behind
another. On a line the new model is worse if, of the faces on which only one of the two is right, so many are the
present one's that two equally good models would come to that with a probability below 5 % divided by the number of
lines: the exact one-sided test of McNemar (Psychometrika 12, 1947) with Bonferroni's correction. So a model that is as
good as the present one is refused at most once in twenty times, however many lines there are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from device.classifier import Classifier
from device.errors import ModelError
from device.model_card import ModelCard
from trainer.dataset import digest
from trainer.finders import finder_for
from trainer.judging import Judged, judge_folder, require_classes
from trainer.photos import LABELS, WORN_WRONG_SLICE, find_photos
from trainer.scores import Interval, share
from trainer.sources import distinct

CHANCE = 0.05  # of refusing a model that is as good as the present one
NORMAL = 1.96  # standard deviations on each side that hold 95 %


@dataclass(frozen=True)
class Line:
    """How both models judge the faces of one kind in one folder."""

    data: str
    kind: str
    n: int  # faces that at least one of the two found
    present: int  # on which it is right
    new: int
    only_present: int  # on which the present model is right and the new one isn't
    only_new: int

    @property
    def p(self) -> float:
        """The probability, 0-1, that equally good models differ so much in the present one's favour."""
        differing = self.only_present + self.only_new
        return float(binomtest(self.only_present, differing, alternative="greater").pvalue) if differing else 1.0

    @property
    def difference(self) -> tuple[float, Interval]:
        """The new model's share of right verdicts less the present one's, and its 95 % interval.

        Wald's for pairs, with half a face added to each of the four cells (Agresti and Min, Statistics in Medicine 24,
        2005).
        """
        n, differing, gain = self.n + 2, self.only_present + self.only_new + 1, self.only_new - self.only_present
        half = NORMAL * math.sqrt(differing - gain**2 / n) / n
        return gain / self.n, (max(-1.0, gain / n - half), min(1.0, gain / n + half))


@dataclass(frozen=True)
class Comparison:
    """All lines, and the two models' cards."""

    present: ModelCard
    new: ModelCard
    lines: list[Line]
    perhaps_learned: list[tuple[str, str]]  # names of folders, each with "new" or "present", which it may flatter

    @property
    def level(self) -> float:
        """The probability below which a line is worse, 0-1."""
        return CHANCE / len(self.lines)

    @property
    def worse(self) -> list[Line]:
        """The lines on which the new model is worse beyond chance."""
        return [line for line in self.lines if line.p < self.level]


def compare(new: str, present: str, folders: Sequence[Path], cropped: bool, yunet: str | None) -> Comparison:
    """Judge every folder with both models, by name or .tflite; `cropped` says that folders of photos hold face crops.

    A face that one of them doesn't find, because it goes with another face finder, is one on which it isn't right.
    yunet: its .onnx, for models trained on its crops. Raises ModelError, also for a practice model in a real one's
    place, or PhotosError, also for a folder in which no face of a class was found: a line that is missing hides a kind.
    """
    models = [Classifier(model) for model in (present, new)]
    if models[0].card == models[1].card:
        raise ModelError(
            f"{models[1].path}: is the present model, expected another: convert into a folder of its own, `make "
            "convert MODELS=new`, and name MODEL=new/door.tflite"
        )
    if models[1].card.practice and not models[0].card.practice:
        raise ModelError(f"{models[1].path}: is a practice model, which isn't for a door: train on photos")
    lines, perhaps_learned = [], []
    for name, folder in zip(distinct([folder.name for folder in folders], folders), folders, strict=True):
        photos = find_photos(folder)
        present_apart, new_apart = (
            model.card.trained_on.measuring.get(folder.name) == digest(photos) for model in models
        )
        if not new_apart:
            perhaps_learned.append((name, "new"))
        # No door's own faces stand on a shipped card: of the present model, the names of its sources have to tell.
        if not present_apart and any(photo.source in models[0].card.trained_on.sources for photo in photos):
            perhaps_learned.append((name, "present"))
        one, other = (
            judge_folder(model, finder_for(model.card, folder, cropped, yunet), folder)[0] for model in models
        )
        found = _lines(name, one, other)
        require_classes(folder, [line.kind for line in found])
        lines += found
    return Comparison(models[0].card, models[1].card, lines, perhaps_learned)


def _lines(data: str, present: Judged, new: Judged) -> list[Line]:
    kinds = {
        name: kind if kind == WORN_WRONG_SLICE else LABELS[label]
        for judged in (present, new)
        for name, label, kind in zip(judged.names, judged.labels, judged.kinds, strict=True)
    }
    rights = [dict(zip(judged.names, judged.labels == judged.found, strict=True)) for judged in (present, new)]
    lines = []
    for kind in sorted(set(kinds.values()), key=[*LABELS, WORN_WRONG_SLICE].index):
        names = [name for name in kinds if kinds[name] == kind]
        before, after = (np.array([right.get(name, False) for name in names], bool) for right in rights)
        lines.append(Line(data, kind, len(names), *_counts(before, after)))
    return lines


def _counts(before: npt.NDArray[np.bool_], after: npt.NDArray[np.bool_]) -> tuple[int, int, int, int]:
    return int(before.sum()), int(after.sum()), int((before & ~after).sum()), int((after & ~before).sum())


def describe(comparison: Comparison) -> str:
    """Return a comparison as a Markdown table, and a line that says what it means."""
    rows = [
        "| set | faces | n | present right | new right | only present | only new | difference | p | |",
        "| --- | --- |" + " ---: |" * 7 + " --- |",
        *(_row(line, line in comparison.worse) for line in comparison.lines),
    ]
    rows += [
        f"{folder}: the {of} model's card doesn't name it, as it is now, among the sets it was kept apart from; faces "
        "that it learned from flatter it"
        for folder, of in comparison.perhaps_learned
    ]  # fmt: skip
    worse = ", ".join(f"{line.kind} of {line.data}" for line in comparison.worse)
    level = f"p < {comparison.level:.4f}"
    new, present = (f"{card.name} ({card.sha256[:12]})" for card in (comparison.new, comparison.present))
    verdict = (
        f"NO: {new} is worse than {present} on {worse} ({level})" if worse else
        f"YES: {new} is nowhere worse than {present} beyond chance ({level} on no line)"
    )  # fmt: skip
    return "\n".join([*rows, comparison.new.marked(verdict)])


def _row(line: Line, worse: bool) -> str:
    difference, (low, high) = line.difference
    return (
        f"| {line.data} | {line.kind} | {line.n} | {_share(line.present, line.n)} | {_share(line.new, line.n)} "
        f"| {line.only_present} | {line.only_new} | {difference:+.1%} ({low:+.1%} to {high:+.1%}) | {line.p:.4f} "
        f"| {'worse' if worse else ''} |"
    )


def _share(right: int, n: int) -> str:
    part, (low, high) = share(right, n)
    return f"{part:.1%} ({low:.1%} to {high:.1%})"
