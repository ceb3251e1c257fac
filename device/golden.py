"""Judges the golden pictures beside a classifier: a few drawn ones, of which it stands written what it says of them.

They tell whether this computer, with its runtime, its OpenCV and its processor, judges as the one that made the model.
The trainer writes pictures and answers, the device reads them, both through the dataclasses below.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from device.cards import read_described
from device.classifier import MODELS, Classifier, Verdict
from device.errors import ModelError
from device.events import State
from device.faces import FaceFinder
from device.model_card import ModelCard
from device.pictures import decode_luma

FORMAT = 1
FOLDER, ANSWERS = "golden", "golden.json"
# Scores differ by up to 0.02 between the two runtimes; the pictures' are further than this from the card's levels.
TOLERANCE = 0.05


@dataclass(frozen=True)
class GoldenPicture:
    """A picture, and what the model must say of it."""

    file: str
    sha256: str
    state: str  # that the most urgent face of it asks for
    scores: tuple[float, ...]  # 0-1, the alarm score of each face, largest first


@dataclass(frozen=True)
class Golden:
    """What stands in golden.json."""

    format: int
    model_sha256: str
    face_finder_sha256: str
    pictures: tuple[GoldenPicture, ...]

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ModelError(f"has format {self.format}, expected {FORMAT}: convert the model with this version")


@dataclass(frozen=True)
class Answer:
    """What a classifier says of a golden picture here."""

    picture: GoldenPicture
    state: str
    scores: tuple[float, ...]

    @property
    def right(self) -> bool:
        """The state is as written, and every score within the tolerance."""
        expected = self.picture
        return (self.state, len(self.scores)) == (expected.state, len(expected.scores)) and all(
            abs(found - wanted) <= TOLERANCE for found, wanted in zip(self.scores, expected.scores, strict=True)
        )

    def __str__(self) -> str:
        expected = self.picture
        return f"{expected.file}: {_words(self.state, self.scores)}, expected {_words(expected.state, expected.scores)}"


def has_golden_pictures(classifier: Classifier) -> bool:
    """Tell whether a classifier has golden pictures; one from elsewhere may have none."""
    return golden_folder(classifier.path).is_dir()


def require_right(classifier: Classifier, finder: FaceFinder) -> None:
    """Raise ModelError in one line unless every golden picture is there and judged rightly."""
    wrong = "; ".join(str(answer) for answer in golden_answers(classifier, finder) if not answer.right)
    if wrong:
        raise ModelError(
            f"{classifier.path}: its golden pictures are judged wrongly here ({wrong}): run `make doctor`, and put the "
            "release before back"
        )


def golden_answers(classifier: Classifier, finder: FaceFinder) -> tuple[Answer, ...]:
    """Judge every golden picture of a classifier, which takes a fraction of a second. Raises ModelError."""
    folder = golden_folder(classifier.path)
    name = classifier.card.name if classifier.path.parent == MODELS else classifier.path
    made_by = f"python -m trainer golden --model {name}"
    golden = read_described(Golden, folder / ANSWERS, "the answers to golden pictures", f"`{made_by}`")
    if (golden.model_sha256, golden.face_finder_sha256) != (classifier.card.sha256, finder.sha256):
        raise ModelError(f"{folder}: was written for another model or face finder, expected these: run `{made_by}`")
    answers = []
    for picture in golden.pictures:
        path = folder / picture.file
        luma = decode_luma(path, _read_proven(path, picture.sha256, made_by))
        verdicts = classifier.judge(luma, finder.find(luma))
        answers.append(Answer(picture, state_of(verdicts, classifier.card), alarm_scores(verdicts)))
    return tuple(answers)


def _read_proven(path: Path, sha256: str, made_by: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: can't be read ({error.strerror}): copy it again or run `{made_by}`") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelError(f"{path}: isn't the picture that was judged: copy it again or run `{made_by}`")
    return content


def golden_folder(model: Path) -> Path:
    """Return where the golden pictures of a .tflite are."""
    return model.parent / FOLDER / model.stem


def state_of(verdicts: Sequence[Verdict], card: ModelCard) -> State:
    """Return the state that the most urgent face of one picture asks for."""
    score = max((verdict.alarm_score for verdict in verdicts), default=None)
    if score is None:
        return State.IDLE
    return State.ALARM if score >= card.threshold else State.CLEAR if score < card.release else State.CHECKING


def alarm_scores(verdicts: Sequence[Verdict]) -> tuple[float, ...]:
    """Return each face's alarm score, rounded as it is written down."""
    return tuple(round(verdict.alarm_score, 4) for verdict in verdicts)


def _words(state: str, scores: Sequence[float]) -> str:
    return f"{state} {' '.join(f'{score:.2f}' for score in scores)}".rstrip()
