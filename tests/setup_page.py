"""A setup page that is open in a browser, as its user sees and touches it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from browser import Browser
from screens import TOKEN, card_of, served, show

from device.events import State
from device.web.server import Server


@contextmanager
def opened(folder: Path, config: Path | None = None) -> Iterator[tuple[Browser, Server]]:
    """Serve a page for a kiosk.toml, if there is one, and open it, with a folder for the browser's files."""
    with served(card_of(), config) as (screen, server), Browser(folder / "chromium") as browser:
        show(screen, State.IDLE)
        browser.open(f"{server.url}setup#{TOKEN}")
        browser.until("!opened.hidden")
        yield browser, server


class Zones:
    """The zones of a setup page that is open, as its user sees and touches them."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    def point(self, x: float, y: float) -> dict[str, float]:
        """Return where a share of the picture is on the screen."""
        box = self._browser.run("JSON.stringify(layer.getBoundingClientRect())")
        left, top, width, height = (json.loads(box)[side] for side in ("x", "y", "width", "height"))
        return {"x": left + x * width, "y": top + y * height}

    def mouse(self, *way: tuple[float, float]) -> None:
        kinds = ["mousePressed", *["mouseMoved"] * (len(way) - 1), "mouseReleased"]
        for kind, place in zip(kinds, [*way, way[-1]], strict=True):
            point = self.point(*place)
            self._browser.ask("Input.dispatchMouseEvent", type=kind, button="left", buttons=1, clickCount=1, **point)

    def finger(self, *way: tuple[float, float]) -> None:
        self._browser.screenshot()  # a touch meets what was drawn last
        for kind, place in zip(["touchStart", *["touchMove"] * (len(way) - 1)], way, strict=True):
            self._browser.ask("Input.dispatchTouchEvent", type=kind, touchPoints=[self.point(*place)])
        self._browser.ask("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def key(self, key: str, shift: bool = False) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            self._browser.ask("Input.dispatchKeyEvent", type=kind, key=key, modifiers=8 * shift)

    def are(self, *zones: list[float]) -> None:
        """Wait until there are these, to a hundredth."""
        near = f"zonesNow().flat().every((share, i) => Math.abs(share - {json.dumps(zones)}.flat()[i]) < 0.011)"
        self._browser.until(f"zonesNow().length === {len(zones)} && {near}")
