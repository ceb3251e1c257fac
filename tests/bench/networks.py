"""Measures what the kiosk's networks cost, and others in their place: side by side, in one process, by turns."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np

from device import heatmap
from device.errors import ModelError
from device.face_card import CheckCard, FaceCard, read_check, read_face_card
from device.face_check import FaceCheck
from device.faces import Luma
from device.finders import OwnFaceFinder
from device.haar import CASCADE, HaarFaceFinder
from device.model_card import read_card
from device.reduce import LONGEST_SIDE, reduce
from device.tflite import TFLite
from device.yunet import load_network
from trainer.cost import PEER, cpu_milliseconds, inference, multiply_adds, peer
from trainer.finder.network import finder
from trainer.practice import draw_face
from trainer.quantize import float32

from .recipes import NOTEBOOK, OURS, POPULAR, recipes
from .report import Cost, Ratio

FACES, FACES_ALONE, FACES_FLOAT, YUNET, HAAR = "faces", "faces, without check", "faces, float32", "YuNet", "Haar"
CLASSIFIERS = "door", "simple"
FRAME_WIDTH, FRAME_HEIGHT = 640, 480  # px, of a camera
YUNET_SCORE = 0.7  # 0-1: a face from this score on
# Of these two, CPU time of the first over the second's is to be at most so much.
WANTED = ((FACES, YUNET, 1 / 3), ("door", "simple", 1 / 20), ("door", PEER, 1 / 20), (OURS, NOTEBOOK, 1 / 20),
          (OURS, POPULAR, 1 / 20))  # fmt: skip
ALSO = ((FACES_ALONE, FACES_FLOAT), (FACES, HAAR))  # told, with nothing asked of them


@dataclass(frozen=True)
class _Contender:
    call: Callable[[], object]
    size: tuple[int, int]
    content: int  # bytes
    multiply_adds: float | None


def measure(models: Path, yunet: Path | None) -> tuple[tuple[Cost, ...], tuple[Ratio, ...]]:
    """Measure the networks of a folder of models, the Haar cascade, the peer, and YuNet where its .onnx is given.

    Face finders are given the same drawn picture in the size that each wants, and are timed from there to the boxes;
    classifiers are timed from the crop to the scores. Raises ModelError.
    """
    picture = cv2.cvtColor(draw_face(np.random.default_rng(3), masked=True)[0], cv2.COLOR_BGR2GRAY)
    luma = np.asarray(cv2.resize(picture, (4 * LONGEST_SIDE, 3 * LONGEST_SIDE)), np.uint8)
    frame = np.asarray(cv2.resize(picture, (FRAME_WIDTH, FRAME_HEIGHT)), np.uint8)
    model = models / f"{FACES}.tflite"
    card, network = read_face_card(model)
    contenders = {FACES: _own(model, luma), FACES_ALONE: _network(network, luma, card)}
    contenders[FACES_FLOAT] = _network(_float32(), luma, card)
    if yunet:
        contenders[YUNET] = _yunet(yunet, luma)
    contenders[HAAR] = _haar(luma)
    classifiers = {name: read_card(models / f"{name}.tflite")[1] for name in CLASSIFIERS} | {PEER: peer()}
    for name, content in classifiers.items():
        call, (height, width) = inference(content), TFLite(content).size
        contenders[name] = _Contender(call, (width, height), len(content), multiply_adds(content) / 1e6)
    for name, recipe in recipes(frame, models).items():
        contenders[name] = _Contender(recipe.call, (FRAME_WIDTH, FRAME_HEIGHT), recipe.content, None)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        rounds = cpu_milliseconds({name: contender.call for name, contender in contenders.items()})
    finally:
        cv2.setNumThreads(threads)
    costs = tuple(
        Cost(name, of.size, min(rounds[name]), of.content / 1000, of.multiply_adds) for name, of in contenders.items()
    )
    return costs, ratios(rounds)


def ratios(rounds: Mapping[str, list[float]]) -> tuple[Ratio, ...]:
    """Return the ratios that are asked for, and two more, from the CPU milliseconds of each contender in each round."""
    found = []
    for name, over, *wanted in (*WANTED, *ALSO):
        if name in rounds and over in rounds:
            spread = [a / b for a, b in zip(rounds[name], rounds[over], strict=True)]
            ratio = min(rounds[name]) / min(rounds[over])
            middle = statistics.median(spread)
            found.append(Ratio(name, over, ratio, min(spread), middle, max(spread), wanted[0] if wanted else None))
    return tuple(found)


def _own(model: Path, luma: Luma) -> _Contender:
    card, content = read_face_card(model)
    finder, shown = OwnFaceFinder(model), heatmap.fit(luma).luma
    size, work = len(content), multiply_adds(content)
    if card.check:
        check = read_check(model, card.check)
        size, work = size + len(check), work + multiply_adds(check) * _looks(check, card.check, shown, finder)
    return _Contender(lambda: finder.find(shown), (heatmap.WIDTH, heatmap.HEIGHT), size, work / 1e6)


def _looks(content: bytes, card: CheckCard, shown: Luma, finder: OwnFaceFinder) -> int:
    """Return how often the check of a face finder looks at a picture."""
    network, looks = TFLite(content), 0

    def run(crop: Luma) -> heatmap.Floats:
        nonlocal looks
        looks += 1
        return network.run(crop)

    FaceCheck(run, card).confirm(shown, finder.places(shown, card.from_score), 0.0)
    return looks


def _network(content: bytes, luma: Luma, card: FaceCard) -> _Contender:
    network, fitted = TFLite(content), heatmap.fit(luma)
    size = luma.shape[1], luma.shape[0]
    # The float32 network takes float32; a camera's bytes would be changed to it once, which costs nothing beside it.
    pixels: Any = fitted.luma.astype(network.takes.split()[0])

    def find() -> object:
        return heatmap.faces_of(network.run(pixels), fitted, size, card.threshold, card.overlap)

    return _Contender(find, (heatmap.WIDTH, heatmap.HEIGHT), len(content), multiply_adds(content) / 1e6)


def _float32() -> bytes:
    """Return the face network as a float32 .tflite. Untrained: what weights say doesn't change what they cost."""
    luma = keras.Input(batch_shape=(1, heatmap.HEIGHT, heatmap.WIDTH, 1))
    return float32(keras.Model(luma, finder()(luma)))


def _yunet(path: Path, luma: Luma) -> _Contender:
    if not path.is_file():
        raise ModelError(f"{path}: no such file, expected YuNet's .onnx: set YUNET, or leave it out")
    size = heatmap.WIDTH, heatmap.HEIGHT  # not what the device gives it: the same as the face network's
    network = load_network(path, YUNET_SCORE)
    network.setInputSize(size)
    picture = cv2.cvtColor(heatmap.fit(luma).luma, cv2.COLOR_GRAY2BGR)
    return _Contender(lambda: network.detect(picture), size, path.stat().st_size, None)


def _haar(luma: Luma) -> _Contender:
    cascade, small = HaarFaceFinder(), reduce(luma).luma
    file = Path(cv2.__file__).parent / "data" / CASCADE  # where the wheels, which the trainer needs, have it
    return _Contender(lambda: cascade.find(small), (small.shape[1], small.shape[0]), file.stat().st_size, None)

