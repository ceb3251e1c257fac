"""Turns several .tflite models and measuring folders into one table and one plot: accuracy against what it costs."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from device.classifier import Classifier
from device.disk import write_whole
from device.model_card import read_card
from trainer.cost import PEER, cpu_milliseconds, inference, multiply_adds, peer
from trainer.evaluate import evaluate
from trainer.finders import finder_for
from trainer.sources import distinct


@dataclass(frozen=True)
class Row:
    """One model in the table."""

    name: str
    kilobytes: float  # of 1000 bytes
    multiply_adds: float  # millions an inference
    cpu_ms: float  # of one thread, an inference
    accuracy: dict[str, float]  # balanced, 0-1, on each folder


def compare(models: Sequence[Path], folders: Sequence[Path], cropped: bool, yunet: str | None = None) -> list[Row]:
    """Measure models, given by the paths of their .tflite, on folders of photos, crops or scenes; the peer comes last.

    `cropped` says that folders of plain photos hold face crops. yunet: its .onnx, where a model goes with it.
    Raises ModelError or PhotosError.
    """
    names, sets = distinct([path.stem for path in models], models), distinct([at.name for at in folders], folders)
    pairs = [read_card(path) for path in models]
    photos = [card.trained_on.dataset_sha256 for card, _ in pairs]
    if others := [name for name, of in zip(names, photos, strict=True) if of != photos[0]]:
        print(f"{', '.join(others)}: trained on other photos than {names[0]}, which tells in the figures too: `make "
              "compare DATA=` trains all on the same", file=sys.stderr)
    contents = {name: content for name, (_, content) in zip(names, pairs, strict=True)} | {PEER: peer()}
    milliseconds = cpu_milliseconds({name: inference(content) for name, content in contents.items()})
    accuracy: dict[str, dict[str, float]] = {PEER: {}}
    for name, path in zip(names, models, strict=True):
        classifier = Classifier(str(path))
        accuracy[name] = {
            of: evaluate(classifier, finder_for(classifier.card, folder, cropped, yunet), folder).balanced_accuracy
            for of, folder in zip(sets, folders, strict=True)
        }
    return [
        Row(name, len(content) / 1000, multiply_adds(content) / 1e6, min(milliseconds[name]), accuracy[name])
        for name, content in contents.items()
    ]


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
    write_whole(folder / "compare.md", table(rows).encode())
    figure = Figure((7, 4), layout="constrained")
    axes = figure.subplots()
    for name in rows[0].accuracy:
        known = [row for row in rows if name in row.accuracy]
        axes.plot([row.cpu_ms for row in known], [row.accuracy[name] for row in known], "o",
                  label=name.replace("$", r"\$"))  # or two of them would begin and end a formula
    for row in rows:
        if row.accuracy:
            axes.annotate(row.name, (row.cpu_ms, min(row.accuracy.values())), fontsize=8, parse_math=False)
    axes.set(xscale="log", xlabel="CPU milliseconds an inference", ylabel="balanced accuracy")
    axes.legend()
    figure.savefig(folder / "compare.png", dpi=120)
    return folder / "compare.md"
