"""Turns a dataset into batches: photos as they are, or augmented so that a photo's source doesn't tell its class."""

import math

import keras
import numpy as np
import numpy.typing as npt

from device.faces import Luma
from trainer.augment import photograph_again
from trainer.dataset import Dataset
from trainer.photo_accessories import draw_glasses, draw_headwear
from trainer.photo_covers import draw_beside, draw_cover
from trainer.photo_masks import draw_mask, draw_worn_wrong
from trainer.photos import BARE, LABELS, MASKED

SOURCE_POWER = 0.6  # a source is seen as its size to this power: 1 lets the largest win, 0 repeats the smallest
DRAWN_SHARE = 0.25  # how often a photo whose mask was drawn is taken when it comes up: few kinds of mask, many copies
DRAWN_MASK = 0.32  # share of the masked photos that are a bare face with a mask drawn on it, where a source has masks
DRAWN_COVER = 0.30  # share of the bare photos that get a hand or something else before the mouth
DRAWN_WRONG = 0.12  # share of the bare photos that get a mask worn wrong
# Shares of all photos, so that what is drawn doesn't tell the class.
DRAWN_BESIDE = 0.10
DRAWN_GLASSES = 0.12
DRAWN_HEADWEAR = 0.06
PHOTOS = 2  # of each face as drawn, in one batch: drawing costs more than a photo and learning from it
SMOOTHING = 0.03  # labels are 0.985 and 0.015: some are wrong


class InOrder(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of (uint8 (batch, size, size), float32 (batch, labels)) of photos as they are, each once an epoch.

    Only the batches at hand are in memory. With a seed each epoch has an order of its own; without one they come in the
    order of `chosen`.
    """

    def __init__(
        self, dataset: Dataset, chosen: npt.NDArray[np.intp], batch: int, seed: int | None = None, epoch: int = 0
    ) -> None:
        """Give the photos `chosen`, beginning with this epoch."""
        super().__init__()
        self._crops, self._labels, self._chosen = dataset.crops, dataset.labels, chosen
        self._batch, self._seed, self._epoch = batch, seed, epoch
        self._order = self._shuffled()

    def __len__(self) -> int:
        return math.ceil(len(self._chosen) / self._batch)

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's order."""
        self._epoch += 1
        self._order = self._shuffled()

    def _shuffled(self) -> npt.NDArray[np.intp]:
        if self._seed is None:
            return self._chosen
        return np.random.default_rng([self._seed, self._epoch]).permutation(self._chosen)

    def __getitem__(self, index: int) -> tuple[Luma, npt.NDArray[np.float32]]:
        photos = self._order[index * self._batch : (index + 1) * self._batch]
        return self._crops[photos], np.eye(len(LABELS), dtype=np.float32)[self._labels[photos]]


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of (uint8 (batch, size, size, 1), float32 (batch, labels)); the same seed and epoch give the same ones.

    A source is drawn first, then a class, evenly; a source without masks shows drawn ones on its bare faces instead,
    one without bare faces shows its masks.
    """

    def __init__(self, dataset: Dataset, chosen: npt.NDArray[np.intp], batch: int, batches: int, seed: int,
                 epoch: int) -> None:
        """Sample from the photos `chosen`, `batches` times `batch` an epoch, beginning with this epoch."""
        super().__init__(workers=2, max_queue_size=12)  # threads: OpenCV's work, the most of it, needs no interpreter
        self._wide, self._size = dataset.wide, dataset.size
        self._batch, self._batches, self._seed, self._epoch = batch, batches, seed, epoch
        sources = np.array(dataset.sources)[chosen]
        names, counts = np.unique(sources, return_counts=True)
        self._shares = counts**SOURCE_POWER / (counts**SOURCE_POWER).sum()
        plain = np.array([not name for name in dataset.slices])
        self._pools = []
        for name in names:
            of_source = chosen[sources == name]
            masked, bare = (of_source[dataset.labels[of_source] == label] for label in (MASKED, BARE))
            self._pools.append((_weighted(masked, dataset), _weighted(bare, dataset), bare[plain[bare]]))

    def __len__(self) -> int:
        return self._batches

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's photos."""
        self._epoch += 1

    def __getitem__(self, index: int) -> tuple[Luma, npt.NDArray[np.float32]]:
        rng = np.random.default_rng([self._seed, self._epoch, index])
        faces = [self._face(rng) for _ in range(self._batch // PHOTOS)]
        labels = np.full((len(faces), len(LABELS)), SMOOTHING / len(LABELS), np.float32)
        labels[np.arange(len(faces)), [label for _, label in faces]] += 1 - SMOOTHING
        photos = [photograph_again(rng, wide, self._size) for wide, _ in faces for _ in range(PHOTOS)]
        return np.stack(photos)[..., np.newaxis], np.repeat(labels, PHOTOS, axis=0)

    def _face(self, rng: np.random.Generator) -> tuple[Luma, int]:
        masked, bare, plain = self._pools[rng.choice(len(self._pools), p=self._shares)]
        label = int(rng.integers(2))
        if label == MASKED and not len(masked[0]) and not len(plain):
            label = BARE  # nothing but masks worn wrong
        if label == MASKED and len(plain) and (not len(masked[0]) or rng.random() < DRAWN_MASK):
            wide = draw_mask(rng, self._wide[rng.choice(plain)])
        elif label == MASKED or not len(bare[0]):
            label, wide = MASKED, self._wide[rng.choice(masked[0], p=masked[1])]
        else:
            wide, kind = self._wide[rng.choice(bare[0], p=bare[1])], rng.random()
            if len(plain) and kind < DRAWN_COVER + DRAWN_WRONG:
                change = draw_cover if kind < DRAWN_COVER else draw_worn_wrong
                wide = change(rng, self._wide[rng.choice(plain)])
        for share, draw in ((DRAWN_BESIDE, draw_beside), (DRAWN_GLASSES, draw_glasses),
                            (DRAWN_HEADWEAR, draw_headwear)):
            if rng.random() < share:
                wide = draw(rng, wide)
        return wide, label


def _weighted(
    photos: npt.NDArray[np.intp], dataset: Dataset
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    weights = np.where(dataset.drawn[photos], DRAWN_SHARE, 1.0)
    return photos, weights / max(weights.sum(), 1e-9)
