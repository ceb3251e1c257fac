"""Turns a network's logits into probabilities that hold: one temperature, found on validation photos."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from trainer.augment import photograph_again
from trainer.dataset import Dataset
from trainer.photos import LABELS
from trainer.training import AT_ONCE, predict

LOGITS = "logits"  # the layer that is divided; a network without one keeps its scores
RANGE = (0.1, 10.0)  # of temperatures


def calibrate(network: Any, dataset: Dataset, validation: npt.NDArray[np.intp], seed: int) -> float:  # noqa: ANN401
    """Divide the network's logits, in place, by the temperature that makes its scores likeliest, and return it.

    Temperature scaling (Guo et al., ICML 2017) on the validation photos, each as it is and photographed again, because
    a door's pictures are worse than most; both classes weigh the same. No verdict at a threshold of one half changes.
    """
    if LOGITS not in {layer.name for layer in network.layers}:
        return 1.0
    rng = np.random.default_rng([seed, len(validation)])
    layer = network.get_layer(LOGITS)
    unscaled = keras.Model(network.inputs, layer.output)
    logits = [predict(unscaled, dataset.crops, validation)]
    for start in range(0, len(validation), AT_ONCE):
        wide = [dataset.wide[i] for i in validation[start : start + AT_ONCE]]
        logits += [predict(unscaled, np.stack([photograph_again(rng, crop, dataset.size) for crop in wide]))]
    temperature = find_temperature(np.concatenate(logits), np.tile(dataset.labels[validation], 2))
    layer.set_weights([weights / temperature for weights in layer.get_weights()])
    return temperature


def find_temperature(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.intp]) -> float:
    """Return what to divide logits, float32 (n, labels), by for the least cross-entropy; classes weigh the same."""
    shares = np.bincount(labels, minlength=len(LABELS))[labels]

    def loss(log_temperature: float) -> float:
        scores = log_softmax(logits / np.exp(log_temperature), axis=1)
        return float(-(scores[np.arange(len(labels)), labels] / shares).sum())

    return float(np.exp(minimize_scalar(loss, bounds=np.log(RANGE), method="bounded").x))
