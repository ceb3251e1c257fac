"""A layer that turns squares of pixels into channels."""

from typing import Any

import keras


@keras.saving.register_keras_serializable("mask-kiosk")
class SpaceToDepth(keras.layers.Layer):  # type: ignore[misc]
    """Turns each square of side x side cells of one channel into the channels of one cell, row by row.

    Networks for luma pictures begin with it, because the first convolution has but one channel to read otherwise, which
    leaves integer units mostly idle: they take many channels of a cell at once.
    """

    def __init__(self, side: int, **given: Any) -> None:  # noqa: ANN401
        super().__init__(**given)
        self.side = side

    def call(self, cells: Any) -> Any:  # noqa: ANN401
        """Return (batch, rows / side, columns / side, side**2) of cells (batch, rows, columns, 1)."""
        import tensorflow as tf

        return tf.nn.space_to_depth(cells, self.side)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of what `call` returns; None stays open."""
        batch, rows, columns, _ = shape
        return batch, rows and rows // self.side, columns and columns // self.side, self.side**2

    def get_config(self) -> dict[str, Any]:
        """Return what makes this layer again."""
        return {**super().get_config(), "side": self.side}
