"""Figures and their intervals, against values worked out by hand."""

import numpy as np
import pytest

from trainer.scores import release, score, threshold


def test_scores_of_a_known_table() -> None:
    labels = np.repeat([0, 1], [80, 20])
    verdicts = np.concatenate([np.repeat([0, 1], [72, 8]), np.repeat([1, 0], [19, 1])])

    scores = score(labels, verdicts)

    assert (scores.n, scores.accuracy, scores.balanced_accuracy) == (100, 0.91, 0.925)
    assert scores.recall == {"with_mask": 0.9, "without_mask": 0.95}
    # Wilson's formula: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n) with z = 1.96
    assert scores.accuracy_interval == pytest.approx((0.8377, 0.9519), abs=2e-4)
    assert scores.recall_interval["with_mask"] == pytest.approx((0.8149, 0.9485), abs=2e-4)
    assert scores.recall_interval["without_mask"] == pytest.approx((0.7639, 0.9911), abs=2e-4)
    below = ((0.9 - 0.8149) ** 2 + (0.95 - 0.7639) ** 2) ** 0.5 / 2
    above = ((0.9485 - 0.9) ** 2 + (0.9911 - 0.95) ** 2) ** 0.5 / 2
    assert scores.balanced_accuracy_interval == pytest.approx((0.925 - below, 0.925 + above), abs=2e-4)


def test_a_model_that_says_the_same_of_everything_is_worth_half() -> None:
    scores = score(np.repeat([0, 1], [90, 10]), np.zeros(100, np.intp))

    assert (scores.accuracy, scores.balanced_accuracy) == (0.9, 0.5)


@pytest.mark.parametrize("miss_cost", [0.1, 0.5, 1.0, 3.0, 20.0])
def test_the_threshold_weighs_a_miss_and_lies_between_two_steps_of_an_integer_model(miss_cost: float) -> None:
    level = threshold(miss_cost)

    assert level * 256 % 1 == 0.5
    # At the level, an alarm's cost 1 - p is silence's cost miss_cost * p, to within a step.
    assert 1 - level == pytest.approx(miss_cost * level, abs=(1 + miss_cost) / 256)
    assert 0 < release(miss_cost) < level < 1
