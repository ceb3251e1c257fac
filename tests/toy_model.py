"""Writes a .tflite of a few KB and its card: the brighter the crop, the surer it is of a face without a mask."""

import hashlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from device.cards import card_json
from device.haar import HaarFaceFinder
from device.model_card import FORMAT, LABELS, Measured, ModelCard, TrainedOn

if TYPE_CHECKING:
    import tensorflow as tf

SIZE = 16  # px


def toy_model(folder: Path, practice: bool = False) -> Path:
    """Write toy.tflite and toy.json; the score of without_mask is the mean brightness of the crop, 0-1."""
    return with_toy_card(folder / "toy.tflite", _tflite(), practice)


def with_toy_card(path: Path, content: bytes, practice: bool = False) -> Path:
    """Write a model's bytes, of whatever kind, and a card that is theirs; return its path."""
    path.write_bytes(content)
    card = ModelCard(
        format=FORMAT, name=path.stem, practice=practice, network="mean brightness",
        sha256=hashlib.sha256(content).hexdigest(), labels=LABELS, alarm_label="without_mask",
        input_size=SIZE, face_finder="haar", face_finder_sha256=HaarFaceFinder().sha256,
        crop_margin=0.0, threshold=0.6, release=0.4,
        trained_on=TrainedOn(
            source="nothing", photos=dict.fromkeys(LABELS, 0), sources={}, near_copies={}, measuring={},
            no_face=0, refused=0, dataset_sha256="", split="grouped", groups=0, leak=0.0, random_split_leak=0.0,
            train=0, validation=0, test=0, epochs=0, best_epoch=0, temperature=1.0, miss_cost=1.0, seed=0, threads=1,
            versions={}, commit="", command="",
        ),
        measured=Measured(
            n=0, no_face=0, accuracy=0.0, accuracy_interval=(0.0, 0.0), balanced_accuracy=0.0,
            balanced_accuracy_interval=(0.0, 0.0), recall=dict.fromkeys(LABELS, 0.0), keras_accuracy=0.0, parity=0.0,
        ),
    )
    path.with_suffix(".json").write_text(card_json(card), encoding="utf-8")
    return path


def _tflite() -> bytes:
    import tensorflow as tf  # takes seconds

    from trainer.training import set_threads

    set_threads(2)  # the trainer's default: a later test that trains in this process can't set it any more
    picture = tf.keras.Input(batch_shape=(1, SIZE, SIZE, 1))
    brightness = tf.keras.layers.GlobalAveragePooling2D()(tf.keras.layers.Rescaling(1 / 255)(picture))
    dense = tf.keras.layers.Dense(2)
    model = tf.keras.Model(picture, dense(brightness))
    dense.set_weights([np.array([[-1.0, 1.0]]), np.array([1.0, 0.0])])
    return converted(model, np.stack([np.full((SIZE, SIZE), grey, np.float32) for grey in (0, 128, 255)]))


def converted(model: "tf.keras.Model", shown: npt.NDArray[np.float32]) -> bytes:
    """Return a network as an int8 .tflite; shown: (n, height, width) from 0 to 255: the input's scale is 1 then."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type, converter.inference_output_type = tf.uint8, tf.float32
    converter.representative_dataset = lambda: ([picture[np.newaxis, ..., np.newaxis]] for picture in shown)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow warns of its own calls
        content: bytes = converter.convert()
    return content
