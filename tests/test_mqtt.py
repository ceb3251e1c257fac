import dataclasses
import itertools
import json
import logging
import os
import queue
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from logging.handlers import QueueHandler
from pathlib import Path

import pytest
from mosquitto import KIOSK, Broker, Subscriber, needs_mosquitto
from places import TREE
from ports import free_port
from screens import ANSWER_SECONDS, card_of
from test_kiosk import LINES, SquareFinder, door, histories  # noqa: F401

from device.classifier import Verdict
from device.decision import Decision
from device.errors import BrokerError, CameraError, SettingsError
from device.events import Event, Kind, State
from device.faces import Box
from device.kiosk import run
from device.levels import Levels
from device.limits import is_id
from device.settings import CameraSettings, DecisionSettings, Settings, SignalSettings
from device.stop import StopRequest
from device.telemetry import mqtt
from device.telemetry.counts import Row, rows
from device.telemetry.discovery import COMPONENTS, Discovery
from device.telemetry.mqtt import Mqtt, client_of, id_of, try_broker
from device.telemetry.settings import SYSTEM, CountsSettings, MqttSettings, WebhookSettings
from device.telemetry.telemetry import MOST_WAITING, Telemetry

# https://www.home-assistant.io/integrations/mqtt/ (device discovery payload, origin, availability),
# …/integrations/sensor.mqtt/ and …/integrations/binary_sensor.mqtt/: the names that may be used here.
ROOT = {"device", "origin", "components", "state_topic", "command_topic", "qos", "encoding", "availability",
        "availability_mode", "availability_topic", "availability_template", "payload_available",
        "payload_not_available"}  # fmt: skip
DEVICE = {"configuration_url", "connections", "hw_version", "identifiers", "manufacturer", "model", "model_id", "name",
          "serial_number", "suggested_area", "sw_version", "via_device"}  # fmt: skip
ORIGIN = {"name", "sw_version", "support_url"}
ENTITY = {"platform", "unique_id", "name", "device_class", "entity_category", "value_template", "icon", "expire_after"}
SENSOR = ENTITY | {"options", "state_class", "unit_of_measurement", "last_reset_value_template"}
BINARY_SENSOR = ENTITY | {"payload_on", "payload_off", "off_delay"}
CLASSES = {"enum", "temperature", "occupancy", "problem", None}
START = datetime.now(UTC).replace(hour=0, minute=30, second=0, microsecond=0)  # an hour later it is still today
UTC_CLOCK = SignalSettings(time_zone="Etc/UTC")
CONFIG, AVAILABLE = "homeassistant/device/mask-kiosk-door-1/config", "mask-kiosk/door-1/availability"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Broker:
    return Broker(tmp_path_factory.mktemp("broker"))


@pytest.fixture
def broker(keys: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    monkeypatch.setattr("device.telemetry.mqtt.FIRST_RETRY_SECONDS", (1, 1))
    monkeypatch.setattr("device.telemetry.mqtt.MOST_RETRY_SECONDS", 1)
    monkeypatch.setattr("device.telemetry.mqtt.BIRTH_SECONDS", 0.01)
    monkeypatch.setattr("device.telemetry.telemetry.TICK_SECONDS", 0.05)
    with keys:
        yield keys


@pytest.fixture
def secret(tmp_path: Path) -> str:
    """Write a password that others can't read."""
    path = tmp_path / "secret"
    path.touch(mode=0o600)
    path.write_text("a secret")
    return str(path)


@pytest.fixture
def silent(secret: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[socket.socket, MqttSettings]]:
    """Listen as a broker would, whose words the test has to say, and give what a kiosk needs to connect."""
    monkeypatch.setattr(mqtt, "FIRST_RETRY_SECONDS", (1, 1))
    with socket.create_server(("127.0.0.1", 0)) as broker:
        broker.settimeout(ANSWER_SECONDS)
        host, port = broker.getsockname()
        yield broker, MqttSettings(True, host=host, port=port, tls=False, password_path=secret)


@pytest.fixture
def said() -> Iterator[Callable[[], str]]:
    """Take the log's next line about the broker, which may be still to come."""
    lines = queue.SimpleQueue[logging.LogRecord]()
    handler, level = QueueHandler(lines), mqtt.log.level
    mqtt.log.addHandler(handler)
    mqtt.log.setLevel(logging.INFO)
    yield lambda: lines.get(timeout=ANSWER_SECONDS).getMessage()
    mqtt.log.removeHandler(handler)
    mqtt.log.setLevel(level)


@pytest.mark.parametrize(
    ("hostname", "known_as"), [("door-1.example.org", "door-1"), ("Tür#1/a+b", "T-r-1-a-b")]
)
def test_any_hostname_makes_a_name_for_topics(
    hostname: str, known_as: str, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: hostname)
    settings = MqttSettings(True, tls=False, password_path=secret)
    Mqtt(settings, Discovery(id_of(settings), "a model")).event("an event")
    assert id_of(settings) == known_as
    assert is_id(known_as)


def hour_at_the_door() -> Iterator[tuple[State, list[Event], datetime]]:
    """Yield what the loop tells of an hour in which somebody comes each minute, every other without a mask."""
    decision = Decision(DecisionSettings(), Levels(0.6, 0.4))
    for number in range(36000):
        second = number % 600 / 10
        bare = number // 600 % 2
        step = 12 * (second >= 10.5)  # px: no poster
        face = Verdict(Box(40 + step, 20, 80, 80), 5.0, (0.9 - 0.8 * bare, 0.1 + 0.8 * bare), 0.1 + 0.8 * bare, "")
        _, events = decision.update(number / 10, [face] if 10 <= second < 15 else [])
        yield decision.state, events, START + timedelta(seconds=number / 10)


@needs_mosquitto
def test_home_assistant_finds_one_device_with_documented_fields_only(broker: Broker) -> None:
    with Subscriber(broker) as heard:
        with Telemetry(Settings(mqtt=broker.settings()), card_of()) as told:
            heard.until(lambda: heard.of(CONFIG))
            (payload,) = map(json.loads, heard.of(CONFIG))
            assert set(payload) <= ROOT
            assert set(payload["device"]) <= DEVICE
            assert payload["device"]["identifiers"] == ["mask-kiosk-door-1"]
            assert payload["device"]["sw_version"].startswith("door ")
            assert "name" in payload["origin"]
            assert set(payload["origin"]) <= ORIGIN
            assert {"state", "occupancy", "problem", "visits", "with_mask", "without_mask", "model", "temperature",
                    "undervoltage"} <= set(payload["components"])  # fmt: skip
            for name, entity in payload["components"].items():
                assert set(entity) <= {"sensor": SENSOR, "binary_sensor": BINARY_SENSOR}[entity["platform"]], name
                assert entity.get("device_class") in CLASSES
            unique = [entity["unique_id"] for entity in payload["components"].values()]
            assert len(set(unique)) == len(unique)
            told.note(State.ALARM, [], START)
            heard.until(lambda: heard.of(AVAILABLE))
            topics = [topic for topic, *_ in heard.messages]
            assert topics[:3] == [CONFIG, payload["state_topic"], AVAILABLE]  # online once it is known what holds
            told_state = heard.snapshot()
            assert set(told_state) == set(COMPONENTS) == set(payload["components"])
            assert (told_state["state"], told_state["occupancy"], told_state["problem"]) == ("ALARM", "ON", "OFF")
            assert payload["state_topic"] == "mask-kiosk/door-1/state"
            assert payload["availability"] == [{"topic": AVAILABLE}]
            heard.say("homeassistant/status", "offline")
            heard.say("homeassistant/status", "online")
            heard.until(lambda: len(heard.of(CONFIG)) >= 2)
            heard.until(lambda: len(heard.of(AVAILABLE)) >= 2)
        heard.until(lambda: heard.of(AVAILABLE)[-1:] == ["offline"])
    assert heard.of(AVAILABLE)[:2] == ["online", "online"]
    with Subscriber(broker) as later:  # a Home Assistant that starts only now finds it as well
        later.until(lambda: len(later.messages) >= 3)
        retained = {topic for topic, _, retained in later.messages if retained}
        assert retained == {CONFIG, AVAILABLE, payload["state_topic"]}


@needs_mosquitto
def test_a_kiosk_that_is_killed_is_told_offline_by_its_last_will(broker: Broker) -> None:
    code = (
        "import sys, time\nfrom datetime import UTC, datetime\nfrom screens import card_of\n"
        "from device.events import State\nfrom device.settings import Settings\n"
        "from device.telemetry.telemetry import Telemetry\nfrom device.telemetry.settings import MqttSettings\n"
        "port, ca, user, password = sys.argv[1:]\n"
        "mqtt = MqttSettings(True, port=int(port), ca_path=ca, user=user, password_path=password, id='door-1')\n"
        "with Telemetry(Settings(mqtt=mqtt), card_of()) as told:\n"
        "    told.note(State.ALARM, [], datetime.now(UTC))\n    time.sleep(600)\n"
    )
    with Subscriber(broker) as heard:
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(broker.port), broker.ca, KIOSK[0], broker.secret],
            env={"PYTHONPATH": f"{TREE}:{TREE / 'tests'}"}, cwd=TREE,
        )
        heard.until(lambda: heard.of(AVAILABLE)[-1:] == ["online"] and bool(heard.of(CONFIG)))
        process.send_signal(signal.SIGKILL)
        process.wait()
        heard.until(lambda: heard.of(AVAILABLE)[-1:] == ["offline"])
    with Subscriber(broker) as later:  # who asks only now hears it as well
        later.until(lambda: later.of(AVAILABLE))
        assert later.of(AVAILABLE) == ["offline"]
        with Telemetry(Settings(mqtt=broker.settings()), card_of()) as told:
            later.until(lambda: len(later.of(CONFIG)) == 2)
            assert (later.of(AVAILABLE), later.snapshot()["state"]) == (["offline"], "ALARM")  # of before
            told.note(State.IDLE, [], datetime.now(UTC))
            later.until(lambda: later.of(AVAILABLE)[-1] == "online")
            assert later.snapshot()["state"] == "IDLE"


@needs_mosquitto
def test_a_start_without_a_camera_is_a_problem_that_stays_until_a_frame_is_decided(
    broker: Broker, door: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    settings = dataclasses.replace(door, mqtt=broker.settings(), counts=CountsSettings(enabled=True))
    with Subscriber(broker) as heard:

        def reached() -> bool:
            return bool(heard.of(AVAILABLE) and heard.snapshot())

        monkeypatch.setattr(StopRequest, "pause", lambda *_: heard.until(reached))  # while FAULT is shown
        for _ in range(2):  # as systemd starts it
            heard.messages.clear()
            with pytest.raises(CameraError, match=r"^usb:99: "):
                run(dataclasses.replace(settings, camera=CameraSettings("usb:99")), SquareFinder(), "mock")
            assert (heard.snapshot()["state"], heard.snapshot()["problem"]) == ("FAULT", "ON")
        assert rows_of(tmp_path) == []  # a start that decides nothing isn't counted, nor written to the card
        heard.messages.clear()
        with Telemetry(settings, card_of()) as told:
            heard.until(lambda: heard.of(CONFIG))
            with Subscriber(broker) as later:  # what Home Assistant sees meanwhile
                later.until(lambda: later.of(AVAILABLE) and later.snapshot())
                assert (later.of(AVAILABLE), later.snapshot()["problem"]) == (["online"], "ON")
            told.note(State.IDLE, [], datetime.now(UTC))
            heard.until(lambda: heard.snapshot().get("problem") == "OFF")
        heard.until(lambda: heard.of(AVAILABLE)[-1:] == ["offline"])
        assert heard.of(AVAILABLE) == ["online", "offline"]  # it was never offline before
    assert [starts for *_, starts in rows_of(tmp_path)] == [1]


def rows_of(folder: Path) -> list[Row]:
    return list(rows(folder / "counts.db"))


def test_a_broker_that_wants_an_older_protocol_and_goes_is_connected_with_once_it_is_back(
    secret: str, monkeypatch: pytest.MonkeyPatch, said: Callable[[], str]
) -> None:
    monkeypatch.setattr(mqtt, "FIRST_RETRY_SECONDS", (1, 1))
    with socket.create_server(("127.0.0.1", 0)) as broker:
        place = broker.getsockname()
        broker.settimeout(ANSWER_SECONDS)
        settings = MqttSettings(True, host=place[0], port=place[1], tls=False, password_path=secret)
        with Mqtt(settings, Discovery("door-1", "a model")):
            kiosk, _ = broker.accept()
            broker.close()
            with kiosk:
                kiosk.sendall(b"\x20\x02\0\1")  # CONNACK: unacceptable protocol version
                assert said() == f"mqtt: 127.0.0.1:{place[1]} can't be reached; the door goes on, events wait"
            with socket.create_server(place) as back:
                back.settimeout(ANSWER_SECONDS)
                kiosk, _ = back.accept()
                with kiosk:
                    assert b"mask-kiosk-door-1" in kiosk.recv(1000)


def test_a_kiosk_that_is_stopped_before_the_broker_lets_it_in_has_not_said_that_it_is_online(
    silent: tuple[socket.socket, MqttSettings],
) -> None:
    broker, settings = silent
    with Mqtt(settings, Discovery("door-1", "a model")) as told:
        kiosk, _ = broker.accept()
        kiosk.settimeout(ANSWER_SECONDS)
        assert b"mask-kiosk-door-1" in kiosk.recv(1000)  # CONNECT, which isn't answered
        told.show("a state", fault=False)
    with kiosk:
        assert kiosk.recv(1000) == b"\xe0\0"  # DISCONNECT, after which no last will corrects what was said


@pytest.mark.parametrize("events", [0, 1, 30])  # of which paho sends twenty, and the rest after their acknowledgement
def test_a_kiosk_that_is_stopped_says_so_before_events_that_the_broker_does_not_acknowledge(
    events: int, silent: tuple[socket.socket, MqttSettings], caplog: pytest.LogCaptureFixture
) -> None:
    broker, settings = silent
    with Mqtt(settings, Discovery("door-1", "a model")) as told:
        told.show("a state", fault=False)
        kiosk, _ = broker.accept()
        kiosk.settimeout(ANSWER_SECONDS)
        kiosk.sendall(b"\x20\x02\0\0")  # CONNACK: accepted
        heard = b""
        while b"online" not in heard:
            heard += kiosk.recv(10_000)
        for _ in range(events):
            told.event("an event")
    with kiosk, kiosk.makefile("rb") as rest:
        said = f"\0{chr(len(AVAILABLE))}{AVAILABLE}offline".encode()
        assert rest.read().endswith(b"\x31" + bytes([len(said)]) + said + b"\xe0\0")  # retained, then DISCONNECT
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
        f"mqtt: the kiosk ends with {events} events that {settings.host}:{settings.port} hasn't acknowledged"
    ][: bool(events)]


@needs_mosquitto
def test_each_kind_of_trouble_with_the_broker_is_told_once_until_it_is_over(
    broker: Broker, said: Callable[[], str]
) -> None:
    place, rest = f"mqtt: localhost:{broker.port}", "; the door goes on, events wait"
    broker.kill()
    with Mqtt(broker.settings(), Discovery("door-1", "a model")):
        assert said() == f"{place} can't be reached{rest}"
        broker.start(lets_kiosk_in=False)
        assert said() == f"{place} lets nobody in (Not authorized){rest}"
        broker.let_kiosk_in()
        assert said() == f"mqtt: connected with localhost:{broker.port}"
        broker.kill()
        assert said().startswith(f"{place} has ended the connection (")
        assert said() == f"{place} can't be reached{rest}"


@needs_mosquitto
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves a refused socket to Python
def test_of_a_broker_whose_certificate_is_not_trusted_the_reason_is_told(
    broker: Broker, said: Callable[[], str]
) -> None:
    with Mqtt(broker.settings(ca_path=SYSTEM), Discovery("door-1", "a model")) as kiosk:
        line = said()
    kiosk._client.loop_stop()  # its thread still holds the socket
    assert line.startswith(f"mqtt: localhost:{broker.port} can't be reached by TLS (self")
    assert "signed certificate), check port, tls and ca_path in [mqtt]; the door goes on" in line


@pytest.mark.parametrize(("answer", "reason"), [(b"no TLS at all", "WRONG_VERSION_NUMBER"), (b"", "EOF")])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_of_a_broker_that_speaks_no_tls_the_reason_is_told(
    answer: bytes, reason: str, secret: str, monkeypatch: pytest.MonkeyPatch, said: Callable[[], str]
) -> None:
    monkeypatch.setattr(mqtt, "FIRST_RETRY_SECONDS", (1, 1))
    with socket.create_server(("127.0.0.1", 0)) as broker:
        broker.settimeout(ANSWER_SECONDS)
        host, port = broker.getsockname()
        settings = MqttSettings(True, host=host, port=port, password_path=secret)
        with Mqtt(settings, Discovery("door-1", "a model")) as kiosk:
            connection, _ = broker.accept()
            with connection:
                assert connection.recv(10_000)
                connection.sendall(answer)
            line = said()
        kiosk._client.loop_stop()
    assert line.startswith(f"mqtt: {host}:{port} can't be reached by TLS (")
    assert reason in line


def test_a_pipe_is_no_certificate(tmp_path: Path) -> None:
    password, pipe = tmp_path / "password", tmp_path / "pipe"
    password.write_text("secret")
    password.chmod(0o600)
    os.mkfifo(pipe)  # nobody ever writes into it
    line = r"pipe: is no certificate \(\[Errno 22\] a pipe or device, expected a plain file: '.+'\): see docs/telemetry"
    with pytest.raises(SettingsError, match=line):
        client_of(MqttSettings(True, password_path=str(password), ca_path=str(pipe)), "door")


@needs_mosquitto
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves a refused socket to Python
def test_the_doctor_is_let_in_or_told_why_not(broker: Broker, tmp_path: Path) -> None:
    try_broker(broker.settings())
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong")
    wrong.chmod(0o600)
    with pytest.raises(BrokerError, match="Not authorized"):
        try_broker(broker.settings(password_path=str(wrong)))
    with pytest.raises(BrokerError, match="CERTIFICATE_VERIFY_FAILED"):
        try_broker(broker.settings(ca_path=SYSTEM))


@needs_mosquitto
@pytest.mark.parametrize("kept", [1000, 100])
def test_after_an_hour_without_a_broker_nothing_is_lost_up_to_the_bound(
    broker: Broker, kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    settings = Settings(signals=UTC_CLOCK, mqtt=broker.settings(queue=kept), counts=CountsSettings(enabled=True))
    hour = list(hour_at_the_door())
    events = [event for _, happened, _ in hour for event in happened]
    assert len(events) == 180  # enter, verdict and leave of 60 visits
    with Telemetry(settings, card_of()) as told:
        with Subscriber(broker) as heard:
            heard.until(lambda: heard.of(CONFIG))
            first = list(itertools.islice(hour, 300))
            for moment in first:
                told.note(*moment)
            heard.until(lambda: len(heard.events()) == sum(len(happened) for _, happened, _ in first))
            heard.say("homeassistant/status", "online")  # the kiosk hears it after the acknowledgements of its events
            heard.until(lambda: len(heard.of(CONFIG)) >= 2)
        broker.kill()
        for moment in hour[300:]:
            told.note(*moment)
        broker.start(lets_kiosk_in=False)  # until there is somebody who listens
        with Subscriber(broker) as heard:
            broker.let_kiosk_in()
            waited = len(events) - sum(len(happened) for _, happened, _ in first)
            heard.until(lambda: len(heard.events()) == min(waited, kept))
            heard.until(lambda: heard.snapshot().get("visits") == 60)
            told_now = heard.snapshot()
    assert told_now["lost"] == max(0, waited - kept)
    assert {name: told_now[name] for name in ("with_mask", "without_mask", "state")} == {
        "with_mask": 30, "without_mask": 30, "state": "IDLE",
    }
    arrived = heard.events()
    expected = events[-waited:][:kept]
    assert [(event["event"], event["visit"], event["state"]) for event in arrived] == [
        (event.kind, event.visit, event.state) for event in expected
    ]
    counted = [(hour, *found) for _, hour, *found, _ in rows(tmp_path / "counts.db") if found[0]]
    assert counted == [(0, 30, 15, 15, 0, 0), (1, 30, 15, 15, 0, 0)]
    troubles = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(set(troubles)) == len(troubles)  # each once, however often it was tried
    assert troubles[0].startswith(f"mqtt: localhost:{broker.port} has ended the connection (")
    assert KIOSK[1] not in caplog.text


@needs_mosquitto
def test_an_event_that_nobody_took_is_lost_once_however_many_are_told(broker: Broker, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("whsec_" + "A" * 40)
    secret.chmod(0o600)
    webhook = WebhookSettings(True, f"http://127.0.0.1:{free_port()}/", str(secret), queue=2000)
    told = Telemetry(Settings(mqtt=broker.settings(queue=2000), webhook=webhook), card_of())
    for number in range(MOST_WAITING + 3):  # its thread doesn't run yet
        told.note(State.ALARM, [Event(Kind.ENTER, 0.0, number, State.ALARM, None, 0.0)], START)
    with Subscriber(broker) as heard, told:
        heard.until(lambda: len(heard.events()) == MOST_WAITING)
        assert heard.snapshot()["lost"] == 3


@needs_mosquitto
def test_an_event_that_neither_broker_nor_server_took_is_lost_once(broker: Broker, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("whsec_" + "A" * 40)
    secret.chmod(0o600)
    webhook = WebhookSettings(True, f"http://127.0.0.1:{free_port()}/", str(secret), queue=10)
    broker.kill()
    with Telemetry(Settings(mqtt=broker.settings(queue=10), webhook=webhook), card_of()) as told:
        for number in range(40):
            told.note(State.ALARM, [Event(Kind.ENTER, 0.0, number, State.ALARM, None, 0.0)], START)
        while told.queues().get("mqtt", (0, 0))[1] < 30:
            assert told._thread.is_alive()
        broker.start(lets_kiosk_in=False)
        with Subscriber(broker) as heard:
            broker.let_kiosk_in()
            heard.until(lambda: len(heard.events()) == 10 and heard.snapshot())
            assert heard.snapshot()["lost"] == 30
    assert told.queues()["webhook"][1] >= 29  # ten waited, and one may have been under way


def test_a_door_whose_telemetry_can_reach_nobody_does_the_same(
    door: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]  # noqa: F811
) -> None:
    run(door, SquareFinder(), "mock")
    alone = capfd.readouterr().out, histories()
    secret = tmp_path / "secret"
    monkeypatch.setenv("STATE_DIRECTORY", str(secret / "below"))  # a folder that can't be
    secret.write_text("whsec_" + "A" * 40)
    secret.chmod(0o600)
    port = free_port()
    settings = Settings(
        door.model, door.faces, door.camera, door.decision, door.signals, door.screen,
        MqttSettings(True, port=port, password_path=str(secret)),
        WebhookSettings(True, f"http://127.0.0.1:{port}/", str(secret)),
        CountsSettings(enabled=True),
    )
    assert run(settings, SquareFinder(), "mock") == 0
    assert (capfd.readouterr().out, histories()) == alone
    assert alone[0].splitlines() == LINES
