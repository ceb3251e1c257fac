import dataclasses
import itertools
import logging
import math
import sys
import threading
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory, MockPin
from test_decision import LEVELS, RIGHT, SETTINGS, Scene, verdict

from device.classifier import MODELS, Verdict
from device.decision import Decision
from device.errors import WiringError
from device.events import Event, Kind, State
from device.model_card import ModelCard, read_card
from device.settings import SignalSettings
from device.signals import pins as module
from device.signals import signals as signals_module
from device.signals.button import Press, PushButton
from device.signals.signals import Signals

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
OFF_ON = [False, True, False]
OFF_ON_OFF_ON = [False, True, False, True, False]
RELAY, CAMERA, BUTTON, BLUE = 16, 25, 6, 24
ALL_WIRED = SignalSettings(relay_pin=RELAY, camera_pin=CAMERA, button_pin=BUTTON)
BARE = Event(Kind.VERDICT, 0.0, 1, State.ALARM, 0.9, 0.0)


@pytest.fixture(autouse=True)
def _no_pin_factory_is_left_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    monkeypatch.setattr(signals_module, "LATE_SECONDS", 60.0)  # a busy computer shall not add to the histories


@pytest.fixture(scope="session")
def card() -> ModelCard:
    """The card of a real model."""
    return read_card(MODELS / "door.tflite")[0]


def run(signals: Signals, *shown: tuple[float, State]) -> None:
    for now, state in shown:
        signals.show(state, now, NOON, [])


def history(pin: int) -> list[bool]:
    return [change.state for change in Device.pin_factory.pin(pin).states]


def test_every_state_is_shown_and_everything_is_off_at_the_end() -> None:
    with Signals(SignalSettings(), "mock") as signals:
        assert [Device.pin_factory.pin(pin).function for pin in (17, 27, 22)] == ["output"] * 3
        for now, state in enumerate([State.IDLE, State.CHECKING, State.CLEAR, State.ALARM, State.CLEAR, State.FAULT]):
            signals.show(state, float(now), NOON, [])
    assert history(17) == OFF_ON_OFF_ON  # red, in ALARM, and in FAULT together with green
    assert history(27) == [False, True, False, True, False]  # green, twice CLEAR, the second time until FAULT is over
    assert history(22) == OFF_ON  # buzzer
    assert [Device.pin_factory.pin(pin).function for pin in (17, 27, 22)] == ["input"] * 3  # closed


def test_the_buzzers_beeps_rise_to_twice_as_long_and_stay_away_until_the_next_alarm() -> None:
    settings = SignalSettings(beeps=2, beep_seconds=0.2, pause_seconds=0.3)
    shown = []
    with Signals(settings, "mock") as signals:
        for tick in range(40):
            told = [BARE] if tick in {0, 31} else []
            signals.show(State.CLEAR if tick == 30 else State.ALARM, 100 + tick / 10, NOON, told)
            shown.append(Device.pin_factory.pin(22).state)
    assert [tick for tick, on in enumerate(shown) if on] == [0, 1, 5, 6, 7, 8, 31, 32, 36, 37, 38, 39]
    assert history(22) == [False, *[True, False] * 4]
    assert history(17) == [False, True, False, True, False]


def levels() -> dict[str, bool]:
    names = {"red": 17, "green": 27, "buzzer": 22, "relay": RELAY, "camera": CAMERA}
    return {name: Device.pin_factory.pin(pin).state for name, pin in names.items()}


def test_an_exception_is_shown_as_fault_for_a_while_with_the_door_locked_and_everything_off_after(
    card: ModelCard,
) -> None:
    pauses: list[tuple[float, dict[str, bool]]] = []

    def fail() -> None:
        with Signals(ALL_WIRED, "mock", lambda seconds: pauses.append((seconds, levels()))) as signals:
            signals.trust(card)
            run(signals, (0.0, State.ALARM), (0.1, State.CLEAR))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert pauses == [(2.0, {"red": True, "green": True, "buzzer": False, "relay": False, "camera": False})]
    assert (history(17), history(27), history(22)) == (OFF_ON_OFF_ON, OFF_ON, OFF_ON)
    assert history(RELAY) == OFF_ON


def test_outputs_that_are_active_low_are_driven_high_from_the_start_to_the_end() -> None:
    with Signals(SignalSettings(lamps_active_high=False, buzzer_active_high=False), "mock") as signals:
        signals.show(State.ALARM, 0.0, NOON, [])
    assert (history(17), history(27), history(22)) == ([False, True, False, True], [False, True], history(17))


def test_an_output_without_a_pin_is_left_alone() -> None:
    with Signals(SignalSettings(green_pin=0, buzzer_pin=0), "mock") as signals:
        signals.show(State.ALARM, 0.0, NOON, [])
        assert [pin.info.name for pin in Device.pin_factory.pins.values()] == ["GPIO17"]
    assert history(17) == OFF_ON


def test_leaving_early_shows_fault_once_and_leaves_the_camera_led_to_the_end() -> None:
    pauses: list[float] = []
    with Signals(ALL_WIRED, "mock", pauses.append) as signals, signals.camera_on():
        run(signals, (0.0, State.ALARM))
        error = ZeroDivisionError()
        signals.leave(ZeroDivisionError, error, None)
        assert levels() == {"red": False, "green": False, "buzzer": False, "relay": False, "camera": True}
        signals.leave(ZeroDivisionError, error, None)  # as __exit__ does
    assert pauses == [2.0]
    assert (history(17), history(27), history(CAMERA)) == (OFF_ON, OFF_ON, OFF_ON)


def test_a_stop_is_no_fault() -> None:
    pauses: list[float] = []

    def stop() -> None:
        with Signals(ALL_WIRED, "mock", pauses.append) as signals:
            run(signals, (0.0, State.CLEAR))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert (pauses, history(17), history(27)) == ([], [False], OFF_ON)


class WatchedPin(MockPin):  # type: ignore[misc]
    """A mock pin that tells when it has gone high and low again."""

    def __init__(self, *arguments: object) -> None:
        self.fell = threading.Event()
        super().__init__(*arguments)

    def _set_state(self, value: float) -> None:
        rose = self.state
        super()._set_state(value)
        if rose and not value:
            self.fell.set()


def test_without_a_new_state_for_a_second_the_lamp_shows_fault_and_the_buzzer_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Device, "pin_factory", MockFactory(pin_class=WatchedPin))
    monkeypatch.setattr(signals_module, "LATE_SECONDS", 1.0)
    with Signals(dataclasses.replace(ALL_WIRED, beep_seconds=2.0)) as signals:
        run(signals, (0.0, State.ALARM))
        assert Device.pin_factory.pin(22).fell.wait(30)
        monkeypatch.setattr(signals_module, "LATE_SECONDS", 60.0)
        run(signals, (1.5, State.ALARM))  # the loop goes on
        assert (history(17), history(27), history(22)) == ([False, True], OFF_ON, OFF_ON_OFF_ON[:-1])
    assert Device.pin_factory.pin(22).states[2].timestamp > 0.9  # seconds that it had sounded


def test_an_rgb_led_shows_each_state_in_a_colour_of_its_own() -> None:
    shown = {}
    with Signals(dataclasses.replace(ALL_WIRED, blue_pin=BLUE), "mock") as signals:
        for now, state in enumerate(State):
            run(signals, (float(now), state))
            shown[state] = tuple(Device.pin_factory.pin(pin).state for pin in (17, 27, BLUE))
        assert Device.pin_factory.pin(17).frequency == 100  # Hz
    assert shown == {
        State.IDLE: (0, 0, 0), State.CHECKING: (0, 0, 0), State.CLEAR: (0, 1, 0.4), State.ALARM: (1, 0, 0),
        State.FAULT: (0, 0, 1),
    }  # fmt: skip
    assert (history(17), history(27), history(BLUE)) == ([0, 1, 0], [0, 1, 0], [0, 0.4, 0, 1, 0])


def test_an_rgb_led_with_a_common_anode_is_dark_when_its_pins_are_high() -> None:
    with Signals(SignalSettings(blue_pin=BLUE, lamps_active_high=False), "mock") as signals:
        run(signals, (0.0, State.CLEAR))
        assert [Device.pin_factory.pin(pin).state for pin in (17, 27, BLUE)] == [1, 0, 0.6]
        run(signals, (0.1, State.IDLE))
        assert [Device.pin_factory.pin(pin).state for pin in (17, 27, BLUE)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("evening", "quiet_seconds"),
    [
        # 22:00 to 06:30 in Berlin, on a common night and on those in which the clocks change.
        (datetime(2026, 6, 1, 12, tzinfo=UTC), 8.5 * 3600),
        (datetime(2026, 3, 28, 12, tzinfo=UTC), 7.5 * 3600),
        (datetime(2026, 10, 24, 12, tzinfo=UTC), 9.5 * 3600),
    ],
)
def test_no_alarm_beeps_in_quiet_hours_but_the_lamp_is_red(evening: datetime, quiet_seconds: float) -> None:
    settings = SignalSettings(quiet_from="22:00", quiet_until="06:30", time_zone="Europe/Berlin", beeps=1)
    beeps = []
    with Signals(settings, "mock") as signals:
        for alarm in range(4 * 24):  # one each quarter of an hour
            at = evening + timedelta(minutes=15 * alarm)
            for now, state in ((900.0 * alarm, State.ALARM), (900.0 * alarm + 0.3, State.IDLE)):
                signals.show(state, now, at, [BARE] if state is State.ALARM else [])
                beeps.append(Device.pin_factory.pin(22).state)
    silent = int(quiet_seconds / 900)
    assert sum(beeps) == 4 * 24 - silent
    assert history(22) == [False, *[True, False] * (4 * 24 - silent)]
    assert history(17) == [False, *[True, False] * 4 * 24]


def test_a_beep_ends_when_quiet_hours_begin() -> None:
    with Signals(SignalSettings(quiet_from="22:00", quiet_until="06:30", time_zone="UTC"), "mock") as signals:
        signals.show(State.ALARM, 0.0, datetime(2026, 6, 1, 21, 59, 59, 950_000, tzinfo=UTC), [])
        assert Device.pin_factory.pin(22).state
        signals.show(State.ALARM, 0.1, datetime(2026, 6, 1, 22, 0, 0, 50_000, tzinfo=UTC), [])
        assert not Device.pin_factory.pin(22).state


def press() -> None:
    Device.pin_factory.pin(BUTTON).drive_low()


def let_go() -> None:
    Device.pin_factory.pin(BUTTON).drive_high()


def test_a_short_press_silences_this_alarm_and_not_the_next() -> None:
    sounds = []
    with Signals(dataclasses.replace(ALL_WIRED, beeps=20), "mock") as signals:
        for tick in range(60):
            if tick == 11:  # between two frames
                press()
                let_go()
            signals.show(State.IDLE if tick == 40 else State.ALARM, tick / 10, NOON, [BARE] if tick in {0, 41} else [])
            sounds.append(Device.pin_factory.pin(22).state)
    assert any(sounds[8:11])
    assert not any(sounds[11:41])
    assert any(sounds[41:45])
    assert history(17) == OFF_ON_OFF_ON  # the lamp goes on


def beeps_at(scene: Scene, seconds: float, pressed: float = math.inf) -> list[float]:
    """Return when the buzzer began to sound at a door where scene(t) is seen, and a button is pressed once."""
    begun, sounded, ticks = list[float](), False, round(10 * seconds)
    decision = Decision(SETTINGS, LEVELS)
    with Signals(ALL_WIRED, "mock") as signals:
        for tick in range(ticks):
            now = tick / 10
            if now == pressed:
                press()
                let_go()
            _, events = decision.update(now, scene(now))
            signals.show(decision.state, now, NOON, events)
            if Device.pin_factory.pin(22).state and not sounded:
                begun.append(now)
            sounded = Device.pin_factory.pin(22).state
    return begun


def looks_aside(t: float) -> list[Verdict]:
    return [verdict(0.9)] * (t % 10 < 8.5)


def test_who_looks_aside_rings_once_and_stays_silenced() -> None:
    assert beeps_at(looks_aside, 60) == pytest.approx([0.4, 0.8, 1.3])
    assert beeps_at(looks_aside, 60, pressed=0.6) == pytest.approx([0.4])
    assert beeps_at(looks_aside, 60, pressed=9.5) == pytest.approx([0.4, 0.8, 1.3])  # while they look aside


@pytest.mark.parametrize("pressed", [0.6, 9.5])
def test_who_comes_next_without_a_mask_rings_after_a_silence_too(pressed: float) -> None:
    def scene(t: float) -> list[Verdict]:
        return looks_aside(t) + [verdict(0.9, RIGHT)] * (t >= 22)

    assert [at for at in beeps_at(scene, 40, pressed) if at > 2] == pytest.approx([22.4, 22.8, 23.3], abs=0.21)


def test_who_takes_the_mask_off_again_rings_again() -> None:
    begun = beeps_at(lambda t: [verdict(0.9 if t < 5 or t >= 10 else 0.1)], 20)
    assert [round(at, 1) for at in begun[:3]] == [0.4, 0.8, 1.3]
    assert [10 < at < 12.5 for at in begun[3:]] == [True] * 3


def test_a_press_without_an_alarm_silences_nothing() -> None:
    with Signals(ALL_WIRED, "mock") as signals:
        press()
        run(signals, (0.0, State.CLEAR))
        let_go()
        run(signals, (0.1, State.CLEAR), (0.2, State.ALARM))
        assert Device.pin_factory.pin(22).state


@pytest.mark.parametrize("blue", [0, BLUE])
def test_a_long_press_shows_each_lamp_and_the_buzzer_in_turn_and_then_the_state_again(
    card: ModelCard, blue: int
) -> None:
    pins = {"red": 17, "green": 27, "buzzer": 22} | ({"blue": blue} if blue else {})
    shown = []
    with Signals(dataclasses.replace(ALL_WIRED, blue_pin=blue), "mock") as signals:
        signals.trust(card)
        press()
        for tick in range(70):
            if tick == 35:
                let_go()  # it is no short press, nor a second long one
            signals.show(State.CLEAR if tick == 69 else State.IDLE, tick / 10, NOON, [])
            lit = [name for name, pin in pins.items() if Device.pin_factory.pin(pin).state]
            shown.append(lit)
    parts = [["red"], ["green"], ["blue"], ["buzzer"]] if blue else [["red"], ["green"], ["buzzer"]]
    last = ["green", "blue"] if blue else ["green"]
    assert [lit for lit, _ in itertools.groupby(shown)] == [[], *parts, [], last]
    assert history(RELAY) == OFF_ON  # by CLEAR at the end, and no part of the test


@pytest.mark.parametrize("at", range(6))
def test_a_press_during_a_read_is_heard_wherever_it_falls(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "pin_factory", MockFactory())
    with ExitStack() as inputs:
        button = PushButton(inputs, BUTTON)
        lines = itertools.count()

        def trace(frame: FrameType, event: str, _: object) -> Any:
            if frame.f_code is not PushButton.read.__code__:
                return None
            if event == "line" and next(lines) == at:
                press()
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            first = button.read(0.0)
        finally:
            sys.settrace(before)
        if next(lines) <= at:
            press()
        assert [first, *(button.read(now / 2) for now in range(1, 9))].count(Press.LONG) == 1


def test_a_button_that_is_held_down_at_start_is_no_press(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "pin_factory", MockFactory())
    with Signals(ALL_WIRED) as signals:
        run(signals, *((second, State.IDLE) for second in range(10)))
    assert (history(17), history(22)) == ([False], [False])


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            SignalSettings(buzzer_pin=17),
            "[signals] red_pin and buzzer_pin are both 17: give each part a pin of its own",
        ),
        (
            SignalSettings(relay_pin=16, button_pin=16),
            "[signals] relay_pin and button_pin are both 16: give each part a pin of its own",
        ),
        (
            SignalSettings(green_pin=28),
            "[signals] green_pin is 28, expected a GPIO (BCM) number from 2 to 27, or 0 for none: count GPIO names, "
            "not places on the header",
        ),
        (
            SignalSettings(button_pin=-1),
            "[signals] button_pin is -1, expected a GPIO (BCM) number from 2 to 27, or 0 for none: count GPIO names, "
            "not places on the header",
        ),
        (
            SignalSettings(red_pin=1),
            "[signals] red_pin is 1, which is kept for add-on boards: take a GPIO from 4 to 27",
        ),
        (
            SignalSettings(camera_pin=3),
            "[signals] camera_pin is 3, whose fixed pull-up keeps it from being an output: take a GPIO from 4 to 27",
        ),
        *(
            (
                SignalSettings(relay_pin=pin),
                f"[signals] relay_pin is {pin}, which is high at times while the Pi starts and would release the "
                "door: take GPIO 9 to 13, or 16 to 27",
            )
            for pin in (4, 8, 14, 15)
        ),
        (
            SignalSettings(blue_pin=5, green_pin=0),
            "[signals] blue_pin is 5 and green_pin is 0, expected all three legs of an RGB LED: set green_pin, or "
            "blue_pin to 0 for two LEDs",
        ),
    ],
)
@pytest.mark.parametrize("pins", ["auto", "mock"])
def test_wiring_that_cannot_be_meant_is_refused_before_a_pin_is_touched(
    settings: SignalSettings, line: str, pins: str
) -> None:
    with pytest.raises(WiringError) as error:
        Signals(settings, pins)
    assert str(error.value) == line
    assert Device.pin_factory is None


def test_a_pin_in_use_is_refused_and_the_others_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    from gpiozero import LED
    from gpiozero.pins.mock import MockFactory

    monkeypatch.setattr(Device, "pin_factory", factory := MockFactory())
    with LED(22), pytest.raises(WiringError) as error:
        Signals(SignalSettings())
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("[signals] buzzer_pin: GPIO 22 can't be used (pin GPIO22 is already in use")
    assert [factory.pin(pin).function for pin in (17, 27)] == ["input", "input"]


def test_off_a_pi_one_line_says_that_nothing_is_switched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "none-such")  # also where the tests run on a Pi
    caplog.set_level(logging.INFO)
    with Signals(SignalSettings()) as signals:
        signals.show(State.ALARM, 0.0, NOON, [])
    assert caplog.messages == ["no GPIO here: states are shown in the terminal only"]


def on_a_pi(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    (root / "proc/device-tree").mkdir(parents=True)
    (root / "proc/device-tree/model").write_bytes(b"Raspberry Pi 4 Model B Rev 1.4\0")
    monkeypatch.setattr(module, "ROOT", root)


def test_on_a_pi_missing_gpio_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    on_a_pi(monkeypatch, tmp_path)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "none-such")
    with pytest.raises(WiringError) as error:
        Signals(SignalSettings())
    assert str(error.value) == (
        "no GPIO on this Raspberry Pi (Unable to find pin factory 'none-such'): install python3-lgpio, and check "
        "that the user is in the group gpio"
    )


def test_on_a_pi_whose_pins_may_not_be_opened_the_librarys_own_error_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on_a_pi(monkeypatch, tmp_path)

    class LgpioError(Exception):
        """Derived from no other, as lgpio's."""

    def open_chip() -> None:
        raise LgpioError("can not open gpiochip")

    monkeypatch.setattr(Device, "_default_pin_factory", staticmethod(open_chip))
    with pytest.raises(WiringError, match=r"no GPIO on this Raspberry Pi \(can not open gpiochip\): .* group gpio$"):
        Signals(SignalSettings())
