"""The networks that can be trained, by name."""

from collections.abc import Callable
from typing import Any

import keras

from trainer.photos import LABELS


def simple(size: int) -> keras.Model:
    """Build the original notebook's network for uint8 luma crops (size, size, 1); it gives one score a label, 0-1.

    Scaling to 0-1 is its first layer, so that whoever runs it needs to know nothing about it.
    """
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((size, size, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(200, 3),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Conv2D(100, 3),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(50, activation="relu"),
            layers.Dense(len(LABELS), activation="softmax"),
        ],
        name="simple",
    )


NETWORKS: dict[str, Callable[[int], Any]] = {"simple": simple}
