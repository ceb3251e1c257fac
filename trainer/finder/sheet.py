"""Turns a seed into one picture that shows what the kiosk finds and says in drawn scenes of one to three people."""

import tempfile
from pathlib import Path

import cv2
import numpy as np

from device.classifier import Classifier
from device.disk import write_whole
from device.errors import PictureError
from device.finders import OwnFaceFinder
from device.judge import draw, judge_all
from device.pictures import read_color
from trainer.drawing import draw_person
from trainer.drawn_person import random_person
from trainer.practice import Picture, draw_background, photograph, place, random_light

COLUMNS, ROWS = 4, 3
SIZE = 320, 240  # px, width and height of a scene
FACE_HEIGHTS = {1: (0.2, 0.7), 2: (0.18, 0.45), 3: (0.15, 0.36)}  # shares of a scene's height, by its people
QUALITY = 80  # of WebP, 1-100


def draw_scene(rng: np.random.Generator, people: int) -> Picture:
    """Return a drawn scene, uint8 (height, width, 3) BGR, of so many people, about half of them masked."""
    width, height = SIZE
    light, behind = random_light(rng)
    scene = draw_background(rng, width, height) * np.float32(behind)
    heights = sorted(height * rng.uniform(*FACE_HEIGHTS[people], people))  # who is far comes first, and is covered
    places = (rng.permutation(people) + 0.5 + rng.uniform(-0.15, 0.15, people)) / people
    for face_height, across in zip(heights, places, strict=True):
        cut_out = draw_person(rng, random_person(rng), bool(rng.random() < 0.5), light)
        middle = width * across, height * rng.uniform(0.42, 0.52)
        scene, _ = place(cut_out, scene, middle, face_height / np.ptp(cut_out.outline[:, 1]), rng.normal(0, 8))
    return photograph(rng, scene)


def draw_sheet(model: str, target: Path, seed: int = 0) -> Path:
    """Draw scenes, judge them with the kiosk's face finder and a classifier, and write all in one WebP file.

    model: a classifier's name in models/ or its .tflite. Raises ModelError or PictureError.
    """
    if target.suffix != ".webp":
        raise PictureError(f"{target}: isn't named as a WebP, expected a path that ends in .webp: choose another")
    classifier, finder = Classifier(model), OwnFaceFinder()
    classifier.require_crops_of(finder)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(COLUMNS * ROWS):
            scene = draw_scene(np.random.default_rng([seed, number]), 1 + number % len(FACE_HEIGHTS))
            cv2.imwrite(f"{folder}/{number:02}.png", scene)
        tiles: list[Picture] = []
        for judgement in judge_all([Path(folder)], classifier, finder):
            if isinstance(judgement, PictureError):
                raise judgement
            draw(judgement, classifier, Path(folder))
            tiles.append(read_color(Path(folder) / f"{judgement.file}.png"))
    sheet = np.vstack([np.hstack(tiles[row * COLUMNS : (row + 1) * COLUMNS]) for row in range(ROWS)])
    write_whole(target, cv2.imencode(".webp", sheet, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])[1].tobytes())
    return target
