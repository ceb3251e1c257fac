"""Turns a crop into a map of where a network looks: how much its score falls when a patch of the crop is hidden.

Occlusion sensitivity (Zeiler and Fergus, ECCV 2014) needs nothing of the network but its scores.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from device.faces import Luma
from trainer.training import predict

PATCH, STEP = 5, 16  # a patch is a fifth of the side wide, and moves by a sixteenth


def occlusion_map(network: Any, crop: Luma, label: int) -> npt.NDArray[np.float32]:  # noqa: ANN401
    """Return by how much hiding each place lowers the score of a label, float32 (rows, columns), negative if it rises.

    crop: uint8 (size, size). The patch has the crop's mean grey.
    """
    size = crop.shape[0]
    patch, starts = size // PATCH, range(0, size - size // PATCH + 1, max(1, size // STEP))
    hidden = np.repeat(crop[np.newaxis], 1 + len(starts) ** 2, axis=0)
    for i, (top, left) in enumerate(((top, left) for top in starts for left in starts), start=1):
        hidden[i, top : top + patch, left : left + patch] = round(float(crop.mean()))
    scores = predict(network, hidden)[:, label]
    return np.asarray((scores[0] - scores[1:]).reshape(len(starts), len(starts)))
