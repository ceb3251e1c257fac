"""Limits how many connections there are at once, and how often each address may ask."""

import ipaddress
import time
from collections.abc import Callable
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPMessageDelegate
from tornado.iostream import IOStream
from tornado.web import Application

MOST_CONNECTIONS = 400  # besides the viewers: a hundred browsers that load the page at once


class Asking:
    """Counts requests by the address they come from, of IPv6 by its network of 64 bits: a token bucket for each.

    What comes from this computer isn't counted: a proxy there asks for many.
    """

    # Requests: as many viewers as there may be load the page at once, twelve each, and then one or two a second.
    AT_ONCE, A_SECOND = 2400.0, 20.0
    MOST_ADDRESSES = 2000  # remembered; whoever asked longest ago is forgotten first

    def __init__(self, is_here: Callable[[str], bool]) -> None:
        """Take what tells whether an address is this computer's own."""
        self._is_here = is_here
        self._left: dict[str, tuple[float, float]] = {}  # requests, and the second at which they were counted

    def asks(self, address: str, now: float) -> bool:
        """Count a request at `now`, in seconds; return False for one too many."""
        left = self.left(address, now)
        if left < 1:
            return False
        if not self._is_here(address):
            self._left.pop(_network(address), None)
            self._left[_network(address)] = left - 1, now
            if len(self._left) > self.MOST_ADDRESSES:
                del self._left[next(iter(self._left))]
        return True

    def left(self, address: str, now: float) -> float:
        """Return how many more an address may ask at `now`, in seconds."""
        left, counted = self._left.get(_network(address), (self.AT_ONCE, now))
        return min(self.AT_ONCE, left + (now - counted) * self.A_SECOND)


def _network(address: str) -> str:
    return str(ipaddress.ip_network((address, 64), strict=False)) if ":" in address else address


class LimitedServer(HTTPServer):
    """Closes connections beyond a number, and those of who asks too often: an answer would cost as much again."""

    def initialize(self, application: Application, asking: Asking, **limits: Any) -> None:  # type: ignore[override]  # noqa: ANN401
        """Take what answers, what counts who asks, and Tornado's own limits."""
        self._asking = asking
        super().initialize(application, **limits)

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Take a connection, or close it."""
        if len(self._connections) >= MOST_CONNECTIONS or self._asking.left(address[0], time.monotonic()) < 1:
            stream.close()
            return
        super().handle_stream(stream, address)

    def start_request(self, server_conn: Any, request_conn: HTTPConnection) -> HTTPMessageDelegate:  # noqa: ANN401
        """Wait for a connection's next request, or close it."""
        if not self._asking.asks(server_conn.context.remote_ip, time.monotonic()):
            server_conn.stream.close()
        return super().start_request(server_conn, request_conn)
