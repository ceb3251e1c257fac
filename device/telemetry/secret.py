"""Reads a password from a file of its own that others can't read."""

import os
import stat

from device import arguments
from device.disk import require_file
from device.errors import SettingsError


def read_secret(path: str) -> str:
    """Return the one line in a file. Raises SettingsError, which never holds the line."""
    try:
        require_file(arguments.path(path))
        with arguments.path(path).open(encoding="utf-8-sig") as file:  # Windows may mark it
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(4096).strip()
    except OSError as error:
        raise SettingsError(f"{path}: can't be read ({error.strerror}): see docs/telemetry.md") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: is no UTF-8 text, expected one line") from error
    except ValueError as error:
        raise SettingsError(f"{path}: is no path ({error}): see docs/telemetry.md") from error
    if mode & stat.S_IRWXO:
        raise SettingsError(f"{path}: its mode is {mode:04o}, expected nothing for others: run `chmod o= {path}`")
    if not text or "\n" in text:
        raise SettingsError(f"{path}: has {len(text.splitlines())} lines, expected one")
    return text
