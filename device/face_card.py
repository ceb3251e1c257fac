"""Describes the face network's card: what it wants, what its boxes mean, and what was measured of it.

The trainer writes the card, the device reads it, both through the dataclasses below.
"""

from dataclasses import dataclass
from pathlib import Path

from device.cards import read_pair
from device.errors import ModelError
from device.heatmap import HEIGHT, WIDTH

FORMAT = 1
BOX = "forehead to chin, ear to ear, whatever covers them"  # what every training box frames, and so every found one
MADE_BY = "make faces"


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
    recall_lost: float  # Keras's recall less the .tflite's, over the faces of all sets; below 0 where that gained


@dataclass(frozen=True)
class FaceCard:
    """The contract between the trainer of the face network and the device."""

    format: int
    name: str
    sha256: str  # of the .tflite
    input_size: tuple[int, int]  # px of uint8 luma, (width, height)
    box: str  # what the boxes frame
    threshold: float  # 0-1: a face is one from this score on
    overlap: float  # 0-1: of two boxes with a larger intersection over union, only the surer one is a face
    trained_on: FacesTrainedOn
    measured: FacesMeasured

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
