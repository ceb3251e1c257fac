"""Names folders outside the tree: the kiosk's own, for counts and kept faces, and those of who runs a command."""

import os
from pathlib import Path

from device.errors import KioskError


def state_folder() -> Path:
    """Return systemd's StateDirectory=, or the user's state folder where no service runs."""
    if state := os.environ.get("STATE_DIRECTORY"):
        return Path(state)
    return user_folder("XDG_STATE_HOME", ".local/state")


def user_folder(variable: str, below_home: str) -> Path:
    """Return ours in the folder that a variable names, by default in one below the home. Raises KioskError."""
    try:
        return Path(os.environ.get(variable) or Path.home() / below_home) / "mask-kiosk"
    except RuntimeError as error:
        raise KioskError(f"the user {os.getuid()} has no home, expected a folder: set HOME= or {variable}=") from error
