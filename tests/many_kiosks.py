"""Measures one broker with a thousand kiosks: messages a second, memory, loss. `python -m tests.many_kiosks --help`.

The kiosks are the device's own connections, TLS and password included; a listener counts what arrives.
"""

import argparse
import json
import os
import resource
import selectors
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client

sys.path.insert(0, str(Path(__file__).parent))

from footprint import used
from mosquitto import MOSQUITTO, Broker, Subscriber

from device.telemetry.discovery import Discovery
from device.telemetry.mqtt import Mqtt

PATIENCE_SECONDS = 600.0
ALIVE_SECONDS = 10.0  # between two looks whether the broker has to be told that a kiosk lives


class Counter(Subscriber):
    """Counts who is online, and the events, instead of keeping them."""

    def __init__(self, broker: Broker) -> None:
        self.names: set[str] = set()
        self.online: set[str] = set()
        super().__init__(broker)

    def _note(self, _client: Client, _data: object, message: Any) -> None:
        if message.topic.endswith("/event"):
            self.names.add(json.loads(message.payload)["id"])
        elif message.topic.endswith("/availability"):
            self.online.add(message.topic)


class Kiosks:
    """Kiosks that share a thread: with one each, as on their own computers, Python would do nothing but change them."""

    def __init__(self, broker: Broker) -> None:
        self.parts: list[Mqtt] = []
        self._broker, self._selector = broker, selectors.DefaultSelector()
        self._looked = time.monotonic()

    def add(self) -> None:
        """Connect one more."""
        part = Mqtt(self._broker.settings(), Discovery(f"door-{len(self.parts)}", "door"))
        part._client.connect(self._broker.settings().host, self._broker.port)
        connection = part._client.socket()
        assert connection
        part.show("a state", fault=False)
        self._selector.register(connection.fileno(), selectors.EVENT_READ, part._client)
        self.parts.append(part)

    def serve(self) -> None:
        """Take what has arrived, answer it, and keep the connections alive."""
        for key, _ in self._selector.select(0.01):
            key.data.loop_read()
            while key.data.want_write():
                key.data.loop_write()
        if time.monotonic() - self._looked > ALIVE_SECONDS:
            self._looked = time.monotonic()
            for part in self.parts:
                part._client.loop_misc()

    def until(self, done: Callable[[], bool], what: str) -> None:
        """Serve until something is so."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not done():
            if time.monotonic() > deadline:
                sys.exit(f"error: {what}: not after {PATIENCE_SECONDS:.0f} s")
            self.serve()


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser("python -m tests.many_kiosks", description=__doc__)
    parser.add_argument("--kiosks", type=int, default=1000)
    parser.add_argument("--events", type=int, default=30, help="of each, as fast as they go")
    options = parser.parse_args()
    if MOSQUITTO is None:
        print("error: mosquitto is missing: apt-get install mosquitto", file=sys.stderr)
        return 2
    count, total = options.kiosks, options.kiosks * options.events
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a connection is a file on either side
    with tempfile.TemporaryDirectory() as folder, Broker(Path(folder)) as broker, Counter(broker) as listener:
        assert broker.process
        empty, _ = used(broker.process.pid)
        kiosks, start = Kiosks(broker), time.monotonic()
        for _ in range(count):
            kiosks.add()
            kiosks.serve()
        kiosks.until(lambda: len(listener.online) == count, "all are online")
        connecting = time.monotonic() - start
        full, before = used(broker.process.pid)
        start = time.monotonic()
        for number in range(options.events):
            for place, part in enumerate(kiosks.parts):
                part.event(json.dumps({"id": f"{place}-{number}", "kiosk": f"door-{place}", "event": "verdict",
                                       "model": "door 0123456789ab", "time": "2026-11-27T12:00:00.000000+00:00",
                                       "visit": number, "state": "ALARM", "score": 0.912}))  # fmt: skip
            kiosks.serve()
        kiosks.until(lambda: len(listener.names) == total, "all events have arrived")
        seconds = time.monotonic() - start
        kiosks.until(lambda: not any(part.waiting for part in kiosks.parts), "all events are acknowledged")
        peak, after = used(broker.process.pid)
        lost = sum(part.lost for part in kiosks.parts)
    each = 1024 * (full - empty) / count
    print(f"kiosks, connected with TLS      {count} after {connecting:.0f} s")
    print(f"broker's memory                 {empty:.1f} MB, {full:.1f} MB with them: {each:.1f} KB each")
    print(f"broker's CPU a connection       {1e3 * before / count:.1f} ms, from the handshake to the discovery")
    print(f"events                          {total} told, {len(listener.names)} arrived, {lost} lost at the bound")
    print(f"events a second                 {total / seconds:.0f}, with all kiosks on the same {os.cpu_count()} cores")
    print(f"broker's CPU                    {1e6 * (after - before) / total:.0f} µs an event; {peak:.1f} MB at the end")
    return 0 if lost == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
