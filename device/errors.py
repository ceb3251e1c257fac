"""What can go wrong, as types: each message says what was found, what was expected, and what to do."""

from enum import StrEnum


class KioskError(Exception):
    """Anything this project refuses; the command line prints it as one line and exits with 2."""

    def __str__(self) -> str:
        """Return one line, whatever the file holds that it quotes."""
        return " ".join(super().__str__().splitlines())


class PictureError(KioskError, ValueError):
    """A file that is not a usable picture."""


class ModelError(KioskError, ValueError):
    """A model or card that is missing, damaged, or doesn't fit the other."""


class SettingsError(KioskError, ValueError):
    """A kiosk.toml with a key, type or value that can't be meant."""


class CameraError(KioskError, OSError):
    """A camera that is absent, or that stopped giving frames."""


class Blind(StrEnum):
    """How a camera that runs can stop seeing."""

    STALLED = "camera stalled"
    COVERED = "camera covered"
    DAZZLED = "camera dazzled"
    FROZEN = "picture frozen"


class UnusableError(CameraError):
    """A folder as a camera of which no picture is usable; the command line exits with 1, as for a judged picture."""


class CameraFault(CameraError):
    """A live camera that no longer sees what is before it; `word` says in which way."""

    def __init__(self, source: str, word: Blind, found: str) -> None:
        """Take the camera as lines may show it, and what was found and is to be done."""
        super().__init__(f"{source}: {word}: {found}")
        self.word = word


class BrokerError(KioskError, OSError):
    """A broker that can't be reached, or lets nobody in."""


class WiringError(KioskError, OSError):
    """Pins that can't be used as the settings say."""
