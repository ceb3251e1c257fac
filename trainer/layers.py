"""Turns a network into a table of its layers: what each gives, its weights, and its multiply-adds."""

from typing import Any, NamedTuple

import numpy as np

from trainer.networks import NETWORKS


class Layer(NamedTuple):
    """One row of a table of layers."""

    what: str
    gives: str  # height x width x channels
    weights: int
    multiply_adds: int


def layers_text(name: str) -> str:
    """Return a table of a network's layers, and their sums."""
    rows = layers_of(NETWORKS[name].build(NETWORKS[name].size))
    lines = ["| layer | gives | weights | million multiply-adds |", "| --- | --- | ---: | ---: |"]
    for row in [*rows, Layer("**all**", "", sum(row.weights for row in rows), sum(row.multiply_adds for row in rows))]:
        weights = f"{row.weights:,}" if row.weights else ""
        millions = f"{row.multiply_adds / 1e6:.2f}" if row.multiply_adds else ""
        lines.append(f"| {row.what} | {row.gives} | {weights} | {millions} |")
    return "\n".join(lines) + "\n"


def layers_of(network: Any) -> list[Layer]:  # noqa: ANN401
    """Return a Keras network's layers; normalisation and ReLU belong to the layer before them."""
    rows: list[Layer] = []
    for layer in network.layers:
        shape = layer.output.shape[1:]
        kernel = layer.kernel.shape if hasattr(layer, "kernel") else ()
        places = int(np.prod(shape[:2])) if len(shape) == 3 else 1
        if what := _words(layer):
            gives = " x ".join(map(str, shape))
            rows.append(Layer(what, gives, layer.count_params(), places * int(np.prod(kernel)) if kernel else 0))
        elif layer.count_params():
            rows[-1] = rows[-1]._replace(weights=rows[-1].weights + layer.count_params())
    return rows


def _words(layer: Any) -> str:  # noqa: ANN401
    step = f", step {layer.strides[0]}" if getattr(layer, "strides", (1, 1))[0] > 1 else ""
    size = "x".join(map(str, getattr(layer, "kernel_size", ())))
    match kind := type(layer).__name__:
        case "Conv2D" | "DepthwiseConv2D":
            return f"{'depthwise ' if kind.startswith('Depth') else ''}convolution {size}{step}"
        case "SpaceToDepth":
            return f"squares of {layer.side}x{layer.side} to channels"
        case "MaxPooling2D":
            return f"maximum of {'x'.join(map(str, layer.pool_size))}"
        case "Flatten" | "Dense":
            return kind.lower()
    return ""
