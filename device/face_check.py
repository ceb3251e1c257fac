"""Looks closer at what the face network found, with a second network: most false faces are none from near."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from device.crop import crop_face
from device.face_card import CHECK_MADE_BY, CheckCard, check_path, read_check
from device.faces import Face, Luma
from device.tflite import load

# Places looked at in one picture, surest first: what a picture costs has a bound. A door has one face or few.
MOST_PLACES = 12
# The mirror image is looked at where the odds that both networks give are below this, one way or the other, in logits.
# Of 1,692 places in pictures that were learned from, it changed none that were surer; of them are twelve of thirteen.
UNSURE = 1.5
LEAST_SHARE = 1 / 512  # the first network's scores come in steps of 1/256: 0 may be anything below half a step


class FaceCheck:
    """A cascade's second stage (Viola and Jones, CVPR 2001)."""

    def __init__(self, run: Callable[[Luma], npt.NDArray[np.float32]], card: CheckCard) -> None:
        """Take what gives the logit of a crop, float32 (1,) of uint8 (size, size), and what its card says."""
        self._run, self._card = run, card
        self.from_score = card.from_score  # 0-1, the first network's: places that score less aren't worth a look

    def confirm(self, luma: Luma, places: Sequence[Face], least_score: float) -> list[Face]:
        """Return which of the places in a luma picture, uint8 (height, width), are faces, in the same order.

        places: with the first network's scores, 0-1. What comes back has the score of both networks, `least_score` at
        least.
        """
        surest = sorted(places, key=lambda place: place.score, reverse=True)[:MOST_PLACES]
        scores = {place.box: self._score(luma, place) for place in surest}
        return [Face(place.box, scores[place.box]) for place in places if scores.get(place.box, -1) >= least_score]

    def _score(self, luma: Luma, place: Face) -> float:
        """Return the geometric mean of the odds that both networks give a face, as a share 0-1.

        Where they are unsure, the second one looks at the face's mirror image too: what it is wrong about on one side
        it often isn't on the other (Krizhevsky et al., ImageNet Classification with Deep Convolutional Neural Networks,
        NIPS 2012).
        """
        share = min(max(place.score, LEAST_SHARE), 1 - LEAST_SHARE)
        first = math.log(share / (1 - share))
        crop = crop_face(luma, place.box, self._card.margin, self._card.size)
        second = float(self._run(crop)[0])
        if abs(first + second) / 2 < UNSURE:
            mirrored = np.asarray(cv2.flip(crop, 1), np.uint8)
            second = (second + float(self._run(mirrored)[0])) / 2
        return 1 / (1 + math.exp(-(first + second) / 2))


def load_check(model: Path, card: CheckCard) -> FaceCheck:
    """Load the check of a face network by the path of the latter's .tflite. Raises ModelError in one line."""
    network = load(check_path(model), read_check(model, card), (card.size, card.size), (1,), CHECK_MADE_BY)
    return FaceCheck(network.run, card)
