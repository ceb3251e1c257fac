"""Opens face finders by the names that settings and models' cards give them."""

from pathlib import Path
from typing import Any

from device.errors import ModelError
from device.faces import FaceFinder
from device.finders import open_finder
from device.model_card import ModelCard
from device.settings import FaceSettings
from trainer.options import FINDERS
from trainer.photos import BOXES_TABLE, CROPS_TABLE


def named_finder(name: str, yunet: str | None) -> FaceFinder:
    """Open a face finder by its name in [faces]; yunet: its .onnx, or nothing. Raises ModelError."""
    if name not in FINDERS:
        expected = ", ".join(FINDERS)
        raise ModelError(f"face finder {name!r} is unknown, expected one of {expected}: train the model again")
    chosen: dict[str, Any] = {"finder": name, "yunet_path": yunet or FaceSettings.yunet_path}
    return open_finder(FaceSettings(**chosen))


def finder_for(card: ModelCard, data: Path, cropped: bool, yunet: str | None) -> FaceFinder | None:
    """Open the finder that cut a model's training crops; none for face crops, as `cropped` or their table says.

    yunet: its .onnx, where that was YuNet. Raises ModelError.
    """
    whole = (cropped or (data / CROPS_TABLE).exists()) and not (data / BOXES_TABLE).exists()
    return None if whole else named_finder(card.face_finder, yunet)
