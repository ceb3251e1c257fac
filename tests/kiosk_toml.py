"""Writes a kiosk.toml for a model."""

from pathlib import Path

from device.model_card import read_card


def config_for(model: Path, folder: Path) -> Path:
    """Write a kiosk.toml with the face finder that a model was trained with, and no screen; return its path."""
    path = folder / f"{model.stem}.toml"
    path.write_text(f'[faces]\nfinder = "{read_card(model)[0].face_finder}"\n[screen]\nenabled = false\n')
    return path
