"""Measures the noise model: what the finder and the classifier make of drawn people who stand before the camera."""

import itertools
from dataclasses import dataclass, field

import numpy as np
from tqdm import tqdm

from device.classifier import Classifier
from device.faces import FaceFinder, iou
from trainer.passages.draw import GivenPictures, Stage
from trainer.passages.noise import FRAMES_PER_SECOND, Noise, verdict_of
from trainer.passages.script import Passage, Place, Walk

FRAMES = 16  # of each person with and without a mask
SAME_FACE = 0.3  # intersection over union of a found box and the true one
HEIGHTS = 0.14, 0.42  # least and most of a face, shares of the picture's height
LOWEST, HIGHEST = 1e-4, 1 - 1e-4  # scores: an 8-bit softmax says 0 and 1


@dataclass
class _Found:
    """What was found of people who stand there."""

    means: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})
    wavers: list[list[float]] = field(default_factory=list)  # logits less their person's mean, frame after frame
    offs: list[tuple[float, float, float]] = field(default_factory=list)
    seen: list[list[bool]] = field(default_factory=list)


def measure(classifier: Classifier, finder: FaceFinder, people: int, seed: int) -> Noise:
    """Draw so many people, each with and without a mask, and return the numbers."""
    found, drawn = _Found(), GivenPictures(None, None)
    for number in tqdm(range(people), desc="measuring", unit="person", disable=None):
        for masked in (True, False):
            rng = np.random.default_rng([seed, number])  # the same light and place for both
            spot = Place(float(rng.uniform(0.3, 0.7)), float(rng.uniform(0.4, 0.55)), float(rng.uniform(*HEIGHTS)))
            seconds = FRAMES / FRAMES_PER_SECOND
            walk = Walk(((0.0, spot), (seconds, spot)), ((0.0, masked),), phase=float(rng.uniform(0, 6.28)))
            stage = Stage(rng, Passage("stands", seconds, (walk,)), drawn)
            _watch(found, stage, walk, masked, classifier, finder)
    pairs = [pair for seen in found.seen for pair in itertools.pairwise(seen)]
    after = {before: [now for was, now in pairs if was is before] for before in (True, False)}
    wavers = np.concatenate([np.array(waver) for waver in found.wavers])
    steps = np.array([step for waver in found.wavers for step in itertools.pairwise(waver)])
    offs = np.array(found.offs)
    return Noise(
        model=classifier.card.sha256, finder=finder.sha256, people=people, frames=FRAMES,
        lost=1 - float(np.mean(after[True])), found=float(np.mean(after[False])) if after[False] else 1.0,
        middle=float(offs[:, :2].std()), height=float(offs[:, 2].std()),
        masked=tuple(found.means[True]), bare=tuple(found.means[False]),
        spread=float(wavers.std()), memory=float(np.clip((steps[:, 0] * steps[:, 1]).mean() / wavers.var(), 0, 0.99)),
    )  # fmt: skip


def _watch(found: _Found, stage: Stage, walk: Walk, masked: bool, classifier: Classifier, finder: FaceFinder) -> None:
    logits, seen, offs = list[float](), list[bool](), list[tuple[float, float, float]]()
    for frame, luma in enumerate(stage.frames()):
        spot = walk.place(frame / FRAMES_PER_SECOND)
        true = verdict_of(spot, 0.0) if spot else None
        if spot is None or true is None:
            continue
        verdicts = classifier.judge(luma, finder.find(luma))
        near = [verdict for verdict in verdicts if iou(verdict.box, true.box) > SAME_FACE]
        seen.append(bool(near))
        if near:
            box, score = near[0].box, float(np.clip(near[0].alarm_score, LOWEST, HIGHEST))
            logits.append(float(np.log(score / (1 - score))))
            offs.append((
                (box.x + box.width / 2 - true.box.x - true.box.width / 2) / true.box.height,
                (box.y + box.height / 2 - true.box.y - true.box.height / 2) / true.box.height,
                box.height / true.box.height,
            ))
    found.seen.append(seen)
    if len(logits) > FRAMES / 2:  # who is hardly ever found has no scores that could be drawn from
        found.means[masked].append(float(np.mean(logits)))
        found.wavers.append([logit - float(np.mean(logits)) for logit in logits])
        found.offs += [tuple((np.array(off) - np.mean(offs, axis=0)).tolist()) for off in offs]
