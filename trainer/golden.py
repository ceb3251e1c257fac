"""Turns a classifier into its golden pictures: drawn ones that it judges clearly, and what it says of them."""

import dataclasses
import hashlib
import json

import cv2
import numpy as np

from device.classifier import Classifier
from device.disk import write_whole
from device.events import State
from device.faces import FaceFinder, Luma
from device.golden import ANSWERS, FORMAT, Golden, GoldenPicture, alarm_scores, golden_folder, state_of
from trainer.drawing import draw_person
from trainer.drawn_person import random_person
from trainer.practice import draw_background, place, random_light

WIDTH, HEIGHT = 256, 192  # px: what the face network sees, so that nothing is resized before it
FACE_HEIGHT = 0.55  # of the picture's
TRIES = 24
CLEAR_MARGIN = 0.2  # of an alarm score to the card's levels, 0-1: no rounding turns such a verdict
GREY_STEP = 4  # grey levels that are drawn as one: a PNG of fewer is a third as large
# What is drawn, and the state of the door that is hoped for; what a model says is written down as it is.
KINDS = {"masked": State.CLEAR, "bare": State.ALARM, "empty": State.IDLE}


def write_golden(classifier: Classifier, finder: FaceFinder, tries: int = TRIES) -> list[GoldenPicture]:
    """Draw the golden pictures of a classifier and write them and golden.json beside its .tflite; return the answers.

    tries: pictures drawn of each kind, of which the clearest is kept. The same models give the same files.
    """
    folder, pictures = golden_folder(classifier.path), list[GoldenPicture]()
    for kind, wanted in KINDS.items():
        drawn = (draw_golden(np.random.default_rng([seed, *kind.encode()]), kind) for seed in range(tries))
        luma = max(drawn, key=lambda picture: _clarity(picture, wanted, classifier, finder))
        verdicts = classifier.judge(luma, finder.find(luma))
        content = cv2.imencode(".png", luma, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()
        write_whole(folder / f"{kind}.png", content)
        pictures.append(GoldenPicture(
            file=f"{kind}.png",
            sha256=hashlib.sha256(content).hexdigest(),
            state=str(state_of(verdicts, classifier.card)),
            scores=alarm_scores(verdicts),
        ))
    golden = Golden(FORMAT, classifier.card.sha256, finder.sha256, tuple(pictures))
    # Last: the device refuses pictures that aren't those of the answers, so a power cut before this is noticed.
    write_whole(folder / ANSWERS, (json.dumps(dataclasses.asdict(golden), indent=2) + "\n").encode())
    return pictures


def draw_golden(rng: np.random.Generator, kind: str) -> Luma:
    """Return a drawn picture, uint8 (HEIGHT, WIDTH) luma, of one person, masked or bare, or of nobody."""
    light, behind = random_light(rng)
    scene = draw_background(rng, WIDTH, HEIGHT) * np.float32(behind)
    if kind != "empty":
        person = draw_person(rng, random_person(rng), kind == "masked", light)
        scale = HEIGHT * FACE_HEIGHT / np.ptp(person.outline[:, 1])
        scene, _ = place(person, scene, (WIDTH / 2, HEIGHT / 2), scale, 0.0)
    grey = cv2.cvtColor(np.clip(cv2.GaussianBlur(scene, (0, 0), 0.7), 0, 1), cv2.COLOR_BGR2GRAY)
    return np.asarray(np.round(grey * (255 / GREY_STEP)) * GREY_STEP, np.uint8)


def _clarity(luma: Luma, wanted: State, classifier: Classifier, finder: FaceFinder) -> tuple[bool, bool, float]:
    """Return what a picture is chosen by: the wanted state, far from every other one, faces that are surely found."""
    faces, card = finder.find(luma), classifier.card
    verdicts = classifier.judge(luma, faces)
    margins = [abs(verdict.alarm_score - level) for verdict in verdicts for level in (card.release, card.threshold)]
    surest = min((face.score for face in faces), default=0.0)
    return state_of(verdicts, card) is wanted, min(margins, default=1.0) >= CLEAR_MARGIN, surest
