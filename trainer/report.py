"""Turns a finished training run into plots and one report.html that opens without a network."""

import base64
import html
import textwrap
from pathlib import Path
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

from device.disk import write_whole
from trainer.dataset import Dataset
from trainer.occlusion import occlusion_map
from trainer.photos import ALARM_LABEL, BARE, LABELS
from trainer.runs import Run
from trainer.scores import score, threshold, verdicts
from trainer.split import Split

WORST, COLUMNS = 16, 4  # photos shown, and how many beside each other
NAME_LETTERS = 28  # of a photo's name above it, a line
BINS = 10  # of the reliability plot
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
img{{max-width:100%}}td{{padding:.1rem 1.5rem .1rem 0}}</style>
<h1>{title}</h1>
<table>{rows}</table>
{figures}
</html>
"""

mpl.use("agg")


def write_report(
    run: Run, dataset: Dataset, split: Split, scores: npt.NDArray[np.float32], network: Any  # noqa: ANN401
) -> Path:
    """Write the plots as PNG and report.html into the run's folder and return the page's path.

    scores: float32 (n, labels), the best checkpoint's on the test part. network: that checkpoint, in Keras.
    """
    labels = dataset.labels[split.test]
    found = verdicts(scores, threshold(1.0))
    result = score(labels, found)
    low, high = result.accuracy_interval
    rows = {
        "photos": ", ".join(f"{(dataset.labels == i).sum()} {name}" for i, name in enumerate(LABELS)),
        "no face found, used whole": f"{dataset.no_face.sum()}",
        "left out": _shown("; ".join(dataset.refused)) or "none",
        "split": f"{split.kind}: {len(split.train)} train, {len(split.validation)} validation, {len(split.test)} test",
        "groups of near copies and persons": f"{split.groups}",
        "test photos that share a group with training": f"{split.leak:.1%} (random split: {split.random_leak:.1%})",
        "epochs": f"{run.state.epochs}, best {run.state.best_epoch + 1}",
        "test accuracy": f"{result.accuracy:.1%} (95 % interval {low:.1%} to {high:.1%})",
        "recall": ", ".join(f"{name} {share:.1%}" for name, share in result.recall.items()),
    }
    figures = {
        "loss": _curves(run, "loss", "categorical cross-entropy"),
        "accuracy": _curves(run, "accuracy", "share of photos judged right"),
        "confusion": _confusion(labels, found),
        "reliability": _reliability(labels, scores),
        "worst": _worst(dataset, split, scores, network),
    }
    for name, figure in figures.items():
        figure.savefig(run.folder / f"{name}.png", dpi=120)
    title = f"{'PRACTICE: ' if run.plan.practice else ''}{run.plan.name} at {run.plan.size} pixels"
    page = PAGE.format(
        title=html.escape(title),
        rows="".join(f"<tr><td>{html.escape(k)}<td>{html.escape(v)}" for k, v in rows.items()),
        figures="\n".join(_inline(run.folder / f"{name}.png", name) for name in figures),
    )
    write_whole(run.folder / "report.html", page.encode())
    return run.folder / "report.html"


def _curves(run: Run, name: str, unit: str) -> Figure:
    figure = Figure((7, 3.5), layout="constrained")
    axes = figure.subplots()
    epochs = range(1, run.state.epochs + 1)
    axes.plot(epochs, run.state.history[name], "o-", label="train", markersize=3)
    axes.plot(epochs, run.state.history[f"val_{name}"], "o-", label="validation", markersize=3)
    axes.axvline(run.state.best_epoch + 1, color="grey", linestyle=":", label="best checkpoint")
    axes.set(title=name, xlabel="epoch", ylabel=unit)
    axes.set_xlim(0.5, run.state.epochs + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.legend()
    return figure


def _confusion(labels: npt.NDArray[np.intp], found: npt.NDArray[np.intp]) -> Figure:
    figure = Figure((4.5, 4), layout="constrained")
    matrix = confusion_matrix(labels, found, labels=range(len(LABELS)))
    ConfusionMatrixDisplay(matrix, display_labels=LABELS).plot(ax=figure.subplots(), colorbar=False, cmap="Blues")
    return figure


def _reliability(labels: npt.NDArray[np.intp], scores: npt.NDArray[np.float32]) -> Figure:
    levels = np.clip((scores[:, BARE] * BINS).astype(int), 0, BINS - 1)
    figure = Figure((4.5, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    for level in range(BINS):
        of = levels == level
        if of.any():
            axes.plot(scores[of, BARE].mean(), (labels[of] == BARE).mean(), "o", markersize=2 + np.sqrt(of.sum()) / 2)
    axes.set(xlabel=f"score of {ALARM_LABEL}", ylabel=f"share that is {ALARM_LABEL}", title="test photos, by score")
    return figure


def _worst(dataset: Dataset, split: Split, scores: npt.NDArray[np.float32], network: Any) -> Figure:  # noqa: ANN401
    true = scores[np.arange(len(split.test)), dataset.labels[split.test]]
    worst = np.argsort(true)[:WORST]
    rows = -(-len(worst) // COLUMNS)
    figure = Figure((8, 0.7 + 2.4 * rows), layout="constrained")
    figure.suptitle(
        f"the {len(worst)} test photos with the lowest score of their true label;\n"
        "red: what speaks for the wrong verdict, where hiding it raises that score"
    )
    places = figure.subplots(rows, COLUMNS, squeeze=False).flat
    for axes, i in zip(places, worst, strict=False):
        photo, side = split.test[i], dataset.size
        axes.imshow(dataset.crops[photo], cmap="gray", vmin=0, vmax=255)
        misled = np.maximum(-occlusion_map(network, dataset.crops[photo], dataset.labels[photo]), 0)
        heat = cv2.resize(misled, (side, side), interpolation=cv2.INTER_CUBIC)
        axes.imshow(heat, cmap="Reds", alpha=np.clip(heat / max(float(heat.max()), 0.05), 0, 1) * 0.6)
        name = "\n".join(textwrap.wrap(_shown(dataset.names[photo]), NAME_LETTERS))
        axes.set_title(f"{name}\n{true[i]:.2f}", fontsize=8, parse_math=False)
    for axes in figure.axes:
        axes.set_axis_off()
    return figure


def _shown(name: str) -> str:
    """Return a file name with escapes for what is no UTF-8 in it."""
    return name.encode(errors="backslashreplace").decode()


def _inline(path: Path, name: str) -> str:
    encoded = base64.b64encode(path.read_bytes()).decode()
    return f'<h2>{name}</h2><img alt="{name}" src="data:image/png;base64,{encoded}">'
