import asyncio
import dataclasses
import itertools
import logging
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from places import TREE
from ports import free_port
from screens import ANSWER_SECONDS, DOOR, Viewer, ask, card_of, own_address, served, show
from test_kiosk import LINES, SquareFinder, door, listener  # noqa: F401

from device.cameras.frame import Frame
from device.classifier import Verdict
from device.errors import Blind, CameraError, CameraFault, SettingsError
from device.events import State
from device.faces import Box, Face, Luma
from device.kiosk import run
from device.settings import CameraSettings, ScreenSettings, Settings
from device.stop import StopRequest
from device.web.address import HERE, PageAddress
from device.web.doorkeeper import ANEW_HASH, allowed_hosts
from device.web.languages import LANGUAGES, codes, preferred, read_language
from device.web.limited_server import Asking, Places
from device.web.mirror import Mirror
from device.web.screen import open_screen
from device.web.server import Server

UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    "Sec-WebSocket-Version: 13"
)
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src 'self' 'sha256-{ANEW_HASH}'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self' ws://127.0.0.1:{port}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


class PacedFinder(SquareFinder):
    """Finds nothing before somebody looks at the screen."""

    def __init__(self, looked: threading.Event, act: str = "") -> None:
        super().__init__(act)
        self._looked = looked

    def find(self, luma: Luma) -> list[Face]:
        assert self._looked.wait(ANSWER_SECONDS)
        if self.found == 6 and self.act == "stall":
            raise CameraError("pi: no frame for 2.0 s")
        if self.found == 6 and self.act == "cover":
            raise CameraFault("pi", Blind.COVERED, "all is black")
        return super().find(luma)


def run_watched(
    door: Settings, act: str = "", monkeypatch: pytest.MonkeyPatch | None = None  # noqa: F811
) -> tuple[list[tuple[str, str | None]], BaseException | None]:
    """Run the kiosk with a viewer; return what it was told, and what ended the kiosk.

    monkeypatch: has a fault be shown until somebody has looked at the screen.
    """
    settings = dataclasses.replace(door, screen=ScreenSettings(port=free_port(), open_browser=False))
    looked, viewers, failure = threading.Event(), [], None

    def look() -> None:
        while not looked.is_set():  # the server comes up within the run
            try:
                socket.create_connection(("127.0.0.1", settings.screen.port), ANSWER_SECONDS).close()
            except ConnectionRefusedError:
                continue
            viewers.append(Viewer(settings.screen.port))
            viewers[0].wait()
            looked.set()

    if monkeypatch:
        monkeypatch.setattr(StopRequest, "pause", lambda *_: looked.wait(ANSWER_SECONDS))
    thread = threading.Thread(target=look)
    thread.start()
    try:
        assert run(settings, PacedFinder(looked, act), "mock") == 0
    except (CameraError, ZeroDivisionError) as error:
        failure = error
    looked.set()
    thread.join(ANSWER_SECONDS)
    return viewers[0].ended(), failure


def test_a_visit_reaches_the_page_state_by_state(door: Settings) -> None:  # noqa: F811
    told, failure = run_watched(door)
    assert told == [(look, None) for look in ("STARTING", "IDLE", "CHECKING", "ALARM", "CLEAR", "IDLE", "ENDED")]
    assert failure is None


@pytest.mark.parametrize(
    ("act", "reason", "kind"),
    [("fail", "device", ZeroDivisionError), ("stall", "camera", CameraError), ("cover", "covered", CameraFault)],
)
def test_a_fault_reaches_the_page_with_its_reason(
    door: Settings, act: str, reason: str, kind: type[Exception]  # noqa: F811
) -> None:
    told, failure = run_watched(door, act)
    assert isinstance(failure, kind)
    assert told[-2:] == [("ALARM", None), ("FAULT", reason)]


def test_a_start_without_a_camera_reaches_the_page_with_its_reason(
    door: Settings, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:
    told, failure = run_watched(dataclasses.replace(door, camera=CameraSettings("usb:99")), "", monkeypatch)
    assert isinstance(failure, CameraError)
    assert told[-1] == ("FAULT", "camera")


def test_a_taken_port_leaves_the_door_without_a_screen(
    door: Settings, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture  # noqa: F811
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run(dataclasses.replace(door, screen=ScreenSettings(port=port)), SquareFinder(), "mock") == 0
    assert capfd.readouterr().out.splitlines() == LINES
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
        f"screen: 127.0.0.1 port {port} can't be used (Address already in use); the door goes on without a screen: set "
        "[screen] port or host"
    ]


LATE = """
import subprocess, sys
from screens import ask, card_of
from device.web.screen import open_screen
from device.settings import ScreenSettings, Settings

host, asked = sys.argv[1:]
with open_screen(Settings(screen=ScreenSettings(host=host, port=6275)), card_of()):
    try:
        ask(6275, "GET /", f"Host: {asked}:6275", at=host)
    except OSError:
        print("no page")
    subprocess.run(["ip", "address", "add", host, "dev", "lo"], check=True)
    print(ask(6275, "GET /", f"Host: {asked}:6275", at=host)[0])
"""


@pytest.mark.parametrize(("host", "asked"), [("192.0.2.7", "192.0.2.7"), ("2001:db8::7", "[2001:db8::7]")])
def test_an_address_that_comes_late_brings_the_page_up(host: str, asked: str) -> None:
    alone = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    if not shutil.which("unshare") or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs unshare, ip, and the right to a network of its own")
    late = subprocess.run(
        [*alone, sys.executable, "-c", LATE, host, asked], cwd=TREE, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"{TREE}:{TREE / 'tests'}"},
    )  # fmt: skip
    assert (late.stdout.splitlines(), late.stderr) == (["no page", "200"], (
        f"screen: this computer doesn't have the address {host} yet; the page is served once it does: if "
        "it never will, set [screen] host\n"
    ))


def test_settings_that_cannot_be_read_leave_no_port_taken(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(SettingsError, match=r"absent\.toml: can't be read") as refused:
        Server(Settings(screen=ScreenSettings(port=port)), card_of(), tmp_path / "absent.toml", None)
    socket.create_server(("127.0.0.1", port)).close()  # while the error still holds what its lines knew
    assert refused.tb is not None


@pytest.mark.parametrize(("practice", "mark"), [(False, ""), (True, "PRACTICE  ")])
def test_the_addresses_are_told_and_a_practice_model_marks_them(
    practice: bool, mark: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    port = free_port()
    with open_screen(Settings(screen=ScreenSettings(port=port, token="a" * 16)), card_of(practice)):
        assert [record.message for record in caplog.records if record.name == "device.web.screen"] == [
            f"{mark}screen: http://127.0.0.1:{port}/", f"{mark}setup: http://127.0.0.1:{port}/setup",
        ]


def test_without_a_screen_nothing_listens_and_no_thread_runs() -> None:
    before = threading.active_count()
    with open_screen(Settings(screen=ScreenSettings(enabled=False)), card_of()) as screen:
        show(screen, State.ALARM)
        assert threading.active_count() == before
        assert screen.url is None


def test_a_door_that_decides_nothing_more_is_a_fault_until_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.web.routes.HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr("device.web.server.LATE_SECONDS", 0.1)
    with served(card_of()) as (screen, server):
        viewer = Viewer(server.port)
        viewer.wait()
        show(screen, State.CLEAR)
        viewer.wait_for("FAULT", "device")
        viewer.messages.clear()
        show(screen, State.CLEAR)
        viewer.wait_for("CLEAR")
    assert viewer.ended()[-1][0] in ("CLEAR", "FAULT")


@pytest.mark.parametrize("shown", [("FAULT", "stalled"), ("ENDED", None)])
def test_who_knows_why_nothing_is_decided_any_more_keeps_to_it(
    shown: tuple[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.web.routes.HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr("device.web.server.LATE_SECONDS", 0.0)
    with served(card_of()) as (screen, server):
        viewer = Viewer(server.port)
        show(screen, State.CLEAR)
        viewer.wait_for("FAULT", "device")
        screen.fail(CameraFault("usb:0", Blind.STALLED, "no frame")) if shown[1] else screen.end()
        viewer.wait_for(*shown)
        viewer.wait(len(viewer.messages) + 5)
    told = viewer.ended()
    assert told[told.index(("FAULT", "device")) :] == [("FAULT", "device"), shown]


def test_a_server_that_fails_is_logged_once_and_the_door_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("device.web.routes.HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr("device.web.server.LATE_SECONDS", "soon")  # no number: the server's own loop ends
    with served(card_of()) as (screen, _):
        show(screen, State.CLEAR)
        screen._thread.join(ANSWER_SECONDS)
        for state in (State.CHECKING, State.ALARM, State.IDLE):
            show(screen, state)
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
        "screen: has failed; the door goes on without it"
    ]


def test_a_server_that_fails_before_it_serves_lets_nobody_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "device.web.routes", None)  # as where a part of tornado is missing
    with served(card_of()) as (screen, server):
        screen._thread.join(ANSWER_SECONDS)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port)).close()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("Host: 127.0.0.1:{port}", 200), ("Host: localhost:{port}", 200), ("Host: LOCALHOST:{port}", 200),
        ("Host: 127.0.0.1", 421), ("Host: 127.0.0.1:1", 421), ("Host: evil.example:{port}", 421), ("X-Host: none", 400),
        ("Host: 192.168.1.9:{port}", 421), ("Host: 127.0.0.1.evil.example:{port}", 421), ("Host: :{port}", 421),
        ("Host: {hostname}:{port}", 421),
    ],
)  # fmt: skip
def test_only_its_own_host_is_answered_on_loopback(host: str, status: int) -> None:
    with served(card_of()) as (_, server):
        line = host.format(port=server.port, hostname=socket.gethostname())
        for path in ("/", "/static/screen.js", "/absent"):
            found, headers, body = ask(server.port, f"GET {path}", line)
            assert found == (404 if path == "/absent" and status == 200 else status)
            if status == 421:
                assert body == (
                    b"421 Misdirected Request\nAsk for this computer by its own name or address, and for the kiosk's "
                    b"own port, through a tunnel too.\n"
                )
                assert "Server" not in headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:{port}", 200), ("192.168.1.9:{port}", 200), ("{hostname}:{port}", 200),
        ("{hostname}.local:{port}", 200), ("evil.example:{port}", 421), ("{hostname}.evil.example:{port}", 421),
    ],
)  # fmt: skip
def test_on_the_network_addresses_and_its_own_names_are_answered(host: str, status: int) -> None:
    with served(card_of(), host="0.0.0.0") as (_, server):  # noqa: S104
        line = f"Host: {host.format(port=server.port, hostname=socket.gethostname())}"
        assert ask(server.port, "GET /", line)[0] == status


def test_no_address_of_ipv6_is_named_in_a_policy() -> None:
    with served(card_of()) as (_, server):
        status, headers, _ = ask(server.port, "GET /", f"Host: [::1]:{server.port}")
    assert status == 200
    assert "; connect-src 'self'; " in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("host", "is_own"),
    [("Door1", True), ("door1.local", True), ("door1.example.org", True), ("door1.example.org.local", False)],
)
def test_a_computer_whose_name_has_a_domain_is_asked_by_its_first_part_too(
    host: str, is_own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "door1.example.org")
    assert allowed_hosts("0.0.0.0", 6275)(f"{host}:6275") is is_own  # noqa: S104


@pytest.mark.parametrize("path", ["/state", "/mirror"])
@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("Origin: http://127.0.0.1:{port}", 101), ("X-Origin: none", 403), ("Origin: null", 403),
        ("Origin: http://evil.example", 403), ("Origin: http://127.0.0.1:1", 403),
        ("Origin: https://127.0.0.1:{port}", 403), ("Origin: http://localhost:{port}", 403),
    ],
)  # fmt: skip
def test_only_its_own_pages_may_open_a_socket(path: str, origin: str, status: int) -> None:
    with served(card_of(), mirror=True) as (_, server):
        headers = f"Host: 127.0.0.1:{server.port}", UPGRADE, origin.format(port=server.port)
        assert ask(server.port, f"GET {path}", *headers)[0] == status
        wrong_host = "Host: evil.example", UPGRADE, "Origin: http://evil.example"
        assert ask(server.port, f"GET {path}", *wrong_host)[0] == 421


@pytest.mark.parametrize("path", ["/", "/static/screen.css", "/absent", "/static/..%2findex.html", "/mirror"])
def test_every_answer_carries_the_security_headers(path: str) -> None:
    with served(card_of()) as (_, server):
        status, headers, _ = ask(server.port, f"GET {path}", f"Host: 127.0.0.1:{server.port}")
        assert status == (200 if path in ("/", "/static/screen.css") else 404)
        expected = {name: value.replace("{port}", str(server.port)) for name, value in HEADERS.items()}
        assert {name: headers.get(name) for name in HEADERS} == expected
        assert "Set-Cookie" not in headers


def test_what_is_too_large_too_slow_or_too_much_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.web.routes.SLOW_SECONDS", 0.5)
    monkeypatch.setattr("device.web.limited_server.MOST_CONNECTIONS", 2)
    with served(card_of()) as (_, server):
        host = f"Host: 127.0.0.1:{server.port}"
        assert ask(server.port, "GET /", host, f"X-Large: {'x' * 20000}")[0] in (0, 400, 431)
        assert ask(server.port, "POST /", host, "Content-Length: 70000")[0] in (0, 400, 413)
        slow = [socket.create_connection(("127.0.0.1", server.port), ANSWER_SECONDS) for _ in range(2)]
        slow[0].sendall(b"GET / HT")
        with socket.create_connection(("127.0.0.1", server.port), ANSWER_SECONDS) as third:
            assert third.recv(1) == b""  # at once
        assert [connection.recv(1) for connection in slow] == [b"", b""]  # after SLOW_SECONDS
        for connection in slow:
            connection.close()
        assert ask(server.port, "GET /", host)[0] == 200


def test_an_address_asks_at_its_pace_after_its_first_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Asking, "MOST_NETWORKS", 2)
    asking = Asking()
    here, there = ([asking.asks(network, 100.0) for _ in range(2500)] for network in (HERE, "192.0.2.7"))
    assert (sum(here), sum(there), there[2399:2401]) == (2500, 2400, [True, False])
    assert [asking.asks("192.0.2.7", now) for now in (100.04, 100.06, 100.06)] == [False, True, False]
    assert [sum(asking.asks("192.0.2.7", now) for _ in range(2500)) for now in (110.0625, 10_000.0)] == [200, 2400]
    assert asking.asks("192.0.2.8", 10_000.0)
    assert not asking.asks("192.0.2.7", 10_000.0)
    asking.asks("192.0.2.9", 10_000.0)  # of three addresses that which asked longest ago is forgotten
    assert asking.asks("192.0.2.7", 10_000.0)


def test_all_addresses_of_a_computers_own_network_are_one() -> None:
    address = PageAddress("127.0.0.1", 0)
    address.socket.close()
    asking = Asking()
    assert sum(asking.asks(address.network_of(f"2001:db8::1:{number % 100}"), 0.0) for number in range(2500)) == 2400
    assert asking.asks(address.network_of("2001:db8:0:1::1"), 0.0)


def test_who_asks_too_often_is_cut_off_and_this_computer_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Asking, "AT_ONCE", 3.0)
    monkeypatch.setattr(Asking, "A_SECOND", 0.0)
    own = own_address()
    with served(card_of(), host="0.0.0.0") as (_, server):  # noqa: S104
        host = f"Host: {own}:{server.port}"
        assert read_all(own, server.port, f"GET /none HTTP/1.1\r\n{host}\r\n\r\n" * 5).count(b"HTTP/1.1 404") == 3
        assert read_all(own, server.port, f"GET /none HTTP/1.1\r\n{host}\r\n\r\n") == b""
        assert ask(server.port, "GET /", f"Host: 127.0.0.1:{server.port}")[0] == 200


def read_all(at: str, port: int, sent: str) -> bytes:
    """Send something, and return what comes until the server closes."""
    answer = b""
    with suppress(ConnectionError), socket.create_connection((at, port), ANSWER_SECONDS) as connection:
        connection.sendall(sent.encode())
        while part := connection.recv(65536):
            answer += part
    return answer


def test_no_stranger_fills_the_log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.INFO)
    with served(card_of()) as (_, server):
        caplog.clear()
        for _ in range(20):
            assert ask(server.port, "GET /", "X-Host: none")[0] == 400
        line = "Malformed HTTP message from 127.0.0.1: Missing Host header"
        assert caplog.messages == [line]
        monkeypatch.setattr("device.web.sparing.SECONDS", 0.0)  # it is over
        assert ask(server.port, "GET /", "X-Host: none")[0] == 400
        assert caplog.messages == [line, f"{line} (and 19 such lines before it)"]


def test_viewers_that_break_off_or_talk_nonsense_are_let_go_without_a_word(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.web.sparing.SECONDS", 0.0)
    monkeypatch.setattr("device.web.routes.MOST_VIEWERS", 1)
    no_text = b"\x81\x82\0\0\0\0\xff\xff", b"\x88\x83\0\0\0\0\x03\xe8\xff", b"\xff" * 6
    with served(card_of(), mirror=True) as (_, server):
        host = f"Host: 127.0.0.1:{server.port}"
        for path, frames in itertools.product(("/state", "/mirror"), (b"", *no_text)):
            with look_in(server.port, path) as viewer:
                viewer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # it ends by a reset
                viewer.sendall(frames)
                assert viewer.recv(4096).startswith(b"HTTP/1.1 101 ")
            while server.viewers or server.mirror.viewers or ask(server.port, "GET /", host)[0] != 200:
                pass
    assert caplog.messages == []


def test_viewers_have_nothing_to_say_and_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.web.routes.MOST_VIEWERS", 1)
    with served(card_of()) as (_, server):
        talker = Viewer(server.port, say="hello")
        talker.ended()
        assert talker.code == 1008
        while server.viewers:
            pass
        first = Viewer(server.port)
        first.wait()
        with look_in(server.port) as second:
            assert second.recv(12) == b"HTTP/1.1 503"
    first.ended()
    assert first.code == 1001


def look_in(port: int, path: str = "/state", at: str = "127.0.0.1") -> socket.socket:
    """Ask to be a viewer."""
    viewer = socket.create_connection((at, port), ANSWER_SECONDS)
    own = f"Host: {at}:{port}\r\nOrigin: http://{at}:{port}"
    viewer.sendall(f"GET {path} HTTP/1.1\r\n{own}\r\n{UPGRADE}\r\n\r\n".encode())
    return viewer


def test_nobody_on_the_network_takes_the_places_of_this_computer_or_of_all_others(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.web.limited_server.MOST_CONNECTIONS", 4)
    monkeypatch.setattr("device.web.routes.MOST_VIEWERS", 4)
    own = own_address()
    with served(card_of(), host="0.0.0.0") as (_, server), ExitStack() as there:  # noqa: S104

        def looks_in(at: str) -> bytes:
            return there.enter_context(look_in(server.port, at=at)).recv(12)

        assert [looks_in(own) for _ in range(3)] == [b"HTTP/1.1 101"] * 2 + [b"HTTP/1.1 503"]  # whose connection stays
        there.enter_context(socket.create_connection((own, server.port), ANSWER_SECONDS))
        assert there.enter_context(socket.create_connection((own, server.port), ANSWER_SECONDS)).recv(1) == b""
        assert [looks_in("127.0.0.1") for _ in range(5)] == [b"HTTP/1.1 101"] * 4 + [b"HTTP/1.1 503"]
    places = Places(4)
    for network, left in (("a", True), ("a", True), ("a", False), ("b", True), ("c", True), ("d", False), (HERE, True)):
        assert places.left(network) is left
        if left:
            places.take(network)
    places.leave("a")
    assert [places.left(network) for network in ("a", "d")] == [True, True]


def test_a_viewer_that_never_reads_does_not_fill_the_memory() -> None:
    with served(card_of()) as (screen, server), socket.socket() as viewer:
        viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        viewer.connect(("127.0.0.1", server.port))
        host = f"127.0.0.1:{server.port}"
        viewer.sendall(f"GET /state HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n{UPGRADE}\r\n\r\n".encode())
        assert viewer.recv(12) == b"HTTP/1.1 101"

        async def tell() -> int:
            for one in list(server.viewers):
                one.tell("x" * 100_000)  # more than the kernel keeps for it
            return len(server.viewers)

        assert screen._loop
        told = [asyncio.run_coroutine_threadsafe(tell(), screen._loop).result(ANSWER_SECONDS) for _ in range(400)]
        assert (told[0], told[-1]) == (1, 0)


def test_the_mirror_is_made_once_for_all_left_and_right_swapped_with_a_box_a_face() -> None:
    luma = np.full((480, 640), 100, np.uint8)
    luma[:, :320] = 200
    boxes = [Box(40, 100, 160, 200), Box(440, 100, 160, 200)]
    verdicts = [Verdict(box, 5.0, (0.1, 0.9), 0.9, "without_mask") for box in boxes]
    with served(card_of(), mirror=True) as (screen, server):
        viewers = [Viewer(server.port, "/mirror") for _ in range(2)]
        while len(server.mirror.viewers) < 2:
            pass
        assert [viewer.messages for viewer in viewers] == [[], []]  # nothing to show yet
        screen.show(State.ALARM, Frame(luma, 1.0), verdicts, [verdicts[0].box], DOOR)
        first, second = (viewer.wait()[0] for viewer in viewers)
    assert first == second
    picture = cv2.imdecode(np.frombuffer(first, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (240, 320, 3)
    assert abs(int(picture[10, 10, 0]) - 100) < 5
    assert abs(int(picture[10, 310, 0]) - 200) < 5
    # The boxes' left edges are at their right now; the second face doesn't count.
    (blue, _, red), (grey_blue, _, grey_red) = picture[100, [320 - 20 - 1, 320 - 220 - 1]].astype(int)
    assert (red - blue > 80, abs(grey_red - grey_blue) < 10, grey_red > 160) == (True, True, True)


def test_the_page_holds_the_words_of_the_language_asked_for() -> None:
    with served(card_of(), language="fr") as (_, server):
        host = f"Host: 127.0.0.1:{server.port}"
        pages = {
            line: ask(server.port, line, host, "Accept-Language: de-AT,de;q=0.9,en;q=0.5")[2].decode()
            for line in ("GET /", "GET /?language=ar", "GET /?language=xx")
        }
    assert '<html lang="fr" dir="ltr">' in pages["GET /"]
    assert '<html lang="ar" dir="rtl">' in pages["GET /?language=ar"]
    assert '<html lang="de" dir="ltr">' in pages["GET /?language=xx"]  # the browser's


def test_the_browsers_language_is_taken_where_there_is_a_file_for_it() -> None:
    known = codes()
    assert {"ar", "de", "en", "es", "fr", "ne"} <= set(known)
    assert [preferred(text, known) for text in ("de-CH,fr;q=0.8", "xx,NE;q=0.5", "", "xx", "*")] == [
        "de", "ne", "en", "en", "en",
    ]  # fmt: skip


@pytest.mark.parametrize("code", codes())
def test_every_language_says_something_of_its_own_for_each_look(code: str) -> None:
    language = read_language(LANGUAGES / f"{code}.toml")
    texts = [text for words in language.looks.values() for text in (words.word, words.prompt)]
    texts += [language.title, language.practice, language.collecting, *language.faults.values()]
    assert all(text == text.strip() and text for text in texts)
    assert len({words.word for words in language.looks.values()}) == len(language.looks)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('prompt = "Please wear a mask."\n', "", "[looks.IDLE] has ['word'], expected ['prompt', 'word']: correct it"),
        (
            'gone = "', 'went = "',
            "[faults] has ['camera', 'covered', 'dazzled', 'device', 'frozen', 'stalled', 'went'], expected",
        ),
        ('"ltr"', '"up"', "direction is 'up', expected \"ltr\" or \"rtl\": correct it"),
        ("[faults]", "[faults", "can't be read ("),
    ],
)
def test_a_language_file_with_a_mistake_is_refused(tmp_path: Path, old: str, new: str, line: str) -> None:
    path = tmp_path / "en.toml"
    path.write_text((LANGUAGES / "en.toml").read_text().replace(old, new))
    with pytest.raises(SettingsError) as error:
        read_language(path)
    assert str(error.value).startswith(f"{path}: {line}")
    assert "\n" not in str(error.value)


def test_a_page_knows_when_the_device_has_other_settings() -> None:
    servers = [
        Server(Settings(screen=screen), card_of(practice), None, None)
        for screen, practice in (
            (ScreenSettings(port=0, token="a" * 16), False),
            (ScreenSettings(port=0, read_token="b" * 16), False),  # its viewers could try tokens on what they are told
            (ScreenSettings(port=0), True),
            (ScreenSettings(port=0, mirror=True), False),
        )
    ]  # fmt: skip
    for server in servers:
        server.address.socket.close()
    first, again, *others = [server.page for server in servers]
    assert first == again
    assert len({first, *others}) == 3


class Looker:
    """A viewer of the mirror; a slow one never takes more than it was sent first."""

    def __init__(self, slow: bool = False) -> None:
        self.seen: list[bytes] = []
        self._slow = slow

    def write_message(self, message: bytes, binary: bool) -> "asyncio.Future[None]":
        self.seen.append(message)
        sent = asyncio.get_running_loop().create_future()
        if not self._slow:
            sent.set_result(None)
        return sent

    def close(self, code: int, reason: str) -> None:
        raise AssertionError("nobody closes it")


def mirror_for(viewers: list[Looker], seconds: float) -> float:
    """Let a mirror run with a new frame each hundredth of a second; return how long it did, in seconds."""

    async def look() -> float:
        mirror = Mirror(0.5)
        mirror.viewers.update(viewers)
        began, task = time.monotonic(), asyncio.create_task(mirror.serve())
        while time.monotonic() - began < seconds:
            mirror.newest = (Frame(np.full((120, 160), 90, np.uint8), 0.0), [], [])
            await asyncio.sleep(0.01)
        task.cancel()
        return time.monotonic() - began

    return asyncio.run(look())


def test_the_hundredth_viewer_costs_no_more_pictures_than_the_eighth() -> None:
    viewers = [Looker() for _ in range(100)]
    elapsed = mirror_for(viewers, 3.0)
    sent = [picture for viewer in viewers for picture in viewer.seen]
    assert 100 <= len(sent) <= 40 * elapsed + 100
    assert len({id(picture) for picture in sent}) == len(viewers[0].seen)  # encoded once for all


def test_a_slow_viewer_misses_pictures_and_holds_up_nobody() -> None:
    slow, quick = Looker(slow=True), Looker()
    elapsed = mirror_for([slow, quick], 1.0)
    assert len(slow.seen) == 1
    assert 2 <= len(quick.seen) <= 5 * elapsed + 1
