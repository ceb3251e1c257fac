"""What the screen's pages are told by the door, and tell it."""

import asyncio
import hashlib
import json
import math
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tornado.web import RequestHandler

from device.cameras.frame import Frame
from device.cameras.source import is_live
from device.classifier import Verdict
from device.decision import Decision
from device.errors import SettingsError
from device.events import State
from device.faces import Box
from device.levels import levels
from device.limits import RANDOM
from device.model_card import ModelCard
from device.settings import Settings, read_settings
from device.signals.signals import LATE_SECONDS
from device.telemetry.telemetry import Telemetry
from device.web.address import PageAddress
from device.web.attempts import Attempts
from device.web.changes import held
from device.web.edit import edit_settings
from device.web.languages import LANGUAGES, PAGE, Language, codes, preferred, read_language
from device.web.mirror import Mirror
from device.web.what_if import History

if TYPE_CHECKING:
    from device.telemetry.metrics import Metrics


class Viewer(Protocol):
    """Somebody whose page shows the door's state."""

    def tell(self, message: str) -> None:
        """Send a message, and don't wait for it to arrive."""
        ...

    def close(self, code: int, reason: str) -> None:
        """End the connection."""
        ...


class Server:
    """The page's server; all but `seen` runs in the thread that serves it."""

    def __init__(
        self, settings: Settings, card: ModelCard, config: Path | None, self_test: Callable[[], str] | None,
        telemetry: Telemetry | None = None,
    ) -> None:  # fmt: skip
        """Take the port. Raises OSError if it can't be had, SettingsError for a `config` that can't be used."""
        screen = settings.screen
        self.settings, self.card, self.config, self.self_test = settings, card, config, self_test
        self.telemetry = telemetry
        self.token, self.read_token = _token(screen.token), _token(screen.read_token)
        self.saved = self._started = read_settings(config) if config else settings  # what the kiosk.toml says, and said
        self.changed: deque[Settings] = deque(maxlen=1)  # by the setup page, and not yet taken by the door
        self.mirror = Mirror(levels(settings.model, card).threshold)
        self.history, self.attempts = History(), defaultdict[str, Attempts](Attempts)  # by token
        self.viewers: set[Viewer] = set()
        self.languages = {code: read_language(LANGUAGES / f"{code}.toml") for code in codes()}
        self.version = _digest_of_files()
        # Of all that a page shows: one with another digest loads itself anew.
        self.page = _digest(self.version, settings, card)
        self._shown: dict[str, str | None] = {"look": "STARTING", "reason": None, "page": self.page}
        self._seen_at = math.nan  # seconds, of time.monotonic(): of the last frame; before the first nothing is late
        self._late = False
        self._live = is_live(settings.camera.source)
        self.metrics: Metrics | None = None
        if screen.metrics != "off":
            from device.telemetry import metrics  # here: prometheus_client takes its time

            self.metrics = metrics.Metrics(self._age, telemetry.queues if telemetry else dict)
        self.ended, self.trying, self.saving = asyncio.Event(), asyncio.Lock(), asyncio.Lock()
        # Last, because what is refused before leaves no port taken.
        self.address = PageAddress(screen.host, screen.port)
        self.port, self.url = self.address.port, self.address.url
        today = screen.today if settings.counts.enabled else "off"
        self.setup_url = self.address.of("setup", screen.setup, self.token if screen.token == RANDOM else "")
        self.today_url = self.address.of("today", today, self.read_token if screen.read_token == RANDOM else "")

    def seen(
        self, frame: Frame, verdicts: Sequence[Verdict], judged: Collection[Box], decision: Decision, now: float
    ) -> None:
        """Note a decided frame, at `now` in seconds of time.monotonic(); called by the door, so it only keeps it."""
        self.mirror.newest = (frame, verdicts, judged)
        self.history.note(frame.taken, verdicts, decision)
        self._seen_at = now
        if self.metrics:
            self.metrics.decided(now - frame.taken if self._live else None)

    def show(self, look: str, reason: str | None = None) -> None:
        """Tell every viewer a new state, or that the recording has ended."""
        self._shown = self._shown | {"look": look, "reason": reason}
        self._late = False
        self.tell()

    async def save(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Write changes into the kiosk.toml, one save at a time; those hold at once that can. Raises SettingsError."""
        if self.config is None:
            raise SettingsError("the kiosk has no kiosk.toml: start it with `--config FILE`, or `make run CONFIG=FILE`")
        async with self.saving:
            self.saved = await asyncio.to_thread(  # a card may take its time, and the screens shall hear of the door
                edit_settings, self.config, changes, lambda settings: levels(settings.model, self.card)
            )
            self.settings = held(self.settings, self.saved)
        self.mirror.threshold = levels(self.settings.model, self.card).threshold
        self.changed.append(self.settings)
        self.page = _digest(self.version, self.settings, self.card)
        self._shown = self._shown | {"page": self.page}
        self.tell()

    @property
    def waiting(self) -> bool:
        """Tell whether the kiosk.toml says something that holds from the next start on only."""
        return held(self._started, self.saved) != self.saved

    def tell(self) -> None:
        """Tell every viewer the present state, once more if need be."""
        message = self.message()
        for viewer in list(self.viewers):
            viewer.tell(message)

    def message(self) -> str:
        """Return what a viewer is told: the look, the reason of a fault, and which page shows it."""
        return json.dumps(self._told())

    def language_of(self, page: RequestHandler) -> Language:
        """Return the language that a page is asked in, or that of the settings; the browser's if it isn't known."""
        code = page.get_query_argument("language", self.settings.screen.language)
        if code not in self.languages:
            code = preferred(page.request.headers.get("Accept-Language", ""), list(self.languages))
        return self.languages[code]

    @property
    def look(self) -> str:
        """What a viewer is shown."""
        return str(self._told()["look"])

    def _told(self) -> dict[str, str | None]:
        if self._late and self._shown["look"] not in {State.FAULT, "ENDED"}:  # which say why nothing is decided
            return self._shown | {"look": State.FAULT.value, "reason": "device"}
        return self._shown

    def _age(self) -> float:
        return time.monotonic() - self._seen_at

    def beat(self) -> None:
        """Tell every viewer that the kiosk is there, and whether frames are late; called about once a second."""
        self._late = self._age() > LATE_SECONDS
        self.tell()


def _token(given: str) -> str:
    return secrets.token_urlsafe(18) if given == RANDOM else given


def _digest_of_files() -> str:
    told = hashlib.sha256()
    for path in sorted(path for path in PAGE.rglob("*") if path.is_file()):
        told.update(path.read_bytes())
    return told.hexdigest()[:16]


def _digest(version: str, settings: Settings, card: ModelCard) -> str:
    screen = settings.screen  # without its tokens, which everybody who is told the digest could try on it
    shown = version, screen.language, screen.speech, screen.mirror, settings.collect.on, card.practice
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]
