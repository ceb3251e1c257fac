"""Waits for the disk or card: what is there outlasts a power cut."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Have what was written into a file, or the names in a folder, on the disk before going on."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
