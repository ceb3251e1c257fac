"""Turns a camera's frames into lamps, beeps and lines in the terminal: the main loop of the device."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from device.cameras.camera import Camera, open_camera, require_source
from device.cameras.source import is_rtsp
from device.classifier import Classifier
from device.collect import open_collector
from device.decision import Decision
from device.events import State
from device.faces import FaceFinder
from device.finders import open_finder
from device.gate import Gate
from device.golden import has_golden_pictures, require_right
from device.guard import Guard
from device.levels import levels
from device.motion import Motion
from device.notify import Notifier
from device.settings import Settings
from device.signals.signals import Signals
from device.stop import StopRequest
from device.telemetry.telemetry import Telemetry
from device.terminal import alert_block, alert_line, event_line, show_fault
from device.web.address import is_there
from device.web.screen import Screen, open_screen

log = logging.getLogger(__name__)


def run(
    settings: Settings, finder: FaceFinder | None = None, pins: str = "auto", config: Path | None = None,
    at_speed: bool = False,
) -> int:  # fmt: skip
    """Run the door until its recording ends or a signal stops it; return the exit code.

    Faces are found by `finder`, by default the settings'; `config` is the file that the setup page writes; a recording
    is played `at_speed`, its own, or as fast as it goes.
    0 at the end of a recording and for SIGTERM, 130 for SIGINT. Raises a KioskError for what can't be used; that, and
    whatever else goes wrong, leaves the loop, shows FAULT for a moment, and switches the outputs off.
    """
    with StopRequest() as stop, ExitStack() as devices:
        devices.enter_context(Guard(settings.signals, pins))
        # First, because a kiosk that was killed has left its outputs as they were, and the camera may be what failed.
        signals = devices.enter_context(Signals(settings.signals, pins, stop.pause))
        watched = devices.enter_context(ExitStack())  # the camera, opened last
        devices.push(signals.leave)  # runs before the camera is closed, which may hang
        devices.push(show_fault)
        require_source(settings.camera.source)
        classifier = Classifier(settings.model.name)
        finder = finder or open_finder(settings.faces)
        classifier.require_crops_of(finder)
        has_golden = has_golden_pictures(classifier)
        signals.trust(classifier.card)
        decision = Decision(settings.decision, levels(settings.model, classifier.card))
        eye = Motion(Gate(finder), decision.wonders)
        notifier = devices.enter_context(Notifier(os.environ.get("NOTIFY_SOCKET")))
        telemetry = devices.enter_context(Telemetry(settings, classifier.card))
        screen = devices.enter_context(open_screen(settings, classifier.card, config, signals.self_test, telemetry))
        collector = devices.enter_context(open_collector(settings, classifier.card))
        devices.push(signals.halt)  # before those above end, which may take all the time that systemd gives
        if settings.collect.on:
            signals.collecting_on(noticed=screen.url is not None and is_there(settings.screen.host))
        with _told(screen, telemetry, signals, stop.pause, settings.signals.fault_seconds):
            camera = watched.enter_context(_opened(settings, signals, stop, at_speed))
        started: float | None = None  # seconds on the camera's clock
        for frame in stop.before_each(camera.frames()):
            started = frame.taken if started is None else started
            verdicts = classifier.judge(frame.luma, eye.find(frame.luma, frame.taken))
            alert, events = decision.update(frame.taken, verdicts)
            moment = _moment()
            signals.show(decision.state, frame.taken, moment, events)
            if signals.test_began(frame.taken) and has_golden:
                require_right(classifier, finder)
            judged = list(decision.judged(frame.taken))
            screen.show(decision.state, frame, verdicts, [face.box for face in judged], decision)
            telemetry.note(decision.state, events, moment)
            collector.take(frame.luma, judged, frame.taken)
            if changed := screen.changed():
                new_levels = levels(changed.model, classifier.card)
                decision.adopt(changed.decision, new_levels)
                collector.adopt(new_levels)
                signals.adopt(changed.signals)
                telemetry.adopt(changed.signals)
            notifier.decided()
            if alert:
                line = alert_line(alert, started, classifier.card)
                notifier.status(line)
                print(f"{line}\n{alert_block(alert, classifier.card)}", end="", flush=True)
            for event in events:
                print(event_line(event, started, classifier.card), flush=True)
        log.info("%s: the recording has ended", settings.camera.source)
        screen.end()
    return 128 + signal.SIGINT if stop.received == signal.SIGINT else 0


def _moment() -> datetime:
    """Return the present time; quiet hours and counts by this computer's zone go by the one that it has now."""
    time.tzset()
    return datetime.now(UTC)


@contextmanager
def _opened(settings: Settings, signals: Signals, stop: StopRequest, at_speed: bool) -> Iterator[Camera]:
    """Open the camera, with its LED lit from before until behind."""
    with signals.camera_on(), ExitStack() as camera:
        # A network camera may be waited for, and nothing of one is open yet.
        with stop.at_once() if is_rtsp(settings.camera.source) else nullcontext():
            opened = camera.enter_context(open_camera(settings.camera, stop.pause if at_speed else None))
        yield opened


@contextmanager
def _told(
    screen: Screen, telemetry: Telemetry, signals: Signals, pause: Callable[[float], None], seconds: float
) -> Iterator[None]:
    """Show an exception everywhere for so many seconds: at the start, page and broker need time until they hear it."""
    try:
        yield
    except Exception as error:
        screen.fail(error)
        telemetry.note(State.FAULT, [], datetime.now(UTC))
        until = time.monotonic() + seconds
        signals.leave(type(error), error, None)
        pause(max(0.0, until - time.monotonic()))  # where no lamp has taken that long
        raise
