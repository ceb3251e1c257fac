"""Finds the kiosk's own page, and asks whether it is served."""

import http.client
import urllib.request
from urllib.parse import urlsplit

from deploy.pi.facts import CONFIG
from device.errors import KioskError
from device.settings import ScreenSettings, read_settings
from device.web.address import is_there

ANSWER_SECONDS = 10.0


def address(screen: ScreenSettings) -> str:
    """Return the page's address on this computer."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(screen.host, screen.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{screen.port}/"


def silence() -> str:
    """Return why the page doesn't answer, or nothing if it does or there is none to ask.

    One at an address that DHCP has taken away, or not given yet, says nothing of a release; nor do settings that only
    the release on trial knows, an older one than this.
    """
    try:
        screen = read_settings(CONFIG).screen
    except KioskError:
        return ""
    url = address(screen)
    return silence_at(url) if screen.enabled and is_there(urlsplit(url).hostname or "") else ""


def silence_at(url: str) -> str:
    """Return why a page doesn't answer, or nothing if it does."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        direct.open(url, timeout=ANSWER_SECONDS).close()
    except (OSError, http.client.HTTPException) as error:  # as of a port at which something else answers
        return f"its page at {url} doesn't answer: {error}"
    return ""
