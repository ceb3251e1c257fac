"""Limits how many connections there are at once, and how often each network may ask."""

import time
from collections import Counter
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPMessageDelegate
from tornado.iostream import IOStream
from tornado.web import Application

from device.web.address import HERE, PageAddress

MOST_CONNECTIONS = 400  # besides the viewers: a hundred browsers that load the page at once


class Places:
    """So many may be there at once, and of one network, as `PageAddress.network_of` tells it, half as many.

    This computer has as many places again for itself, or others would keep its own screen out.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = Counter[str]()

    def left(self, network: str) -> bool:
        """Tell whether one more of a network may come."""
        here = self._taken[HERE]
        if network == HERE:
            return here < self._most
        return self._taken.total() - here < self._most and self._taken[network] < self._most // 2

    def take(self, network: str) -> None:
        """Count one who comes."""
        self._taken[network] += 1

    def leave(self, network: str) -> None:
        """Count one who goes."""
        self._taken[network] -= 1
        self._taken += Counter()  # drops who has none left


class Asking:
    """Counts requests by the network that they come from, as `PageAddress.network_of` tells it: a token bucket each.

    What comes from this computer isn't counted: a proxy there asks for many.
    """

    # Requests: as many viewers as there may be load the page at once, twelve each, and then one or two a second.
    AT_ONCE, A_SECOND = 2400.0, 20.0
    MOST_NETWORKS = 2000  # remembered; whoever asked longest ago is forgotten first

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, float]] = {}  # requests, and the second at which they were counted

    def asks(self, network: str, now: float) -> bool:
        """Count a request at `now`, in seconds; return False for one too many."""
        left = self.left(network, now)
        if left < 1:
            return False
        if network != HERE:
            self._left.pop(network, None)
            self._left[network] = left - 1, now
            if len(self._left) > self.MOST_NETWORKS:
                del self._left[next(iter(self._left))]
        return True

    def left(self, network: str, now: float) -> float:
        """Return how many more a network may ask at `now`, in seconds."""
        left, counted = self._left.get(network, (self.AT_ONCE, now))
        return min(self.AT_ONCE, left + (now - counted) * self.A_SECOND)


class LimitedServer(HTTPServer):
    """Closes connections beyond a number, and those of who asks too often: an answer would cost as much again."""

    def initialize(self, application: Application, address: PageAddress, **limits: Any) -> None:  # type: ignore[override]  # noqa: ANN401
        """Take what answers, and where, and Tornado's own limits."""
        self._network_of = address.network_of
        self._asking = Asking()
        self._places = Places(MOST_CONNECTIONS)
        super().initialize(application, **limits)

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Take a connection, or close it."""
        network = self._network_of(address[0])
        if not self._places.left(network) or self._asking.left(network, time.monotonic()) < 1:
            stream.close()
            return
        self._places.take(network)
        super().handle_stream(stream, address)

    def on_close(self, server_conn: Any) -> None:  # noqa: ANN401
        """Count a connection no more that has ended, or has become a viewer's."""
        self._places.leave(self._network_of(server_conn.context.remote_ip))
        super().on_close(server_conn)

    def start_request(self, server_conn: Any, request_conn: HTTPConnection) -> HTTPMessageDelegate:  # noqa: ANN401
        """Wait for a connection's next request, or close it."""
        if not self._asking.asks(self._network_of(server_conn.context.remote_ip), time.monotonic()):
            server_conn.stream.close()
        return super().start_request(server_conn, request_conn)
