"""The door relay: what no history of states, exits, presses and stalls may do to it."""

import dataclasses
import random
import threading
from contextlib import nullcontext

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory, MockPin
from test_signals import BUTTON, NOON, RELAY, WatchedPin, run

from device.classifier import MODELS
from device.deadline import Deadline
from device.events import State
from device.model_card import ModelCard, read_card
from device.settings import SignalSettings
from device.signals import signals as module
from device.signals.signals import Signals

SETTINGS = SignalSettings(relay_pin=RELAY, button_pin=BUTTON)
HISTORIES = 10_000
GENEROUS = 30.0  # seconds
WAYS_OUT = (None, ZeroDivisionError, KeyboardInterrupt)


@pytest.fixture(autouse=True)
def _no_pin_factory_is_left_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setattr(module, "LATE_SECONDS", 60.0)  # a busy computer shall not add to the histories


@pytest.fixture(scope="session")
def real() -> ModelCard:
    return read_card(MODELS / "door.tflite")[0]


@pytest.fixture(scope="session")
def practice(real: ModelCard) -> ModelCard:
    return dataclasses.replace(real, practice=True)


def relay() -> list[bool]:
    return [change.state for change in Device.pin_factory.pin(RELAY).states]


def visit(chance: random.Random, card: ModelCard | None, release_seconds: float, steps: int) -> int:
    """Live through some steps and leave in some way; fail if the relay was on when it may not be.

    Return how often it was on.
    """
    now, before, entered, releases = chance.uniform(0, 1e5), State.IDLE, 0.0, 0
    seen = 1  # levels of the history that were accounted for
    shown_at_fault: list[bool] = []
    way_out = chance.choice(WAYS_OUT)
    settings = dataclasses.replace(SETTINGS, release_seconds=release_seconds)
    with (
        pytest.raises(way_out) if way_out else nullcontext(),
        Signals(settings, "mock", lambda _: shown_at_fault.append(relay()[-1])) as signals,
    ):
        pin = Device.pin_factory.pin(RELAY)
        if card:
            signals.trust(card)
        for _ in range(steps):
            now += chance.choice([0.0, 0.03, 0.1, 0.1, 0.5, 3.0, 40.0])
            state = before if chance.random() < 0.6 else chance.choice(list(State))
            if chance.random() < 0.1:
                button = Device.pin_factory.pin(BUTTON)
                chance.choice([button.drive_low, button.drive_high])()
            signals.show(state, now, NOON, [])
            changes = [change.state for change in pin.states[seen:]]
            seen = len(pin.states)
            if state is State.CLEAR and before is not State.CLEAR:
                entered = now
                if card and not card.practice:
                    releases += 1
                    assert changes == [True]
                    changes = []
            assert changes in ([], [False])  # never on but by entering CLEAR
            assert not pin.state or (state is State.CLEAR and now - entered < release_seconds)
            before = state
        if way_out:
            raise way_out
    assert shown_at_fault == ([False] if way_out is ZeroDivisionError else [])
    assert relay() == [False, *[True, False] * releases]
    return releases


def test_no_history_holds_the_door_open(real: ModelCard, practice: ModelCard) -> None:
    chance, pulses = random.Random(6), 0  # noqa: S311 no secret
    for _ in range(HISTORIES):
        card, release_seconds = chance.choice([real, real, real, practice, None]), chance.choice([0.5, 5.0, 30.0])
        pulses += visit(chance, card, release_seconds, chance.randrange(1, 25))
    assert pulses > 1000  # so often could it have been held open


def test_one_pulse_for_each_time_the_door_turns_clear(real: ModelCard) -> None:
    with Signals(SETTINGS, "mock") as signals:
        signals.trust(real)
        run(signals, *((tick / 10, State.CLEAR) for tick in range(50)))
        assert relay() == [False, True]
        run(signals, *((tick / 10, State.CLEAR) for tick in range(50, 200)))
        assert relay() == [False, True, False]  # after 5 s, and it stays locked
        run(signals, (20.0, State.CHECKING), (20.1, State.CLEAR), (20.2, State.ALARM))
        assert relay() == [False, True, False, True, False]  # locked at once
    assert relay() == [False, True, False, True, False]


def test_a_practice_model_and_one_not_yet_known_release_nothing(practice: ModelCard) -> None:
    for card in (practice, None):
        with Signals(SETTINGS, "mock") as signals:
            if card:
                signals.trust(card)
            run(signals, (0.0, State.IDLE), (0.1, State.CLEAR), (0.2, State.CLEAR))
        assert relay() == [False]


@pytest.mark.parametrize(("late_seconds", "release_seconds", "at_least"), [(1.0, 30.0, 0.95), (60.0, 0.5, 0.45)])
def test_a_loop_that_stalls_locks_the_door(
    real: ModelCard, monkeypatch: pytest.MonkeyPatch, late_seconds: float, release_seconds: float, at_least: float
) -> None:
    monkeypatch.setattr(module, "LATE_SECONDS", late_seconds)
    monkeypatch.setattr(Device, "pin_factory", MockFactory(pin_class=WatchedPin))
    with Signals(dataclasses.replace(SETTINGS, release_seconds=release_seconds)) as signals:
        signals.trust(real)
        run(signals, (0.0, State.CLEAR))
        pin = Device.pin_factory.pin(RELAY)
        assert relay() == [False, True]
        assert pin.fell.wait(GENEROUS)  # while this thread, the loop's, does nothing
        assert at_least < pin.states[2].timestamp < GENEROUS  # seconds that it was released
        run(signals, (0.1, State.CLEAR))
        assert relay() == [False, True, False]  # the same CLEAR gives no second pulse


class BrokenPin(MockPin):  # type: ignore[misc]
    """A mock pin that can be driven high once and never low."""

    def _set_state(self, value: float) -> None:
        if self.state and not value:
            raise OSError("the pin is gone")
        super()._set_state(value)


def test_a_door_that_cannot_be_locked_ends_the_loop(real: ModelCard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "pin_factory", MockFactory(pin_class=BrokenPin))

    def stay_clear() -> None:
        with Signals(SETTINGS) as signals:
            signals.trust(real)
            run(signals, (0.0, State.CLEAR), (0.1, State.IDLE))

    with pytest.raises(OSError, match="the pin is gone"):
        stay_clear()


def test_what_fails_at_a_deadline_is_raised_where_it_is_moved() -> None:
    called = threading.Event()

    def late() -> None:
        called.set()
        raise ZeroDivisionError

    lock = threading.RLock()
    with Deadline(lock, late) as deadline:
        deadline.move(0.0)
        assert called.wait(GENEROUS)
        with pytest.raises(ZeroDivisionError):
            deadline.move(1.0)


def test_a_deadline_that_is_moved_or_lifted_in_time_calls_nobody() -> None:
    called: list[str] = []
    lock, second = threading.RLock(), threading.Event()
    with Deadline(lock, lambda: called.append("first")) as first, Deadline(lock, second.set) as other:
        with lock:  # held, so that the watching thread decides after all of this
            first.move(0.0)
            first.move(GENEROUS)
            other.move(GENEROUS)
            other.move(0.0)
        assert second.wait(GENEROUS)
        with lock:
            first.move(0.0)
            first.lift()
    assert called == []
