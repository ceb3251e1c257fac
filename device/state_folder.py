"""Names the folder for what the kiosk keeps of its own: counts, and faces where that was asked for."""

import os
from pathlib import Path


def state_folder() -> Path:
    """Return systemd's StateDirectory=, or the user's state folder where no service runs."""
    if state := os.environ.get("STATE_DIRECTORY"):
        return Path(state)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "mask-kiosk"
