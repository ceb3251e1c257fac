"""The ways of breaking the kiosk."""

import fcntl
import resource
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from .row import BACK_SECONDS, OFF_SECONDS, Missing, Row
from .service import seconds
from .stage import BUZZER, TOKEN, TREE, Stage, wait_for

Fault = Callable[[Stage], AbstractContextManager[object]]
WATCHDOG_SECONDS = seconds("WatchdogSec")
STOP_SECONDS = seconds("TimeoutStopSec")
SLOW_CLIENTS, SILENT_VIEWERS = 500, 250
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
def flood(stage: Stage) -> Iterator[None]:
    """Open connections that ask a byte at a time, and viewers that never read."""
    upgrade = (
        f"GET /mirror HTTP/1.1\r\nHost: 127.0.0.1:{stage.port}\r\nOrigin: http://127.0.0.1:{stage.port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
    ended = threading.Event()

    def drip(clients: list[socket.socket]) -> None:
        while not ended.wait(0.2):
            for client in clients:
                try:
                    client.send(b"G")
                except OSError:
                    continue

    with ExitStack() as clients:
        slow = []
        for number in range(SLOW_CLIENTS + SILENT_VIEWERS):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", stage.port), 60))
            if number % 3 == 2:
                client.sendall(upgrade)
            else:
                slow.append(client)
        thread = threading.Thread(target=drip, args=[slow])
        thread.start()
        yield
        ended.set()
        thread.join()
    wait_for(lambda: status_of(stage, b"GET / HTTP/1.1") == 200 or None, "the page")


def unwritable(how: str) -> Fault:
    """Have the setup page save on a full or read-only card: it says so, and nothing is changed."""

    @contextmanager
    def fault(stage: Stage) -> Iterator[None]:
        filler = stage.config.with_name("filler")
        if how == "full":
            with suppress(OSError), filler.open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
        else:
            subprocess.run(["mount", "-o", "remount,ro", stage.config.parent], check=True)
        body = b'{"model": {"threshold": 0.5, "release": 0.4}}'
        found = status_of(stage, b"POST /setup/save HTTP/1.1", body)
        if found != 400:
            raise AssertionError(f"saving was answered with {found}")
        yield
        subprocess.run(["mount", "-o", "remount,rw", stage.config.parent], check=True)
        filler.unlink(missing_ok=True)

    return fault


@contextmanager
def small_card(stage: Stage) -> Iterator[None]:
    """Put the settings on a file system of their own, of 64 KiB."""
    folder, content = stage.config.parent, stage.config.read_text()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=False).returncode:
        raise Missing("needs root, and leave to mount")
    try:
        stage.config.write_text(content)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


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


def status_of(stage: Stage, line: bytes, body: bytes = b"") -> int:
    """Ask the page; return the status, or 0 where there is no answer."""
    host = f"127.0.0.1:{stage.port}"
    head = f"Host: {host}\r\nOrigin: http://{host}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}"
    with socket.create_connection(("127.0.0.1", stage.port), 60) as client:
        try:
            client.sendall(line + b"\r\n" + head.encode() + b"\r\n\r\n" + body)
            words = client.recv(4096).split()
        except ConnectionError:
            return 0
    return int(words[1]) if words else 0


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
    Row("the card's disk is full while the setup page saves", unwritable("full"), goes_on=True, prepare=small_card),
    Row("the disk is read-only while the setup page saves", unwritable("ro"), goes_on=True, prepare=small_card),
    Row("there is no more memory than the kiosk has", no_more_memory, goes_on=True),
    Row("the clock jumps back by a year", clock(-A_YEAR), goes_on=True, prepare=own_clock),
    Row("the clock jumps forward by a year", clock(A_YEAR), "bare", goes_on=True, prepare=own_clock),
    Row(f"the page is flooded: {SLOW_CLIENTS} slow clients, {SILENT_VIEWERS} that never read", flood, goes_on=True),
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
