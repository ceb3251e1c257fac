"""Trains the face finder on composed pictures, epoch by epoch, so that it can be stopped and gone on with."""

import sys
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np

from device.faces import Luma
from device.heatmap import HEIGHT, STRIDE, WIDTH
from trainer.finder.compose import Composer
from trainer.finder.lay import Floats
from trainer.finder.material import FinderMaterial
from trainer.finder.network import finder, finder_loss, target
from trainer.finder.photograph import photograph
from trainer.interrupts import BetweenBatches
from trainer.photos import PhotosError
from trainer.runs import State
from trainer.training import FROM_WEIGHTS, StateKeeper, best_checkpoint, falling_rate, resumed

STEPS = 250  # an epoch
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-3
# Until which share of the epochs each canvas is used: width, height, pictures a batch. Small ones come first, of which
# four times as many cost the same; only on the last, the device's own, the largest faces fit. A training that goes on
# from another's weights uses that one alone.
CANVASES = ((0.4, 160, 128, 84), (0.7, 224, 160, 48), (1.0, WIDTH, HEIGHT, 24))
VALIDATION_BATCHES = 12  # on the device's canvas


class Compositions(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of (uint8 (batch, height, width, 1), targets); the same seed and epoch give the same ones."""

    def __init__(self, composer: Composer, canvas: tuple[int, int, int], batches: int, seed: int, epoch: int) -> None:
        """Compose `batches` an epoch of canvas (width, height, pictures a batch), beginning with this epoch."""
        super().__init__(workers=2, max_queue_size=12)  # threads, as in trainer.sampling
        self._composer, self._canvas, self._batches = composer, canvas, batches
        self._seed, self._epoch = seed, epoch

    def __len__(self) -> int:
        return self._batches

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's pictures."""
        self._epoch += 1

    def __getitem__(self, index: int) -> tuple[Luma, Floats]:
        rng = np.random.default_rng([self._seed, self._epoch, index])
        width, height, count = self._canvas
        photos, answers = [], []
        for _ in range(count // 2):
            canvas, *boxes = self._composer.compose(rng, width, height)
            # Twice, once mirrored: composing costs as much as learning, and light and noise differ.
            for luma, (faces, ignored) in ((canvas, boxes), (canvas[:, ::-1], [_mirrored(b, width) for b in boxes])):
                photos.append(photograph(rng, luma, faces))
                answers.append(target(faces, ignored, width // STRIDE, height // STRIDE))
        return np.stack(photos)[..., np.newaxis], np.stack(answers)


def _mirrored(boxes: Floats, width: int) -> Floats:
    return np.concatenate([width - boxes[:, :1] - boxes[:, 2:3], boxes[:, 1:]], axis=1)


def train_finder(
    folder: Path, state: State, material: FinderMaterial, epochs: int, seed: int, start: Any = None,  # noqa: ANN401
) -> State:
    """Train until `epochs` are done, from where the state left off, or from a network's weights; return the state then.

    KeyboardInterrupt passes through; what the last finished epoch left in the run's folder stays usable.
    """
    cv2.setNumThreads(1)
    keras.utils.set_random_seed(seed)
    network: Any = resumed(state, folder) if state.last else _compiled(start)
    unseen = Compositions(material.validation, (WIDTH, HEIGHT, 24), VALIDATION_BATCHES, seed, 0)
    held = [unseen[i] for i in range(VALIDATION_BATCHES)]
    held_data = tuple(np.concatenate(parts) for parts in zip(*held, strict=True))
    for end, canvas in phases(epochs, start is not None):
        if state.epochs >= end:
            continue
        keeper = StateKeeper(state, folder, {})
        with BetweenBatches() as interrupts:
            network.fit(
                Compositions(material.composer, canvas, STEPS, seed, state.epochs),
                validation_data=held_data,
                validation_batch_size=24,
                epochs=end,
                initial_epoch=state.epochs,
                shuffle=False,  # they are drawn by lot already, and a resumed run has to see them in the same order
                callbacks=[falling_rate(LEARNING_RATE * (FROM_WEIGHTS if start else 1), epochs),
                           best_checkpoint(state, folder), interrupts, keeper],
                verbose=1 if sys.stdout.isatty() else 2,
            )
        state = keeper.state
    return state


def phases(epochs: int, started: bool) -> list[tuple[int, tuple[int, int, int]]]:
    """Return after which epoch each canvas ends, and the canvas: width, height, pictures a batch."""
    if started:
        return [(epochs, CANVASES[-1][1:])]
    return [(round(share * epochs), (width, height, batch)) for share, width, height, batch in CANVASES]


def samples(done: int, epochs: int, started: bool) -> int:
    """Return how many pictures `done` epochs of `epochs` have shown."""
    begin = pictures = 0
    for end, (*_, batch) in phases(epochs, started):
        pictures += max(0, min(done, end) - begin) * STEPS * batch
        begin = end
    return pictures


def read_start(path: Path, like: Any, name: str, seed: int) -> Any:  # noqa: ANN401
    """Return the network of a .keras, to go on from its weights. Raises PhotosError if it isn't one like this one.

    name: of the file in models/ that holds such a network. seed: of what it drops out.
    """
    keras.utils.set_random_seed(seed)  # layers that draw by lot take their seeds when they are loaded
    try:
        network = keras.saving.load_model(path, compile=False)
        shapes = network.input_shape, network.output_shape
    except Exception as error:  # Keras names none for what it can't read
        raise PhotosError(
            f"{path}: Keras can't read it as a network, expected one as models/{name}.keras: check START"
        ) from error
    if shapes != (like.input_shape, like.output_shape):
        raise PhotosError(
            f"{path}: its network takes {shapes[0]} and gives {shapes[1]}, expected {like.input_shape} and "
            f"{like.output_shape}, as models/{name}.keras: check START"
        )
    return network


def _compiled(start: Any) -> Any:  # noqa: ANN401
    network = finder() if start is None else start
    network.compile(keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY), finder_loss)
    return network
