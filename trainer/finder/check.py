"""Trains the face finder's check: a small network that says of a place that the finder names whether a face is there.

It learns from what the finder itself names in composed pictures: there its mistakes are, and they are told from faces
in more pixels than the finder has of them.
"""

import math
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import cv2
import keras
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from device.crop import crop_face
from device.faces import Luma
from device.finders import OwnFaceFinder
from device.heatmap import HEIGHT, WIDTH
from trainer.cache import GrowingArray, whole_folder
from trainer.finder.compose import Composer
from trainer.finder.lay import Floats
from trainer.finder.matching import SMALLEST_SHARE
from trainer.finder.photograph import photograph
from trainer.finder.scenes import intersection_over_union
from trainer.runs import State
from trainer.space_to_depth import SpaceToDepth
from trainer.training import StateKeeper, best_checkpoint, falling_rate, read_network

SIZE, MARGIN = 48, 0.35  # px of a crop, and what it shows around the face: hair, neck and shoulders tell a head
FROM_SCORE = 0.15  # of the face network: lower ones hold one face in a hundred, and cost as much each
LEARNED_FROM_SCORE = 0.06  # the same, to learn from: more of what is no face
PICTURES, WATCHED_PICTURES, AT_ONCE = 300_000, 6_000, 200
LUMAS, ANSWERS = "lumas.npy", "is_face.npy"  # files of a folder of crops
# Sides of a composed picture in those of the face network's, and how often: cameras give more pixels than it sees.
LARGER, SHARES = (1.0, 1.5, 2.0), (0.25, 0.25, 0.5)
# Intersection over union with a true face's box, from which a place is one, and below which it is none.
IS_FACE, IS_NONE = 0.4, 0.2
SMALLEST = 0.8 * SMALLEST_SHARE  # of the picture's height: of smaller places nothing is asked

BATCH, STEPS = 256, 500  # crops; batches an epoch
LEARNING_RATE, WEIGHT_DECAY, SMOOTHING = 3e-3, 1e-3, 0.02
TURN, ENLARGED, SHIFT = 6.0, 0.06, 0.03  # spread of the changes: degrees, of the size's logarithm, of the crop's side
CONTRAST, BRIGHTNESS = 0.25, 12.0  # spread of the changes: of the contrast's logarithm, and in grey levels


class Crops(NamedTuple):
    """What the face network named, cut out."""

    lumas: Luma  # uint8 (n, SIZE, SIZE)
    is_face: Floats  # float32 (n,): 1 or 0


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


def crops_in(folder: Path, composer: Composer, model: Path, pictures: int, seed: int, threads: int) -> Crops:
    """Return the crops that lie in a folder; where there is none yet, they are cut and put there.

    Composed pictures are searched by a face network, given by its .tflite. A seed gives the same crops again.
    """
    if not folder.is_dir():
        with whole_folder(folder) as partial:
            _cut(partial, composer, model, pictures, seed, threads)
    return Crops(np.load(folder / LUMAS, mmap_mode="r"), np.load(folder / ANSWERS).astype(np.float32))


def _cut(folder: Path, composer: Composer, model: Path, pictures: int, seed: int, threads: int) -> None:
    parts = range(pictures // AT_ONCE)
    free = SimpleQueue[OwnFaceFinder]()  # one for each thread
    for _ in range(threads):
        free.put(OwnFaceFinder(model))

    def cut_part(part: int) -> list[tuple[Luma, bool]]:
        finder = free.get()
        try:
            return list(_named(composer, finder, np.random.default_rng([seed, part])))
        finally:
            free.put(finder)

    with (
        GrowingArray(folder / LUMAS, (SIZE, SIZE)) as lumas,
        GrowingArray(folder / ANSWERS, ()) as answers,
        ThreadPoolExecutor(threads) as pool,
    ):
        try:
            cut = pool.map(cut_part, parts)
            for some in tqdm(cut, "cutting", len(parts), unit=f"{AT_ONCE} pictures", disable=None):
                for luma, is_face in some:
                    lumas.append(luma)
                    answers.append(np.array(is_face, np.uint8))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _named(composer: Composer, finder: OwnFaceFinder, rng: np.random.Generator) -> Iterator[tuple[Luma, bool]]:
    for _ in range(AT_ONCE):
        larger = rng.choice(LARGER, p=SHARES)
        canvas, faces, ignored = composer.compose(rng, round(WIDTH * larger), round(HEIGHT * larger))
        luma = photograph(rng, canvas, faces)
        for place in finder.places(luma, LEARNED_FROM_SCORE):
            box = np.array(place.box, np.float32)
            fits, unsure = (float(intersection_over_union(of, box).max(initial=0)) for of in (faces, ignored))
            clear = (fits >= IS_FACE or fits < IS_NONE) and unsure <= max(IS_NONE, fits)
            if clear and place.box.height >= SMALLEST * luma.shape[0]:
                yield crop_face(luma, place.box, MARGIN, SIZE), fits >= IS_FACE


class Changed(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of crops drawn by lot, turned, moved, mirrored and lit anew; by seed and epoch."""

    def __init__(self, crops: Crops, seed: int, epoch: int) -> None:
        """Begin with this epoch."""
        super().__init__(workers=2)
        self._crops, self._seed, self._epoch = crops, seed, epoch

    def __len__(self) -> int:
        return STEPS

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's crops."""
        self._epoch += 1

    def __getitem__(self, index: int) -> tuple[Luma, Floats]:
        rng = np.random.default_rng([self._seed, self._epoch, index])
        chosen = rng.integers(len(self._crops.lumas), size=BATCH)
        lumas = self._crops.lumas[chosen].astype(np.float32)
        for luma in lumas:
            luma[:] = cv2.warpAffine(luma, _otherwise(rng), (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
        contrast, brightness = np.exp(rng.normal(0, CONTRAST, BATCH)), rng.normal(0, BRIGHTNESS, BATCH)
        changed = (lumas - 128) * _each(contrast) + 128 + _each(brightness)
        return np.clip(changed, 0, 255).astype(np.uint8)[..., np.newaxis], self._crops.is_face[chosen]


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


def train_check(folder: Path, state: State, learned: Crops, watched: Crops, epochs: int, seed: int) -> State:
    """Train until `epochs` are done, from where the state left off; return the state then.

    KeyboardInterrupt passes through; what the last finished epoch left in the run's folder stays usable.
    """
    if state.epochs >= epochs:
        return state
    keras.utils.set_random_seed(seed + state.epochs)
    network: Any = read_network(folder / state.last) if state.last else _compiled()
    keeper = StateKeeper(state, folder, {})
    network.fit(
        Changed(learned, seed, state.epochs), validation_data=(watched.lumas[..., np.newaxis], watched.is_face),
        validation_batch_size=BATCH, epochs=epochs, initial_epoch=state.epochs, shuffle=False,
        callbacks=[falling_rate(LEARNING_RATE, epochs), best_checkpoint(state, folder), keeper],
        verbose=1 if sys.stdout.isatty() else 2,
    )  # fmt: skip
    return keeper.state


def _compiled() -> Any:  # noqa: ANN401
    network = check()
    loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=SMOOTHING)
    network.compile(keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY), loss)
    return network
