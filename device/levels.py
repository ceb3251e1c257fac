"""The scores between which the door decides: its model's, or its owner's."""

from typing import NamedTuple

from device.errors import SettingsError
from device.model_card import ModelCard
from device.settings import ModelSettings


class Levels(NamedTuple):
    """Two alarm scores, 0-1 each, between which a face stays what it was."""

    threshold: float  # the alarm begins at this score
    release: float  # and ends below it; at most the threshold


def levels(settings: ModelSettings, card: ModelCard) -> Levels:
    """Return the levels of a door. Raises SettingsError if the release is above the threshold."""
    threshold = settings.threshold or card.threshold
    release = settings.release or min(card.release, threshold)
    if release > threshold:
        raise SettingsError(
            f"[model] release is {release:g}, expected at most the threshold, {threshold:g}: lower it, or set both"
        )
    return Levels(threshold, release)
