"""Turns what the face network is to answer into the map that would be a perfect answer."""

import numpy as np

from device.heatmap import CHANNELS, OCTAVES, REACH, SMALLEST_SIDE, STRIDE, Floats


def perfect_answer(target: Floats) -> Floats:
    """Return the map, float32 (rows, columns, 5), that says what a target (rows, columns, TARGETS) asks for."""
    rows, columns = target.shape[:2]
    heatmap = np.zeros((rows, columns, CHANNELS), np.float32)
    heatmap[..., 0] = target[..., 0]
    down, across = np.nonzero(target[..., 2])
    corners = target[down, across, 3:]
    middles, sides = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
    cells = np.stack([across, down], axis=1) + 0.5
    heatmap[down, across, 1:3] = (middles / STRIDE - cells) / (2 * REACH) + 0.5
    heatmap[down, across, 3:5] = np.log2(sides / SMALLEST_SIDE) / OCTAVES
    return heatmap
