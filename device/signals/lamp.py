"""Turns a state into the light of two LEDs, or of one RGB LED."""

from contextlib import ExitStack

from gpiozero import LED, PWMLED

from device.events import State
from device.settings import SignalSettings
from device.signals.pins import open_output, switch
from device.signals.wiring import NOT_WIRED

Light = tuple[float, float, float]  # of red, green and blue, 0-1

DARK, RED, GREEN, BLUE = (0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)
TWO_LEDS: dict[State, Light] = {State.ALARM: RED, State.CLEAR: GREEN, State.FAULT: (1, 1, 0)}
# For eyes that mix up red and green: CLEAR is bluish, as in traffic lights, and FAULT isn't the usual amber.
RGB: dict[State, Light] = {State.ALARM: RED, State.CLEAR: (0, 1, 0.4), State.FAULT: BLUE}


class Lamp:
    """A red and a green LED, each of which may be missing, or the three legs of an RGB LED."""

    def __init__(self, outputs: ExitStack, settings: SignalSettings) -> None:
        """Open the pins that are wired. Raises WiringError."""
        rgb = settings.blue_pin != NOT_WIRED
        self._lights = RGB if rgb else TWO_LEDS
        self.primaries: tuple[Light, ...] = (RED, GREEN, BLUE) if rgb else (RED, GREEN)
        legs = "red_pin", "green_pin", "blue_pin"
        self._legs = [open_output(outputs, PWMLED if rgb else LED, leg, settings) for leg in legs]
        self._light: Light = DARK

    def show(self, state: State) -> None:
        """Give the light of a state; IDLE and CHECKING are dark."""
        self.light(self._lights.get(state, DARK))

    def light(self, light: Light) -> None:
        """Give a light."""
        if light == self._light:  # setting PWM anew would flicker
            return
        self._light = light
        for leg, share in zip(self._legs, light, strict=True):
            switch(leg, share)
