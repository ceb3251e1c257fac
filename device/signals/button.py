"""Turns a push button into short and long presses."""

from contextlib import ExitStack
from enum import Enum, auto

from device.signals.pins import open_input

LONG_SECONDS = 3.0  # a button held for this long asks for the self-test


class Press(Enum):
    """What a button asks for."""

    SHORT = auto()
    LONG = auto()


class PushButton:
    """A push button between a pin and ground, read once a frame."""

    def __init__(self, inputs: ExitStack, pin: int) -> None:
        """Open the pin. Raises WiringError."""
        self._contact = open_input(inputs, "button_pin", pin)
        self._contact.when_activated = self._note
        # Counted by gpiozero's thread, so that no press between two frames is missed, nor one during a read.
        self._touches = self._heard = 0
        self._since: float | None = None  # seconds: when the press was seen first
        self._told = False

    def read(self, now: float) -> Press | None:
        """Return a LONG press once it is long, a SHORT one when it has ended; `now` is in seconds."""
        touches = self._touches
        if touches != self._heard and self._since is None:
            self._since, self._told = now, False
        self._heard = touches
        if self._since is None:
            return None
        if not self._contact.is_active:
            self._since = None
            return None if self._told else Press.SHORT
        if self._told or now - self._since < LONG_SECONDS:
            return None
        self._told = True
        return Press.LONG

    def _note(self) -> None:
        self._touches += 1
