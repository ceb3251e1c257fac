"""Builds what others judge a frame with, to put the whole of ours beside it: networks of their shape, untrained.

What weights say doesn't change what they cost. Each recipe gets a picture in which it finds one face.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import keras
import numpy as np
import numpy.typing as npt

from device.classifier import Classifier
from device.decision import Decision
from device.face_card import check_path
from device.faces import Luma
from device.finders import OwnFaceFinder
from device.haar import cascade_path
from device.levels import levels
from device.quiet import native_code_quiet
from device.settings import Settings
from trainer.networks import simple
from trainer.quantize import float32

NOTEBOOK_SIDE, POPULAR_SIDE, SSD_SIDE = 224, 224, 300  # px
SSD_ANCHORS = 6  # a cell of each of two maps
OURS, NOTEBOOK, POPULAR = "frame, ours", "frame, notebook: Haar, Keras 224", "frame, usual: SSD 300, MobileNetV2 224"


class Recipe(NamedTuple):
    """What judges a frame."""

    call: Callable[[], object]
    content: int  # bytes of its networks


def recipes(luma: Luma, models: Path) -> dict[str, Recipe]:
    """Return what judges a picture, uint8 (height, width), with a face: ours, the notebook's, and the usual one.

    models: the folder of ours. Raises ModelError.
    """
    return {OURS: ours(luma, models), NOTEBOOK: _notebook(luma), POPULAR: _popular(luma)}


def ours(luma: Luma, models: Path) -> Recipe:
    """Return what judges a picture as a kiosk with this folder of models does. Raises ModelError."""
    faces, settings = models / "faces.tflite", Settings()
    finder, classifier = OwnFaceFinder(faces), Classifier(str(models / "door.tflite"))
    decision = Decision(settings.decision, levels(settings.model, classifier.card))
    tenths = iter(range(10**9))
    files = [faces, *([check_path(faces)] if finder.card.check else []), classifier.path]
    return Recipe(
        lambda: decision.update(next(tenths) / 10, classifier.judge(luma, finder.find(luma))),
        sum(path.stat().st_size for path in files),
    )


def _notebook(luma: Luma) -> Recipe:
    # A Haar cascade over the whole picture, then the original's network, which Keras runs in float32.
    cascade, network = cv2.CascadeClassifier(str(cascade_path())), simple(NOTEBOOK_SIDE)
    crop = cv2.resize(luma, (NOTEBOOK_SIDE, NOTEBOOK_SIDE)).astype(np.float32)[np.newaxis, :, :, np.newaxis]

    def judge() -> object:
        cascade.detectMultiScale(luma)
        return network(crop)

    return Recipe(judge, 4 * network.count_params())


def _popular(luma: Luma) -> Recipe:
    # What tutorials use: a single-shot detector on 300 px, then MobileNetV2 on 224 px, float32 in .tflite files.
    layers, build = keras.layers, keras.applications.MobileNetV2
    body = build(input_shape=(SSD_SIDE, SSD_SIDE, 3), include_top=False, weights=None)
    maps = body.get_layer("block_13_expand_relu").output, body.output
    heads = [layers.Conv2D(SSD_ANCHORS * each, 3, padding="same")(of) for of in maps for each in (2, 4)]
    face = build(input_shape=(POPULAR_SIDE, POPULAR_SIDE, 3), include_top=False, weights=None, pooling="avg")
    scores = layers.Softmax()(layers.Dense(2)(layers.Dense(128, activation="relu")(face.output)))
    contents = [float32(keras.Model(body.input, heads)), float32(keras.Model(face.input, scores))]
    color = cv2.cvtColor(luma, cv2.COLOR_GRAY2BGR)
    shown = [cv2.resize(color, (side, side)).astype(np.float32)[np.newaxis] for side in (SSD_SIDE, POPULAR_SIDE)]
    runs = [_run(content, picture) for content, picture in zip(contents, shown, strict=True)]
    return Recipe(lambda: [run() for run in runs], sum(map(len, contents)))


def _run(content: bytes, picture: npt.NDArray[np.float32]) -> Callable[[], object]:
    from ai_edge_litert.interpreter import Interpreter

    with native_code_quiet():
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    (takes,) = interpreter.get_input_details()

    def run() -> object:
        interpreter.set_tensor(takes["index"], picture)
        return interpreter.invoke()

    return run
