"""Measures what networks and face finders cost: CPU time by turns, multiply-adds, and a known peer to compare with."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from device.tflite import TFLite
from trainer.quantize import quantize

ROUNDS, SECONDS = 15, 0.15  # contenders take turns, so that a busy machine slows them all; the least time counts
PEER = "SSD 260x260"  # cost only, untrained: shaped like AIZOO's detector, 0.75 million weights


def cpu_milliseconds(contenders: Mapping[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Return the CPU time of one call of each contender, milliseconds of all threads, in each of ROUNDS rounds."""
    for call in contenders.values():
        call()
    rounds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, call in contenders.items():
            count, begin = 0, time.process_time()
            while (spent := time.process_time() - begin) < SECONDS:
                call()
                count += 1
            rounds[name].append(spent / count * 1000)
    return rounds


def inference(content: bytes) -> Callable[[], object]:
    """Return a call that runs a .tflite once, on noise, with one thread."""
    network = TFLite(content)
    noise = np.random.default_rng(0).integers(0, 256, network.size, np.uint8)
    return lambda: network.run(noise)


def multiply_adds(content: bytes) -> int:
    """Count the multiply-adds of one inference from the convolutions and dense layers of a .tflite."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # Without the delegate, which would hide the operations in one of its own.
    interpreter = Interpreter(
        model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    shapes = {tensor["index"]: tensor["shape"] for tensor in interpreter.get_tensor_details()}
    total = 0
    for operation in interpreter._get_ops_details():
        weights = shapes[operation["inputs"][1]] if len(operation["inputs"]) > 1 else ()
        out = shapes[operation["outputs"][0]]
        if operation["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D"):  # weights: (out or 1, height, width, in or out)
            total += int(np.prod(out[1:3]) * np.prod(weights))
        elif operation["op_name"] == "FULLY_CONNECTED":
            total += int(np.prod(weights))
    return total


def peer() -> bytes:
    """Return an untrained int8 network of the peer's shape: eight 3x3 convolutions on 260x260 pixels, and heads."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    luma = keras.Input((260, 260, 1))
    x: Any = layers.Rescaling(1 / 255)(luma)
    heads = []
    for number, filters in enumerate((32, 64, 64, 64, 128, 128, 64, 64)):
        x = layers.ReLU()(layers.Conv2D(filters, 3, padding="same")(x))
        if number >= 3:
            head = layers.ReLU()(layers.Conv2D(64, 3, padding="same")(x))
            heads += [layers.GlobalAveragePooling2D()(layers.Conv2D(24, 3, padding="same")(head))]
        if number < 6:
            x = layers.MaxPooling2D(2)(x)
    network = keras.Model(luma, layers.Softmax()(layers.Dense(2)(layers.Concatenate()(heads))))
    return quantize(network, np.random.default_rng(0).integers(0, 256, (4, 260, 260), np.uint8))
