"""Hands what happens at the door to whoever was asked for: a broker, a webhook, a file of counts.

A thread of its own does it all: the door neither waits for it nor falls with it.
"""

import json
import logging
import queue
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeVar

from device import board
from device.errors import SettingsError
from device.events import Event, State
from device.model_card import ModelCard
from device.settings import Settings, SignalSettings
from device.signals.quiet_hours import time_zone
from device.telemetry.counts import NAMES, WRITE_SECONDS, Counts, counts_path, name_of
from device.telemetry.discovery import Discovery
from device.telemetry.mqtt import Mqtt, id_of
from device.telemetry.webhook import Webhook

MOST_WAITING = 1000  # changes and events that the thread hasn't taken yet
TICK_SECONDS = 1.0
BOARD_SECONDS = 60.0  # between two looks at temperature and voltage
CLOSE_SECONDS = 1.0  # after which an unfinished goodbye is cut

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Happened:
    """What one frame brought: at least a change of the door's state, or an event."""

    moment: datetime  # aware
    state: State
    events: tuple[Event, ...]


class Telemetry:
    """What `note` is told, told on; without anybody to tell it does nothing."""

    def __init__(self, settings: Settings, card: ModelCard) -> None:
        """Take whom to tell from the settings; they are looked for when the thread runs."""
        self._settings = settings
        self._wanted = settings.mqtt.enabled or settings.webhook.enabled or settings.counts.enabled
        self.adopt(settings.signals)
        self._inbox: queue.Queue[Happened | None] = queue.Queue(MOST_WAITING)
        self._state: State | None = None  # that was noted last
        self._shown: State | None = None  # that is told
        self._lost = 0  # events that found the inbox full
        self._missed = 0  # events that didn't reach all who are told
        self._run, self._events = secrets.token_hex(4), 0  # an event's name is made of both
        self._discovery = Discovery(id_of(settings.mqtt), card.marked(f"{card.name} {card.sha256[:12]}"))
        self._board: dict[str, float | str | None] = {}
        self._unwritable = False  # the file of counts, which was said
        self.counts = Counts(counts_path() if settings.counts.enabled else None, settings.counts.keep_days)
        self._mqtt: Mqtt | None = None
        self._webhook: Webhook | None = None
        self._thread = threading.Thread(target=self._serve, name="telemetry", daemon=True)

    def adopt(self, settings: SignalSettings) -> None:
        """Count by the hours of this time zone from here on."""
        self._zone = time_zone(settings.time_zone)

    def note(self, state: State, events: Sequence[Event], moment: datetime) -> None:
        """Take the state after a frame, the frame's events, and the aware time; return at once."""
        if self._wanted and (events or state is not self._state):
            try:
                self._inbox.put_nowait(Happened(moment, state, tuple(events)))
                self._state = state
            except queue.Full:
                self._lost += len(events)

    def queues(self) -> dict[str, tuple[int, int]]:
        """Return for each that is told how many events wait for it, and how many were lost."""
        parts = {"mqtt": self._mqtt, "webhook": self._webhook}
        return {name: (part.waiting, part.lost + self._lost) for name, part in parts.items() if part}

    def __enter__(self) -> Self:
        if self._wanted:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if not self._wanted:
            return
        if isinstance(error, Exception):
            self.note(State.FAULT, [], datetime.now(UTC))
        with suppress(queue.Full):
            self._inbox.put_nowait(None)
        self._thread.join(CLOSE_SECONDS)

    def _serve(self) -> None:
        try:
            with ExitStack() as parts:
                if self._settings.mqtt.enabled:
                    self._mqtt = _opened(parts, "mqtt", lambda: Mqtt(self._settings.mqtt, self._discovery))
                if self._settings.webhook.enabled:
                    self._webhook = _opened(parts, "webhook", lambda: Webhook(self._settings.webhook))
                try:
                    self._work()
                finally:
                    self._write()
                    self.counts.close()
        except Exception:
            log.exception("telemetry: has failed; the door goes on without it")

    def _work(self) -> None:
        written, looked = time.monotonic(), time.monotonic() - BOARD_SECONDS
        while True:
            with suppress(queue.Empty):
                happened = self._inbox.get(timeout=TICK_SECONDS)
                if happened is None:
                    return
                self._tell(happened)
            now = time.monotonic()
            if now - looked >= BOARD_SECONDS:
                looked = now
                self._board = {"temperature": board.degrees(), "undervoltage": _on(board.undervoltage())}
            if now - written >= WRITE_SECONDS:
                written = now
                self._write()
            if self._mqtt:
                self._mqtt.tick()
                if self._shown:
                    self._mqtt.show(self._snapshot(self._shown), self._shown is State.FAULT)

    def _tell(self, happened: Happened) -> None:
        """Count the events, and hand them on."""
        if self._shown is None and happened.state is not State.FAULT:  # else a camera's absence counts thousands a day
            self.counts.add(datetime.now(self._zone), "starts")
        self._shown, moment = happened.state, happened.moment.astimezone(self._zone)
        for event in happened.events:
            if counted := name_of(event):
                self.counts.add(moment, counted)
            self._events += 1
            name = f"{self._run}-{self._events}"
            message = self._message(event, name, happened.moment)
            sent = not self._mqtt or self._mqtt.event(message)
            posted = not self._webhook or self._webhook.event(name, message)
            self._missed += not (sent and posted)

    def _message(self, event: Event, name: str, moment: datetime) -> str:
        score = None if event.score is None else round(event.score, 3)
        return json.dumps(
            {
                "id": name, "kiosk": self._discovery.id, "model": self._discovery.model, "time": moment.isoformat(),
                "event": event.kind, "visit": event.visit, "state": event.state, "score": score,
            }
        )  # fmt: skip

    def _snapshot(self, state: State) -> str:
        self.counts.turn(datetime.now(self._zone))
        return json.dumps(
            {
                "state": state, "occupancy": _on(state not in {State.IDLE, State.FAULT}),
                "problem": _on(state is State.FAULT), **{name: self.counts.today[name] for name in NAMES},
                "lost": self._lost + self._missed,
                "model": self._discovery.model, **self._board,
            }
        )  # fmt: skip

    def _write(self) -> None:
        try:
            self.counts.write()
        except (sqlite3.Error, OSError) as error:
            if not self._unwritable:
                log.warning("counts: %s can't be written (%s); the door goes on, and counts wait in memory",
                            counts_path(), error)  # fmt: skip
            self._unwritable = True
        else:
            self._unwritable = False


Part = TypeVar("Part", Mqtt, Webhook)


def _opened(parts: ExitStack, name: str, opening: Callable[[], Part]) -> Part | None:
    """Open one that is to be told; where it can't be had, say so in one line."""
    try:
        return parts.enter_context(opening())
    except (SettingsError, ImportError) as error:
        log.warning("%s: %s; the door goes on without it", name, error)
        return None


def _on(value: bool | None) -> str | None:
    """Return a truth as Home Assistant reads it; None: unknown."""
    return None if value is None else "ON" if value else "OFF"
