"""Writes and waits for the disk or card, where what is there outlasts a power cut, and tells its files from pipes."""

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def sync(path: Path) -> None:
    """Have what was written into a file, or the names in a folder, on the disk before going on."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def write_whole(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write a file so that a power cut leaves either the old content or the new, whoever else writes it meanwhile.

    mode: who may do what with it, by default as the umask says. Raises OSError, which names it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name that nobody foresees: whoever else may write in the folder, or writes the same file, is kept apart.
    partial = path.with_name(f"{path.name}.{secrets.token_hex(8)}.partial")
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        error.filename = str(path)  # a full disk names none
        raise
    finally:
        with suppress(OSError):  # it bears the other name, or was never made
            partial.unlink()
    sync(path.parent)  # the name too


def require_file(path: Path) -> None:
    """Raise OSError for a pipe or a device, which might be read for ever."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "a pipe or device, expected a plain file", str(path))
