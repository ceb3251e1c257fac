"""The scores between which the door decides: its model's, or its owner's."""

from device.errors import SettingsError
from device.model_card import ModelCard
from device.settings import ModelSettings


def levels(settings: ModelSettings, card: ModelCard) -> tuple[float, float]:
    """Return threshold and release, 0-1 each. Raises SettingsError if the release is above the threshold."""
    threshold = settings.threshold or card.threshold
    release = settings.release or min(card.release, threshold)
    if release > threshold:
        raise SettingsError(
            f"[model] release is {release}, expected at most the threshold, {threshold:.2f}: lower it, or set both"
        )
    return threshold, release
