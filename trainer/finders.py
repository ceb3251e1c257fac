"""Opens face finders by the names that settings and models' cards give them."""

from typing import Any

from device.errors import ModelError
from device.faces import FaceFinder
from device.finders import open_finder
from device.settings import FaceSettings
from trainer.options import FINDERS


def named_finder(name: str, yunet: str) -> FaceFinder:
    """Open a face finder by its name in [faces]; yunet: its .onnx, or nothing. Raises ModelError."""
    if name not in FINDERS:
        expected = ", ".join(FINDERS)
        raise ModelError(f"face finder {name!r} is unknown, expected one of {expected}: train the model again")
    chosen: dict[str, Any] = {"finder": name, "yunet_path": yunet or FaceSettings.yunet_path}
    return open_finder(FaceSettings(**chosen))
