"""Says what answers at which address of the screen's server."""

from pathlib import Path
from typing import TYPE_CHECKING

from tornado.template import Loader
from tornado.web import Application

from device.web.doorkeeper import Guarded, Static, allowed_hosts
from device.web.limited_server import Places
from device.web.pages import MOST_VIEWERS, MetricsText, MirrorStream, ScreenPage, StateStream
from device.web.setup_pages import SETUP_PAGES
from device.web.today_pages import TODAY_PAGES

if TYPE_CHECKING:
    from device.web.server import Server

PAGE = Path(__file__).parent / "page"
ANSWER_SECONDS = 10.0  # a viewer must answer a ping by then
LARGEST_MESSAGE = 1024  # bytes: viewers have nothing to say


def routes(server: "Server") -> Application:
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
