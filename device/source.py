"""Reads the name of a camera, and keeps user, password and path of a network camera out of every line."""

import re
from urllib.parse import urlsplit

PORT = 554


def is_rtsp(source: str) -> bool:
    """Tell whether a source is the address of a network camera."""
    return source.startswith("rtsp:")


def shown(source: str) -> str:
    """Return a source as lines may show it: of an address no more than scheme, host and port.

    Some cameras have the password in the path.
    """
    scheme, colon, rest = source.partition(":")
    if not (colon and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]+", scheme) and rest.startswith("/")):
        return f"…{source[source.rindex('@'):]}" if "@" in source else source
    try:
        host, port = place_of(source)
    except ValueError:
        return f"{scheme}://…"
    return f"{scheme}://{host}:{port}/…"


def place_of(source: str) -> tuple[str, int]:
    """Return host and port of an address; a ValueError if it has none, or an @ where none may stand."""
    parts = urlsplit(source)
    if not parts.hostname or "@" in parts.path + parts.query + parts.fragment or parts.netloc.count("@") > 1:
        raise ValueError
    return parts.hostname, parts.port or PORT
