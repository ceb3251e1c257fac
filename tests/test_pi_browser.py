"""What a Pi's screen shows while the kiosk doesn't answer, and how it comes back to the kiosk's page."""

import html
import json
import os
import queue
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser import Browser, needs_chromium
from pi_box import script
from places import TREE
from ports import free_port
from screens import ANSWER_SECONDS, Viewer, card_of, served, show

from deploy.pi import browser as pi_browser
from deploy.pi.page import silence_at
from device.events import State
from device.web.languages import LANGUAGES, read_language

GONE = "document.querySelector('section:not([hidden]) .words').textContent"


@contextmanager
def shown(port: int, folder: Path, refused: bool = False) -> Iterator["queue.SimpleQueue[int]"]:
    """The program that a Pi starts, its browser being one that shows nothing; what it returns comes into the queue."""
    end, ended = folder / "end", queue.SimpleQueue[int]()
    browser = ["sh", "-c", f"until test -e {shlex.quote(str(end))}; do sleep 0.1; done"]

    def run() -> None:
        ended.put(pi_browser.show(f"http://127.0.0.1:{port}/", "de", refused, browser, folder))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        while not (folder / "go.js").exists():  # it has begun
            assert thread.is_alive()
        yield ended
    finally:
        end.touch()
        thread.join(ANSWER_SECONDS)


@needs_chromium
def test_a_screen_shows_fault_until_the_kiosk_answers_and_then_its_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.web.server.LATE_SECONDS", 3600.0)  # of a door that has decided no more for so long
    port = free_port()
    with Browser(tmp_path / "profile") as page, shown(port, tmp_path):
        page.open((tmp_path / "waiting.html").as_uri())
        page.until("document.body.dataset.look === 'FAULT'")
        said = read_language(LANGUAGES / "de.toml")
        assert page.run(GONE) == said.looks["FAULT"].word + said.looks["FAULT"].prompt + said.faults["gone"]
        assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 198, 41)"
        assert page.run("document.querySelector('section svg').getBBox().width") > 50
        for _ in range(2):  # from there on, the page itself comes back
            with served(card_of(), port=port) as (screen, _):
                page.until("location.protocol === 'http:' && document.readyState === 'complete'")
                show(screen, State.IDLE)
                page.until("document.body.dataset.look === 'IDLE'")
            page.until("document.body.dataset.look === 'FAULT'")
        assert page.run("location.port") == str(port)
        assert page.complaints() == [text for text in page.complaints() if "ERR_CONNECTION_REFUSED" in text]


@needs_chromium
def test_a_screen_that_nobody_touches_is_allowed_to_speak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.web.server.LATE_SECONDS", 3600.0)
    allowed = [option for option in pi_browser.OPTIONS if "autoplay" in option]
    with served(card_of(), speech=True) as (screen, server), Browser(tmp_path / "profile", *allowed) as page:
        page.ask(
            "Page.addScriptToEvaluateOnNewDocument",
            source="window.told = []; window.really = SpeechSynthesis.prototype.speak;"
            "SpeechSynthesis.prototype.speak = function (speech) {"
            " really.call(this, speech); told.push(this.speaking || this.pending); }",
        )
        page.open(server.url)
        show(screen, State.ALARM)
        page.until("told.length > 0")
        assert page.run("told[0]")  # what isn't allowed is thrown away at once


def test_a_browser_that_does_not_come_to_a_page_that_is_served_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pi_browser, "MOST_ALONE_SECONDS", 0.1)
    with served(card_of()) as (_, server), shown(server.port, tmp_path) as ended:
        assert ended.get(timeout=ANSWER_SECONDS) == -signal.SIGKILL


def test_a_screen_that_was_told_of_refused_settings_ends_once_the_kiosk_runs_without_that_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pi_browser, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(pi_browser, "MOST_ALONE_SECONDS", 2.0)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    state, asked = tmp_path / "state", tmp_path / "asked"
    state.write_text("activating")
    script(tmp_path / "systemctl", f"#!/bin/sh\necho $* >>{shlex.quote(str(asked))}; cat {shlex.quote(str(state))}\n")
    with shown(free_port(), tmp_path, refused=True) as ended:
        while not asked.exists() or len(asked.read_text().splitlines()) < 30:  # longer than it may be alone
            assert ended.empty()
        assert set(asked.read_text().splitlines()) == {"is-active mask-kiosk.service"}
        state.write_text("active")
        assert ended.get(timeout=ANSWER_SECONDS) == -signal.SIGKILL


def test_the_browser_is_led_to_the_page_once_it_is_served(tmp_path: Path) -> None:
    port = free_port()
    with shown(port, tmp_path) as ended, served(card_of(), port=port) as (_, server):
        while not (led := (tmp_path / "go.js").read_text()):
            assert ended.empty()
        assert led == f'location.replace("{server.url}");'


def test_what_answers_otherwise_than_a_page_does_is_silence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        def answer() -> None:
            connection, _ = other.accept()
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                connection.recv(1000)

        thread = threading.Thread(target=answer)
        thread.start()
        assert "doesn't answer: SSH-2.0" in silence_at(f"http://127.0.0.1:{other.getsockname()[1]}/")
        thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/net is Linux's")
def test_a_page_is_up_while_somebody_is_connected_with_its_server() -> None:
    with served(card_of()) as (_, server):
        assert not pi_browser.is_up(server.url)
        viewer = Viewer(server.port)
        viewer.wait()
        assert pi_browser.is_up(server.url)
    viewer.ended()
    assert not pi_browser.is_up(server.url)


@pytest.mark.parametrize(
    ("language", "system", "code"),
    [("es", "de_DE.UTF-8", "es"), ("auto", "de_DE.UTF-8", "de"), ("auto", "ar", "ar"), ("auto", "C.UTF-8", "en")],
)
def test_the_waiting_page_speaks_the_language_of_the_settings_or_the_system(
    language: str, system: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", system)
    page, said = pi_browser.waiting_page(language), read_language(LANGUAGES / f"{code}.toml")
    assert f'<html lang="{code}" dir="{said.direction}">' in page
    assert html.escape(said.faults["gone"]) in page


def test_the_unit_starts_it() -> None:
    unit = (TREE / "systemd" / "mask-kiosk-screen.service").read_text(encoding="utf-8")
    (program,) = re.findall(r"^ExecStart=.* -m (\S+) \S+$", unit, re.MULTILINE)
    assert program == pi_browser.__name__


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[screen]\nenabled = false\n", None),
        ("[screen]\nport = 8080\nlanguage = 'ar'\n", ("http://127.0.0.1:8080/", "ar", False)),
        ("[screen]\nhost = '::'\n", ("http://[::1]:6275/", "auto", False)),
        ("[screen]\nenabled = 7\n", ("http://127.0.0.1:6275/", "auto", True)),  # refused
    ],
)
def test_the_screen_is_told_its_page_by_root_and_stays_off_where_none_is_wished(
    tmp_path: Path, content: str, told: tuple[str, str, bool] | None
) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(content)
    unit = (TREE / "systemd" / "mask-kiosk-screen.service").read_text(encoding="utf-8").replace("\\\n", " ")
    (asked,) = re.findall(r"^ExecCondition=\+/bin/sh -c '(.*)'$", unit, re.MULTILINE)
    (page,) = re.findall(rf"^ExecStart=.* {pi_browser.__name__} (\S+)$", unit, re.MULTILINE)
    program = f"from pathlib import Path; import deploy.pi.facts as facts; facts.CONFIG = Path({str(config)!r})"
    (tmp_path / "sitecustomize.py").write_text(program)
    asked = asked.replace("$$", "$").replace("/usr/bin/python3", sys.executable)
    asked = asked.replace(page, shlex.quote(str(tmp_path / "page.json")))
    done = subprocess.run(
        ["sh", "-c", asked], env={**os.environ, "PYTHONPATH": f"{tmp_path}:{TREE}"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == (told is None)  # systemd starts it after 0
    if told is None:
        assert done.stderr == (
            f"error: {config}: [screen] has no page, expected enabled = true: set it and `systemctl restart mask-kiosk "
            "mask-kiosk-screen`, or remove cage\n"
        )
    else:
        said = json.loads((tmp_path / "page.json").read_text())
        assert said == dict(zip(("url", "language", "refused"), told, strict=True))
