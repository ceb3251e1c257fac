"""Counts and times decisions for Prometheus, and answers it in its own format."""

import os
import threading
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from device.doctor.host import CantTellError, Host
from device.events import State

LATENCIES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0)  # seconds: upper ends of the histogram's buckets
Queues = Callable[[], dict[str, tuple[int, int]]]  # for each that is told: how many events wait, how many were lost


class Metrics:
    """What is told to Prometheus."""

    def __init__(self, camera_age: Callable[[], float], queues: Queues) -> None:
        """Take what to call for the seconds since the last decided frame, and for the queues."""
        self._registry = registry = CollectorRegistry()
        self._decisions = Counter("mask_kiosk_decisions", "Frames that were decided.", registry=registry)
        self._latency = Histogram(
            "mask_kiosk_latency_seconds", "From a live camera's frame to its decision.", buckets=LATENCIES,
            registry=registry,
        )  # fmt: skip
        states = [str(state) for state in State] + ["STARTING", "ENDED"]
        self._state = Enum("mask_kiosk_state", "What the door shows.", states=states, registry=registry)
        age = Gauge("mask_kiosk_camera_age_seconds", "Since the last decided frame; NaN before the first.",
                    registry=registry)  # fmt: skip
        age.set_function(camera_age)
        restarts = Gauge("mask_kiosk_restarts", "Times that systemd has started it again since the last start by hand.",
                         registry=registry)  # fmt: skip
        restarts.set(float("nan"))  # unknown
        if "NOTIFY_SOCKET" in os.environ:  # asked once and aside, because systemd may take its time
            threading.Thread(target=lambda: restarts.set(_restarts()), name="restarts", daemon=True).start()
        registry.register(_Queues(queues))
        ProcessCollector(registry=registry)

    def decided(self, latency: float | None) -> None:
        """Count a decided frame; latency in seconds, None where the camera has a clock of its own."""
        self._decisions.inc()
        if latency is not None:
            self._latency.observe(latency)

    def text(self, look: str) -> bytes:
        """Return everything, as text; look is what the screen shows."""
        self._state.state(look)
        return generate_latest(self._registry)


class _Queues(Collector):
    """The queues of events, as they are when they are asked for."""

    def __init__(self, queues: Queues) -> None:
        self._queues = queues

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        waiting = GaugeMetricFamily("mask_kiosk_queue_length", "Events that wait to be accepted.", labels=["to"])
        lost = CounterMetricFamily("mask_kiosk_lost_events", "Events that found the queue full.", labels=["to"])
        for name, (length, losses) in self._queues().items():
            waiting.add_metric([name], length)
            lost.add_metric([name], losses)
        yield from (waiting, lost)


def _restarts() -> float:
    """Ask systemd; NaN where it doesn't answer."""
    try:
        return float(Host().unit().get("NRestarts", "nan"))
    except CantTellError:
        return float("nan")
