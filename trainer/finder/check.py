"""Trains the face finder's check: a small network that says of a place that the finder names whether a face is there.

It learns from what the finder itself names in composed pictures: there its mistakes are, and they are told from faces
in more pixels than the finder has of them.
"""

import math
import sys
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from device.faces import Luma
from trainer.cache import write_array
from trainer.finder.crops import SIZE, Crops
from trainer.finder.lay import Floats
from trainer.interrupts import BetweenBatches
from trainer.runs import State
from trainer.space_to_depth import SpaceToDepth
from trainer.training import FROM_WEIGHTS, StateKeeper, best_checkpoint, falling_rate, resumed

BATCH, STEPS = 256, 500  # crops; batches an epoch
ASKED_AT_ONCE = 4096  # crops
LEARNING_RATE, WEIGHT_DECAY, SMOOTHING = 3e-3, 1e-3, 0.02
TURN, ENLARGED, SHIFT = 6.0, 0.06, 0.03  # spread of the changes: degrees, of the size's logarithm, of the crop's side
CONTRAST, BRIGHTNESS = 0.25, 12.0  # spread of the changes: of the contrast's logarithm, and in grey levels
# Errors, 0-1: what is added to each, so that no crop is never drawn, and above which they count alike.
LEAST_ERROR, MOST_ERROR = 0.06, 0.5


def check() -> keras.Model:
    """Build the network: uint8 luma (SIZE, SIZE, 1) to one logit. 190 thousand weights, 7 million multiply-adds.

    Squares of 2 x 2 px become channels first; 2 x 2 such cells then show its first layer 4 x 4 px.
    """
    layers = keras.layers

    def normalised(x: Any) -> Any:  # noqa: ANN401
        return layers.BatchNormalization(momentum=0.97)(x)

    def convolved(x: Any, filters: int, kernel: int, strides: int) -> Any:  # noqa: ANN401
        x = layers.Conv2D(filters, kernel, strides, "same", use_bias=False)(x)
        return layers.ReLU()(normalised(x))

    luma = keras.Input((SIZE, SIZE, 1))
    x = convolved(SpaceToDepth(2)(layers.Rescaling(1 / 255)(luma)), 24, 2, 1)
    for filters, strides in ((40, 2), (40, 1), (64, 2), (64, 1), (80, 2), (80, 1)):
        y = convolved(x, filters, 3, strides)
        x = layers.Add()([x, y]) if x.shape == y.shape else y
    x = normalised(layers.DepthwiseConv2D(x.shape[1:3], use_bias=False)(x))
    x = layers.Dropout(0.2)(layers.Flatten()(x))
    return keras.Model(luma, layers.Dense(1, name="logit")(x), name="check")


class Changed(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of crops drawn by lot, turned, moved, mirrored and lit anew; by seed and epoch.

    Crops with larger errors are drawn oftener and count less each, so that all count as they would if all were drawn
    alike, but the gradient varies less (Katharopoulos and Fleuret, Not All Samples Are Created Equal, ICML 2018).
    """

    def __init__(self, crops: Crops, errors: Floats, seed: int, epoch: int) -> None:
        """Begin with this epoch. errors: float32 (n,), 0-1, of the crops; all the same where none are known."""
        super().__init__(workers=2)
        self._crops, self._seed, self._epoch = crops, seed, epoch
        odds = np.minimum(errors, MOST_ERROR).astype(np.float64) + LEAST_ERROR
        self._until = np.cumsum(odds) / odds.sum()
        self._counts = (odds.mean() / odds).astype(np.float32)

    def __len__(self) -> int:
        return STEPS

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's crops."""
        self._epoch += 1

    def __getitem__(self, index: int) -> tuple[Luma, Floats, Floats]:
        rng = np.random.default_rng([self._seed, self._epoch, index])
        chosen = np.searchsorted(self._until, rng.random(BATCH), "right").clip(max=len(self._until) - 1)
        lumas = self._crops.lumas[chosen].astype(np.float32)
        for luma in lumas:
            luma[:] = cv2.warpAffine(luma, _otherwise(rng), (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
        contrast, brightness = np.exp(rng.normal(0, CONTRAST, BATCH)), rng.normal(0, BRIGHTNESS, BATCH)
        changed = (lumas - 128) * _each(contrast) + 128 + _each(brightness)
        lit = np.clip(changed, 0, 255).astype(np.uint8)[..., np.newaxis]
        return lit, self._crops.is_face[chosen], self._counts[chosen]


def _otherwise(rng: np.random.Generator) -> Floats:
    """Return the 2x3 matrix that turns, enlarges, shifts and, half the time, mirrors a crop."""
    middle = (SIZE - 1) / 2
    turned = cv2.getRotationMatrix2D((middle, middle), rng.normal(0, TURN), math.exp(rng.normal(0, ENLARGED)))
    across, down, shift = turned.astype(np.float32).T
    shift += rng.normal(0, SHIFT * SIZE, 2).astype(np.float32)
    if rng.random() < 0.5:
        across, shift = -across, shift + (SIZE - 1) * across
    return np.stack([across, down, shift], axis=1)


def _each(values: npt.NDArray[np.float64]) -> Floats:
    return values.astype(np.float32)[:, np.newaxis, np.newaxis]


def train_check(
    folder: Path, state: State, learned: Crops, watched: Crops, epochs: int, seed: int, start: Any = None,  # noqa: ANN401
) -> State:
    """Train until `epochs` are done, from where the state left off, or from a network's weights; return the state then.

    KeyboardInterrupt passes through; what the last finished epoch left in the run's folder stays usable.
    """
    if state.epochs >= epochs:
        return state
    keras.utils.set_random_seed(seed)
    network: Any = resumed(state, folder) if state.last else _compiled(start)
    errors = errors_of(start, learned, folder / "errors.npy") if start else np.zeros(len(learned.is_face), np.float32)
    keeper = StateKeeper(state, folder, {})
    with BetweenBatches() as interrupts:
        network.fit(
            Changed(learned, errors, seed, state.epochs),
            validation_data=(watched.lumas[..., np.newaxis], watched.is_face), validation_batch_size=BATCH,
            epochs=epochs, initial_epoch=state.epochs, shuffle=False,
            callbacks=[falling_rate(LEARNING_RATE * (FROM_WEIGHTS if start else 1), epochs),
                       best_checkpoint(state, folder), interrupts, keeper],
            verbose=1 if sys.stdout.isatty() else 2,
        )  # fmt: skip
    return keeper.state


def errors_of(network: Any, crops: Crops, kept: Path) -> Floats:  # noqa: ANN401
    """Return how far a network is off about each crop, float32 (n,), 0-1; asked once, the file keeps it."""
    if not kept.exists():
        parts, answers = range(0, len(crops.lumas), ASKED_AT_ONCE), []
        with BetweenBatches() as interrupts:
            for i in tqdm(parts, "asking", unit=f"{ASKED_AT_ONCE} crops", disable=None):
                lumas = np.asarray(crops.lumas[i : i + ASKED_AT_ONCE])[..., np.newaxis]
                answers.append(network.predict(lumas, BATCH, verbose=0, callbacks=[interrupts])[:, 0])
        errors = np.abs(1 / (1 + np.exp(-np.concatenate(answers))) - crops.is_face)
        write_array(kept, errors.astype(np.float32))
    return np.asarray(np.load(kept), np.float32)


def _compiled(start: Any) -> Any:  # noqa: ANN401
    network = check() if start is None else start
    loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=SMOOTHING)
    network.compile(keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY), loss)
    return network
