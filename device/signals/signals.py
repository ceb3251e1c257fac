"""Turns the state of the door into a lamp, a buzzer, a door relay and LEDs of what is on, and hears a button."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from types import TracebackType
from typing import Self

from gpiozero import LED, Buzzer, OutputDevice

from device.deadline import Deadline
from device.errors import WiringError
from device.events import Event, State
from device.model_card import ModelCard
from device.settings import SignalSettings
from device.signals.beeps import Alarm
from device.signals.button import Press, PushButton
from device.signals.lamp import DARK, Lamp
from device.signals.pins import are_mock, choose_pins, open_output, switch
from device.signals.quiet_hours import QuietHours
from device.signals.relay import Relay
from device.signals.wiring import NOT_WIRED, PARTS, check_wiring

LATE_SECONDS = 1.0  # without a state for this long, the last one is no longer true
TEST_SECONDS = 0.7  # of the self-test, for each light and for the buzzer
TESTED = ("red_pin", "green_pin", "blue_pin", "buzzer_pin")


class Signals:
    """All outputs, off from the start and again on every way out."""

    def __init__(
        self, settings: SignalSettings, pins: str = "auto", pause: Callable[[float], object] = time.sleep
    ) -> None:
        """Take the pins of the settings, from gpiozero's MockFactory if pins is "mock".

        `pause` waits some seconds, and may end early. Raises WiringError for pins that can't be meant or can't be had.
        Off a Raspberry Pi, without GPIO, nothing is switched.
        """
        check_wiring(settings)
        self._pause = pause
        self._lock = threading.RLock()
        self.adopt(settings)
        self._real = False
        self._alarm = Alarm()
        self._test_since: float | None = None  # seconds
        self._test_asked = False
        self._told: BaseException | None = None
        self._lamp: Lamp | None = None
        self._buzzer: OutputDevice | None = None
        self._relay: Relay | None = None
        self._camera: OutputDevice | None = None
        self._collect: OutputDevice | None = None
        self._button: PushButton | None = None
        with ExitStack() as outputs:
            if choose_pins(pins, pwm=settings.blue_pin != NOT_WIRED):
                self._open(outputs)
            self._late = outputs.enter_context(Deadline(self._lock, self._stalled))
            self._outputs = outputs.pop_all()

    def _open(self, outputs: ExitStack) -> None:
        settings = self._settings
        # First, because a killed kiosk has left every pin as it was.
        if settings.relay_pin != NOT_WIRED:
            self._relay = Relay(outputs, settings, self._lock)
        self._lamp = Lamp(outputs, settings)
        self._buzzer = open_output(outputs, Buzzer, "buzzer_pin", settings)
        self._camera = open_output(outputs, LED, "camera_pin", settings)
        self._collect = open_output(outputs, LED, "collect_pin", settings)
        if settings.button_pin != NOT_WIRED:
            self._button = PushButton(outputs, settings.button_pin)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            self.leave(kind, error, _)
        finally:
            self._outputs.close()

    def trust(self, card: ModelCard) -> None:
        """Let the model of this card release the door, unless it is a practice model."""
        self._real = not card.practice

    def adopt(self, settings: SignalSettings) -> None:
        """Take other settings of the buzzer from here on; pins stay as they are wired."""
        with self._lock:
            self._settings = settings
            self._quiet = QuietHours.read(settings.quiet_from, settings.quiet_until, settings.time_zone)

    @contextmanager
    def camera_on(self) -> Iterator[None]:
        """Light the camera LED in a block, which is to hold all of the camera's life, its start and its end too."""
        switch(self._camera, True)
        try:
            yield
        finally:
            switch(self._camera, False)

    def collecting_on(self, noticed: bool) -> None:
        """Light the LED that says that faces are kept, until the end; `noticed` if a page says so too.

        Raises WiringError where neither tells anybody.
        """
        if self._collect is None and not noticed:
            raise WiringError(
                "[collect] public_key is set, and without GPIO no LED tells that faces are kept, expected a page that "
                'does: set [screen] enabled = true, a host of this computer, a port that is free, or public_key = "off"'
            )
        switch(self._collect, True)

    def show(self, state: State, now: float, moment: datetime, events: Sequence[Event]) -> None:
        """Show a state at `now`, in seconds on the frames' clock, and `moment`, the aware time that quiet hours go by.

        events: what happened then; whoever is newly bare begins the buzzer's pattern anew.
        """
        with self._lock:
            self._late.move(LATE_SECONDS)
            self._alarm.show(state, now, events)
            self._hear(now)
            if self._relay:
                self._relay.show(state, now, self._real)
            if not self._test(now):
                self._light(state)
                switch(self._buzzer, self._alarm.sounds(now, self._settings) and not self._quiet.hold(moment))

    def self_test(self) -> str:
        """Show each light and then the buzzer, from the next state on; may be called from any thread.

        Return a line that says what is shown. Raises WiringError without GPIO.
        """
        if self._lamp is None:
            raise WiringError("no GPIO here, so no lamp lights up and nothing sounds: test them on the Raspberry Pi")
        self._test_asked = True
        shown = [PARTS[key] for key in TESTED if getattr(self._settings, key) != NOT_WIRED]
        line = f"Shown in turn: {', '.join(shown)}." if shown else "No lamp and no buzzer is wired: nothing is shown."
        return f"{line} The pins are mock: nothing is switched." if are_mock() else line

    def test_began(self, now: float) -> bool:
        """Tell whether a self-test began with the state that was shown at `now`, in seconds."""
        return self._test_since == now

    def halt(self, _kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Switch all but the camera and collecting LEDs off; the lamp shows FAULT for an exception not shown yet."""
        with self._lock:
            self._late.lift()
            self._mute()
            self._light(State.FAULT if self._is_news(error) else State.IDLE)

    def leave(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Halt; where FAULT is shown, end it after a while."""
        self.halt(kind, error, trace)
        if self._is_news(error) and self._lamp:
            self._told = error
            self._pause(self._settings.fault_seconds)
            self._lamp.light(DARK)

    def _is_news(self, error: BaseException | None) -> bool:
        return isinstance(error, Exception) and error is not self._told

    def _stalled(self) -> None:
        self._mute()
        self._light(State.FAULT)

    def _mute(self) -> None:
        if self._relay:
            self._relay.drop()
        switch(self._buzzer, False)

    def _light(self, state: State) -> None:
        if self._lamp:
            self._lamp.show(state)

    def _hear(self, now: float) -> None:
        press = self._button.read(now) if self._button else None
        if press is Press.SHORT:
            self._alarm.silence()
        if press is Press.LONG or self._test_asked:
            self._test_since, self._test_asked = now, False

    def _test(self, now: float) -> bool:
        """Show one part after the other; return False when no self-test is on."""
        if self._test_since is None or self._lamp is None:
            return False
        step = int((now - self._test_since) / TEST_SECONDS)
        lights = self._lamp.primaries
        if step > len(lights):
            self._test_since = None
            return False
        self._lamp.light(lights[step] if step < len(lights) else DARK)
        switch(self._buzzer, step == len(lights))
        return True
