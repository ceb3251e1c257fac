"""The ways of breaking what the kiosk has to do with others: viewers of its page, and a broker."""

import dataclasses
import json
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from mosquitto import CAN_RUN, Broker, Subscriber

from .row import Missing
from .stage import TOKEN, Stage, wait_for

SLOW_CLIENTS, SILENT_VIEWERS = 500, 250
WORDS = {"bare": ("without a mask", "ALARM"), "masked": ("with a mask", "CLEAR")}
SAID = {look: f" {words}" for words, look in WORDS.values()}
LOGGED = re.compile(r"visit (\d+): (enter|leave|(?:verdict|change) with(?:out)? a mask)")


@contextmanager
def flood(stage: Stage) -> Iterator[None]:
    """Open connections that ask a byte at a time, and viewers that never read."""
    upgrade = (
        f"GET /mirror HTTP/1.1\r\nHost: 127.0.0.1:{stage.port}\r\nOrigin: http://127.0.0.1:{stage.port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
    ended = threading.Event()

    def drip(clients: list[socket.socket]) -> None:
        while not ended.wait(0.2):
            for client in clients:
                try:
                    client.send(b"G")
                except OSError:
                    continue

    with ExitStack() as clients:
        slow = []
        for number in range(SLOW_CLIENTS + SILENT_VIEWERS):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", stage.port), 60))
            if number % 3 == 2:
                client.sendall(upgrade)
            else:
                slow.append(client)
        thread = threading.Thread(target=drip, args=[slow])
        thread.start()
        yield
        ended.set()
        thread.join()
    wait_for(lambda: status_of(stage, b"GET / HTTP/1.1") == 200 or None, "the page")


@contextmanager
def broker(stage: Stage) -> Iterator[None]:
    """Give the kiosk a Mosquitto of its own."""
    if not CAN_RUN:
        raise Missing("needs mosquitto and openssl")
    (stage.folder / "broker").mkdir()
    with Broker(stage.folder / "broker") as stage.broker:
        attach(stage, stage.broker)
        yield


@contextmanager
def broker_gone(stage: Stage) -> Iterator[None]:
    """End the broker; once it is back it has to be told all that happened without it."""
    stage.broker.kill()
    told = len(stage.service.log.read_text())
    yield
    happened = stage.service.log.read_text()[told:]
    stage.broker.start(lets_kiosk_in=False)  # until there is somebody who listens
    with Subscriber(stage.broker) as listener:
        stage.broker.let_kiosk_in()
        wait_for(lambda: not list(untold(happened, listener.events())) or None, "what happened, at the broker")


def attach(stage: Stage, broker: Broker) -> None:
    """Have a kiosk that isn't started yet tell a broker."""
    settings = dataclasses.asdict(broker.settings())
    with stage.config.open("a") as config:
        config.write("\n[mqtt]\n")
        config.writelines(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())


def untold(log: str, events: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each visit of the log of which the broker wasn't told all."""
    heard = set[tuple[str, str]]()
    for event in events:
        words = SAID[event["state"]] if event["event"] in {"verdict", "change"} else ""
        heard.add((str(event["visit"]), event["event"] + words))
    lacking: dict[str, list[str]] = {}
    for visit, what in LOGGED.findall(log):
        if (visit, what) not in heard:
            lacking.setdefault(visit, []).append(what)
    for visit, whats in lacking.items():
        yield f"the kiosk's visit {visit}: {', '.join(whats)}: not at the broker"


def status_of(stage: Stage, line: bytes, body: bytes = b"") -> int:
    """Ask the page; return the status, or 0 where there is no answer."""
    host = f"127.0.0.1:{stage.port}"
    head = f"Host: {host}\r\nOrigin: http://{host}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}"
    with socket.create_connection(("127.0.0.1", stage.port), 60) as client:
        try:
            client.sendall(line + b"\r\n" + head.encode() + b"\r\n\r\n" + body)
            words = client.recv(4096).split()
        except ConnectionError:
            return 0
    return int(words[1]) if words else 0
