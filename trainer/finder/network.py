"""The face finder's network, what it is to answer for known boxes, and the loss between both."""

from typing import Any

import keras
import numpy as np

from device.heatmap import CHANNELS, OCTAVES, REACH, SMALLEST_SIDE, STRIDE, Floats
from trainer.space_to_depth import SpaceToDepth

# Spread of a face's middle over the score map, as shares of its sides, and in cells at least (TTFNet's alpha / 6).
SPREAD, LEAST_SPREAD = 0.09, 0.35
TARGETS = 7  # channels of a target: score, whether the cell counts, weight of its box, and the box: two corners in px
BOX_WEIGHT = 3.0
CERTAIN = 1e-4  # scores are kept so far from 0 and 1, where logarithms end


def finder() -> keras.Model:
    """Build the face network: uint8 luma (height, width, 1), multiples of 32 px, to the map of device.heatmap.

    Three hundred thousand weights, 52 million multiply-adds at 320 x 224. Nearly all of its work is done at strides of
    16 and 32 px, where few cells are left, in plain 3x3 convolutions, which processors do fastest; two sums on the way
    back give the fine map what the coarse ones know (Lin et al., Feature Pyramid Networks, arXiv 1612.03144).
    What lies in a square of 4 x 4 px becomes its channels first.
    """
    layers = keras.layers

    def normalised(x: Any, filters: int, kernel: int, strides: int = 1) -> Any:  # noqa: ANN401
        x = layers.Conv2D(filters, kernel, strides, "same", use_bias=False)(x)
        return layers.BatchNormalization(momentum=0.98)(x)

    def convolved(x: Any, filters: int, kernel: int, strides: int) -> Any:  # noqa: ANN401
        return layers.ReLU()(normalised(x, filters, kernel, strides))

    def residual(x: Any, narrowing: int = 2) -> Any:  # noqa: ANN401
        filters = x.shape[-1]
        y = normalised(convolved(x, filters // narrowing, 3, 1), filters, 1)
        return layers.ReLU()(layers.Add()([x, y]))

    def joined(coarse: Any, fine: Any) -> Any:  # noqa: ANN401
        y = layers.UpSampling2D(2)(normalised(coarse, fine.shape[-1], 1))
        return layers.ReLU()(layers.Add()([y, fine]))

    luma = keras.Input((None, None, 1))
    x = convolved(SpaceToDepth(4)(layers.Rescaling(1 / 255)(luma)), 16, 1, 1)
    fine = convolved(x, 32, 3, 2)
    middle = residual(residual(residual(convolved(fine, 64, 3, 2))))
    coarse = residual(residual(residual(convolved(middle, 96, 3, 2))))
    x = residual(joined(residual(joined(coarse, middle)), fine), 4)
    # Few cells hold a face: without this bias the first steps would only learn to say no.
    bias = keras.initializers.Constant([-4.0] + [0.0] * (CHANNELS - 1))
    x = layers.Conv2D(CHANNELS, 1, activation="sigmoid", bias_initializer=bias)(x)
    return keras.Model(luma, x, name="faces")


def target(boxes: Floats, ignored: Floats, columns: int, rows: int) -> Floats:
    """Return what the network is to answer, float32 (rows, columns, TARGETS).

    boxes: float32 (n, 4), left, top, width, height in px; ignored: (m, 4): in them nothing said counts.
    The score falls off around a face's middle along a Gaussian, which is also the weight of the box in each cell (Liu
    et al., Training-Time-Friendly Network, arXiv 1909.00700). Where faces meet, the smaller one has the cell.
    """
    answer = np.zeros((rows, columns, TARGETS), np.float32)
    answer[..., 1] = 1
    across, down = np.arange(columns) + 0.5, np.arange(rows) + 0.5
    for x, y, width, height in ignored / STRIDE:
        answer[np.ix_((down > y) & (down < y + height), (across > x) & (across < x + width), [1])] = 0
    for box in boxes[np.argsort(-np.prod(boxes[:, 2:], axis=1), kind="stable")]:
        middle, sides = (box[:2] + box[2:] / 2) / STRIDE, box[2:] / STRIDE
        column, row = np.clip(middle.astype(int), 0, (columns - 1, rows - 1))
        spread = np.maximum(sides * SPREAD, LEAST_SPREAD)
        score = np.outer(
            np.exp(-((np.arange(rows) - row) ** 2) / (2 * spread[1] ** 2)),
            np.exp(-((np.arange(columns) - column) ** 2) / (2 * spread[0] ** 2)),
        ).astype(np.float32)
        within = np.outer(np.abs(down - middle[1]) < REACH, np.abs(across - middle[0]) < REACH) & (score > 0.05)
        answer[within, 2] = score[within]
        answer[within, 3:] = np.concatenate([box[:2], box[:2] + box[2:]])
        answer[..., 0] = np.maximum(answer[..., 0], score)
        answer[row, column, 1] = 1
    return answer


@keras.saving.register_keras_serializable("mask-kiosk")  # type: ignore[untyped-decorator]
def finder_loss(wanted: Any, said: Any) -> Any:  # noqa: ANN401
    """Return the loss, one number: the score map's focal loss, and the boxes' generalized intersection over union.

    wanted: (batch, rows, columns, TARGETS); said: (batch, rows, columns, CHANNELS). The focal loss is CornerNet's (Law
    and Deng, arXiv 1808.01244), which asks little near a face's middle; GIoU is Rezatofighi et al., arXiv 1902.09630.
    """
    ops = keras.ops
    score, counts, weight = wanted[..., 0], wanted[..., 1], wanted[..., 2]
    p = ops.clip(said[..., 0], CERTAIN, 1 - CERTAIN)
    is_middle = ops.cast(score > 0.999, p.dtype)
    yes = -is_middle * (1 - p) ** 2 * ops.log(p)
    no = -(1 - is_middle) * counts * (1 - score) ** 4 * p**2 * ops.log(1 - p)
    faces = ops.maximum(ops.sum(is_middle), 1.0)
    boxes = ops.sum(weight * (1 - _giou(wanted[..., 3:], _corners(said)))) / ops.maximum(ops.sum(weight), 1.0)
    return ops.sum(yes + no) / faces + BOX_WEIGHT * boxes


def _corners(said: Any) -> Any:  # noqa: ANN401
    """Return the boxes of a map as (..., 4): left, top, right, bottom in px."""
    ops = keras.ops
    rows, columns = ops.shape(said)[1], ops.shape(said)[2]
    across = ops.cast(ops.arange(columns), said.dtype)[None, None, :] + 0.5
    down = ops.cast(ops.arange(rows), said.dtype)[None, :, None] + 0.5
    x = (across + (said[..., 1] - 0.5) * (2 * REACH)) * STRIDE
    y = (down + (said[..., 2] - 0.5) * (2 * REACH)) * STRIDE
    half = SMALLEST_SIDE / 2 * ops.exp(said[..., 3:5] * (OCTAVES * float(np.log(2))))
    return ops.stack([x - half[..., 0], y - half[..., 1], x + half[..., 0], y + half[..., 1]], axis=-1)


def _giou(a: Any, b: Any) -> Any:  # noqa: ANN401
    ops = keras.ops
    inner = ops.maximum(ops.minimum(a[..., 2:], b[..., 2:]) - ops.maximum(a[..., :2], b[..., :2]), 0.0)
    outer = ops.maximum(a[..., 2:], b[..., 2:]) - ops.minimum(a[..., :2], b[..., :2])
    both, hull = inner[..., 0] * inner[..., 1], outer[..., 0] * outer[..., 1]
    sides_a, sides_b = a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2]
    union = sides_a[..., 0] * sides_a[..., 1] + sides_b[..., 0] * sides_b[..., 1] - both
    return both / ops.maximum(union, 1e-6) - (hull - union) / ops.maximum(hull, 1e-6)
