"""Shows the kiosk's page in a browser that fills the screen, and FAULT as long as it isn't served.

The browser's user may read no settings: root tells it what it needs of them, in a file.
"""

import html
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from deploy.pi.facts import CONFIG, UNIT, output
from deploy.pi.files import write
from deploy.pi.page import address, silence_at
from device.errors import KioskError
from device.settings import Settings, read_settings
from device.web.languages import LANGUAGES, codes, preferred, read_language

LOOK_SECONDS = 0.5
MOST_ALONE_SECONDS = 60.0  # a slow board's browser takes a third of it to start
BROWSER = "/usr/bin/chromium"
FOLDER = Path(os.environ.get("XDG_RUNTIME_DIR") or "/run/mask-kiosk-screen")
OPTIONS = (
    "--kiosk", "--ozone-platform=wayland", "--no-first-run", "--noerrdialogs", "--disable-infobars",
    "--disable-session-crashed-bubble", "--disable-features=Translate", "--disable-component-update",
    "--password-store=basic", "--autoplay-policy=no-user-gesture-required",  # speaks without ever being touched
    "--disk-cache-size=10000000",  # bytes, and no disk: it lies in memory
    "--enable-speech-dispatcher", f"--user-data-dir={FOLDER / 'profile'}",
)  # fmt: skip
STATIC = LANGUAGES.parent / "static"
ESTABLISHED = "01"  # in /proc/net/tcp


def tell(path: Path) -> int:
    """Write the page's address and language for the browser's user; return EX_CONFIG where no page is wished, or 0.

    Of a kiosk.toml that is refused, which the kiosk's journal says, it is told that, and the defaults. Raises OSError.
    """
    try:
        screen, refused = read_settings(CONFIG).screen, False
    except KioskError:
        screen, refused = Settings().screen, True
    if not screen.enabled:
        print(
            f"error: {CONFIG}: [screen] has no page, expected enabled = true: set it and `systemctl restart "
            "mask-kiosk mask-kiosk-screen`, or remove cage", file=sys.stderr,
        )  # fmt: skip
        return os.EX_CONFIG
    write(path, json.dumps({"url": address(screen), "language": screen.language, "refused": refused}))
    return 0


def show(url: str, language: str, refused: bool, browser: Sequence[str], folder: Path) -> int:
    """Have a browser show the kiosk's page as soon as it is served; return its exit code once it has ended.

    The browser begins with a page in `folder`, because Chromium itself tries one that didn't come less and less often,
    every half hour in the end. Where the page isn't up after a minute in which it was served, the browser is ended, for
    systemd to start it anew. So it is where the settings were `refused` and the kiosk has run for a minute without that
    page: they must have been corrected, and only before a start root tells what they say now.
    """
    waiting = folder / "waiting.html"
    waiting.write_text(waiting_page(language), encoding="utf-8")
    lead(folder, "")
    with subprocess.Popen([*browser, waiting.as_uri()]) as process:
        try:
            since = time.monotonic()  # when the page was up, or wasn't to be expected
            while process.poll() is None and time.monotonic() - since <= MOST_ALONE_SECONDS:
                if is_up(url):  # and isn't asked for: its server is the door's own program
                    since = time.monotonic()
                elif silence_at(url):
                    lead(folder, "")
                    if not (refused and output("systemctl", "is-active", UNIT) == "active"):
                        since = time.monotonic()
                else:
                    lead(folder, url)
                time.sleep(LOOK_SECONDS)
        finally:
            process.kill()
    return process.returncode


def waiting_page(language: str) -> str:
    """Return a page in the look of the kiosk's own that says that it doesn't answer, in a language of the settings.

    It runs the file go.js beside it over and over.
    """
    code = language if language in codes() else preferred(os.environ.get("LANG", "").replace("_", "-"), codes())
    said = read_language(LANGUAGES / f"{code}.toml")
    words = {"title": said.title, "gone": said.faults["gone"]} | vars(said.looks["FAULT"])
    return Template(Path(__file__).with_name("waiting.html").read_text(encoding="utf-8")).substitute(
        {name: html.escape(text) for name, text in words.items()}, code=code, direction=said.direction,
        style=(STATIC / "screen.css").as_uri(), shapes=(STATIC / "shapes.svg").read_text(encoding="utf-8"),
    )  # fmt: skip


def lead(folder: Path, url: str) -> None:
    """Have the waiting page go to an address, or, where that is empty, stay."""
    fresh = folder / "go.new"
    fresh.write_text(url and f"location.replace({json.dumps(url)});", encoding="utf-8")
    fresh.replace(folder / "go.js")


def is_up(url: str) -> bool:
    """Tell whether a program of this user is connected with the page's server, as a browser that shows it always is."""
    tables = [Path("/proc/net") / name for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    found = {(row[3], int(row[2].rpartition(":")[2], 16), int(row[7])) for row in rows}
    return (ESTABLISHED, urlsplit(url).port, os.getuid()) in found


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--tell", told]:  # so the unit asks before it takes the console
            sys.exit(tell(Path(told)))
        case [told]:
            said = json.loads(Path(told).read_text(encoding="utf-8"))
            sys.exit(show(said["url"], said["language"], said["refused"], [BROWSER, *OPTIONS], FOLDER))
