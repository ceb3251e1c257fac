"""Serves the screen's pages and the stream of states over HTTP: says what answers at which address, and until when."""

import asyncio
from contextlib import suppress

from tornado.template import Loader
from tornado.web import Application

from device.web.doorkeeper import Guarded, Static, allowed_hosts
from device.web.languages import PAGE
from device.web.limited_server import LimitedServer, Places
from device.web.pages import MOST_VIEWERS, MetricsText, MirrorStream, ScreenPage, StateStream
from device.web.server import Server
from device.web.setup_pages import SETUP_PAGES
from device.web.today_pages import TODAY_PAGES

HEARTBEAT_SECONDS = 1.0  # a page that hears nothing for three of them shows FAULT
SLOW_SECONDS = 10.0  # a request must have arrived by then
LARGEST_HEADER, LARGEST_BODY = 16 * 1024, 64 * 1024  # bytes
SAVING_SECONDS, GOODBYE_SECONDS = 1.4, 0.5  # have to fit into the CLOSE_SECONDS of screen.py
ANSWER_SECONDS = 10.0  # a viewer must answer a ping by then
LARGEST_MESSAGE = 1024  # bytes: viewers have nothing to say


async def serve(server: Server) -> None:
    """Serve until the server is stopped."""
    http = LimitedServer(
        routes(server), address=server.address, max_header_size=LARGEST_HEADER, max_body_size=LARGEST_BODY,
        idle_connection_timeout=SLOW_SECONDS, body_timeout=SLOW_SECONDS,
    )  # fmt: skip
    http.add_socket(server.address.socket)
    mirror = asyncio.create_task(server.mirror.serve())
    try:
        while not server.ended.is_set():
            server.beat()
            with suppress(TimeoutError):
                await asyncio.wait_for(server.ended.wait(), HEARTBEAT_SECONDS)
    finally:
        mirror.cancel()
        http.stop()
        ends = [*(viewer.close for viewer in server.viewers), *(viewer.close for viewer in server.mirror.viewers)]
        for end in ends:
            end(1001, "the kiosk has ended")
        with suppress(TimeoutError):  # so that a save that has begun is answered too
            async with asyncio.timeout(SAVING_SECONDS), server.saving:
                pass
        with suppress(TimeoutError):
            await asyncio.wait_for(http.close_all_connections(), GOODBYE_SECONDS)


def routes(server: Server) -> Application:
    """Return what answers for a server: pages that its settings switch off have no address."""
    shared, screen = {"server": server}, server.settings.screen
    setup = shared | {"answered": screen.setup, "token": server.token}
    today = shared | {"answered": screen.today, "token": server.read_token}
    metrics = shared | {"answered": screen.metrics, "token": server.read_token}
    return Application(
        [
            (r"/", ScreenPage, shared),
            (r"/state", StateStream, shared | {"places": Places(MOST_VIEWERS)}),
            *([(r"/mirror", MirrorStream, shared | {"places": Places(MOST_VIEWERS)})] if screen.mirror else []),
            *((path, page, setup) for path, page in SETUP_PAGES.items() if server.setup_url),
            *((path, page, today) for path, page in TODAY_PAGES.items() if server.today_url),
            *([(r"/metrics", MetricsText, metrics)] if server.metrics else []),
            (r"/static/([a-z]+\.[a-z]+)", Static, {"path": str(PAGE / "static")}),
        ],
        default_handler_class=Guarded,
        hosts=allowed_hosts(screen.host, server.port),
        template_loader=Loader(str(PAGE)),
        log_function=lambda handler: None,
        websocket_ping_interval=ANSWER_SECONDS, websocket_ping_timeout=ANSWER_SECONDS,
        websocket_max_message_size=LARGEST_MESSAGE,
    )  # fmt: skip
