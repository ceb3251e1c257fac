"""Ports for servers under test."""

import random
import socket


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on.

    It lies below those that Linux and macOS give to outgoing connections: one of those may be taken, by a connection of
    another test, before the server that is to have it has started.
    """
    while True:
        port = random.randint(10240, 32767)  # noqa: S311 - no secret
        with socket.socket() as free:
            try:
                free.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
