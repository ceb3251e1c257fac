"""The scores between which the door decides: its model's, or its owner's."""

from typing import NamedTuple

from device.errors import SettingsError
from device.limits import LOWEST_LEVEL
from device.model_card import ModelCard
from device.settings import ModelSettings


class Levels(NamedTuple):
    """Two alarm scores, 0-1 each, between which a face stays what it was."""

    threshold: float  # the alarm begins at this score
    release: float  # and ends below it; at most the threshold


def levels(settings: ModelSettings, card: ModelCard) -> Levels:
    """Return the levels of a door. Raises SettingsError if the release is above the threshold."""
    threshold = settings.threshold or card.threshold
    if settings.release > threshold:
        raise SettingsError(
            f"[model] release is {settings.release:g}, expected at most the threshold, {threshold:g}: lower it, or set "
            "both"
        )
    if settings.release or threshold >= card.threshold:
        return Levels(threshold, settings.release or card.release)
    # In proportion: without a gap, a score that wavers at the threshold would change the verdict at will.
    return Levels(threshold, max(LOWEST_LEVEL, card.release * threshold / card.threshold))
