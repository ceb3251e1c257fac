"""Writes changed keys into a kiosk.toml, whole or not at all; its comments stay."""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from device.errors import SettingsError
from device.settings import read_settings


def edit_settings(path: Path, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Set keys, section by section. Raises SettingsError if the result would be refused, or can't be written."""
    new = path.with_name(f".{path.name}.new")  # in the same folder, so that it can take the file's place at once
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8"))
        for section, values in changes.items():
            table = document.setdefault(section, tomlkit.table())
            for key, value in values.items():
                table[key] = value
        with new.open("w", encoding="utf-8") as file:
            file.write(tomlkit.dumps(document))
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(path, new)
        read_settings(new)
        new.replace(path)
        _sync(path.parent)
    except SettingsError as error:
        raise SettingsError(str(error).replace(str(new), str(path))) from error
    except (OSError, ValueError, TypeError, TOMLKitError) as error:
        raise SettingsError(f"{path}: can't be written ({error}): check the file and who may write it") from error
    finally:
        with suppress(OSError):  # it was never made, or on a card that has become read-only
            new.unlink()


def _sync(folder: Path) -> None:
    """Have the names in a folder on the card before going on: what was told to be saved survives a power cut."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
