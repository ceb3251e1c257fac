"""A folder of sealed face crops: bounded in number, bytes and days. Each file is whole, and nothing in it is clear."""

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from device.folders import state_folder
from device.seal import seal
from device.settings import CollectSettings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

SUFFIX = ".crop"
NAME = re.compile(r"(?P<kept>[0-9]{1,11})-[0-9a-f]{8}\.crop")  # seconds since 1970, and what makes it the only one
NEW = ".new"  # what a power cut left of one
DAY_SECONDS = 86400.0
BLOCK = 4096  # bytes that a file takes up at least


def crops_folder() -> Path:
    """Return where crops are kept."""
    return state_folder() / "collected"


class CropStore:
    """The crops of one kiosk."""

    def __init__(self, folder: Path, settings: CollectSettings, key: "X25519PublicKey") -> None:
        """Make the folder, for its owner alone. Raises OSError."""
        self._folder, self._settings, self._key = folder, settings, key
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(self, picture: bytes, now: float) -> bool:
        """Keep an encoded picture at `now`, in seconds since 1970; return False where it is full. Raises OSError."""
        self.prune(now)
        sealed, sizes = seal(picture, self._key), self._sizes()
        if len(sizes) >= self._settings.most:
            return False
        if sum(map(_space, [*sizes, len(sealed)])) > self._settings.most_megabytes * 1e6:
            return False
        path = self._folder / f"{int(now)}-{secrets.token_hex(4)}{SUFFIX}"
        new = path.with_suffix(NEW)
        try:
            with new.open("xb") as file:
                file.write(sealed)
                file.flush()
                os.fsync(file.fileno())
            new.rename(path)
        finally:
            new.unlink(missing_ok=True)
        return True

    def prune(self, now: float) -> None:
        """Remove what was kept for as many days as it may, at `now`, in seconds since 1970.

        What is from a day that is yet to come goes too: the clock was ahead, and nobody knows when it was kept. Files
        that a power cut left unfinished go too: nothing is written meanwhile. Other files aren't touched. Raises
        OSError if something can't be removed, after everything else is.
        """
        failed = None
        for path in self._folder.iterdir():
            match = NAME.fullmatch(path.name)
            is_old = match and not -DAY_SECONDS <= now - int(match["kept"]) < self._settings.days * DAY_SECONDS
            if is_old or path.name.endswith(NEW):
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    failed = error
        if failed:
            raise failed

    def _sizes(self) -> list[int]:
        """Return the bytes of each crop that is there."""
        found = []
        for path in self._folder.iterdir():
            if NAME.fullmatch(path.name):
                with suppress(FileNotFoundError):  # `make collect` has fetched it meanwhile
                    found.append(path.stat().st_size)
        return found


def _space(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
