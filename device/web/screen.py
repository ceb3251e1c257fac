"""Hands the state of the door to a page that a thread of its own serves. The door neither waits for it nor falls."""

import asyncio
import logging
import os
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from device.cameras.frame import Frame
from device.classifier import Verdict
from device.decision import Decision
from device.errors import CameraError, CameraFault
from device.events import State
from device.faces import Box
from device.model_card import ModelCard
from device.settings import Settings
from device.telemetry.telemetry import Telemetry
from device.web.address import is_there
from device.web.sparing import sparing_logs

if TYPE_CHECKING:
    from device.web.server import Server

CLOSE_SECONDS = 2.0  # after which an unfinished goodbye to the browsers is cut

log = logging.getLogger(__name__)


class Screen:
    """A page on the network, fed by `show`; without a server it shows nothing."""

    def __init__(self, server: "Server | None" = None) -> None:
        self._server = server
        self._state: State | None = None
        self._loop = asyncio.new_event_loop() if server else None
        # A daemon, because a browser must not keep the kiosk from ending.
        self._thread = threading.Thread(target=_serve, args=[server, self._loop], name="screen", daemon=True)

    @property
    def url(self) -> str | None:
        """The address of the page."""
        return self._server.url if self._server else None

    def show(
        self, state: State, frame: Frame, verdicts: Sequence[Verdict], judged: Collection[Box], decision: Decision
    ) -> None:
        """Hand over what was decided on a frame, `judged` being the boxes that counted, and return at once."""
        if self._server is None:
            return
        self._server.seen(frame, verdicts, judged, decision, time.monotonic())
        if state is not self._state:
            self._state = state
            self._tell(self._server.show, state)

    def fail(self, error: Exception) -> None:
        """Show FAULT, and why."""
        reason = "camera" if isinstance(error, CameraError) else "device"
        if isinstance(error, CameraFault):
            reason = error.word.name.lower()
        if self._server:
            self._tell(self._server.show, State.FAULT, reason)

    def end(self) -> None:
        """Show that the recording has ended, and not that the kiosk doesn't answer any more."""
        if self._server:
            self._tell(self._server.show, "ENDED")

    def changed(self) -> Settings | None:
        """Return the settings if the setup page has changed them since this was asked last."""
        return self._server.changed.popleft() if self._server and self._server.changed else None

    def __enter__(self) -> Self:
        if self._server:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._server is None:
            return
        if isinstance(error, Exception):
            self.fail(error)
        self._tell(self._server.ended.set)
        self._thread.join(CLOSE_SECONDS)

    def _tell(self, call: Callable[..., object], *arguments: object) -> None:
        if self._loop:
            with suppress(RuntimeError):  # the thread has ended, and said why
                self._loop.call_soon_threadsafe(call, *arguments)


def _serve(server: "Server", loop: asyncio.AbstractEventLoop) -> None:
    try:
        from device.web.routes import serve  # here: a tenth of a second, for the door only

        with sparing_logs():
            loop.run_until_complete(serve(server))
    except Exception:
        log.exception("screen: has failed; the door goes on without it")
    finally:
        server.address.socket.close()  # if it never came to serve: browsers would wait for an answer
        loop.close()


def open_screen(
    settings: Settings, card: ModelCard, config: Path | None = None, self_test: Callable[[], str] | None = None,
    telemetry: Telemetry | None = None,
) -> Screen:  # fmt: skip
    """Start what `[screen]` asks for; where that can't be had, say so in one line and go on without a screen.

    `config` is the file that the setup page writes, `self_test` what it calls to have the outputs switched in turn and
    be told which, and `telemetry` what the metrics are told of.
    """
    screen = settings.screen
    if not screen.enabled:
        return Screen()
    from device.web.server import Server  # here: a fifth of a second, for the door only

    try:
        server = Server(settings, card, config, self_test, telemetry)
    except OSError as error:  # the port is taken
        log.warning(
            "screen: %s port %s can't be used (%s); the door goes on without a screen: set [screen] port or host",
            screen.host, screen.port, os.strerror(error.errno or 0),
        )  # fmt: skip
        return Screen()
    if not is_there(screen.host):
        log.warning(
            "screen: this computer doesn't have the address %s yet; the page is served once it does: if it never will, "
            "set [screen] host", screen.host,
        )  # fmt: skip
    log.info("%s", card.marked(f"screen: {server.url}"))
    for name, url in (("setup", server.setup_url), ("today", server.today_url)):
        if url:
            log.info("%s", card.marked(f"{name}: {url}"))
    if screen.open_browser and somebody_sits_here():
        # In a thread, because some browsers are waited for.
        threading.Thread(target=webbrowser.open, args=[server.url], name="browser", daemon=True).start()
    return Screen(server)


def somebody_sits_here() -> bool:
    """Tell whether this was started from a terminal of a graphical session."""
    graphical = sys.platform == "darwin" or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())
    return sys.stdout.isatty() and graphical and "NOTIFY_SOCKET" not in os.environ

