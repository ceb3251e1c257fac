import base64
import hashlib
import hmac
import json
import logging
import os
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from ports import free_port
from screens import ANSWER_SECONDS, card_of
from test_mqtt import START

from device.errors import SettingsError
from device.events import Event, Kind, State
from device.settings import Settings
from device.telemetry import mqtt, webhook
from device.telemetry.secret import read_secret
from device.telemetry.settings import MqttSettings, WebhookSettings
from device.telemetry.telemetry import CLOSE_SECONDS, Telemetry
from device.telemetry.webhook import Webhook, key_of, signature
from device.web.address import is_there

KEY = b"a key of more than 24 bytes"
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
PIPE = "a pipe"  # in the secret's place
# Made known with https://www.standardwebhooks.com, whose headers and signature these are.
KNOWN = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
         b'{"test": 2432232314}', "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")  # fmt: skip


class Receiver:
    """A server that refuses the first posts, and keeps those it accepts."""

    def __init__(self, refusals: list[int]) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.paths: list[str] = []
        self.tries = 0
        self.changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.changed:
                    receiver.tries += 1
                    status = refusals.pop(0) if refusals else 204
                    if status == 204:
                        receiver.posts.append((dict(self.headers), body))
                        receiver.paths.append(self.path)
                    receiver.changed.notify_all()
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._handler = Handler

    @contextmanager
    def at(self, port: int) -> Iterator[None]:
        server = ThreadingHTTPServer(("127.0.0.1", port), self._handler)
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def wait(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.posts) >= count, ANSWER_SECONDS)


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("device.telemetry.webhook.FIRST_RETRY_SECONDS", 0.02)
    monkeypatch.setattr("device.telemetry.webhook.MOST_RETRY_SECONDS", 0.1)
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    path.chmod(0o640)
    return path


def visit(number: int) -> list[Event]:
    return [Event(Kind.VERDICT, 2.0 * number, number, State.ALARM, 0.91234, 0.0)]


def test_a_known_signature_is_made() -> None:
    secret, name, stamp, body, expected = KNOWN
    assert signature(key_of(secret, "file"), name, stamp, body) == expected


def test_a_secret_may_begin_with_the_mark_that_windows_writes(secret: Path) -> None:
    secret.write_text(f"{SECRET}\n", encoding="utf-8-sig")
    assert read_secret(str(secret)) == SECRET


def test_each_event_arrives_once_in_order_and_signed_however_often_it_was_refused(
    secret: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    port, receiver = free_port(), Receiver([500, 302, 404, 429])
    settings = Settings(webhook=WebhookSettings(True, f"http://127.0.0.1:{port}/hook/s3cret?a=b", str(secret)))
    with Telemetry(settings, card_of()) as told:
        for number in range(1, 21):  # nobody listens yet
            told.note(State.ALARM, visit(number), START)
        with receiver.at(port):
            receiver.wait(20)
    assert receiver.tries == 24
    for headers, body in receiver.posts:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        code = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
        assert headers["webhook-signature"] == f"v1,{code}"
    events = [json.loads(body) for _, body in receiver.posts]
    assert [event["visit"] for event in events] == list(range(1, 21))
    assert [event["id"] for event in events] == [headers["webhook-id"] for headers, _ in receiver.posts]
    assert len({event["id"] for event in events}) == 20
    assert events[0] | {"id": "", "kiosk": "", "model": ""} == {
        "id": "", "kiosk": "", "model": "", "time": START.isoformat(), "event": "verdict", "visit": 1,
        "state": "ALARM", "score": 0.912,
    }
    assert SECRET not in caplog.text
    assert SECRET.removeprefix("whsec_") not in caplog.text
    assert "s3cret" not in caplog.text
    assert f"http://127.0.0.1:{port}/…" in caplog.text


@pytest.mark.parametrize(
    ("given", "asked"), [("", "/"), ("?key=1", "/?key=1"), ("/hook", "/hook"), ("/hook?key=1#part", "/hook?key=1")]
)
def test_an_address_without_a_path_is_asked_at_its_root(secret: Path, given: str, asked: str) -> None:
    port, receiver = free_port(), Receiver([])
    settings = Settings(webhook=WebhookSettings(True, f"http://127.0.0.1:{port}{given}", str(secret)))
    with receiver.at(port), Telemetry(settings, card_of()) as told:
        told.note(State.ALARM, visit(1), START)
        receiver.wait(1)
    assert receiver.paths == [asked]


def read_post(connection: socket.socket) -> bytes:
    """Return a request whose body is a JSON object."""
    connection.settimeout(ANSWER_SECONDS)
    read = b""
    while not read.endswith(b"}"):
        read += connection.recv(10_000)
    return read


@pytest.mark.skipif(not is_there("::1"), reason="needs IPv6")
def test_an_ipv6_address_needs_no_port(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        server.settimeout(ANSWER_SECONDS)
        monkeypatch.setattr("http.client.HTTPConnection.default_port", server.getsockname()[1])
        with Telemetry(Settings(webhook=WebhookSettings(True, "http://[::1]/hook", str(secret))), card_of()) as told:
            told.note(State.ALARM, visit(1), START)
            connection, _ = server.accept()
            with connection:
                assert b"\r\nHost: [::1]\r\n" in read_post(connection)
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def test_an_answer_that_comes_byte_by_byte_is_cut_off(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device.telemetry.webhook.ANSWER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(ANSWER_SECONDS)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with Telemetry(Settings(webhook=WebhookSettings(True, url, str(secret))), card_of()) as told:
            told.note(State.ALARM, visit(1), START)
            slow, _ = server.accept()
            with slow:
                read_post(slow)
                bytes_sent = 0
                while not select.select([slow], [], [], 0.02)[0]:  # until it is cut off
                    bytes_sent += slow.send(b"x")
                    assert bytes_sent < 500
            again, _ = server.accept()
            with again:
                read_post(again)
                again.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def test_an_event_that_was_just_taken_keeps_nobody_waiting(secret: Path, caplog: pytest.LogCaptureFixture) -> None:
    taken, closed = threading.Event(), threading.Event()
    posts = Webhook(WebhookSettings(True, f"http://127.0.0.1:{free_port()}/", str(secret)))

    def hold(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code is not Webhook._work.__code__:
            return None
        if event == "line" and "event" in frame.f_locals and not taken.is_set():
            taken.set()
            closed.wait()
        return hold

    threading.settrace(hold)
    try:
        posts.__enter__()
    finally:
        threading.settrace(None)
    posts.event("1", "{}")
    assert taken.wait(ANSWER_SECONDS)
    assert posts.waiting == 1
    closing = threading.Thread(target=posts.__exit__, args=(None, None, None))
    closing.start()
    closing.join(ANSWER_SECONDS)
    ended = not closing.is_alive()
    closed.set()
    assert ended
    assert "webhook: the kiosk ends with 1 events that " in caplog.text


def test_what_neither_server_nor_broker_has_taken_is_told_at_the_end(
    secret: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("device.telemetry.webhook.FIRST_RETRY_SECONDS", 1000.0)
    monkeypatch.setattr("device.telemetry.webhook.GOODBYE_SECONDS", 1000.0)  # who was refused doesn't wait for it
    monkeypatch.setattr("device.telemetry.mqtt.GOODBYE_SECONDS", 0.1)
    refusing = free_port()
    with socket.create_server(("127.0.0.1", 0)) as broker:
        broker.settimeout(ANSWER_SECONDS)
        port = broker.getsockname()[1]
        settings = Settings(
            mqtt=MqttSettings(True, host="127.0.0.1", port=port, tls=False, password_path=str(secret)),
            webhook=WebhookSettings(True, f"http://127.0.0.1:{refusing}/", str(secret)),
        )
        with Telemetry(settings, card_of()) as told:
            kiosk, _ = broker.accept()
            kiosk.settimeout(ANSWER_SECONDS)
            kiosk.sendall(b"\x20\x02\0\0")  # CONNACK: accepted; nothing is acknowledged
            for number in (1, 2):
                told.note(State.ALARM, visit(number), START)
            heard = b""
            while b'"visit": 2' not in heard:
                heard += kiosk.recv(10_000)
        with kiosk, kiosk.makefile("rb") as rest:
            assert rest.read().endswith(b"\xe0\0")  # DISCONNECT
    assert caplog.messages[-2:] == [
        f"webhook: the kiosk ends with 2 events that http://127.0.0.1:{refusing}/… hasn't accepted",
        f"mqtt: the kiosk ends with 2 events that 127.0.0.1:{port} hasn't acknowledged",
    ]


def test_both_goodbyes_end_before_they_are_cut() -> None:
    assert webhook.GOODBYE_SECONDS + mqtt.GOODBYE_SECONDS < CLOSE_SECONDS


def test_what_is_lost_beyond_the_bound_is_counted(secret: Path) -> None:
    port, receiver = free_port(), Receiver([])
    settings = Settings(webhook=WebhookSettings(True, f"http://127.0.0.1:{port}/", str(secret), queue=10))
    with Telemetry(settings, card_of()) as told:
        for number in range(1, 41):
            told.note(State.ALARM, visit(number), START)
        while told.queues().get("webhook", (0, 0))[1] < 29:  # one is under way or the queue holds it, ten wait
            assert told._thread.is_alive()
        waiting, lost = told.queues()["webhook"]
        assert (waiting + lost, waiting in {10, 11}) == (40, True)
        with receiver.at(port):
            receiver.wait(waiting)
    assert len(receiver.posts) == waiting


@pytest.mark.parametrize(
    ("mode", "text", "said"),
    [
        (0o644, SECRET, "{path}: its mode is 0644, expected nothing for others: run `chmod o= {path}`"),
        (0o601, SECRET, "{path}: its mode is 0601, expected nothing for others: run `chmod o= {path}`"),
        (0o640, "", "{path}: has 0 lines, expected one"),
        (0o600, f"{SECRET}\n{SECRET}\n", "{path}: has 2 lines, expected one"),
        (0o640, PIPE, "{path}: can't be read (a pipe or device, expected a plain file): see docs/telemetry.md"),
        (0o600, None, "{path}: can't be read (No such file or directory): see docs/telemetry.md"),
    ],
)
def test_a_secret_that_others_can_read_or_that_is_none_is_refused(
    secret: Path, mode: int, text: str | None, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    if text is None or text is PIPE:
        secret.unlink()
    if text is PIPE:
        os.mkfifo(secret, mode)  # nobody ever writes into it
    elif text is not None:
        secret.write_text(text)
        secret.chmod(mode)
    with pytest.raises(SettingsError) as error:
        read_secret(str(secret))
    assert str(error.value) == said.format(path=secret)
    with Telemetry(Settings(webhook=WebhookSettings(True, secret_path=str(secret))), card_of()) as told:
        told.note(State.ALARM, visit(1), START)
    assert [record.message for record in caplog.records] == [
        f"webhook: {said.format(path=secret)}; the door goes on without it"
    ]


@pytest.mark.parametrize("text", ["plain", "whsec_c2hvcnQ=", "whsec_!!!!", "whsec_ä", SECRET.removeprefix("whsec_")])
def test_a_secret_that_is_no_key_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(SettingsError) as error:
        key_of(text, "file")
    assert str(error.value) == "file: isn't whsec_ and at least 24 bytes as Base64: see docs/telemetry.md"
