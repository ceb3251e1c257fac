"""Serves a page to this computer on which pictures get their labels, by keys or by buttons."""

import asyncio
import json
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

import cv2
from tornado.httpserver import HTTPServer
from tornado.template import Loader
from tornado.web import Application, HTTPError

from device.errors import PictureError
from device.pictures import read_color
from device.web.attempts import Attempts
from device.web.doorkeeper import Guarded, Static, allowed_hosts
from device.web.languages import PAGE as DEVICE_PAGE
from trainer.labels import LabelFolder
from trainer.photos import PhotosError

PAGE = Path(__file__).parent / "label_page"
HOST = "127.0.0.1"


class LabelServer:
    """The page of one folder of pictures."""

    def __init__(self, pictures: LabelFolder) -> None:
        """Take a free port."""
        self.pictures, self.token, self.attempts = pictures, secrets.token_urlsafe(18), Attempts()
        self._socket = socket.create_server((HOST, 0))
        self._socket.setblocking(False)
        self.port = int(self._socket.getsockname()[1])
        self.url = f"http://{HOST}:{self.port}/#{self.token}"

    async def serve(self) -> None:
        """Serve until cancelled."""
        shared = {"server": self}
        server = HTTPServer(
            Application(
                [
                    (r"/", LabelPage, shared),
                    *((f"/{name}", handler, shared) for name, handler in HANDLERS.items()),
                    (r"/static/(setup\.css|icon\.svg)", Static, {"path": str(DEVICE_PAGE / "static")}),
                    (r"/static/(label\.[a-z]+)", Static, {"path": str(PAGE)}),
                ],
                default_handler_class=Guarded,
                hosts=allowed_hosts(HOST, self.port),
                template_loader=Loader(str(PAGE)),
                log_function=lambda handler: None,
            )
        )
        server.add_socket(self._socket)
        try:
            await asyncio.Event().wait()
        finally:
            server.stop()
            await server.close_all_connections()

    def state(self) -> dict[str, object]:
        """Return what the page shows: the picture that is next, how many wait, and how many have which label."""
        waiting = self.pictures.waiting()
        return {"name": waiting[0] if waiting else None, "waiting": len(waiting), "counts": self.pictures.counts()}


class LabelPage(Guarded):
    """The page itself, which holds no secret."""

    def initialize(self, server: LabelServer) -> None:
        self.server = server

    def get(self) -> None:
        self.render("label.html")


class WithToken(LabelPage):
    """Something that is told to who knows the token only."""

    def prepare(self) -> None:
        super().prepare()
        if self.request.method != "GET":
            self.require_origin()
        self.require_token(self.server.token, self.server.attempts)

    def answer(self, *changes: Callable[[], object]) -> None:
        """Make changes, and answer with the state or the line that says what is wrong."""
        try:
            for change in changes:
                change()
            self.finish(self.server.state())
        except (PhotosError, OSError) as error:
            self.refuse(error)

    def refuse(self, error: Exception) -> None:
        """Answer with the line that says what is wrong."""
        self.set_status(400)
        self.finish({"error": str(error)})


class Next(WithToken):
    """The state, as JSON."""

    def get(self) -> None:
        self.answer()


class Picture(WithToken):
    """A waiting picture, as PNG."""

    def get(self) -> None:
        name = self.get_query_argument("name")
        try:
            if name not in self.server.pictures.waiting():
                raise HTTPError(404)
            picture = read_color(self.server.pictures.folder / name)
        except (PhotosError, PictureError) as error:
            self.refuse(error)
            return
        self.set_header("Content-Type", "image/png")
        self.finish(cv2.imencode(".png", picture)[1].tobytes())


class Label(WithToken):
    """Gives a picture its label."""

    def post(self) -> None:
        try:
            posted = json.loads(self.request.body)
            name, label = str(posted["name"]), str(posted["label"])
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise HTTPError(400) from error
        self.answer(lambda: self.server.pictures.label(name, label))


class Undo(WithToken):
    """Takes the last label back."""

    def post(self) -> None:
        self.answer(self._take_back)

    def _take_back(self) -> None:
        if self.server.pictures.undo() is None:
            raise PhotosError("Nothing was labelled since the start: there is nothing to undo.")


HANDLERS = {"next": Next, "picture": Picture, "label": Label, "undo": Undo}
