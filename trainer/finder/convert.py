"""Turns a trained face network into a full-integer .tflite and its card, after proving that both see alike."""

import hashlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from device.cards import card_json
from device.disk import write_whole
from device.face_card import BOX, FORMAT, FaceCard, FacesFound, FacesMeasured, FacesTrainedOn
from device.faces import Face, Luma
from device.heatmap import HEIGHT, WIDTH, Floats, faces_of, fit
from device.pictures import read_luma
from device.tflite import TFLite
from trainer.finder.contenders import LOWEST_SCORE
from trainer.finder.material import FinderMaterial, FinderPlan
from trainer.finder.measure import QUIET, Contender, Figures, measure
from trainer.finder.scenes import Scene
from trainer.finder.training import samples
from trainer.quantize import ConversionError, quantize
from trainer.runs import State
from trainer.training import read_network

NAME = "faces"
CALIBRATION_PICTURES = 400
OVERLAP = 0.4  # intersection over union from which two boxes are one face's
# False boxes a picture on the watched pictures, at which the threshold is chosen. They are of sources that are learned
# from: on sources kept apart finders gave up to four times as many.
WATCHED_QUIET = QUIET / 4
MOST_RECALL_LOST = 0.01  # by the integers, of the faces of all sets together
DIGITS = 4

Find = Callable[[Luma], list[Face]]


def convert_finder(
    plan: FinderPlan, state: State, folder: Path, material: FinderMaterial, measured_on: dict[str, list[Scene]],
    models: Path, command: str,
) -> FaceCard:
    """Convert the best checkpoint, choose its threshold on the watched pictures, and write faces.tflite and its card.

    Beside them it writes faces.keras, the same weights before rounding: another training can start from it.
    measured_on: sets of scenes by name, none of which was learned from or watched. Raises ConversionError, and then
    nothing is written.
    """
    network = read_network(folder / state.best, compiled=False)
    rng = np.random.default_rng(plan.seed)
    chosen = rng.permutation(len(material.calibration))[:CALIBRATION_PICTURES]
    shown = [fit(read_luma(material.calibration[i].path)).luma for i in sorted(chosen)]
    content = quantize(network, np.stack(shown))
    exact, rounded = _finder(as_run(network)), _finder(TFLite(content).run)
    (watched,) = measure([Contender(NAME, rounded, 1.0)], material.watched, WATCHED_QUIET)
    threshold, measured = settle(NAME, exact, rounded, watched.quiet.threshold, material, measured_on)
    card = FaceCard(
        format=FORMAT,
        name=NAME,
        sha256=hashlib.sha256(content).hexdigest(),
        input_size=(WIDTH, HEIGHT),
        box=BOX,
        threshold=threshold,
        overlap=OVERLAP,
        trained_on=_trained_on(plan, state, material, command),
        measured=measured,
        check=None,
    )
    told = card_json(card).encode()  # before anything is replaced
    write_whole(models / f"{NAME}.tflite", content)
    write_whole(models / f"{NAME}.json", told)
    # Last, because START may name it: until all is written, the same line is the same training.
    keep_weights(network, folder, models / f"{NAME}.keras")
    return card


def _finder(run: Callable[[Luma], Floats]) -> Find:
    """Return a face network, given by what runs it, as a face finder."""

    def find(luma: Luma) -> list[Face]:
        fitted = fit(luma)
        return faces_of(run(fitted.luma), fitted, (luma.shape[1], luma.shape[0]), LOWEST_SCORE, OVERLAP)

    return find


def keep_weights(network: Any, folder: Path, path: Path) -> None:  # noqa: ANN401
    """Write a network as it is before rounding, for another training to start from, by way of its run's folder."""
    network.save(folder / path.name)
    write_whole(path, (folder / path.name).read_bytes())


def settle(
    name: str, exact: Find, rounded: Find, quiet: float, material: FinderMaterial, measured_on: dict[str, list[Scene]]
) -> tuple[float, FacesMeasured]:
    """Return the threshold of a .tflite's finder as its card has it, and what it finds from there on.

    exact: the finder that it was rounded from; quiet: the threshold that was chosen on watched pictures, inf if none
    was quiet enough. Raises ConversionError then, or if it finds too much less than what it was rounded from.
    """
    if math.isinf(quiet):
        raise ConversionError(
            f"{name}.tflite finds no watched face at so few false boxes as are asked for, expected some: nothing was "
            "written; train with more EPOCHS or more pictures"
        )
    # Down, or the face that it was chosen for would no longer be found.
    threshold = math.floor(quiet * 10**DIGITS) / 10**DIGITS
    both = [Contender("keras", exact, threshold), Contender(name, rounded, threshold)]
    sets = {of: measure(both, scenes) for of, scenes in measured_on.items()}
    lost = _recall_lost([measure(both, material.watched), *sets.values()])
    if lost > MOST_RECALL_LOST:
        raise ConversionError(
            f"{name}.tflite finds {lost:.1%} fewer faces than Keras at a threshold of {threshold}, expected at most "
            f"{MOST_RECALL_LOST:.0%}: nothing was written; train with more EPOCHS"
        )
    found = {of: _found(pair[1]) for of, pair in sets.items()}
    return threshold, FacesMeasured(sets=found, recall_lost=round(lost, DIGITS))


def as_run(network: Any) -> Callable[[Luma], Floats]:  # noqa: ANN401
    """Return what runs a Keras network as device.tflite runs a .tflite."""
    return lambda luma: np.asarray(network(luma[np.newaxis, :, :, np.newaxis].astype(np.float32))[0], np.float32)


def _recall_lost(pairs: Sequence[Sequence[Figures]]) -> float:
    """Return the share of faces, of all pairs of Keras's figures and the .tflite's, that only Keras finds; net."""
    exact, rounded = ([share for figures in side for share in figures.by_height] for side in zip(*pairs, strict=True))
    return float((sum(s.hits for s in exact) - sum(s.hits for s in rounded)) / max(sum(s.n for s in exact), 1))


def _found(figures: Figures) -> FacesFound:
    masked, bare = figures.chosen.recall["masked"], figures.chosen.recall["bare"]
    return FacesFound(
        pictures=figures.pictures,
        faces_masked=masked.n,
        faces_bare=bare.n,
        recall_masked=round(masked.hits / max(masked.n, 1), DIGITS),
        recall_bare=round(bare.hits / max(bare.n, 1), DIGITS),
        false_boxes_a_picture=round(figures.chosen.false_boxes / figures.pictures, DIGITS),
    )


def _trained_on(plan: FinderPlan, state: State, material: FinderMaterial, command: str) -> FacesTrainedOn:
    return FacesTrainedOn(
        pictures=material.pictures,
        faces=material.faces,
        backgrounds=material.backgrounds,
        held_out=plan.hold_out,
        samples=samples(state.epochs, plan.epochs, bool(plan.start)),
        epochs=state.epochs,
        seed=plan.seed,
        threads=plan.threads,
        teacher=hashlib.sha256(Path(plan.teacher).read_bytes()).hexdigest() if plan.teacher else "",
        versions=state.versions,
        commit=state.commit,
        command=command,
    )
