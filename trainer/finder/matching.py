"""Turns the boxes that a finder found and those that people drew into hits, misses and false boxes, by score."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from device.heatmap import Floats
from trainer.finder.scenes import Boxes, Scene, intersection_over_union
from trainer.scores import Interval, share

SMALLEST_SHARE = 1 / 10  # of the picture's height: a smaller face is neither a hit nor a miss


class Share(NamedTuple):
    """How many of some faces or pictures."""

    hits: int
    n: int

    @property
    def estimate(self) -> tuple[float, Interval] | None:
        """The share, 0-1, and its 95 % Wilson interval; None if there are none to count."""
        return share(self.hits, self.n) if self.n else None


@dataclass(frozen=True)
class Sighting:
    """What a finder found in a scene, at whatever score."""

    scene: Scene
    height: int  # px, of the picture
    boxes: Boxes  # float32 (n, 4): left, top, width, height in px
    scores: Floats  # float32 (n,), higher is surer


@dataclass(frozen=True)
class Tally:
    """Sightings counted, for every threshold at once: a surer box never depends on a less sure one."""

    pictures: int
    labels: npt.NDArray[np.str_]  # (faces,): of the faces that count
    heights: Floats  # float32 (faces,): shares of the picture's height, 0-1
    found_at: Floats  # float32 (faces,): score of the box that found the face, -inf where none did
    false_scores: Floats  # float32 (false boxes,), highest first
    highest_false: Floats  # float32 (pictures,): of each picture, -inf where it has none

    def recall(self, threshold: float, among: npt.NDArray[np.bool_]) -> Share:
        """Return how many faces are found at this score or above, among those that a mask (faces,) names."""
        return Share(_from(self.found_at[among], threshold), int(among.sum()))

    def false_boxes(self, threshold: float) -> int:
        """Return how many boxes at this score or above are on no face."""
        return _from(self.false_scores, threshold)

    def pictures_with_false(self, threshold: float) -> Share:
        """Return how many pictures have a false box at this score or above."""
        return Share(_from(self.highest_false, threshold), self.pictures)

    def quiet_threshold(self, most: float) -> float:
        """Return the lowest score of a found face that leaves at most so many false boxes a picture; inf if none does.

        So the recall at it is the highest that can be had at that price.
        """
        allowed = math.floor(most * self.pictures + 1e-9)  # 0.05 * 60 is a little below 3
        limit = self.false_scores[allowed] if allowed < len(self.false_scores) else -np.inf
        return float(self.found_at[self.found_at > limit].min(initial=np.inf))

    def curve(self) -> list[tuple[float, float, float]]:
        """Return (threshold, precision, recall) for the score of every found face, highest first."""
        scores = np.unique(self.found_at[np.isfinite(self.found_at)])[::-1].tolist()
        hits = [_from(self.found_at, score) for score in scores]
        return [
            (score, hit / (hit + self.false_boxes(score)), hit / len(self.found_at))
            for score, hit in zip(scores, hits, strict=True)
        ]


def tally(sightings: Sequence[Sighting], least_overlap: float) -> Tally:
    """Match what was found to the faces of each scene: surest first, one box a face.

    A box takes the free face that it overlaps most, if their intersection over union is at least `least_overlap`. If it
    overlaps no such face but one that is ignored or too small to count, it isn't counted either; any other is false,
    also the second on a face. Of equal scores the one given first comes first, of equal overlaps the face.
    """
    labels, heights, found_at, false_scores, highest_false = [], [], [], [], []
    for sighting in sightings:
        scene = sighting.scene
        counts = scene.boxes[:, 3] >= SMALLEST_SHARE * sighting.height
        faces, small = scene.boxes[counts], np.concatenate([scene.boxes[~counts], scene.ignored])
        found = np.full(len(faces), -np.inf, np.float32)
        false = []
        for i in np.argsort(-sighting.scores, kind="stable"):
            box, score = sighting.boxes[i], sighting.scores[i]
            overlaps = np.where(np.isneginf(found), intersection_over_union(faces, box), 0)
            if overlaps.max(initial=0) >= least_overlap:
                found[overlaps.argmax()] = score
            elif intersection_over_union(small, box).max(initial=0) < least_overlap:
                false.append(score)
        labels += [label for label, one in zip(scene.labels, counts, strict=True) if one]
        heights.append(faces[:, 3] / sighting.height)
        found_at.append(found)
        false_scores += false
        highest_false.append(max(false, default=-np.inf))
    return Tally(
        pictures=len(sightings),
        labels=np.array(labels, np.str_),
        heights=np.concatenate(heights).astype(np.float32),
        found_at=np.concatenate(found_at),
        false_scores=np.sort(np.array(false_scores, np.float32))[::-1],
        highest_false=np.array(highest_false, np.float32),
    )


def _from(scores: Floats, threshold: float) -> int:
    # A threshold of -inf takes every box, and -inf stands for none.
    return int(((scores >= threshold) & ~np.isneginf(scores)).sum())
