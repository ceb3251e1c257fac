"""Writes a face network of a few KB and its card: a bright square of 40 pixels on black is a face.

Its check, if it is to have one, believes only in the brightest ones.
"""

import dataclasses
import hashlib
import math
from pathlib import Path

import numpy as np
from toy_model import converted

from device import heatmap
from device.cards import card_json
from device.face_card import (
    BOX,
    FORMAT,
    CheckCard,
    FaceCard,
    FacesFound,
    FacesMeasured,
    FacesTrainedOn,
    check_path,
    read_face_card,
)

SIDE = 40  # px of the network's picture, of every box
_LEVELS = np.array([0, 64, 128, 255], np.float32)[:, np.newaxis, np.newaxis]


def toy_faces(folder: Path) -> Path:
    """Write faces.tflite and faces.json; return the former's path."""
    path = folder / "faces.tflite"
    path.write_bytes(_tflite())
    card = FaceCard(
        format=FORMAT, name=path.stem, sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        input_size=(heatmap.WIDTH, heatmap.HEIGHT), box=BOX, threshold=0.6, overlap=0.3,
        trained_on=FacesTrainedOn(
            pictures={}, faces={}, backgrounds={}, held_out=(), samples=0, epochs=0, seed=0, threads=1, teacher="",
            versions={}, commit="", command="",
        ),
        measured=FacesMeasured(
            sets={"nothing": FacesFound(
                pictures=0, faces_masked=0, faces_bare=0, recall_masked=0.0, recall_bare=0.0, false_boxes_a_picture=0.0,
            )},
            recall_lost=0.0,
        ),
        check=None,
    )  # fmt: skip
    path.with_suffix(".json").write_text(card_json(card), encoding="utf-8")
    return path


def toy_check(model: Path) -> Path:
    """Write the check of a toy face network and put it into its card; return its path.

    A crop of 16 px has the logit 40 times what its mean, 0-1, is above 0.3.
    """
    path = check_path(model)
    path.write_bytes(_check_tflite())
    card = CheckCard(
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(), size=16, margin=0.35, from_score=0.3, pictures=0, faces=0,
        others=0, epochs=0, seed=0, threads=1, versions={}, commit="", command="",
    )  # fmt: skip
    model.with_suffix(".json").write_text(card_json(dataclasses.replace(read_face_card(model)[0], check=card)))
    return path


def _check_tflite() -> bytes:
    import tensorflow as tf

    picture = tf.keras.Input(batch_shape=(1, 16, 16, 1))
    mean = tf.keras.layers.Flatten()(tf.keras.layers.AveragePooling2D(16)(tf.keras.layers.Rescaling(1 / 255)(picture)))
    logit = tf.keras.layers.Dense(1)
    model = tf.keras.Model(picture, logit(mean))
    logit.set_weights([np.array([[40.0]]), np.array([-12.0])])
    return converted(model, np.broadcast_to(_LEVELS, (4, 16, 16)))


def _tflite() -> bytes:
    import tensorflow as tf  # takes seconds

    from trainer.training import set_threads

    set_threads(2)  # the trainer's default: a later test that trains in this process can't set it any more
    cells = SIDE // heatmap.STRIDE
    picture = tf.keras.Input(batch_shape=(1, heatmap.HEIGHT, heatmap.WIDTH, 1))
    bright = tf.keras.layers.AveragePooling2D(heatmap.STRIDE)(tf.keras.layers.Rescaling(1 / 255)(picture))
    head = tf.keras.layers.Conv2D(heatmap.CHANNELS, cells, padding="same", activation="sigmoid")
    model = tf.keras.Model(picture, head(bright))
    weights = np.zeros((cells, cells, 1, heatmap.CHANNELS))
    weights[..., 0] = 16 / cells**2
    size = math.log2(SIDE / heatmap.SMALLEST_SIDE) / heatmap.OCTAVES
    head.set_weights([weights, np.array([-12, 0, 0, *[math.log(size / (1 - size))] * 2])])

    shown = np.zeros((4, heatmap.HEIGHT, heatmap.WIDTH), np.float32)
    shown[:, 80:120, 80:120] = _LEVELS
    return converted(model, shown)
