"""What can go wrong, as types: each message says what was found, what was expected, and what to do."""


class KioskError(Exception):
    """Anything this project refuses; the command line prints it as one line and exits with 2."""


class PictureError(KioskError, ValueError):
    """A file that is not a usable picture."""


class ModelError(KioskError, ValueError):
    """A model or card that is missing, damaged, or doesn't fit the other."""


class SettingsError(KioskError, ValueError):
    """A kiosk.toml with a key, type or value that can't be meant."""


class CameraError(KioskError, OSError):
    """A camera that is absent, or that stopped giving frames."""


class WiringError(KioskError, OSError):
    """Pins that can't be used as the settings say."""
