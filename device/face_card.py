"""Describes the face network's card: what it wants, what its boxes mean, and what was measured of it.

The trainer writes the card, the device reads it, both through the dataclasses below.
"""

from dataclasses import dataclass
from pathlib import Path

from device.cards import read_pair, read_proven
from device.errors import ModelError
from device.heatmap import HEIGHT, WIDTH

FORMAT = 2
BOX = "forehead to chin, ear to ear, whatever covers them"  # what every training box frames, and so every found one
MADE_BY, CHECK_MADE_BY = "make faces", "make face-check"


@dataclass(frozen=True)
class FacesTrainedOn:
    """Where the face network comes from: enough to train it again."""

    pictures: dict[str, int]  # pictures with boxes, of each source
    faces: dict[str, int]  # boxes in them, of each source
    backgrounds: dict[str, int]  # pictures without faces, of each source
    held_out: tuple[str, ...]  # sources kept out of training, to measure with
    samples: int  # pictures shown in training, repeats and changed copies counted
    epochs: int
    seed: int
    threads: int
    teacher: str  # SHA-256 of the detector that labelled pictures, or nothing
    versions: dict[str, str]
    commit: str
    command: str


@dataclass(frozen=True)
class FacesFound:
    """What the .tflite finds in one set of pictures; a face is found where a box meets it with an IoU of 0.3."""

    pictures: int
    faces_masked: int  # of at least a tenth of the picture's height
    faces_bare: int  # the same
    recall_masked: float  # share of them that were found, 0-1
    recall_bare: float  # 0-1
    false_boxes_a_picture: float


@dataclass(frozen=True)
class FacesMeasured:
    """What the .tflite finds at the card's threshold, and what it has lost to the Keras model it was made from."""

    sets: dict[str, FacesFound]  # by the set's name
    # Keras's recall less the .tflite's, over the faces of all sets; below 0 where that gained. With a check it is what
    # the check alone loses, behind the same .tflite of the face network.
    recall_lost: float


@dataclass(frozen=True)
class CheckCard:
    """The second network, which looks closer at each place that the first one names whether a face is there."""

    sha256: str  # of NAME-check.tflite
    size: int  # px of its uint8 luma crops, which are square
    margin: float  # added around a box on each side, as a share of its longer side
    from_score: float  # 0-1, the first network's: what scores less isn't looked at
    pictures: int  # composed ones, in which the first network named what the second learned from
    faces: int  # crops that it learned from: of faces
    others: int  # and of what is none
    epochs: int
    seed: int
    threads: int
    versions: dict[str, str]
    commit: str
    command: str

    def __post_init__(self) -> None:
        if not (0 < self.from_score < 1 and self.size > 0 and 0 <= self.margin <= 1):  # JSON may say NaN
            raise ModelError(
                f"has a check from score {self.from_score}, of {self.size} px with margin {self.margin}, expected the "
                "first and the last from 0 to 1: convert it again"
            )


@dataclass(frozen=True)
class FaceCard:
    """The contract between the trainer of the face network and the device."""

    format: int
    name: str
    sha256: str  # of the .tflite
    input_size: tuple[int, int]  # px of uint8 luma, (width, height)
    box: str  # what the boxes frame
    threshold: float  # 0-1: a face is one from this score on, which is both networks' where there are two
    overlap: float  # 0-1: of two boxes with a larger intersection over union, only the surer one is a face
    trained_on: FacesTrainedOn
    measured: FacesMeasured
    check: CheckCard | None

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ModelError(f"has card format {self.format}, expected {FORMAT}: convert it with this version")
        if (self.input_size, self.box) != ((WIDTH, HEIGHT), BOX):
            raise ModelError(
                f"has input size {self.input_size} and boxes {self.box!r}, expected {(WIDTH, HEIGHT)} and {BOX!r}: "
                "convert it with this version"
            )
        if not (0 < self.threshold < 1 and 0 <= self.overlap <= 1):  # JSON may say NaN
            raise ModelError(
                f"has threshold {self.threshold} and overlap {self.overlap}, expected both from 0 to 1: convert it "
                "again"
            )


def read_face_card(model: Path) -> tuple[FaceCard, bytes]:
    """Read the card of a face network, and its bytes, proven to be the card's. Raises ModelError in one line."""
    return read_pair(FaceCard, model, MADE_BY)


def read_check(model: Path, card: CheckCard) -> bytes:
    """Read the check beside a face network, proven to be its card's. Raises ModelError in one line."""
    return read_proven(check_path(model), card.sha256, CHECK_MADE_BY)


def check_path(model: Path) -> Path:
    """Return where the check of a face network lies."""
    return model.with_name(f"{model.stem}-check.tflite")
