"""The ways of breaking the kiosk."""

import fcntl
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .disk import COUNT_CUTS, SAVE_CUTS, card, cut_counts, cut_save, hanging, unwritable
from .network import SILENT_VIEWERS, SLOW_CLIENTS, broker, broker_gone, flood
from .row import BACK_SECONDS, OFF_SECONDS, Fault, Missing, Row
from .service import TREE, seconds
from .stage import BUZZER, Stage, wait_for

WATCHDOG_SECONDS = seconds("WatchdogSec")
STOP_SECONDS = seconds("TimeoutStopSec")
A_YEAR = 365 * 24 * 3600


def camera(scene: str, then: signal.Signals | None = None) -> Fault:
    """Have the camera fail in a way, and perhaps the program be ended."""

    @contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        stage.show(scene)
        if then is not None:
            stage.kill(then)
        yield
        stage.show("masked")

    return fault


def sent(number: signal.Signals) -> Fault:
    """Send the program a signal."""

    @contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        stage.kill(number)
        yield

    return fault


def file(name: str, change: Callable[[bytes], bytes], then: signal.Signals = signal.SIGTERM) -> Fault:
    """Have a file changed, and the program started again by a signal."""

    @contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        path = stage.config if name == stage.config.name else stage.models / name
        content = path.read_bytes()
        path.write_bytes(change(content))
        stage.kill(then)
        yield
        path.write_bytes(content)

    return fault


def flipped(content: bytes) -> bytes:
    """Turn one bit in the middle round."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def other(name: str) -> Callable[[bytes], bytes]:
    """Put another model's file in the place."""
    return lambda _: (TREE / "models" / name).read_bytes()


@contextmanager
def frozen_process(stage: Stage) -> Iterator[None]:
    """Stop the program for 30 s, unless it is ended meanwhile."""
    end, pid = time.monotonic() + 30, stage.service.pid
    stage.kill(signal.SIGSTOP)
    yield
    wait_for(lambda: True if time.monotonic() > end or not Path(f"/proc/{pid}").exists() else None, "30 s")


@contextmanager
def busy_pin(stage: Stage) -> Iterator[None]:
    """Have another program take the buzzer's pin as soon as it is free."""
    with (stage.folder / "claims" / str(BUZZER)).open("w") as claim:
        stage.kill(signal.SIGTERM)
        fcntl.flock(claim, fcntl.LOCK_EX)
        yield


@contextmanager
def no_more_memory(stage: Stage) -> Iterator[None]:
    """Give the program no more memory than it has."""
    said = Path(f"/proc/{stage.service.pid}/status").read_text()
    used = next(int(line.split()[1]) * 1024 for line in said.splitlines() if line.startswith("VmData"))
    resource.prlimit(stage.service.pid, resource.RLIMIT_DATA, (used, used))
    yield


def clock(jump: int) -> Fault:
    """Set the computer's clock, which libfaketime lets the program alone see."""

    @contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        (stage.folder / "clock").write_text(f"{jump:+}")
        yield

    return fault


@contextmanager
def own_clock(stage: Stage) -> Iterator[None]:
    """Let the program see the clock that a file says."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        raise Missing("needs libfaketime: Debian's package faketime")
    (stage.folder / "clock").write_text("+0")
    stage.service.environment |= {
        "LD_PRELOAD": str(found[0]), "FAKETIME_TIMESTAMP_FILE": str(stage.folder / "clock"), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1",
    }  # fmt: skip
    yield


ROWS = (
    Row("the camera is absent when the kiosk starts", camera("absent", signal.SIGTERM), says="pi: no camera found"),
    Row("the camera gives no more frames", camera("stalled"), "bare", says="camera stalled: no frame for 1.5 s"),
    Row("the same, and libcamera never comes back from stopping", camera("hanging"), says="camera stalled"),
    Row("the camera repeats its last picture", camera("frozen"), says="picture frozen"),
    Row("the camera's picture is black", camera("black"), says="camera covered", safe_seconds=3.5),
    Row("the camera is unplugged, and plugged in again", camera("unplugged"), says="camera stalled"),
    Row("the camera gives pictures of half the size", camera("small"), says="gives pictures of"),
    Row("the classifier is cut short", file("door.tflite", lambda old: old[: len(old) // 2]), says="has SHA-256"),
    Row("one bit of the classifier is flipped", file("door.tflite", flipped), says="has SHA-256"),
    Row("the classifier is another one", file("door.tflite", other("simple.tflite")), says="has SHA-256"),
    Row("the classifier's card is another one's", file("door.json", other("simple.json")), says="has SHA-256"),
    Row("the card was edited: a threshold above 1",
        file("door.json", lambda old: old.replace(b'"threshold": ', b'"threshold": 1')), says="expected 0 < release"),
    Row("one bit of the face network is flipped", file("faces.tflite", flipped), says="has SHA-256"),
    Row("the card's disk is full while the setup page saves", unwritable("full"), goes_on=True, prepare=card),
    Row("the disk is read-only while the setup page saves", unwritable("ro"), goes_on=True, prepare=card),
    Row("the disk is slow: a save of the setup page hangs", hanging, goes_on=True, prepare=card),
    *(Row(f"power cut while the setup page saves, at its {call}", cut_save(call), lamp=("dark",),
          safe_seconds=OFF_SECONDS, prepare=card) for call in SAVE_CUTS),
    *(Row(f"power cut while counts are written, at their {call}", cut_counts(call), lamp=("dark",),
          safe_seconds=OFF_SECONDS, prepare=card) for call in COUNT_CUTS),
    Row("there is no more memory than the kiosk has", no_more_memory, goes_on=True),
    Row("the clock jumps back by a year", clock(-A_YEAR), goes_on=True, prepare=own_clock),
    Row("the clock jumps forward by a year", clock(A_YEAR), "bare", goes_on=True, prepare=own_clock),
    Row(f"the page is flooded: {SLOW_CLIENTS} slow clients, {SILENT_VIEWERS} that never read", flood, goes_on=True),
    Row("the MQTT broker is gone, and comes back", broker_gone, says="the door goes on, events wait", goes_on=True,
        prepare=broker),
    Row("SIGTERM", sent(signal.SIGTERM), lamp=("dark",)),
    Row("SIGKILL, as by the OOM killer", sent(signal.SIGKILL), lamp=("dark",), safe_seconds=OFF_SECONDS),
    Row("SIGKILL while the buzzer sounds", sent(signal.SIGKILL), "bare", lamp=("dark",), safe_seconds=OFF_SECONDS),
    Row("SIGSTOP for 30 s", frozen_process, lamp=("dark",), safe_seconds=WATCHDOG_SECONDS + STOP_SECONDS,
        back_seconds=30 + BACK_SECONDS),
    Row("the buzzer's pin is taken by another program", busy_pin, says="GPIO 22 can't be used .*busy", lamp=("dark",)),
    Row("kiosk.toml is broken while the kiosk runs, and it is killed",
        file("kiosk.toml", lambda old: old[:40] + b"[[", signal.SIGKILL), says="is no valid TOML",
        lamp=("dark",), safe_seconds=OFF_SECONDS),
    Row("kiosk.toml gets a key that isn't known, and the kiosk is killed",
        file("kiosk.toml", lambda old: old + b"\n[camara]\n", signal.SIGKILL), says="did you mean 'camera'",
        lamp=("dark",), safe_seconds=OFF_SECONDS),
)  # fmt: skip
