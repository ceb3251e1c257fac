"""Says which settings the setup page may change, and which of them hold at once, without a restart."""

import dataclasses
from typing import Any

from device.sections import read_section
from device.settings import (
    CameraSettings,
    DecisionSettings,
    ModelSettings,
    ScreenSettings,
    Settings,
    SignalSettings,
)

# By section: its settings, the keys that hold at once, and those that hold from the next start on. Pins, the door
# relay's time and all that a screen on the network needs are for whoever can open the file.
SOUNDS = ("beeps", "beep_seconds", "pause_seconds", "quiet_from", "quiet_until", "time_zone")
CHANGES: dict[str, tuple[type, tuple[str, ...], tuple[str, ...]]] = {
    "model": (ModelSettings, ("threshold", "release"), ()),
    "decision": (DecisionSettings, tuple(field.name for field in dataclasses.fields(DecisionSettings)), ()),
    "signals": (SignalSettings, SOUNDS, ()),
    "screen": (ScreenSettings, ("language", "speech"), ("mirror",)),
    "camera": (CameraSettings, (), ("rotation", "mirror", "backlit", "brighter")),
}


def read_changes(posted: Any) -> dict[str, dict[str, Any]] | None:  # noqa: ANN401
    """Return changes by section and key, checked as a kiosk.toml is; None if they name what isn't to be changed here.

    Raises SettingsError.
    """
    if not isinstance(posted, dict) or not posted.keys() <= CHANGES.keys():
        return None
    changes = {}
    for name, table in posted.items():
        kind, at_once, later = CHANGES[name]
        section = read_section(kind, table, f"[{name}]")
        if not table.keys() <= {*at_once, *later}:
            return None
        changes[name] = {key: getattr(section, key) for key in table}
    return changes


def changed(settings: Settings, changes: dict[str, dict[str, Any]]) -> Settings:
    """Return settings with changes."""
    sections = {name: dataclasses.replace(getattr(settings, name), **values) for name, values in changes.items()}
    return dataclasses.replace(settings, **sections)


def held(running: Settings, saved: Settings) -> Settings:
    """Return the running settings with those of the saved ones that hold at once."""
    return changed(
        running,
        {name: {key: getattr(getattr(saved, name), key) for key in keys} for name, (_, keys, _) in CHANGES.items()},
    )
