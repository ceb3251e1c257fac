"""Draws the plots of docs/network.md and fills its tables, from the shipped models, their cards and drawn faces."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from device.cameras.view import luma_of
from device.classifier import Classifier
from device.crop import crop_face
from device.faces import Luma
from device.model_card import ModelCard, read_card
from trainer.finders import named_finder
from trainer.layers import layers_text
from trainer.places import fill
from trainer.practice import draw_face
from trainer.scores import release, threshold

NAMES = "simple", "door"
PUBLISHED = 0.9058  # test accuracy of the notebook's own run, and its best validation accuracy:
PUBLISHED_VALIDATION = 0.9718
SEED = 3  # of a drawn person whom both face finders find, with and without a mask
SEEN_AFTER = {"simple": (0, 2, 3), "door": (0, 2, 4)}  # which operations of the .tflite that give maps are shown
MAPS = 3  # of each operation: those in which the two faces differ most
BLUE, RED, GREY = "#1f5fa8", "#b02020", "#777777"

mpl.use("agg")


def update(page: Path, models: Path) -> list[Path]:
    """Draw the plots beside docs/network.md and fill its tables; return the files written. Raises ModelError."""
    tables = {f"layers of {name}": layers_text(name) for name in NAMES}
    page.write_text(fill(page.read_text(encoding="utf-8"), tables), encoding="utf-8")
    plots = {"network-layers.webp": layers_plot(models), "network-split.svg": split_plot(models),
             "network-scores.svg": scores_plot(models)}  # fmt: skip
    with mpl.rc_context({"svg.hashsalt": "network", "svg.fonttype": "none"}):
        for file, figure in plots.items():
            options: dict[str, Any] = {"metadata": {"Date": None}} if file.endswith(".svg") else {"dpi": 100}
            figure.savefig(page.parent / file, **options)
    return [page, *(page.parent / file for file in plots)]


def layers_plot(models: Path) -> Figure:
    """Return what the layers of the shipped networks answer to a drawn face without and with a mask."""
    figure = Figure((11, 5.3), layout="constrained")
    axes = figure.subplots(2 * len(NAMES), 1 + MAPS * len(SEEN_AFTER["door"]))
    for row, name in enumerate(NAMES):
        classifier = Classifier(str(models / f"{name}.tflite"))
        crops = [_crop(classifier, masked) for masked in (False, True)]
        operations = [maps_of(models / f"{name}.tflite", crop) for crop in crops]
        for line, (crop, maps) in enumerate(zip(crops, operations, strict=True)):
            shown = axes[2 * row + line]
            score = classifier.scores(crop)[classifier.card.labels.index(classifier.card.alarm_label)]
            _show(shown[0], crop, f"{name}: {score:.2f}")
            for place, number in enumerate(SEEN_AFTER[name]):
                differ = np.abs(operations[0][number] - operations[1][number]).mean(axis=(0, 1))
                for which, channel in enumerate(np.argsort(-differ)[:MAPS]):
                    title = f"{'x'.join(map(str, maps[number].shape))}" if which == 0 and line == 0 else ""
                    _show(shown[1 + place * MAPS + which], maps[number][..., channel], title)
    return figure


def maps_of(model: Path, crop: Luma) -> list[npt.NDArray[np.float32]]:
    """Return what each convolution and pooling of a .tflite gives for a crop, float32 (height, width, channels)."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        str(model), experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )  # fmt: skip
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], crop[np.newaxis, :, :, np.newaxis])
    interpreter.invoke()
    kinds = {"CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D"}
    given = [operation["outputs"][0] for operation in interpreter._get_ops_details() if operation["op_name"] in kinds]
    return [np.asarray(interpreter.get_tensor(index)[0], np.float32) for index in given]


def _crop(classifier: Classifier, masked: bool) -> Luma:
    card = classifier.card
    picture = luma_of(draw_face(np.random.default_rng(SEED), masked)[0])
    face = named_finder(card.face_finder, None).find(picture)[0]
    return crop_face(picture, face.box, card.crop_margin, card.input_size)


def _show(axes: Axes, picture: npt.NDArray[Any], title: str) -> None:
    axes.imshow(picture, cmap="gray")
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()


def split_plot(models: Path) -> Figure:
    """Return how many test photos leak into training in each split, and what accuracy is then measured."""
    figure = Figure((9, 2.8), layout="constrained")
    leaks, accuracies = figure.subplots(1, 2)
    cards = {name: read_card(models / f"{name}.tflite")[0] for name in ("simple", "simple-random", "door")}
    rows = {"simple, random": cards["simple-random"].trained_on.leak,
            "simple, grouped": cards["simple"].trained_on.leak,
            "door's photos, random": cards["door"].trained_on.random_split_leak,
            "door's photos, grouped": cards["door"].trained_on.leak}  # fmt: skip
    leaks.barh(list(rows), [100 * share for share in rows.values()], color=[RED, BLUE, RED, BLUE])
    for place, share in enumerate(rows.values()):
        leaks.text(100 * share + 2, place, f"{share:.0%}", va="center", fontsize=9)
    leaks.set(title="test photos with a relative in training", xlim=(0, 105), xlabel="%")
    measured = {"simple, random": cards["simple-random"], "simple, grouped": cards["simple"],
                "door, grouped": cards["door"]}  # fmt: skip
    for place, card in enumerate(measured.values()):
        low, high = (100 * share for share in card.measured.accuracy_interval)
        accuracies.plot([low, high], [place, place], color=BLUE, linewidth=3, solid_capstyle="butt")
        accuracies.plot([100 * card.measured.accuracy], [place], "o", color=BLUE)
    for share, what, style in ((PUBLISHED, "test", ":"), (PUBLISHED_VALIDATION, "best validation", "--")):
        accuracies.axvline(100 * share, color=GREY, linestyle=style, label=f"notebook, {what}")
    accuracies.set(title="accuracy on its own test photos", xlabel="%", xlim=(84, 100), ylim=(-0.9, 3.4))
    accuracies.set_yticks(range(len(measured)), list(measured))
    accuracies.legend(fontsize=8, ncols=2, loc="lower center")
    for axes in (leaks, accuracies):
        axes.invert_yaxis()
        axes.tick_params(labelsize=9)
    return figure


def scores_plot(models: Path) -> Figure:
    """Return what eight bits, a temperature and a cost of misses do to numbers."""
    card = read_card(models / "door.tflite")[0]
    figure = Figure((11, 3.1), layout="constrained")
    bits, softmax, levels = figure.subplots(1, 3)
    _eight_bits(bits)
    _temperature(softmax, card)
    costs = np.linspace(0.25, 4, 200)
    levels.plot(costs, [threshold(cost) for cost in costs], color=RED, label="alarm from here on")
    levels.plot(costs, [release(cost) for cost in costs], color=BLUE, label="it ends below")
    levels.axvline(card.trained_on.miss_cost, color=GREY, linestyle=":")
    levels.set(title="levels by what a miss costs", xlabel="MISS_COST, in false alarms", ylabel="score", ylim=(0, 1))
    levels.legend(fontsize=8)
    return figure


def _eight_bits(axes: Axes) -> None:
    exact = np.linspace(-1, 1, 400)
    for steps, color in ((8, RED), (256, BLUE)):
        scale = 2 / (steps - 1)
        axes.plot(exact, np.round((exact + 1) / scale) * scale - 1, color=color, linewidth=1.2, label=f"{steps} steps")
    axes.set(title="a number, and the nearest step", xlabel="exact", ylabel="rounded")
    axes.legend(fontsize=8)


def _temperature(axes: Axes, card: ModelCard) -> None:
    logits = np.linspace(-6, 6, 200)
    for temperature, color in ((1.0, GREY), (card.trained_on.temperature, BLUE)):
        axes.plot(logits, 1 / (1 + np.exp(-logits / temperature)), color=color, label=f"temperature {temperature:g}")
    for level, color in ((card.threshold, RED), (card.release, BLUE)):
        axes.axhline(level, color=color, linestyle=":")
    axes.set(title="logits to scores", xlabel=f"logit of {card.alarm_label}, less the other's", ylabel="score")
    axes.legend(fontsize=8)
