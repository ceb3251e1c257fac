"""Tells an MQTT broker, and through it Home Assistant, what happens at the door.

Events wait in a bounded queue while the broker can't be reached (QoS 1); states don't, because only the newest counts.
"""

import json
import logging
import queue
import random
import re
import socket
import ssl
import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from device.arguments import path
from device.disk import require_file
from device.errors import BrokerError, SettingsError
from device.limits import HOSTNAME
from device.telemetry.discovery import STATUS_TOPIC, Discovery
from device.telemetry.secret import read_secret
from device.telemetry.settings import SYSTEM, MqttSettings

if TYPE_CHECKING:
    from paho.mqtt.client import Client

OFFLINE, ONLINE = "offline", "online"
# Between two attempts to connect; the first wait is random, so that a thousand kiosks don't come at once.
FIRST_RETRY_SECONDS, MOST_RETRY_SECONDS = (1, 10), 120
BIRTH_SECONDS = 10.0  # within which the kiosks of a Home Assistant that has started present themselves
GOODBYE_SECONDS = 0.5
ANSWER_SECONDS = 10.0

log = logging.getLogger(__name__)


class Mqtt:
    """A connection to a broker that comes back by itself; what it does runs in a thread of paho's."""

    def __init__(self, settings: MqttSettings, discovery: Discovery) -> None:
        """Prepare it. Raises SettingsError for a password or certificate that can't be used."""
        self._place = f"{settings.host}:{settings.port}"
        self._discovery = discovery
        self._client = client_of(settings, discovery.id)
        self._client.max_queued_messages_set(settings.queue)
        self._client.reconnect_delay_set(random.randint(*FIRST_RETRY_SECONDS), MOST_RETRY_SECONDS)  # noqa: S311 - no secret
        self._client.will_set(discovery.availability_topic, OFFLINE, qos=1, retain=True)
        self._client.on_connect = self._connected
        self._client.on_connect_fail = self._unreachable
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._born
        self._client.connect_async(settings.host, settings.port)
        self._newest: str | None = None
        self._goodbye = discovery.availability_topic, OFFLINE  # a topic, and the last that is said on it
        self._present_at: float | None = None  # seconds of time.monotonic(): when Home Assistant is to hear all again
        self._told = set[str]()  # the kinds of trouble that the log knows of, since it was connected last
        self._refused = False  # by the broker, with an answer
        self.lost = 0  # events that found the queue full

    @property
    def waiting(self) -> int:
        """How many events the broker hasn't acknowledged yet."""
        return len(self._client._out_messages)  # paho counts them for nobody else

    def __enter__(self) -> Self:
        self._client.loop_start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        connected, gone, unsaid = self._client.is_connected(), threading.Event(), False
        if connected:
            goodbye = self._client.publish(*self._goodbye, qos=1, retain=True)
            if not goodbye.rc:
                goodbye.wait_for_publish(GOODBYE_SECONDS)
            if goodbye.rc or not goodbye.is_published():  # behind events that wait, and there would be no last will
                self._client.publish(*self._goodbye, retain=True)
            unsaid = goodbye.mid in self._client._out_messages  # where it waits as an event does
        if (left := self.waiting - unsaid) > 0:  # nothing waits behind the goodbye: its answer may come just now
            log.warning("mqtt: the kiosk ends with %d events that %s hasn't acknowledged", left, self._place)
        client = self._client
        client.on_connect = client.on_connect_fail = client.on_message = None
        client.on_disconnect = lambda *_: gone.set()
        client.disconnect()  # its thread isn't waited for: it may be about to connect
        if connected:
            gone.wait(GOODBYE_SECONDS)  # a process that ends before that was said leaves its last will, offline

    def event(self, message: str) -> bool:
        """Send an event, now or when the broker is there again; return False if it is lost: too many wait already."""
        from paho.mqtt.enums import MQTTErrorCode

        sent = self._client.publish(self._discovery.event_topic, message, qos=1)
        taken = sent.rc != MQTTErrorCode.MQTT_ERR_QUEUE_SIZE
        self.lost += not taken
        return taken

    def show(self, snapshot: str, fault: bool) -> None:
        """Tell the present state, unless it is known; after a fault it stays online, or nobody would see the fault."""
        topics = self._discovery
        self._goodbye = (topics.state_topic, snapshot) if fault else (topics.availability_topic, OFFLINE)
        if snapshot == self._newest:
            return
        first, self._newest = self._newest is None, snapshot
        if self._client.is_connected():  # else told when it is, or who is stopped before that would stay online
            self._client.publish(topics.state_topic, snapshot, retain=True)
            if first:
                self._client.publish(topics.availability_topic, ONLINE, retain=True)

    def tick(self) -> None:
        """Do what is due; to be called every second or so."""
        if self._present_at is not None and time.monotonic() >= self._present_at:
            self._present_at = None
            self._present()

    def _present(self) -> None:
        topics = self._discovery
        self._client.publish(topics.config_topic, json.dumps(topics.payload()), retain=True)
        # Before that the broker holds the state from before the start: an ALARM of then is none now. After a fault the
        # kiosk is still online there, and in FAULT until a frame is decided.
        if self._newest is not None:
            self._client.publish(topics.state_topic, self._newest, retain=True)
            self._client.publish(topics.availability_topic, ONLINE, retain=True)

    def _connected(self, client: "Client", _data: object, _flags: object, reason: Any, _more: object) -> None:  # noqa: ANN401
        self._refused = reason.is_failure
        if self._refused:
            self._tell(f"lets nobody in ({reason})")
            return
        log.info("mqtt: connected with %s", self._place)
        self._told.clear()
        client.subscribe(STATUS_TOPIC)
        self._present()

    def _unreachable(self, _client: "Client", _data: object) -> None:
        error = sys.exception()  # paho hands over none; why a certificate is refused goes before the general reason
        why = getattr(error, "verify_message", None) or getattr(error, "reason", None) or error
        by_tls = f" by TLS ({why}), check port, tls and ca_path in [mqtt]" if isinstance(error, ssl.SSLError) else ""
        self._tell(f"can't be reached{by_tls}")

    def _disconnected(self, _client: "Client", _data: object, _flags: object, reason: Any, _more: object) -> None:  # noqa: ANN401
        if reason.is_failure and not self._refused:  # which ends the connection too
            self._tell(f"has ended the connection ({reason})")
        self._refused = False

    def _tell(self, trouble: str) -> None:
        if trouble not in self._told:
            log.warning("mqtt: %s %s; the door goes on, events wait", self._place, trouble)
        self._told.add(trouble)

    def _born(self, _client: "Client", _data: object, message: Any) -> None:  # noqa: ANN401
        if message.payload == ONLINE.encode():
            self._present_at = time.monotonic() + random.uniform(0, BIRTH_SECONDS)  # noqa: S311 - no secret


def client_of(settings: MqttSettings, name: str) -> "Client":
    """Return a client that has what it needs to connect. Raises SettingsError in one line."""
    from paho.mqtt.enums import CallbackAPIVersion

    from device.telemetry.steady_client import SteadyClient

    client = SteadyClient(CallbackAPIVersion.VERSION2, client_id=f"mask-kiosk-{name}")
    client.username_pw_set(settings.user, read_secret(settings.password_path))
    if settings.tls:
        try:
            if settings.ca_path != SYSTEM:
                require_file(path(settings.ca_path))
            client.tls_set(None if settings.ca_path == SYSTEM else str(path(settings.ca_path)))
        except (OSError, ValueError) as error:  # an ssl.SSLError is one of the former
            raise SettingsError(f"{settings.ca_path}: is no certificate ({error}): see docs/telemetry.md") from error
    return client


def try_broker(settings: MqttSettings) -> None:
    """Connect once, under another name than the kiosk's. Raises KioskError in one line."""
    answers = queue.SimpleQueue[Any]()
    client = client_of(settings, f"doctor-{random.randrange(10**6)}")  # noqa: S311 - no secret
    client.on_connect = lambda _client, _data, _flags, reason, _more: answers.put(reason)
    try:
        client.connect(settings.host, settings.port)
    except OSError as error:
        raise BrokerError(str(error.strerror or error)) from error
    client.loop_start()
    try:
        answer = answers.get(timeout=ANSWER_SECONDS)
    except queue.Empty:
        raise BrokerError(f"no answer within {ANSWER_SECONDS:.0f} s") from None
    finally:
        client.disconnect()
        client.loop_stop()
    if answer.is_failure:
        raise BrokerError(str(answer))


def id_of(settings: MqttSettings) -> str:
    """Return the kiosk's name in topics: letters, digits, - and _, which in the end a hostname needn't be made of."""
    name = socket.gethostname().partition(".")[0] if settings.id == HOSTNAME else settings.id
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)
