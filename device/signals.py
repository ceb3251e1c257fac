"""Turns the state of the door into a red lamp, a green lamp and a buzzer."""

import logging
import warnings
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from gpiozero import LED, BadPinFactory, Buzzer, Device, DigitalOutputDevice, PinFactoryFallback
from gpiozero.pins.mock import MockFactory

from device.decision import State
from device.errors import WiringError
from device.settings import PINS, SignalSettings

BOARD = Path("/proc/device-tree/model")  # on a Raspberry Pi it says so
NOT_WIRED = 0
FIRST_PIN, LAST_PIN = 2, 27  # of the 40-pin header; 0 and 1 are kept for add-on boards

log = logging.getLogger(__name__)


class Signals:
    """The lamps and the buzzer, off from the start and again on every way out."""

    def __init__(self, settings: SignalSettings, pins: str = "auto") -> None:
        """Take the pins of the settings, from gpiozero's MockFactory if pins is "mock".

        Raises WiringError for pins that can't be meant or can't be had. Off a Raspberry Pi, without GPIO, nothing is
        switched.
        """
        _check(settings)
        self._settings = settings
        self._alarm_since: float | None = None  # seconds
        self._red = self._green = self._buzzer = None
        usable = _choose_pins(pins)
        with ExitStack() as outputs:
            if usable:
                lamps, buzzer = settings.lamps_active_high, settings.buzzer_active_high
                self._red = _output(outputs, LED, "red_pin", settings.red_pin, lamps)
                self._green = _output(outputs, LED, "green_pin", settings.green_pin, lamps)
                self._buzzer = _output(outputs, Buzzer, "buzzer_pin", settings.buzzer_pin, buzzer)
            self._outputs = outputs.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._outputs.close()

    def off(self) -> None:
        """Switch everything off."""
        for output in (self._red, self._green, self._buzzer):
            if output is not None:
                output.off()

    def show(self, state: State, now: float) -> None:
        """Show a state at `now`, in seconds; the buzzer's pattern counts from the first ALARM shown in a row."""
        if state is not State.ALARM:
            self._alarm_since = None
        elif self._alarm_since is None:
            self._alarm_since = now
        beeping = self._alarm_since is not None and self._beeping(now - self._alarm_since)
        wanted = (self._red, state is State.ALARM), (self._green, state is State.CLEAR), (self._buzzer, beeping)
        for output, on in wanted:
            if output is not None:
                output.value = on

    def _beeping(self, elapsed: float) -> bool:
        """Tell whether the buzzer sounds `elapsed` seconds into an alarm."""
        beep, place = divmod(elapsed, self._settings.beep_seconds + self._settings.pause_seconds)
        return beep < self._settings.beeps and place < self._settings.beep_seconds


def _output(
    outputs: ExitStack, kind: type[DigitalOutputDevice], key: str, pin: int, active_high: bool
) -> DigitalOutputDevice | None:
    if pin == NOT_WIRED:
        return None
    try:
        output = kind(pin, active_high=active_high, initial_value=False)
    except Exception as error:  # every pin library has error types of its own
        raise WiringError(
            f"[signals] {key}: GPIO {pin} can't be used ({error}): check that no other program uses it, and that the "
            "user is in the group gpio"
        ) from error
    outputs.callback(output.close)
    # Closing alone leaves it to the wiring which level an output falls to.
    outputs.callback(output.off)
    return output


def _check(settings: SignalSettings) -> None:
    used: dict[int, str] = {}
    for key in PINS:
        pin = getattr(settings, key)
        if pin == NOT_WIRED:
            continue
        if not FIRST_PIN <= pin <= LAST_PIN:
            raise WiringError(
                f"[signals] {key} is {pin}, expected a GPIO (BCM) number from {FIRST_PIN} to {LAST_PIN}, or "
                f"{NOT_WIRED} for none: count GPIO names, not places on the header"
            )
        if pin in used:
            raise WiringError(f"[signals] {used[pin]} and {key} are both {pin}: give each output a pin of its own")
        used[pin] = key


def _choose_pins(pins: str) -> bool:
    """Set gpiozero's pin factory; return False where there is no GPIO and none is expected."""
    if pins == "mock":
        Device.pin_factory = MockFactory()
        return True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PinFactoryFallback)  # a line for each library that isn't installed
            Device.ensure_pin_factory()
    except (BadPinFactory, ImportError, OSError) as error:
        if BOARD.is_file() and "Raspberry Pi" in BOARD.read_text(encoding="utf-8", errors="replace"):
            raise WiringError(f"no GPIO on this Raspberry Pi ({error}): install python3-lgpio") from error
        log.info("no GPIO here: states are shown in the terminal only")
        return False
    return True
