"""Waits for the disk or card, where what is there outlasts a power cut, and tells its files from pipes."""

import errno
import os
from pathlib import Path

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def sync(path: Path) -> None:
    """Have what was written into a file, or the names in a folder, on the disk before going on."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def require_file(path: Path) -> None:
    """Raise OSError for a pipe or a device, which might be read for ever."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "a pipe or device, expected a plain file", str(path))
