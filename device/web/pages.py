"""What the screen's server answers: the page, its states, the picture of the camera, and metrics."""

import asyncio
from typing import TYPE_CHECKING

from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from device.web.doorkeeper import ANEW, Guarded, WithToken
from device.web.limited_server import Places

if TYPE_CHECKING:
    from device.web.server import Server

MOST_VIEWERS = 200
MOST_UNREAD = 100  # states that wait in this computer's memory for one viewer


class ScreenPage(Guarded):
    """The screen, in the language asked for, of the settings, or of the browser."""

    def initialize(self, server: "Server") -> None:
        self.server = server

    def get(self) -> None:
        server, screen = self.server, self.server.settings.screen
        self.render(
            "index.html", language=server.language_of(self), page=server.page, practice=server.card.practice,
            mirror=screen.mirror, speech=screen.speech, collecting=server.settings.collect.on,
            anew=ANEW,
        )  # fmt: skip

    head = get  # as who looks whether a page is up asks; tornado leaves the body out


class Stream(Guarded, WebSocketHandler):
    """A socket that only the kiosk speaks on."""

    def initialize(self, server: "Server", places: Places) -> None:
        self.server, self._places = server, places
        self._network = server.address.network_of(self.request.remote_ip or "")

    def prepare(self) -> None:
        super().prepare()
        self.require_origin()
        if not self._places.left(self._network):
            raise HTTPError(503)  # before it is a socket: one that is closed stays open until its viewer says goodbye

    async def get(self, *args: str, **kwargs: str) -> None:
        self._places.take(self._network)
        try:
            await super().get(*args, **kwargs)  # until it has ended
        finally:
            self._places.leave(self._network)
        self.on_close()  # tornado leaves that out after a goodbye that it can't read

    def check_origin(self, origin: str) -> bool:
        return True  # checked in prepare, which also refuses a missing one

    def on_message(self, message: str | bytes) -> None:
        self.close(1008, "nothing is expected here")


class StateStream(Stream):
    """The states of the door."""

    _unread = 0

    def open(self, *args: str, **kwargs: str) -> None:
        self.set_nodelay(True)
        self.server.viewers.add(self)
        self.tell(self.server.message())

    def tell(self, message: str) -> None:
        """Send one state, and don't wait for it to arrive; let go of who answers pings and reads nothing."""
        if self._unread == MOST_UNREAD:
            self.server.viewers.discard(self)
            self.close(1008, "too slow")
            return
        try:
            sent = self.write_message(message)
        except WebSocketClosedError:
            self.server.viewers.discard(self)
        else:
            self._unread += 1
            sent.add_done_callback(self._sent)

    def _sent(self, sent: "asyncio.Future[None]") -> None:
        self._unread -= 1
        sent.exception()  # else asyncio logs that somebody has gone meanwhile

    def on_close(self) -> None:
        self.server.viewers.discard(self)


class MirrorStream(Stream):
    """The picture of the camera."""

    def open(self, *args: str, **kwargs: str) -> None:
        self.server.mirror.viewers.add(self)

    def on_close(self) -> None:
        self.server.mirror.viewers.discard(self)


class MetricsText(WithToken):
    """Everything that Prometheus is told."""

    def get(self) -> None:
        if self.server.metrics:
            self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.finish(self.server.metrics.text(self.server.look))
