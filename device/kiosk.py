"""Turns a camera's frames into lamps, beeps and lines in the terminal: the main loop of the device."""

import os
import queue
import signal
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from types import FrameType, TracebackType
from typing import Self

from device.camera import open_camera
from device.classifier import Classifier
from device.decision import Alert, Decision, State
from device.faces import FaceFinder
from device.finders import open_finder
from device.gate import Gate
from device.model_card import ModelCard
from device.notify import Notifier
from device.settings import Settings
from device.signals import Signals

WORDS = {
    State.IDLE: "nobody there",
    State.CHECKING: "not sure yet",
    State.CLEAR: "with a mask",
    State.ALARM: "without a mask",
}


def run(settings: Settings, finder: FaceFinder | None = None, pins: str = "auto") -> int:
    """Run the door until its recording ends or a signal stops it; return the exit code.

    Faces are found by `finder`, by default the settings'.
    0 at the end of a recording and for SIGTERM, 130 for SIGINT. Raises a KioskError for what can't be used; that, and
    whatever else goes wrong, leaves the loop, shows FAULT for a moment, and switches the outputs off.
    """
    with ExitStack() as devices:
        stop = devices.enter_context(StopRequest())
        # First, because a kiosk that was killed has left its outputs as they were, and the camera may be what failed.
        signals = devices.enter_context(Signals(settings.signals, pins, stop.pause))
        camera = devices.enter_context(open_camera(settings.camera))
        signals.camera_on()
        devices.push(signals.leave)  # runs before the camera is closed, which may hang
        classifier = Classifier(settings.model.name)
        finder = finder or open_finder(settings.faces)
        classifier.require_crops_of(finder)
        signals.trust(classifier.card)
        gate = Gate(finder)
        decision = Decision(settings.decision, classifier.card.threshold, classifier.card.release)
        notifier = devices.enter_context(Notifier(os.environ.get("NOTIFY_SOCKET")))
        started: float | None = None  # seconds on the camera's clock
        for frame in camera.frames():
            started = frame.taken if started is None else started
            verdicts = classifier.judge(frame.luma, gate.find(frame.luma, frame.taken))
            alert = decision.update(frame.taken, verdicts)
            signals.show(decision.state, frame.taken, datetime.now(UTC))
            notifier.decided(frame.taken)
            if alert:
                line = alert_line(alert, started, classifier.card)
                notifier.status(line)
                print(line, flush=True)
            if stop.received:
                break
        return 128 + signal.SIGINT if stop.received == signal.SIGINT else 0


def alert_line(alert: Alert, started: float, card: ModelCard) -> str:
    """Return what the terminal shows of a change; `started` is the time of the first frame, in seconds."""
    line = f"{alert.at - started:.2f} s  {alert.state}  {WORDS[alert.state]}"
    if alert.score is not None and alert.state is not State.CHECKING:
        line += f" {1 - alert.score if alert.state is State.CLEAR else alert.score:.2f}"
    return f"PRACTICE  {line}" if card.practice else line


class StopRequest:
    """Notes SIGTERM and SIGINT, so that the loop ends between two frames and never while a device is being closed."""

    received: signal.Signals | None = None

    def __init__(self) -> None:
        self._arrived: queue.SimpleQueue[int] = queue.SimpleQueue()  # may be put into while a get of it is on

    def pause(self, seconds: float) -> None:
        """Wait, but not after a signal."""
        with suppress(queue.Empty):
            self._arrived.get(timeout=seconds)

    def __enter__(self) -> Self:
        self._previous = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.received = signal.Signals(number)
        self._arrived.put(number)
