import logging
from pathlib import Path

import pytest
from gpiozero import Device

from device import signals as module
from device.decision import State
from device.errors import WiringError
from device.settings import SignalSettings
from device.signals import Signals

OFF_ON = [False, True, False]


@pytest.fixture(autouse=True)
def _no_pin_factory_is_left_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)


def history(pin: int) -> list[bool]:
    return [change.state for change in Device.pin_factory.pin(pin).states]


def test_every_state_is_shown_and_everything_is_off_at_the_end() -> None:
    with Signals(SignalSettings(), "mock") as signals:
        assert [Device.pin_factory.pin(pin).function for pin in (17, 27, 22)] == ["output"] * 3
        for now, state in enumerate([State.IDLE, State.CHECKING, State.CLEAR, State.ALARM, State.CLEAR, State.FAULT]):
            signals.show(state, float(now))
    assert history(17) == OFF_ON  # red, in ALARM
    assert history(27) == [False, True, False, True, False]  # green, twice CLEAR
    assert history(22) == OFF_ON  # buzzer
    assert [Device.pin_factory.pin(pin).function for pin in (17, 27, 22)] == ["input"] * 3  # closed


def test_the_buzzer_beeps_its_number_and_stays_quiet_until_the_next_alarm() -> None:
    settings = SignalSettings(beeps=2, beep_seconds=0.2, pause_seconds=0.3)
    shown = []
    with Signals(settings, "mock") as signals:
        for tick in range(40):
            signals.show(State.CLEAR if tick == 30 else State.ALARM, 100 + tick / 10)
            shown.append(Device.pin_factory.pin(22).state)
    assert [tick for tick, on in enumerate(shown) if on] == [0, 1, 5, 6, 31, 32, 36, 37]
    assert history(22) == [False, *[True, False] * 4]
    assert history(17) == [False, True, False, True, False]


def test_an_exception_switches_everything_off() -> None:
    def fail() -> None:
        with Signals(SignalSettings(), "mock") as signals:
            signals.show(State.ALARM, 0.0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (history(17), history(27), history(22)) == (OFF_ON, [False], OFF_ON)


def test_outputs_that_are_active_low_are_driven_high_from_the_start_to_the_end() -> None:
    with Signals(SignalSettings(lamps_active_high=False, buzzer_active_high=False), "mock") as signals:
        signals.show(State.ALARM, 0.0)
    assert (history(17), history(27), history(22)) == ([False, True, False, True], [False, True], history(17))


def test_an_output_without_a_pin_is_left_alone() -> None:
    with Signals(SignalSettings(green_pin=0, buzzer_pin=0), "mock") as signals:
        signals.show(State.ALARM, 0.0)
        assert [pin.info.name for pin in Device.pin_factory.pins.values()] == ["GPIO17"]
    assert history(17) == OFF_ON


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            SignalSettings(buzzer_pin=17),
            "[signals] red_pin and buzzer_pin are both 17: give each output a pin of its own",
        ),
        (
            SignalSettings(green_pin=28),
            "[signals] green_pin is 28, expected a GPIO (BCM) number from 2 to 27, or 0 for none: count GPIO names, "
            "not places on the header",
        ),
        (
            SignalSettings(red_pin=1),
            "[signals] red_pin is 1, expected a GPIO (BCM) number from 2 to 27, or 0 for none: count GPIO names, not "
            "places on the header",
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
    monkeypatch.setattr(module, "BOARD", tmp_path / "absent")
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "none-such")  # also where the tests run on a Pi
    caplog.set_level(logging.INFO)
    with Signals(SignalSettings()) as signals:
        signals.show(State.ALARM, 0.0)
    assert caplog.messages == ["no GPIO here: states are shown in the terminal only"]


def test_on_a_pi_missing_gpio_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    board = tmp_path / "model"
    board.write_bytes(b"Raspberry Pi 4 Model B Rev 1.4\0")
    monkeypatch.setattr(module, "BOARD", board)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "none-such")
    with pytest.raises(WiringError) as error:
        Signals(SignalSettings())
    assert str(error.value) == (
        "no GPIO on this Raspberry Pi (Unable to find pin factory 'none-such'): install python3-lgpio"
    )
