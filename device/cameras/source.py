"""Reads the name of a camera, and keeps user, password and path of a network camera out of every line.

Of what was meant for an address too, and is none: a mistyped one holds the same password.
"""

import re
from urllib.parse import urlsplit

PORT = 554
LONGEST_NUMBER = 3  # digits of a video device
ADDRESS = re.compile(r"[@?&=]|//|^\s*rtsps?[\s:;/\\]", re.IGNORECASE)  # what an address has, and few paths

A_SOURCE = (
    ": pi, usb:0, rtsp://USER:PASSWORD@HOST/PATH with / ? # @ and : in user, password and path as %2F %3F %23 %40 and "
    "%3A, a video file or a folder of pictures"
)


def is_source(text: str) -> bool:
    """Tell whether a text may name a camera or a recording, which need not be there."""
    if is_rtsp(text):
        try:
            host_and_port(text)
        except ValueError:
            return False
        return text == text.strip()
    is_path = text == text.strip() and not text.startswith("usb:") and not _is_meant_for_address(text)
    return is_usb(text) or is_path


def is_live(source: str) -> bool:
    """Tell whether a source's frames are of now, and on the clock of time.monotonic()."""
    return source == "pi" or is_usb(source) or is_rtsp(source)


def is_usb(source: str) -> bool:
    """Tell whether a source is "usb:N", which stands for /dev/videoN."""
    kind, _, number = source.partition(":")
    return kind == "usb" and number.isdecimal() and len(number) <= LONGEST_NUMBER


def usb_number(source: str) -> int:
    """Return N of a source "usb:N"."""
    return int(source.partition(":")[2])


def is_rtsp(source: str) -> bool:
    """Tell whether a source is the address of a network camera."""
    return source.startswith("rtsp:")


def shown(source: str) -> str:
    """Return a source as lines may show it: of an address no more than scheme, host and port.

    Some cameras have the password in the path.
    """
    scheme, colon, rest = source.partition(":")
    if not (colon and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]+", scheme) and rest.startswith("/")):
        return "…" if _is_meant_for_address(source) else source
    try:
        host, port = host_and_port(source)
    except ValueError:
        return f"{scheme}://…"
    return f"{scheme}://{host}:{port}/…"


def _is_meant_for_address(source: str) -> bool:
    is_path = source.startswith("/") and not source.startswith("//")
    return not is_path and ADDRESS.search(source) is not None


def host_and_port(source: str) -> tuple[str, int]:
    """Return host and port of an address; a ValueError if it has none, or an @ where none may stand."""
    parts = urlsplit(source)
    if not parts.hostname or "@" in parts.path + parts.query + parts.fragment or parts.netloc.count("@") > 1:
        raise ValueError
    return parts.hostname, parts.port or PORT
