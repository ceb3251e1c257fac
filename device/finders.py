"""Opens the face finder that the settings name: our own network, OpenCV's YuNet, or OpenCV's Haar cascade.

None stands in for another: each frames faces in its own way, and classifiers know the crops of one.
"""

from pathlib import Path

from device import heatmap
from device.arguments import path
from device.face_card import MADE_BY, read_face_card
from device.face_check import load_check
from device.faces import Face, FaceFinder, Luma
from device.haar import HaarFaceFinder
from device.settings import FaceSettings
from device.tflite import load
from device.yunet import YuNetFaceFinder

OWN_MODEL = Path(__file__).parent.parent / "models" / "faces.tflite"


def open_finder(settings: FaceSettings) -> FaceFinder:
    """Open the finder that the settings name. Raises ModelError in one line where it can't be used."""
    if settings.finder == YuNetFaceFinder.name:
        return YuNetFaceFinder(path(settings.yunet_path), settings.yunet_sha256, settings.yunet_score)
    return HaarFaceFinder() if settings.finder == HaarFaceFinder.name else OwnFaceFinder()


class OwnFaceFinder:
    """The face network of models/faces.tflite, and its check; they find masked faces too. Scores are 0-1."""

    name = "own"

    def __init__(self, model: Path = OWN_MODEL, least_score: float | None = None, checked: bool = True) -> None:
        """Load a face network by the path of its .tflite, its card and its check beside it. Raises ModelError.

        least_score: from which a face is one, 0-1, by default the card's threshold. checked: whether the check that its
        card names looks too; where checks are made, there may be none that fits.
        """
        self.card, content = read_face_card(model)
        self.sha256 = self.card.sha256
        self._least_score = self.card.threshold if least_score is None else least_score
        shape = heatmap.ROWS, heatmap.COLUMNS, heatmap.CHANNELS
        self._network = load(model, content, (heatmap.HEIGHT, heatmap.WIDTH), shape, MADE_BY)
        self._check = load_check(model, self.card.check) if checked and self.card.check else None

    def find(self, luma: Luma) -> list[Face]:
        """Return the faces of a luma picture, uint8 (height, width), largest first."""
        if self._check:
            return self._check.confirm(luma, self.places(luma, self._check.from_score), self._least_score)
        return self.places(luma, self._least_score)

    def places(self, luma: Luma, least_score: float) -> list[Face]:
        """Return what the face network alone gives this score or more, largest first: its check looks at that."""
        fitted = heatmap.fit(luma)
        size = luma.shape[1], luma.shape[0]
        return heatmap.faces_of(self._network.run(fitted.luma), fitted, size, least_score, self.card.overlap)
