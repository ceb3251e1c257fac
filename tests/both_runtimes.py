"""Measures how far apart the shipped face finder's boxes lie on the two runtimes, which round otherwise.

    .venv/bin/python -m tests.both_runtimes FOLDER
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parent))
from places import TREE
from runtimes import TFLITE_RUNTIME

from device.faces import Box, iou
from device.heatmap import fit
from device.pictures import picture_files, read_luma

SAME_FACE = 0.3  # intersection over union
NOWHERE = Box(0, 0, 0, 0)
FIND = """
import json, sys
from pathlib import Path
from device.finders import OwnFaceFinder
from device.pictures import read_luma
finder = OwnFaceFinder()
print(json.dumps([[face.box for face in finder.find(read_luma(Path(path)))] for path in sys.argv[1:]]))
"""


class Spread(NamedTuple):
    """How the boxes of both runtimes differ; of each face that both find, the edge that differs most counts."""

    pixels: npt.NDArray[np.float64]  # (faces,), of the network's picture
    shares: npt.NDArray[np.float64]  # (faces,), of the face's height
    alone: int  # faces that only one of them finds


def spread(pictures: Sequence[Path]) -> Spread:
    """Find the faces of pictures with both runtimes, and compare."""
    here, there = (
        json.loads(subprocess.check_output([python, "-c", FIND, *map(str, pictures)], cwd=TREE, text=True))
        for python in (sys.executable, str(TFLITE_RUNTIME))
    )
    pixels, shares, alone = [], [], 0
    for path, boxes, others in zip(pictures, here, there, strict=True):
        fitted = fit(read_luma(path))
        faces, free = [Box(*box) for box in boxes], [Box(*box) for box in others]
        for face in faces:
            other = max(free, key=lambda box: iou(face, box), default=NOWHERE)
            if iou(face, other) < SAME_FACE:
                alone += 1
                continue
            free.remove(other)
            across, down = (
                max(abs(face[side] - other[side]), abs(face[side] + face[side + 2] - other[side] - other[side + 2]))
                for side in (0, 1)
            )
            pixels.append(max(across / fitted.scale_x, down / fitted.scale_y))
            shares.append(max(across, down) / face.height)
        alone += len(free)
    return Spread(np.array(pixels), np.array(shares), alone)


def main() -> int:
    """Print how the boxes of a folder's pictures differ; return 2 where there are none."""
    folder = Path(sys.argv[1])
    pictures = list(picture_files(folder)) if folder.is_dir() else []
    if not pictures:
        print(f"error: {folder}: holds no pictures, expected a folder of some", file=sys.stderr)
        return 2
    found = spread(pictures)
    print(f"faces that both runtimes find: {len(found.pixels)}; that only one finds: {found.alone}")
    for unit, values in (("px of the network's picture", found.pixels), ("share of the face's height", found.shares)):
        middle, most = np.quantile(values, (0.5, 0.95))
        print(f"{unit}: half within {middle:.3f}, 95 % within {most:.3f}, all within {values.max():.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
