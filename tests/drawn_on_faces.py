"""Measures which faces the face finder of a folder still finds with things drawn on them, or in other light.

    .venv/bin/python -m tests.drawn_on_faces SCENES [MODELS]
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from device.faces import Luma
from device.finders import OWN_MODEL, OwnFaceFinder
from device.pictures import read_luma
from trainer.finder.dress import Draw, draw_on
from trainer.finder.matching import SMALLEST_SHARE
from trainer.finder.measure import GROUPS, OVERLAP
from trainer.finder.photograph import lit_from_behind
from trainer.finder.scenes import Boxes, intersection_over_union, read_scenes
from trainer.photo_accessories import draw_glasses, draw_headwear

Change = Callable[[np.random.Generator, Luma, Boxes], Luma]


def as_it_is(_rng: np.random.Generator, luma: Luma, _faces: Boxes) -> Luma:
    """Change nothing."""
    return luma


def from_behind(rng: np.random.Generator, luma: Luma, faces: Boxes) -> Luma:
    """Let light fall from behind."""
    return np.clip(lit_from_behind(rng, luma.astype(np.float32), faces), 0, 255).astype(np.uint8)


def with_drawn(draw: Draw, rng: np.random.Generator, luma: Luma, faces: Boxes) -> Luma:
    """Draw something on each face."""
    for face in faces:
        luma = draw_on(rng, luma, face, [draw])
    return luma


CHANGES: dict[str, Change] = {
    "as it is": as_it_is,
    "light from behind": from_behind,
    "glasses": partial(with_drawn, draw_glasses),
    "cap, hat, hood or helmet": partial(with_drawn, draw_headwear),
}


def main() -> int:
    """Print how many faces of each kind are found with each change, of those that are large enough to count."""
    finder = OwnFaceFinder(Path(sys.argv[2]) / "faces.tflite" if len(sys.argv) > 2 else OWN_MODEL)
    scenes, _ = read_scenes(Path(sys.argv[1]))
    for name, change in CHANGES.items():
        found = {label: [0, 0] for label in GROUPS}
        for number, scene in enumerate(scenes):
            luma = read_luma(scene.path)
            boxes = [np.array(face.box, np.float32) for face in finder.find(
                change(np.random.default_rng(number), luma, scene.boxes))]  # fmt: skip
            for face, label in zip(scene.boxes, scene.labels, strict=True):
                if label in GROUPS and face[3] >= SMALLEST_SHARE * luma.shape[0]:
                    hit = any(float(intersection_over_union(face[None], box).max()) >= OVERLAP for box in boxes)
                    found[label] = [found[label][0] + hit, found[label][1] + 1]
        print(name, *(f"{GROUPS[label]} {hits} of {n}" for label, (hits, n) in found.items()), sep="; ", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
