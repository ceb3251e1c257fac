"""Releases a door for one pulse when the state becomes CLEAR, and locks it again by whatever comes first."""

import threading
from contextlib import ExitStack

from gpiozero import DigitalOutputDevice

from device.deadline import Deadline
from device.events import State
from device.settings import SignalSettings
from device.signals.pins import open_output, switch


class Relay:
    """A relay that releases while its pin is high, so that a door without power or program stays locked."""

    def __init__(self, outputs: ExitStack, settings: SignalSettings, lock: threading.RLock) -> None:
        """Open the pin, locked; `lock` guards all that is called here. Raises WiringError."""
        self._output = open_output(outputs, DigitalOutputDevice, "relay_pin", settings)
        self._release_seconds = settings.release_seconds
        self._end = outputs.enter_context(Deadline(lock, self.drop))
        self._until = 0.0  # seconds on the frames' clock
        self._state = State.IDLE

    def show(self, state: State, now: float, real: bool) -> None:
        """Release if CLEAR was entered and its model is `real`; lock as soon as it is left or the pulse is over."""
        entered = state is State.CLEAR and self._state is not State.CLEAR
        self._state = state
        if entered and real:
            self._until = now + self._release_seconds
            self._end.move(self._release_seconds)  # on a real clock too, which runs when no frames come
            switch(self._output, True)
        elif state is not State.CLEAR or now >= self._until:
            self.drop()

    def drop(self) -> None:
        """Lock the door, until CLEAR is entered again."""
        switch(self._output, False)
        self._end.lift()
