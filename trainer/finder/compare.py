"""Turns the figures of several face finders into one table, one plot, and a file for programs."""

import dataclasses
import io
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from device.disk import write_whole
from trainer.finder.matching import Share
from trainer.finder.measure import HEIGHTS, QUIET, STRICT_OVERLAP, Contender, Figures, measure
from trainer.finder.scenes import HARD, Scene
from trainer.photos import PhotosError

BACKGROUND_SETS = {"backgrounds": False, f"backgrounds/{HARD}": True}  # by name, whether they are the hard ones

mpl.use("agg")


def compare(finders: Sequence[Contender], scenes: Mapping[str, Sequence[Scene]], backgrounds: Sequence[Scene]
            ) -> dict[str, list[Figures]]:
    """Measure finders on sets of scenes, by names other than the backgrounds', and on these: plain ones, and hard/.

    Raises PhotosError for a set without a face that counts, or without a picture that can be read.
    """
    sets = dict(scenes)
    for name, hard in BACKGROUND_SETS.items():
        if part := [scene for scene in backgrounds if scene.is_hard == hard]:
            sets[name] = part
    compared = {name: measure(finders, of) for name, of in sets.items()}
    if bare := [name for name in scenes if not sum(share.n for share in compared[name][0].by_height)]:
        raise PhotosError(f"{bare[0]}: has no face of a tenth of its picture's height, expected some: add scenes")
    return compared


def table(compared: dict[str, list[Figures]]) -> str:
    """Return a Markdown table for each set: recall with its 95 % interval, and false boxes."""
    parts = []
    for name, rows in compared.items():
        faces = {group: share.n for group, share in rows[0].chosen.recall.items() if share.n}
        told = "".join(f", {group}: {n}" for group, n in faces.items())
        heads = ["finder", *faces, "false boxes a picture (all)", "pictures with any"]
        if faces:
            heads += [f"{group}, IoU {STRICT_OVERLAP}" for group in faces]
            heads += [f"{group}, at most {QUIET} false" for group in faces] + ["from score"]
        parts += [f"{name} (pictures: {rows[0].pictures}{told})", "", _line(heads), _line(["---"] * len(heads))]
        for row in rows:
            cells = [row.name, *(_words(row.chosen.recall[group]) for group in faces)]
            false = row.chosen.false_boxes
            cells += [f"{false / row.pictures:.3f} ({false})", _words(row.pictures_with_false)]
            if faces:
                cells += [_words(point.recall[group]) for point in (row.strict, row.quiet) for group in faces]
                cells.append(f"{row.quiet.threshold:.3g}" if math.isfinite(row.quiet.threshold) else "none")
            parts.append(_line(cells))
        parts.append("")
    return "\n".join(parts)


def write_comparison(compared: dict[str, list[Figures]], folder: Path) -> Path:
    """Write compare-faces.md, .json and .png into a folder; return the first one's path."""
    write_whole(folder / "compare-faces.md", table(compared).encode())
    write_whole(folder / "compare-faces.json", json.dumps(_plain(compared), indent=1, allow_nan=False).encode())
    picture = io.BytesIO()
    _plot(compared).savefig(picture, format="png", dpi=120)
    write_whole(folder / "compare-faces.png", picture.getvalue())
    return folder / "compare-faces.md"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _words(share: Share) -> str:
    if share.estimate is None:
        return "none"
    estimate, (low, high) = share.estimate
    return f"{estimate:.3f} ({low:.3f} to {high:.3f})"


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return what JSON can hold; a threshold that is no number becomes null."""
    if isinstance(value, Share):
        share, interval = value.estimate or (None, None)
        return {"hits": value.hits, "n": value.n, "share": share, "interval": interval}
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plot(compared: dict[str, list[Figures]]) -> Figure:
    sets = {name: rows for name, rows in compared.items() if sum(share.n for share in rows[0].by_height)}
    figure = Figure((11, 4.5 * len(sets)), layout="constrained")
    bins = [f"{low:g}-{high:g}" for low, high in itertools.pairwise(HEIGHTS)]
    for (name, rows), (left, right) in zip(sets.items(), figure.subplots(len(sets), 2, squeeze=False), strict=True):
        title = name.replace("$", r"\$")  # or two of them would begin and end a formula
        colors = {curve: f"C{i}" for i, curve in enumerate(dict.fromkeys(row.curve_of for row in rows))}
        for i, row in enumerate(rows):
            style = {"color": colors[row.curve_of], "marker": "os^vD"[i % 5], "label": row.name, "linewidth": 1}
            curve = np.array(row.curve).reshape(-1, 3)
            left.plot(curve[:, 2], curve[:, 1], color=colors[row.curve_of], linewidth=1)
            hits, n = (sum(numbers) for numbers in zip(*row.by_height, strict=True))
            if hits:
                left.plot(hits / n, hits / (hits + row.chosen.false_boxes), linestyle="", **style)
            known = [(place + 0.08 * i, *share.estimate) for place, share in enumerate(row.by_height) if share.estimate]
            places, shares, intervals = (np.array(column) for column in zip(*known, strict=True))
            right.errorbar(places, shares, np.abs(intervals.T - shares), capsize=2, **style)
        left.set(xlabel="recall", ylabel="precision", title=f"{title}: all faces, the threshold marked", ylim=(0, 1.02))
        right.set(xlabel="height of the face, share of the picture's", ylabel="recall", ylim=(0, 1.02),
                  title=f"{title}: 95 % intervals", xticks=range(len(bins)), xticklabels=bins)
        right.legend()
    return figure
