"""What others answer the kiosk: each target takes the bytes that come over a connection, and returns refusals."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from deploy.errors import DeployError
from deploy.pi import fetch
from device.telemetry.discovery import Discovery
from device.telemetry.mqtt import Mqtt
from device.telemetry.settings import MqttSettings, WebhookSettings
from device.telemetry.webhook import Webhook

from .readers import Owner


class Wire(socket.socket):
    """An end of a pair, to which an option of TCP's means nothing."""

    def setsockopt(self, *_: Any) -> None:
        pass


@contextmanager
def peer(content: bytes, connections: int, gone: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Have whoever connects be sent bytes and an end, so many times, and then be refused; no name is looked up.

    gone: called when somebody is refused.
    """
    with ExitStack() as ends:
        left = connections

        def connect(*_: object, **__: object) -> socket.socket:
            nonlocal left
            if not left:
                gone()
                raise ConnectionRefusedError
            left -= 1
            ours, theirs = socket.socketpair()
            ends.enter_context(theirs)
            theirs.sendall(content)
            theirs.shutdown(socket.SHUT_WR)
            return Wire(fileno=ours.detach())

        ends.enter_context(mock.patch.object(socket, "create_connection", connect))
        ends.enter_context(mock.patch.object(socket, "gethostbyname", return_value="127.0.0.1"))
        yield


class Peers(Owner):
    """Everybody whom the kiosk or its pull agent asks or tells something."""

    def __init__(self) -> None:
        super().__init__()
        secret = self.folder / "secret"
        secret.touch(mode=0o600)
        secret.write_text("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\n")
        self._webhook = Webhook(WebhookSettings(enabled=True, url="http://door.lan/a?b", secret_path=str(secret)))
        self._mqtt = MqttSettings(enabled=True, tls=False, password_path=str(secret))

    def webhook(self, content: bytes) -> list[str]:
        """Post an event to a server that answers so."""
        with peer(content, 1):
            return [self._webhook._post("1", b"{}") or "accepted"]

    def fetch(self, content: bytes) -> list[str]:
        """Fetch the manifest from a server that answers so, and so again where it sends one on."""
        with peer(content, 3):
            try:
                fetch.content("http://kiosks.lan/manifest")
            except DeployError as error:
                return [str(error)]
        return []

    def broker(self, content: bytes) -> list[str]:
        """Connect with a broker that says so, and is gone afterwards."""
        mqtt = Mqtt(self._mqtt, Discovery("door", "a"))
        mqtt.event("{}")
        client = mqtt._client
        client.reconnect_delay_set(0, 0)
        with peer(content, 1, gone=client.disconnect):
            client.loop_forever(retry_first_connection=True)
            mqtt.tick()
        return []
