"""Drives a headless Chromium over its DevTools protocol."""

import asyncio
import base64
import importlib.util
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from tornado.websocket import websocket_connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
START_SECONDS, ANSWER_SECONDS = 120.0, 60.0  # a busy computer takes its time
POLL_SECONDS = 0.02
LARGEST_MESSAGE = 64 << 20  # bytes: screenshots come in one

LOADS_ANEW = -32000  # the protocol's error of a page that goes while it is asked something
AXE = (
    "axe.run({rules: {'color-contrast-enhanced': {enabled: true}}, resultTypes: ['violations']})"
    ".then((found) => ({violations: found.violations, count: found.passes.length}))"
)

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")


class LoadsAnew(Exception):
    """The page went while it was asked something."""


class Browser:
    """One Chromium with one tab."""

    def __init__(self, profile: Path, *options: str) -> None:
        assert CHROMIUM is not None
        self._loop = asyncio.new_event_loop()
        self._profile, self._number = profile, 0
        self.events: list[dict[str, Any]] = []  # that the tab told while it was asked something
        self._process = subprocess.Popen(
            [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-extensions", "--hide-scrollbars",
             f"--user-data-dir={profile}", "--remote-debugging-port=0", *options, "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def __enter__(self) -> Self:
        port = self._profile / "DevToolsActivePort"
        deadline = time.monotonic() + START_SECONDS
        while not (port.exists() and port.read_text().count("\n")):
            assert self._process.poll() is None, "Chromium has ended"
            assert time.monotonic() < deadline, "Chromium doesn't start"
            time.sleep(POLL_SECONDS)
        address = f"http://127.0.0.1:{port.read_text().splitlines()[0]}/json/list"
        with urllib.request.urlopen(address, timeout=ANSWER_SECONDS) as answer:
            tab = next(target for target in json.load(answer) if target["type"] == "page")
        url = tab["webSocketDebuggerUrl"]
        self._socket = self._wait(lambda: websocket_connect(url, max_message_size=LARGEST_MESSAGE))
        for domain in ("Page", "Runtime", "Log", "Accessibility"):
            self.ask(f"{domain}.enable")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(ANSWER_SECONDS)
        while self._wait(self._socket.read_message) is not None:
            pass  # what it had still to say, until the socket is at its end
        self._socket.close()
        self._loop.close()

    def ask(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a DevTools method; return its result."""
        self._number += 1
        question = json.dumps({"id": self._number, "method": method, "params": parameters})
        self._wait(lambda: self._socket.write_message(question))
        while True:
            message = json.loads(self._wait(self._socket.read_message) or "{}")
            assert message, "Chromium has closed the tab"
            if message.get("id") == self._number:
                if message.get("error", {}).get("code") == LOADS_ANEW:
                    raise LoadsAnew(message)
                assert "error" not in message, message
                return dict(message["result"])
            self.events.append(message)

    def run(self, script: str) -> Any:
        """Evaluate JavaScript in the page, a promise to its end; return its value."""
        result = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def open(self, url: str) -> None:
        self.ask("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def until(self, condition: str) -> None:
        """Wait until JavaScript gives something true."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            with suppress(LoadsAnew):
                if self.run(condition):
                    return
            assert time.monotonic() < deadline, f"not within {ANSWER_SECONDS} s: {condition}"
            time.sleep(POLL_SECONDS)

    def size(self, width: int, height: int) -> None:
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.until(f"innerWidth === {width} && innerHeight === {height}")
        self.run("new Promise((done) => requestAnimationFrame(() => done(1)))")  # after the event of the same frame

    def media(self, **features: str) -> None:
        """Set media features, as prefers_color_scheme="dark"."""
        listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.ask("Emulation.setEmulatedMedia", features=listed)

    def screenshot(self) -> bytes:
        """Return a PNG of the page."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])

    def complaints(self) -> list[str]:
        """Return what the page's console was told: exceptions, and resources or styles refused."""
        return [
            json.dumps(event["params"]) for event in self.events
            if event.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded")
        ]  # fmt: skip

    def _wait(self, call: Callable[[], Any]) -> Any:
        async def limited() -> Any:
            return await asyncio.wait_for(call(), ANSWER_SECONDS)

        return self._loop.run_until_complete(limited())


def axe_script(page: Browser) -> None:
    """Load axe-core into the page; skip the test where it isn't installed."""
    found = importlib.util.find_spec("axe_core_python")
    if found is None or found.origin is None:
        pytest.skip("needs axe-core-python: run `make .venv`")
    page.run((Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8"))
