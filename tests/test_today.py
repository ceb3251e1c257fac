import csv
import io
import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from browser import AXE, Browser, axe_script, needs_chromium
from prometheus_client.parser import text_string_to_metric_families
from screens import ANSWER_SECONDS, DOOR, FRAME, ask, card_of, own_address, served, show

from device.cameras.frame import Frame
from device.classifier import Verdict
from device.events import Event, Kind, State
from device.faces import Box
from device.settings import CameraSettings, ScreenSettings, Settings, SignalSettings
from device.telemetry.counts import NAMES, Counts, rows
from device.telemetry.settings import CountsSettings, WebhookSettings
from device.telemetry.telemetry import Telemetry
from device.web.languages import LANGUAGES, codes, read_language
from device.web.screen import Screen
from device.web.server import Server

SETUP_TOKEN, READ_TOKEN = "setuptoken456789", "readtoken4567890"
DAY = datetime.now(UTC).replace(hour=0, minute=0)
FOUND = {8: (5, 3, 1), 9: (2, 0, 2), 17: (1, 1, 0)}  # of each hour: visits, with a mask, without one


@contextmanager
def serving(telemetry: Telemetry | None = None, **screen: Any) -> Iterator[tuple[Screen, Server]]:
    """A screen whose server knows of the counts."""
    settings = Settings(
        camera=CameraSettings("usb:0"), signals=SignalSettings(time_zone="Etc/UTC"),
        counts=CountsSettings(enabled=True),
        screen=ScreenSettings(**screen, port=0, token=SETUP_TOKEN, read_token=READ_TOKEN),
    )
    server = Server(settings, card_of(), None, None, telemetry)
    with Screen(server) as opened:
        yield opened, server


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of counts, of today and of the day before."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    counts = Counts(tmp_path / "counts.db", keep_days=90)
    counts.add(DAY - timedelta(hours=3), "visits")
    for hour, found in FOUND.items():
        for name, count in zip(("visits", "with_mask", "without_mask"), found, strict=True):
            for _ in range(count):
                counts.add(DAY + timedelta(hours=hour), name)
    counts.write()
    counts.close()
    return tmp_path / "counts.db"


def get(server: Server, path: str, token: str = READ_TOKEN, host: str = "") -> tuple[int, dict[str, str], str]:
    line = f"Host: {host or f'127.0.0.1:{server.port}'}"
    status, headers, body = ask(server.port, f"GET {path}", line, f"Authorization: Bearer {token}")
    return status, headers, body.decode()


@pytest.mark.parametrize("path", ["/", "/setup", "/today", "/static/screen.css", "/absent"])
def test_head_is_answered_as_get_without_the_body(path: str) -> None:
    with serving() as (_, server):
        status, headers, body = get(server, path)
        with socket.create_connection(("127.0.0.1", server.port), ANSWER_SECONDS) as connection:
            asked = f"HEAD {path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "Connection: close", "", ""
            connection.sendall("\r\n".join(asked).encode())
            answer = connection.makefile("rb").read().decode()
        assert answer.startswith(f"HTTP/1.1 {status} ")
        assert f"Content-Length: {len(body.encode())}\r\n" in answer
        assert answer.endswith("\r\n\r\n")
        assert headers["Content-Type"] in answer


@pytest.mark.parametrize("path", ["/today/plot", "/today/counts.csv", "/metrics"])
def test_nothing_is_told_without_the_token_or_to_another_host(counted: Path, path: str) -> None:
    with serving(metrics="loopback") as (_, server):
        assert get(server, path)[0] == 200
        for wrong in ("", SETUP_TOKEN, f"{READ_TOKEN}x"):
            assert get(server, path, wrong)[0] == 401
        assert get(server, path, host="evil.example")[0] == 421
        assert get(server, "/setup/minute")[0] == 401  # and with this token no setup


def test_after_five_wrong_tokens_nobody_is_told_anything_for_a_while() -> None:
    with serving(metrics="loopback") as (_, server):
        assert [get(server, "/metrics", f"wrong{number}")[0] for number in range(6)] == [401] * 5 + [429]
        assert get(server, "/setup/minute", "setuptoken456789")[0] == 200  # whoever has the other token is let in


@pytest.mark.parametrize(("answered", "status"), [("loopback", 403), ("lan", 200), ("off", 404)])
def test_on_the_network_it_is_told_only_if_asked_for(counted: Path, answered: str, status: int) -> None:
    address = own_address()
    with serving(host="0.0.0.0", metrics=answered, today=answered) as (_, server):  # noqa: S104
        for path in ("/metrics", "/today", "/today/plot"):
            line, host = f"GET {path}", f"Host: {address}:{server.port}"
            assert ask(server.port, line, host, f"Authorization: Bearer {READ_TOKEN}", at=address)[0] == status


def test_without_being_asked_for_there_is_neither() -> None:
    with served(card_of()) as (_, server):
        assert [get(server, path, server.read_token)[0] for path in ("/metrics", "/today", "/today/plot")] == [404] * 3


def test_the_metrics_are_what_the_official_parser_reads(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("whsec_" + "A" * 40)
    secret.chmod(0o600)
    webhook = WebhookSettings(True, "http://127.0.0.1:9/", str(secret), queue=10)
    face = Verdict(Box(0, 0, 80, 80), 5.0, (0.1, 0.9), 0.9, "without_mask")
    with Telemetry(Settings(webhook=webhook), card_of()) as told, serving(told, metrics="loopback") as (screen, server):
        samples = parsed(server)
        assert samples["mask_kiosk_decisions_total"] == 0
        assert samples['mask_kiosk_state{"mask_kiosk_state": "STARTING"}'] == 1
        assert samples["mask_kiosk_camera_age_seconds"] != samples["mask_kiosk_camera_age_seconds"]  # NaN
        for _ in range(3):
            server.seen(Frame(FRAME.luma, 100.0), [face], [face.box], DOOR, 100.12)
        show(screen, State.ALARM)
        for number in range(40):
            told.note(State.ALARM, [Event(Kind.ENTER, 0.0, number, State.ALARM, None, 0.0)], DAY)
        while parsed(server).get('mask_kiosk_lost_events_total{"to": "webhook"}', 0) < 29:
            assert told._thread.is_alive()
        samples = parsed(server)
    assert samples["mask_kiosk_decisions_total"] == 4
    assert samples['mask_kiosk_latency_seconds_bucket{"le": "0.1"}'] == 0
    assert samples['mask_kiosk_latency_seconds_bucket{"le": "0.15"}'] == 3
    assert samples["mask_kiosk_latency_seconds_count"] == 4
    assert samples['mask_kiosk_state{"mask_kiosk_state": "ALARM"}'] == 1
    assert samples['mask_kiosk_state{"mask_kiosk_state": "STARTING"}'] == 0
    assert 0 <= samples["mask_kiosk_camera_age_seconds"] < 600
    assert samples['mask_kiosk_queue_length{"to": "webhook"}'] + samples[
        'mask_kiosk_lost_events_total{"to": "webhook"}'] == 40  # fmt: skip
    assert "mask_kiosk_restarts" in samples
    assert samples["process_start_time_seconds"] > 0


def parsed(server: Server) -> dict[str, float]:
    """Return the value of each sample, by its name and labels."""
    status, headers, text = get(server, "/metrics")
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return {
        sample.name + (json.dumps(sample.labels) if sample.labels else ""): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_all_days_are_exported_as_csv(counted: Path) -> None:
    with serving() as (_, server):
        status, headers, text = get(server, "/today/counts.csv")
    assert status == 200
    assert headers["Content-Disposition"] == 'attachment; filename="counts.csv"'
    lines = list(csv.DictReader(io.StringIO(text)))
    assert list(lines[0]) == ["day", "hour", *NAMES]
    assert [(line["day"], line["hour"], line["visits"], line["with_mask"]) for line in lines] == [
        ((DAY - timedelta(hours=3)).date().isoformat(), "21", "1", "0"),
        *((DAY.date().isoformat(), str(hour), str(found[0]), str(found[1])) for hour, found in FOUND.items()),
    ]


def test_what_the_file_does_not_hold_yet_is_there_at_once(counted: Path) -> None:
    before = list(rows(counted))
    settings = Settings(signals=SignalSettings(time_zone="Etc/UTC"), counts=CountsSettings(enabled=True))
    with Telemetry(settings, card_of()) as told, serving(told) as (_, server):
        hour = DAY + timedelta(hours=8)
        told.note(State.CLEAR, [Event(Kind.ENTER, 0.0, 1, State.CHECKING, None, 0.0)], hour)
        told.note(State.CLEAR, [Event(Kind.VERDICT, 0.0, 1, State.CLEAR, 0.1, 0.0)], hour)
        lines = list[dict[str, str]]()
        while [line["with_mask"] for line in lines if line["hour"] == "8"] != ["4"]:
            assert told._thread.is_alive()
            lines = list(csv.DictReader(io.StringIO(get(server, "/today/counts.csv")[2])))
        plot = get(server, "/today/plot?language=en")[2]
        assert list(rows(counted)) == before
    visits = [(line["day"] == DAY.date().isoformat(), line["hour"], line["visits"]) for line in lines]
    assert [found for found in visits if found[2] != "0"] == [
        (False, "21", "1"), (True, "8", "6"), (True, "9", "2"), (True, "17", "1"),
    ]  # fmt: skip
    assert sum(int(line["starts"]) for line in lines) == 1
    assert plot.count("<tr>") == len(lines) + 1


BARS = "[...document.querySelectorAll('#plot > svg rect')].map((bar) => [bar.getAttribute('class'), "
BARS += "Math.round(bar.getBBox().x / 40 - 0.3), bar.getBBox().height])"
CUT_OFF = """[...document.querySelectorAll('#plot > svg text')].filter((text) => {
  const [inner, outer] = [text, text.ownerSVGElement].map((part) => part.getBoundingClientRect());
  return inner.left < outer.left || inner.right > outer.right; }).map((text) => text.textContent)"""
CELLS = "[...document.querySelectorAll('tbody tr')].map((row) => [...row.children].map((cell) => cell.textContent))"


@needs_chromium
def test_the_page_shows_today_to_who_has_the_token_in_every_language_and_light(counted: Path, browser: Browser) -> None:
    browser.events.clear()
    with serving() as (_, server):
        assert server.today_url
        browser.open(f"{server.today_url}?language=en")
        assert browser.run("document.querySelector('#opened').hidden")
        browser.run("document.querySelector('#token').value = 'wrong'; document.querySelector('#entry button').click()")
        browser.until("document.querySelector('#said').textContent !== ''")
        said = browser.run("document.querySelector('#said').textContent")
        assert said.startswith("That is not the token. It comes after the # of the address")
        assert said.endswith(", or is read_token in [screen] of kiosk.toml.")
        wrong = []
        for code in codes():
            browser.open(f"{server.today_url}?language={code}#{READ_TOKEN}")
            browser.until("document.querySelector('#plot svg') !== null && document.querySelector('#entry').hidden")
            assert browser.run("location.hash") == ""
            words = read_language(LANGUAGES / f"{code}.toml")
            assert browser.run("document.dir") == words.direction
            assert browser.run("document.querySelector('h1').textContent") == words.today["title"]
            assert browser.run("document.querySelector('#plot svg').getAttribute('aria-label')") == words.today["plot"]
            wrong += [(code, "", "cut off", text) for text in browser.run(CUT_OFF)]
            axe_script(browser)
            for scheme in ("light", "dark"):
                browser.media(prefers_color_scheme=scheme)
                result = browser.run(AXE)
                assert result["count"] > 10
                wrong += [(code, scheme, item["id"], item["nodes"][0]["html"]) for item in result["violations"]]
        assert wrong == []
        bars = browser.run(BARS)
        assert [(name, hour) for name, hour, _ in bars] == [
            ("with_mask", 8), ("without_mask", 8), ("without_mask", 9), ("with_mask", 17),
        ]
        tallest = bars[0][2]
        assert [round(height / tallest * 3, 3) for *_, height in bars] == [3, 1, 2, 1]
        none = ["0", "0", "0"]
        assert browser.run(CELLS)[:3] == [[str(hour), *map(str, found), *none] for hour, found in FOUND.items()]
        assert browser.run(CELLS)[3][1:] == ["8", "4", "3", *none]
        browser.run(
            "window.saved = []; const url = URL.createObjectURL;"
            "URL.createObjectURL = (blob) => { blob.text().then((text) => saved.push(text)); return url(blob); };"
            "document.querySelector('#export').click()"
        )
        browser.until("window.saved.length > 0")
        assert browser.run("window.saved[0]").startswith("day,hour,")
    assert [text for text in browser.complaints() if "401" not in text] == []


@pytest.mark.parametrize("path", ["/today/plot", "/today/counts.csv"])
def test_others_are_served_while_a_slow_card_reads_the_counts(
    counted: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    asked, answers, connect = threading.Event(), threading.Event(), sqlite3.connect

    def connect_slowly(*given: Any, **more: Any) -> sqlite3.Connection:
        asked.set()
        assert answers.wait(ANSWER_SECONDS)
        opened: sqlite3.Connection = connect(*given, **more)
        return opened

    monkeypatch.setattr(sqlite3, "connect", connect_slowly)
    with serving() as (_, server), ThreadPoolExecutor() as pages:
        counts = pages.submit(get, server, path)
        assert asked.wait(ANSWER_SECONDS)
        assert get(server, "/today")[0] == 200
        answers.set()
        assert counts.result()[0] == 200


@needs_chromium
def test_counts_that_cannot_be_read_are_said_and_logged_once(
    counted: Path, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    for path in counted.parent.glob("counts.db*"):
        path.write_bytes(b"\xff" * 8192)
    with serving() as (_, server):
        for code in codes():
            browser.open(f"{server.today_url}?language={code}#{READ_TOKEN}")
            unreadable = read_language(LANGUAGES / f"{code}.toml").today["unreadable"]
            browser.until(f"said.textContent === {json.dumps(unreadable)}")
    assert caplog.messages == [
        "screen: /today/plot failed (DatabaseError('file is not a database')); the door goes on"
    ]


@needs_chromium
def test_the_plot_can_be_read_on_a_phone(counted: Path, browser: Browser) -> None:
    with serving() as (_, server):
        browser.size(360, 640)
        browser.open(f"{server.today_url}?language=en#{READ_TOKEN}")
        browser.until("document.querySelector('#plot svg') !== null")
        assert browser.run("document.documentElement.scrollWidth") == 360
        scale = "document.querySelector('#plot > svg').getScreenCTM().a"
        style = "parseFloat(getComputedStyle(document.querySelector('#plot .hour')).fontSize)"
        assert browser.run(f"{scale} * {style}") >= 12  # px
        axe_script(browser)
        assert browser.run(AXE)["violations"] == []
        browser.ask("Emulation.clearDeviceMetricsOverride")


@needs_chromium
@pytest.mark.parametrize("name", ["setup", "today"])
def test_a_token_that_no_request_can_carry_is_no_token(counted: Path, browser: Browser, name: str) -> None:
    with serving() as (screen, server):
        show(screen, State.IDLE)
        browser.open(f"{server.url}{name}")
        browser.run("entry.elements.token.value = 'read-token-€'; entry.requestSubmit()")
        browser.until("said.textContent === said.dataset.wrong")


@needs_chromium
@pytest.mark.parametrize(("name", "token"), [("setup", SETUP_TOKEN), ("today", READ_TOKEN)])
def test_an_open_page_takes_the_token_of_an_address_that_it_is_led_to(
    counted: Path, browser: Browser, name: str, token: str
) -> None:
    with serving() as (screen, server):
        show(screen, State.IDLE)
        page = f"{server.url}{name}"
        browser.open(f"{page}#of-before")
        browser.until("said.textContent === said.dataset.wrong")
        browser.open(f"{page}#{token}")  # its fragment alone is another
        browser.until("document.querySelector('#opened')?.hidden === false && location.hash === ''")


@needs_chromium
def test_a_day_of_nobody_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, browser: Browser) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))  # without a file
    with serving() as (_, server):
        browser.open(f"{server.today_url}?language=en#{READ_TOKEN}")
        browser.until("document.querySelector('#plot svg') !== null")
        assert browser.run("document.querySelector('#plot p').textContent") == "Nothing has been counted yet."
