"""What the pages' servers are sent: each target takes bytes, and raises whatever fails inside.

The servers are the real ones, in this thread: a connection each time, and no thread to wait for.
"""

import asyncio
import logging
import socket
from collections.abc import Coroutine
from typing import Any

import cv2
import numpy as np
from screens import DOOR, FRAME, TOKEN, card_of

from device.cameras.frame import Frame
from device.classifier import Verdict
from device.faces import Box
from device.settings import ScreenSettings, Settings
from device.telemetry.settings import CountsSettings
from device.web.routes import serve
from device.web.server import Server
from trainer.label_server import LabelServer
from trainer.labels import LabelFolder

from .readers import Owner
from .samples import PORT, UPGRADE, request

CONFIG = b'# of this door\n[model]\nthreshold = 0.5 # tried\n[decision]\nzones = [[0.0, 0.0, 0.1, 1.0]] # the mirror\n'


class Failed(AssertionError):
    """Something went wrong inside a server, and who asked was told or not."""


class Noted(logging.Handler):
    """Keeps what a log says of failures."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        if record.levelno >= logging.ERROR or "the door goes on" in line:
            self.lines.append(line)


class Asked(Owner):
    """A server that answers in this thread while it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self._loop, self._noted = asyncio.new_event_loop(), Noted()
        logging.getLogger().addHandler(self._noted)

    def start(self, serving: Coroutine[Any, Any, None], port: int) -> None:
        self._serving, self._port = self._loop.create_task(serving), port

    def close(self) -> None:
        self._serving.cancel()
        self._loop.run_until_complete(asyncio.wait([self._serving]))
        self._loop.close()
        logging.getLogger().removeHandler(self._noted)
        super().close()

    def ask(self, content: bytes) -> list[str]:
        """Send bytes and an end, and wait until the server closes. Raises Failed."""
        received = self._loop.run_until_complete(self._answer(content.replace(PORT, b"%d" % self._port)))
        if b"Traceback" in received or b" 500 " in received.partition(b"\r\n")[0]:
            self._noted.lines.append(received.decode(errors="replace"))
        if self._noted.lines:
            lines = "\n".join(self._noted.lines)
            self._noted.lines.clear()
            raise Failed(lines)
        return []

    async def _answer(self, content: bytes) -> bytes:
        received = b""
        with socket.socket() as client:
            client.setblocking(False)
            try:
                await self._loop.sock_connect(client, ("127.0.0.1", self._port))
                await self._loop.sock_sendall(client, content)
                client.shutdown(socket.SHUT_WR)
                while more := await self._loop.sock_recv(client, 65536):
                    received += more
            except ConnectionError:
                pass  # refused before all was sent
        return received


class Page(Asked):
    """The kiosk's page with all that can be switched on, of a door at which somebody was."""

    def __init__(self) -> None:
        super().__init__()
        self._config = self.folder / "kiosk.toml"
        self._config.write_bytes(CONFIG)
        screen = ScreenSettings(port=0, mirror=True, metrics="loopback", token=TOKEN, read_token=TOKEN)
        settings = Settings(screen=screen, counts=CountsSettings(enabled=True))
        self._server = Server(settings, card_of(), self._config, None)
        for number in range(8):
            face = Verdict(Box(40 + 20 * (number > 3), 20, 80, 80), 5.0, (0.5, 0.5), 0.5, "with_mask")
            seen = [face] if 1 <= number < 7 else []
            self._server.seen(Frame(FRAME.luma, number / 4), seen, [face.box], DOOR, 0.0)
        self.start(serve(self._server), self._server.port)

    def page(self, content: bytes) -> list[str]:
        """Ask with a request, line by line as it stands."""
        return self._asked(content)

    def setup(self, content: bytes) -> list[str]:
        """Post a body to the setup page; the first byte says whether it is tried or saved."""
        path = b"/setup/save" if content[:1] and content[0] % 2 else b"/setup/try"
        return self._asked(request(path, content[1:]))

    def viewer(self, content: bytes) -> list[str]:
        """Speak on a socket on which only the kiosk speaks; the first byte says which."""
        path = b"/mirror" if content[:1] and content[0] % 2 else b"/state"
        return self._asked(request(path, more=UPGRADE) + content[1:])

    def _asked(self, content: bytes) -> list[str]:
        self._server.attempts.clear()  # a wrong token is no news here
        if self._config.read_bytes() != CONFIG:
            self._config.write_bytes(CONFIG)
        self.ask(content)
        if left := len(self._server.viewers) + len(self._server.mirror.viewers):
            raise Failed(f"{left} viewers are still there")
        return []


class Labels(Asked):
    """The page on which crops get their labels."""

    def __init__(self) -> None:
        super().__init__()
        self._crops = self.folder / "crops"
        self._crops.mkdir()
        for name in ("a.png", "b.png"):
            cv2.imwrite(str(self._crops / name), np.full((16, 16), 90, np.uint8))
        self._server = LabelServer(LabelFolder(self._crops))
        self._server.token = TOKEN
        self.start(self._server.serve(), self._server.port)

    def label(self, content: bytes) -> list[str]:
        """Ask with a request, line by line as it stands."""
        self._server.attempts = type(self._server.attempts)()
        while self._server.pictures.undo():
            pass
        return self.ask(content)
