"""Turns labels and verdicts into the figures of a card: accuracy, recall, balanced accuracy, with 95 % intervals."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from trainer.photos import BARE, LABELS, MASKED

Interval = tuple[float, float]
STEPS = 256  # that an integer model's scores have from 0 to 1
DIGITS = 4  # after the point: a photo more or less shows in any set of under 10,000


@dataclass(frozen=True)
class Scores:
    """How often verdicts were right. Shares are 0-1, intervals cover 95 %."""

    n: int
    accuracy: float
    accuracy_interval: Interval
    balanced_accuracy: float
    balanced_accuracy_interval: Interval
    recall: dict[str, float]
    recall_interval: dict[str, Interval]


def threshold(miss_cost: float) -> float:
    """Return from which score of the alarm label an alarm costs less than silence, 0-1.

    miss_cost: what a missed bare face costs, in false alarms. Scores are taken for probabilities: an alarm at score p
    costs 1 - p, silence costs miss_cost * p. The threshold lies between two of the steps that an integer model's scores
    have: on a step, rounding would decide ties.
    """
    return (round(STEPS / (1 + miss_cost)) + 0.5) / STEPS


def release(miss_cost: float) -> float:
    """Return below which score an alarm ends: where it would begin if a miss cost twice as much."""
    return threshold(2 * miss_cost)


def verdicts(scores: npt.NDArray[np.float32], level: float) -> npt.NDArray[np.intp]:
    """Return label indices (n,) of scores (n, 2): the alarm label from this level on, 0-1."""
    return np.where(scores[:, BARE] >= level, BARE, MASKED).astype(np.intp)


def score(labels: npt.NDArray[np.intp], found: npt.NDArray[np.intp]) -> Scores:
    """Compare the verdicts found, indices into LABELS of shape (n,), with the true labels; both classes must be there.

    Shares have Wilson intervals. Balanced accuracy is the mean of the recalls; its interval joins theirs by the MOVER
    rule (Zou and Donner, Statistics in Medicine 27, 2008).
    """
    right = labels == found
    accuracy, accuracy_interval = share(int(right.sum()), len(labels))
    shares = [share(int(right[labels == i].sum()), int((labels == i).sum())) for i in range(len(LABELS))]
    balanced = sum(recall for recall, _ in shares) / len(shares)
    below = math.hypot(*(recall - low for recall, (low, _) in shares)) / len(shares)
    above = math.hypot(*(high - recall for recall, (_, high) in shares)) / len(shares)
    return Scores(
        n=len(labels),
        accuracy=accuracy,
        accuracy_interval=accuracy_interval,
        balanced_accuracy=round(balanced, DIGITS),
        balanced_accuracy_interval=(round(balanced - below, DIGITS), round(balanced + above, DIGITS)),
        recall={name: part[0] for name, part in zip(LABELS, shares, strict=True)},
        recall_interval={name: part[1] for name, part in zip(LABELS, shares, strict=True)},
    )


def right_share(labels: npt.NDArray[np.intp], found: npt.NDArray[np.intp]) -> tuple[float, Interval]:
    """Return the balanced accuracy of verdicts, or, where all labels are one class, the share that is right."""
    if len(set(labels.tolist())) == len(LABELS):
        scores = score(labels, found)
        return scores.balanced_accuracy, scores.balanced_accuracy_interval
    return share(int((labels == found).sum()), len(labels))


def share(hits: int, n: int) -> tuple[float, Interval]:
    """Return hits / n and its Wilson interval."""
    interval = binomtest(hits, n).proportion_ci(method="wilson")
    return round(hits / n, DIGITS), (round(float(interval.low), DIGITS), round(float(interval.high), DIGITS))
