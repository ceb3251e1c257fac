"""The scores between which the door decides: its model's, or its owner's."""

from typing import NamedTuple

from device.errors import SettingsError
from device.model_card import ModelCard
from device.settings import ModelSettings


class Levels(NamedTuple):
    """Two alarm scores, 0-1 each, between which a face stays what it was."""

    threshold: float  # a face rings from it on
    release: float  # and stops below it; at most the threshold


def levels(settings: ModelSettings, card: ModelCard) -> Levels:
    """Return the levels of a door. Raises SettingsError if the release is above the threshold."""
    threshold = settings.threshold or card.threshold
    if settings.release > threshold:
        raise SettingsError(
            f"[model] release is {settings.release:g}, expected at most the threshold, {threshold:g}: lower it, or set "
            "both"
        )
    # In proportion below a lower threshold: without a gap, a score that wavers there would change the verdict at will.
    return Levels(threshold, settings.release or card.release * min(1.0, threshold / card.threshold))
