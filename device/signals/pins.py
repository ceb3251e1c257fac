"""Opens pins for the parts that are wired to them, each off from the start and again when it is closed."""

import logging
import warnings
from contextlib import ExitStack

from gpiozero import Device, DigitalInputDevice, OutputDevice, PinFactoryFallback
from gpiozero.pins.mock import MockFactory, MockPWMPin

from device.board import ROOT, is_pi
from device.errors import WiringError
from device.settings import SignalSettings
from device.signals.wiring import NOT_WIRED, active_high

BOUNCE_SECONDS = 0.02  # a contact closes several times within this

log = logging.getLogger(__name__)


def choose_pins(pins: str, pwm: bool) -> bool:
    """Set gpiozero's pin factory; return False where there is no GPIO and none is expected.

    "mock" is gpiozero's own without hardware, and can dim only if `pwm`. Raises WiringError where GPIO is missing.
    """
    if pins == "mock":
        Device.pin_factory = MockFactory(pin_class=MockPWMPin if pwm else None)
        return True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PinFactoryFallback)  # a line for each library that isn't installed
            Device.ensure_pin_factory()
    except Exception as error:  # every pin library has error types of its own
        if is_pi(ROOT):
            raise WiringError(
                f"no GPIO on this Raspberry Pi ({error}): install python3-lgpio, and check that the user is in the "
                "group gpio"
            ) from error
        log.info("no GPIO here: states are shown in the terminal only")
        return False
    return True


def are_mock() -> bool:
    """Tell whether no hardware is behind the pins."""
    return isinstance(Device.pin_factory, MockFactory)


def open_output(
    outputs: ExitStack, kind: type[OutputDevice], key: str, settings: SignalSettings
) -> OutputDevice | None:
    """Open the output at the pin of this key, off; None if it isn't wired. Raises WiringError if it can't be had."""
    pin: int = getattr(settings, key)
    if pin == NOT_WIRED:
        return None
    try:
        output = kind(pin, active_high=active_high(settings, key), initial_value=False)
    except Exception as error:  # every pin library has error types of its own
        raise _refusal(key, pin, error) from error
    outputs.callback(output.close)
    # Closing alone leaves it to the wiring which level an output falls to.
    outputs.callback(output.off)
    return output


def switch(output: OutputDevice | None, value: float) -> None:
    """Switch an output, if there is one: 0 is off, 1 is on, and an LED that can be dimmed takes what is between."""
    if output is not None:
        output.value = value


def open_input(inputs: ExitStack, key: str, pin: int) -> DigitalInputDevice:
    """Open one input, active when it is connected to ground. Raises WiringError if the pin can't be had."""
    try:
        contact = DigitalInputDevice(pin, pull_up=True, bounce_time=BOUNCE_SECONDS)
    except Exception as error:  # every pin library has error types of its own
        raise _refusal(key, pin, error) from error
    inputs.callback(contact.close)
    return contact


def _refusal(key: str, pin: int, error: Exception) -> WiringError:
    return WiringError(
        f"[signals] {key}: GPIO {pin} can't be used ({error}): check that no other program uses it, and that the user "
        "is in the group gpio"
    )
