"""Serves the screen's page to tests, and is a viewer of it without a browser."""

import asyncio
import dataclasses
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from device.cameras.frame import Frame
from device.classifier import MODELS
from device.decision import Decision
from device.events import State
from device.levels import Levels
from device.model_card import ModelCard, read_card
from device.settings import CollectSettings, DecisionSettings, ScreenSettings, Settings
from device.web.screen import Screen
from device.web.server import Server

ANSWER_SECONDS = 60.0
TOKEN = "token4567890123456"  # noqa: S105
FRAME = Frame(np.full((120, 160), 90, np.uint8), 0.0)
DOOR = Decision(DecisionSettings(), Levels(0.5, 0.4))  # at which nobody has been


@contextmanager
def served(
    card: ModelCard, config: Path | None = None, self_test: Callable[[], str] | None = None, collecting: bool = False,
    **screen: Any,
) -> Iterator[tuple[Screen, Server]]:
    """A screen on a free port, and its server."""
    collect = CollectSettings("a key") if collecting else CollectSettings()
    asked: dict[str, Any] = {"port": 0, "token": TOKEN} | screen
    settings = Settings(screen=ScreenSettings(**asked), collect=collect)
    server = Server(settings, card, config, self_test)
    with Screen(server) as opened:
        yield opened, server


def card_of(practice: bool = False) -> ModelCard:
    return dataclasses.replace(read_card(MODELS / "door.tflite")[0], practice=practice)


def show(screen: Screen, state: State) -> None:
    screen.show(state, FRAME, [], [], DOOR)


def own_address() -> str:
    """Return an address of this computer that isn't loopback's; skip without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # no packet is sent
        except OSError:
            pytest.skip("needs a network")
        return str(probe.getsockname()[0])


def ask(
    port: int, line: str = "GET /", *headers: str, body: bytes = b"", at: str = "127.0.0.1"
) -> tuple[int, dict[str, str], bytes]:
    """Send a request as bytes; return the status, the headers and the body."""
    with socket.create_connection((at, port), ANSWER_SECONDS) as connection:
        connection.sendall("\r\n".join([f"{line} HTTP/1.1", *headers, "", ""]).encode() + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(65536) or b"\r\n\r\n"
        head, _, content = answer.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        found = dict(line.split(": ", 1) for line in lines)
        while len(content) < int(found.get("Content-Length", 0)):
            content += connection.recv(65536)
    return int(status.split()[1]) if status else 0, found, content


class Viewer:
    """Collects, in a thread, what a page's socket is told until it is closed, and why it was."""

    def __init__(self, port: int, path: str = "/state", say: str | None = None) -> None:
        self.messages: list[Any] = []
        self.code: int | None = None
        self.arrived = threading.Condition()
        self._url, self._origin, self._say = f"ws://127.0.0.1:{port}{path}", f"http://127.0.0.1:{port}", say
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()), daemon=True)
        self._thread.start()

    async def _listen(self) -> None:
        connection = await websocket_connect(HTTPRequest(self._url, headers={"Origin": self._origin}))
        if self._say is not None:
            await connection.write_message(self._say)
        while (message := await connection.read_message()) is not None:
            with self.arrived:
                self.messages.append(json.loads(message) if isinstance(message, str) else message)
                self.arrived.notify_all()
        self.code = connection.close_code
        connection.close()

    def wait(self, count: int = 1) -> list[Any]:
        """Return what has arrived when that is so many messages."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.messages) >= count, ANSWER_SECONDS)
            return list(self.messages)

    def wait_for(self, look: str, reason: str | None = None) -> None:
        """Wait until a look is told."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: (look, reason) in self.looks(), ANSWER_SECONDS), self.looks()

    def looks(self) -> list[tuple[str, str | None]]:
        """Return the looks told with their reasons, without the repetitions."""
        told = [(message["look"], message["reason"]) for message in self.messages]
        return [look for place, look in enumerate(told) if place == 0 or look != told[place - 1]]

    def ended(self) -> list[tuple[str, str | None]]:
        """Wait until the socket is closed; return the looks told."""
        self._thread.join(ANSWER_SECONDS)
        assert not self._thread.is_alive()
        return self.looks()
