"""Turns face crops into verdicts with a .tflite on its card's terms."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device.arguments import path
from device.cards import SHIPPED
from device.crop import crop_face
from device.errors import ModelError
from device.faces import Box, Face, FaceFinder, Luma
from device.look import WELL_SEEN, Look, look_at
from device.model_card import ALARM_LABEL, LABELS, MADE_BY, MASK_LABEL, ModelCard, is_path, read_card
from device.tflite import load

MODELS = Path(__file__).parent.parent / "models"
FACES = "faces"  # the face finder lies there too


@dataclass(frozen=True)
class Verdict:
    """What the classifier says of one face."""

    box: Box
    face_score: float  # on the face finder's scale
    scores: tuple[float, ...]  # 0-1 each, in the order of LABELS
    alarm_score: float  # 0-1, the latter of them
    label: str  # ALARM_LABEL at or above the classifier's threshold, else MASK_LABEL
    look: Look = WELL_SEEN  # how well the face was seen


class Classifier:
    """A .tflite model, proven against its card before the runtime sees it."""

    card: ModelCard

    def __init__(self, model: str) -> None:
        """Load a model by name ("door": models/door.tflite) or by the path of its .tflite, whose ending may lack.

        Raises ModelError if model or card is missing, damaged, or doesn't fit the other.
        """
        named = not is_path(model)
        self.path = MODELS / f"{model}.tflite" if named else path(f"{model.removesuffix('.tflite')}.tflite")
        if named and model not in {file.stem for file in MODELS.glob("*.tflite")}:
            there = ", ".join(sorted(file.stem for file in MODELS.glob("*.json") if file.stem != FACES))
            raise ModelError(f"no model {model!r} in {MODELS}, expected one of {there}: {_advice(model)}")
        self.card, content = read_card(self.path)
        self.threshold = self.card.threshold  # from which a score's label is the alarm's, 0-1; an owner may set another
        size = self.card.input_size
        self._network = load(self.path, content, (size, size), (len(LABELS),), MADE_BY)

    def require_crops_of(self, finder: FaceFinder) -> None:
        """Raise ModelError unless the model was trained on the crops of this finder; others, it has never seen."""
        card = self.card
        if (card.face_finder, card.face_finder_sha256) != (finder.name, finder.sha256):
            other = f'set [faces] finder = "{card.face_finder}" in a kiosk.toml and name it (--config, CONFIG=)'
            advice = other if card.face_finder != finder.name else f"run `{MADE_BY}` with this version"
            raise ModelError(
                f"model {card.name} was trained on faces found by {card.face_finder!r} "
                f"({card.face_finder_sha256[:12]}…), here {finder.name!r} ({finder.sha256[:12]}…) finds them: {advice}"
            )

    def scores(self, crop: Luma) -> npt.NDArray[np.float32]:
        """Return the scores, float32 (labels,) in 0-1, of one crop, uint8 (input_size, input_size) luma."""
        return self._network.run(crop)

    def judge(self, luma: Luma, faces: Sequence[Face]) -> list[Verdict]:
        """Judge the faces of a luma picture, uint8 (height, width)."""
        margin, size = self.card.crop_margin, self.card.input_size
        crops = [crop_face(luma, face.box, margin, size) for face in faces]
        return [
            self.verdict(face, self.scores(crop), look_at(luma, face, crop))
            for face, crop in zip(faces, crops, strict=True)
        ]

    def verdict(self, face: Face, scores: npt.NDArray[np.float32], look: Look = WELL_SEEN) -> Verdict:
        """Return what scores, float32 (labels,), say of a face; look: how well it was seen."""
        # As Python floats, because NumPy 1 and 2 compare a float32 with a float in different precisions.
        mask, alarm = (float(score) for score in scores)
        label = ALARM_LABEL if alarm >= self.threshold else MASK_LABEL
        return Verdict(face.box, face.score, (mask, alarm), alarm, label, look)


def _advice(model: str) -> str:
    """Say what to do where models/ has no model of this name; training makes a `door` unless it is told otherwise."""
    if model == "practice":
        return f"name one; `{MADE_BY}` makes it only where the notebook's photos can't be fetched, else a door"
    return "run `git checkout models`" if model in SHIPPED else "name one, or the path of a .tflite"
