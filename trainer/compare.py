"""Turns several .tflite models and measuring folders into one table and one plot: accuracy against what it costs."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from matplotlib.figure import Figure

from device.model_card import read_card
from device.tflite import TFLite
from trainer.cache import write_whole
from trainer.convert import quantize
from trainer.evaluate import evaluate
from trainer.photos import BOXES_TABLE

ROUNDS, SECONDS = 5, 0.4  # the models take turns, so that a busy machine slows them all; the least time counts
PEER = "SSD 260x260"  # cost only, untrained: shaped like AIZOO's detector, 0.75 million weights


@dataclass(frozen=True)
class Row:
    """One model in the table."""

    name: str
    kilobytes: float  # of 1000 bytes
    multiply_adds: float  # millions an inference
    cpu_ms: float  # of one thread, an inference
    accuracy: dict[str, float]  # balanced, 0-1, on each folder


def compare(models: Sequence[Path], folders: Sequence[Path], cropped: bool) -> list[Row]:
    """Measure models, given by the paths of their .tflite, on folders of photos, crops or scenes; the peer comes last.

    `cropped` says that folders of plain photos hold face crops. Raises ModelError or PhotosError.
    """
    contents = {path.stem: read_card(path)[1] for path in models} | {PEER: peer()}
    milliseconds = cpu_milliseconds(contents)
    accuracy: dict[str, dict[str, float]] = {PEER: {}}
    for path in models:
        accuracy[path.stem] = {
            folder.name: evaluate(str(path), folder, cropped and not (folder / BOXES_TABLE).exists()).balanced_accuracy
            for folder in folders
        }
    return [
        Row(name, len(content) / 1000, multiply_adds(content) / 1e6, milliseconds[name], accuracy[name])
        for name, content in contents.items()
    ]


def cpu_milliseconds(contents: dict[str, bytes]) -> dict[str, float]:
    """Return the CPU time of one inference, milliseconds of one thread, of each .tflite, measured by turns."""
    networks = {name: TFLite(content) for name, content in contents.items()}
    pictures = {}
    for name, network in networks.items():
        side = int(network.takes.split()[2].rstrip(","))
        pictures[name] = np.random.default_rng(0).integers(0, 256, (side, side), np.uint8)
        network.run(pictures[name])
    least = dict.fromkeys(networks, float("inf"))
    for _ in range(ROUNDS):
        for name, network in networks.items():
            count, begin = 0, time.process_time()
            while time.process_time() - begin < SECONDS:
                network.run(pictures[name])
                count += 1
            least[name] = min(least[name], (time.process_time() - begin) / count * 1000)
    return least


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


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    folders = list(rows[0].accuracy)
    lines = [
        "| model | " + " | ".join(folders) + " | kB | million multiply-adds | CPU ms |",
        "| --- |" + " ---: |" * (len(folders) + 3),
    ]
    for row in rows:
        shares = [f"{row.accuracy[name]:.1%}" if name in row.accuracy else "" for name in folders]
        lines.append(
            f"| {row.name} | " + " | ".join(shares) +
            f" | {row.kilobytes:.0f} | {row.multiply_adds:.1f} | {row.cpu_ms:.2f} |"
        )
    return "\n".join(lines) + "\n"


def write_comparison(rows: Sequence[Row], folder: Path) -> Path:
    """Write compare.md and compare.png into a folder; return the former's path."""
    figure = Figure((7, 4), layout="constrained")
    axes = figure.subplots()
    for name in rows[0].accuracy:
        known = [row for row in rows if name in row.accuracy]
        axes.plot([row.cpu_ms for row in known], [row.accuracy[name] for row in known], "o", label=name)
    for row in rows:
        if row.accuracy:
            axes.annotate(row.name, (row.cpu_ms, min(row.accuracy.values())), fontsize=8)
    axes.set(xscale="log", xlabel="CPU milliseconds an inference", ylabel="balanced accuracy")
    axes.legend()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "compare.png", dpi=120)
    write_whole(folder / "compare.md", table(rows).encode())
    return folder / "compare.md"
