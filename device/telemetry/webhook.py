"""Posts events to a server, each signed, one after the other, until it has accepted them.

Headers and signature are those of https://www.standardwebhooks.com, for which there are libraries that check them.
"""

import base64
import hashlib
import hmac
import http.client
import logging
import queue
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from device.errors import SettingsError
from device.telemetry.secret import read_secret
from device.telemetry.settings import WebhookSettings

ANSWER_SECONDS = 10.0
FIRST_RETRY_SECONDS, MOST_RETRY_SECONDS = 1.0, 300.0  # twice as long each time, up to the second
GOODBYE_SECONDS = 0.3  # with the broker's it has to fit into the CLOSE_SECONDS of telemetry.py
PREFIX = "whsec_"
SHORTEST_SECRET = 24  # bytes

log = logging.getLogger(__name__)


class Webhook:
    """A thread that posts what is put into its queue."""

    def __init__(self, settings: WebhookSettings) -> None:
        """Prepare it. Raises SettingsError for a secret that can't be used."""
        self._parts = urlsplit(settings.url)
        self._place = shown_url(settings.url)
        self._key = key_of(read_secret(settings.secret_path), settings.secret_path)
        self._events: queue.Queue[tuple[str, str] | None] = queue.Queue()
        self._most = settings.queue
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="webhook", daemon=True)
        self.lost = 0  # events that found the queue full

    @property
    def waiting(self) -> int:
        """How many events weren't accepted yet."""
        return self._events.unfinished_tasks  # the one in hand too

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._ended.set()  # what was refused isn't tried again
        self._events.put(None)
        self._thread.join(GOODBYE_SECONDS)
        if left := self.waiting - 1:
            log.warning("webhook: the kiosk ends with %d events that %s hasn't accepted", left, self._place)

    def event(self, name: str, message: str) -> bool:
        """Post an event that has a name of its own, now or later; return False if it is lost: too many wait already."""
        if self.waiting >= self._most:
            self.lost += 1
            return False
        self._events.put((name, message))
        return True

    def _work(self) -> None:
        while (event := self._events.get()) is not None:
            wait, told = FIRST_RETRY_SECONDS, False
            while trouble := self._post(event[0], event[1].encode()):
                if not told:
                    log.warning("webhook: %s %s; the door goes on, events wait", self._place, trouble)
                told = True
                if self._ended.wait(wait * random.uniform(0.5, 1.0)):  # noqa: S311 - no secret
                    return
                wait = min(2 * wait, MOST_RETRY_SECONDS)
            if told:
                log.info("webhook: %s accepts events again", self._place)
            self._events.task_done()

    def _post(self, name: str, body: bytes) -> str:
        """Post once; return what went wrong, or nothing."""
        stamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json", "User-Agent": "mask-kiosk", "webhook-id": name,
            "webhook-timestamp": stamp, "webhook-signature": signature(self._key, name, stamp, body),
        }  # fmt: skip
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        port = self._parts.port or kind.default_port  # which it would look for in an IPv6 address
        query = f"?{self._parts.query}" if self._parts.query else ""
        try:
            with closing(kind(self._parts.hostname or "", port, timeout=ANSWER_SECONDS)) as connection:
                connection.request("POST", f"{self._parts.path or '/'}{query}", body, headers)
                with _cut_off(connection.sock):
                    status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return f"can't be reached ({error!r})"
        return "" if 200 <= status < 300 else f"answers {status}"


@contextmanager
def _cut_off(connected: socket.socket) -> Iterator[None]:
    """End a connection in ANSWER_SECONDS: its own timeout begins anew with each byte of an answer."""

    def cut() -> None:
        with suppress(OSError):  # it is closed
            socket.socket.shutdown(connected, socket.SHUT_RDWR)  # TLS's own would take it away from who reads

    timer = threading.Timer(ANSWER_SECONDS, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def shown_url(url: str) -> str:
    """Return an address as lines may show it: its path may be a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/…"


def key_of(secret: str, path: str) -> bytes:
    """Return the key that a secret holds. Raises SettingsError, which doesn't tell it."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:  # also of letters beyond ASCII
        key = b""
    if not secret.startswith(PREFIX) or len(key) < SHORTEST_SECRET:
        raise SettingsError(
            f"{path}: isn't {PREFIX} and at least {SHORTEST_SECRET} bytes as Base64: see docs/telemetry.md"
        )
    return key


def signature(key: bytes, name: str, stamp: str, body: bytes) -> str:
    """Return the signature of a post: name and time, in seconds since 1970, are signed with it."""
    signed = hmac.new(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(signed.digest()).decode()}"
