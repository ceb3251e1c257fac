"""Finds the kiosk's own page; run as a program, it shows it in a browser that fills the screen."""

import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

from deploy.pi.facts import CONFIG
from device.settings import read_settings

ANSWER_SECONDS = 10.0
BROWSER = "/usr/bin/chromium"
PROFILE = Path(os.environ.get("XDG_RUNTIME_DIR") or "/run/mask-kiosk-screen") / "profile"
OPTIONS = (
    "--kiosk", "--ozone-platform=wayland", "--no-first-run", "--noerrdialogs", "--disable-infobars",
    "--disable-session-crashed-bubble", "--disable-features=Translate", "--disable-component-update",
    "--password-store=basic", f"--user-data-dir={PROFILE}",
)  # fmt: skip


def address() -> str:
    """Return the page's address on this computer; nothing where the settings have none. Raises SettingsError."""
    screen = getattr(read_settings(CONFIG), "screen", None)
    if screen is None or not screen.enabled:
        return ""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(screen.host, screen.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{screen.port}/"


def silence() -> str:
    """Return why the page doesn't answer, or nothing if it does or there is none."""
    url = address()
    if not url:
        return ""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        direct.open(url, timeout=ANSWER_SECONDS).close()
    except (OSError, urllib.error.URLError) as error:
        return f"its page at {url} doesn't answer: {error}"
    return ""


if __name__ == "__main__":
    url = address()
    if not url:
        sys.exit(f"error: {CONFIG}: [screen] has no page, expected enabled = true: set it, or remove cage")
    os.execv(BROWSER, [BROWSER, *OPTIONS, url])  # noqa: S606
