"""Describes a classifier's card: what the model is, what it wants, and what was measured of it.

The trainer writes cards, the device reads them, both through the dataclasses below.
"""

from dataclasses import dataclass
from pathlib import Path

from device.cards import read_pair
from device.errors import ModelError

MASK_LABEL, ALARM_LABEL = "with_mask", "without_mask"
LABELS = (MASK_LABEL, ALARM_LABEL)  # in the order of every model's outputs
FORMAT = 3
MADE_BY = "make train convert"


@dataclass(frozen=True)
class TrainedOn:
    """Where a model comes from: enough to train it again."""

    source: str  # the name of the photos' folder or set
    photos: dict[str, int]  # usable photos of each label
    sources: dict[str, int]  # usable photos of each source
    near_copies: dict[str, int]  # photos of each source left out because a measuring set holds a copy
    measuring: dict[str, str]  # SHA-256 over the photos of each of those sets
    no_face: int  # photos in which the finder saw no face; they were used whole
    refused: int  # pictures and faces that were left out, each by name
    dataset_sha256: str  # over the photos' own hashes and labels
    split: str  # "grouped" or "random"
    groups: int  # groups of near copies and of photos of one person
    leak: float  # share of test photos with a group member in the training part, 0-1
    random_split_leak: float  # what a plain random split of the same photos leaks, 0-1
    train: int  # photos
    validation: int  # photos
    test: int  # photos
    epochs: int
    best_epoch: int  # counted from 1
    temperature: float  # what the logits were divided by, so that scores are shares of right verdicts
    miss_cost: float  # what a missed bare face costs, in false alarms: threshold and release follow from it
    seed: int
    threads: int
    versions: dict[str, str]
    commit: str
    command: str


@dataclass(frozen=True)
class Measured:
    """What the .tflite did on the test part, and how it compares with the Keras model it was made from."""

    n: int  # photos
    no_face: int  # photos of them in which the finder saw no face
    accuracy: float  # 0-1
    accuracy_interval: tuple[float, float]  # 95 %, Wilson
    balanced_accuracy: float  # 0-1
    balanced_accuracy_interval: tuple[float, float]  # 95 %
    recall: dict[str, float]  # of each label, 0-1
    keras_accuracy: float  # 0-1
    parity: float  # share of photos on which .tflite and Keras give the same verdict, 0-1


@dataclass(frozen=True)
class ModelCard:
    """The contract between trainer and device."""

    format: int
    name: str
    practice: bool  # trained on drawn faces: for trying things out, never for a door
    network: str
    sha256: str  # of the .tflite
    labels: tuple[str, ...]  # in the order of the model's outputs
    alarm_label: str
    input_size: int  # px, a square of uint8 luma
    face_finder: str  # whose boxes the training crops came from
    face_finder_sha256: str  # of that finder's own model: another one frames faces differently
    crop_margin: float  # added on each side, as a share of the box's longer side
    threshold: float  # score of the alarm label, 0-1: at or above it the verdict is the alarm label
    release: float  # 0-1, at most the threshold: an alarm ends below it
    trained_on: TrainedOn
    measured: Measured

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ModelError(f"has card format {self.format}, expected {FORMAT}: convert it with this version")
        if (self.labels, self.alarm_label) != (LABELS, ALARM_LABEL):
            raise ModelError(
                f"has labels {self.labels} and alarm label {self.alarm_label!r}, expected {LABELS} and "
                f"{ALARM_LABEL!r}: convert the model again"
            )
        if not 0 < self.release <= self.threshold < 1:
            raise ModelError(
                f"has release {self.release} and threshold {self.threshold}, expected 0 < release <= threshold < 1"
            )
        if self.input_size < 1 or not 0 <= self.crop_margin <= 1:  # JSON may say NaN
            raise ModelError(f"has input size {self.input_size} and crop margin {self.crop_margin}: convert it again")

    def marked(self, line: str) -> str:
        """Return a line as it may be printed beside this model: a practice model marks each."""
        return f"PRACTICE  {line}" if self.practice else line


def is_path(model: str) -> bool:
    """Tell the path of a .tflite, whose ending may lack, from the name of a model in models/."""
    return "/" in model or model.endswith(".tflite")


def read_card(model: Path) -> tuple[ModelCard, bytes]:
    """Read the card of a classifier, and its bytes, proven to be the card's. Raises ModelError in one line."""
    return read_pair(ModelCard, model, MADE_BY)
