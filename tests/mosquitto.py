"""Runs Debian's Mosquitto on loopback with TLS and a password, and listens to what it is told."""

import dataclasses
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from ports import free_port
from screens import ANSWER_SECONDS

from device.telemetry.settings import MqttSettings

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
KIOSK, LISTENER = ("kiosk", "kiosk's password"), ("listener", "listener's password")

CAN_RUN = MOSQUITTO is not None and shutil.which("openssl") is not None
needs_mosquitto = pytest.mark.skipif(not CAN_RUN, reason="needs mosquitto and openssl: apt-get install")


class Broker:
    """A broker that can be killed and started again, and that lets the kiosk in or not."""

    def __init__(self, folder: Path) -> None:
        self.port, self._folder = free_port(), folder
        self.ca = folder / "ca.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem",
             "-out", self.ca], check=True, capture_output=True,
        )  # fmt: skip
        self.secret = folder / "password"
        self.secret.write_text(f"{KIOSK[1]}\n")
        self.secret.chmod(0o640)
        self._users = folder / "users"
        (folder / "mosquitto.conf").write_text(
            f"user root\nlistener {self.port} 127.0.0.1\ncafile {self.ca}\ncertfile {self.ca}\n"
            f"keyfile {folder / 'key.pem'}\nallow_anonymous false\npassword_file {self._users}\n"
            "max_queued_messages 0\n"  # for the listener alone
        )
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.kill()

    def settings(self, **changes: Any) -> MqttSettings:
        """What a kiosk needs to come in."""
        return dataclasses.replace(
            MqttSettings(True, port=self.port, ca_path=str(self.ca), user=KIOSK[0], password_path=str(self.secret),
                         id="door-1"), **changes
        )  # fmt: skip

    def start(self, *, lets_kiosk_in: bool = True) -> None:
        """Start it, and wait until it listens."""
        assert MOSQUITTO is not None
        self._let_in(*([KIOSK] if lets_kiosk_in else []), LISTENER)
        self.process = subprocess.Popen(
            [MOSQUITTO, "-c", self._folder / "mosquitto.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C isn't meant for it
        )  # fmt: skip
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), ANSWER_SECONDS).close()
            except ConnectionRefusedError:
                assert time.monotonic() < deadline, "Mosquitto doesn't start"
                assert self.process.poll() is None, "Mosquitto has ended"
                time.sleep(0.02)
            else:
                return

    def let_kiosk_in(self) -> None:
        """Let in whom it has refused."""
        assert self.process
        self._let_in(KIOSK, LISTENER)
        self.process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def _let_in(self, *people: tuple[str, str]) -> None:
        new = self._folder / "users.new"
        new.write_text("".join(f"{name}:{password}\n" for name, password in people))
        subprocess.run(["mosquitto_passwd", "-U", new], check=True)
        new.replace(self._users)


class Subscriber:
    """Collects what a broker is told, in a thread."""

    def __init__(self, broker: Broker) -> None:
        self.messages: list[tuple[str, str, bool]] = []  # topic, payload, and whether it was retained
        self._arrived = threading.Condition()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(*LISTENER)
        self._client.tls_set(str(broker.ca))
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        ready = threading.Event()
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_message = self._note
        self._client.connect("localhost", broker.port)
        self._client.loop_start()
        assert ready.wait(ANSWER_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, topic: str, payload: str) -> None:
        self._client.publish(topic, payload, qos=1).wait_for_publish(ANSWER_SECONDS)

    def _note(self, _client: Client, _data: object, message: Any) -> None:
        with self._arrived:
            self.messages.append((message.topic, message.payload.decode(), message.retain))
            self._arrived.notify_all()

    def of(self, topic: str) -> list[str]:
        """Return what was said on a topic, in order."""
        return [payload for name, payload, _ in self.messages if name == topic]

    def events(self) -> list[dict[str, Any]]:
        """Return the events that were told, each once: a broker may hear one twice."""
        return list({event["id"]: event for event in map(json.loads, self.of("mask-kiosk/door-1/event"))}.values())

    def snapshot(self) -> dict[str, Any]:
        """Return the state that was told last."""
        return dict(json.loads((self.of("mask-kiosk/door-1/state") or ["{}"])[-1]))

    def until(self, done: Any) -> None:
        """Wait until a call gives something true."""
        with self._arrived:
            assert self._arrived.wait_for(done, ANSWER_SECONDS), self.messages[-20:]
