import dataclasses
import itertools
import logging
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from gpiozero import Device
from kiosk_toml import config_for
from places import TREE
from real_data import real_data
from screens import ANSWER_SECONDS
from test_classifier import with_card

from device.cameras.frame import Frame
from device.classifier import MODELS
from device.errors import Blind, CameraError, CameraFault, KioskError, ModelError
from device.faces import Box, Face, Luma
from device.haar import HaarFaceFinder
from device.kiosk import run
from device.notify import Notifier
from device.pictures import read_color
from device.settings import CameraSettings, ModelSettings, ScreenSettings, Settings, SignalSettings, read_settings
from device.stop import StopRequest

EMPTY, MASKED, BARE = 0, 51, 229  # grey levels: the toy model's score of 51 is 0.2, of 229 it is 0.9
VISIT = [EMPTY] * 10 + [BARE] * 20 + [MASKED] * 20 + [EMPTY] * 30  # 8 s at 10 frames a second
LINES = [
    "1.20 s  CHECKING  not sure yet",
    "1.20 s  visit 1: enter",
    "1.50 s  ALARM  without a mask 0.90",
    "1.50 s  visit 1: verdict without a mask 0.90",
    "3.80 s  CLEAR  with a mask 0.67",
    "3.80 s  visit 1: change with a mask 0.67",
    "5.70 s  IDLE  nobody there",
    "7.50 s  visit 1: leave",
]
ALERTS = LINES[::2]
OFF_ON = [False, True, False]
RELAY, CAMERA = 16, 25
PINS = {"red": 17, "green": 27, "buzzer": 22, "relay": RELAY, "camera": CAMERA}
# FAULT is red and green; the buzzer has sounded once when the finder acts.
FAULT = {"red": [False, True, False], "green": OFF_ON, "buzzer": OFF_ON, "relay": [False], "camera": OFF_ON}
STOPPED = FAULT | {"green": [False]}
NO_SCREEN = ScreenSettings(enabled=False)
WIRED = SignalSettings(relay_pin=RELAY, camera_pin=CAMERA, fault_seconds=0.01)


class SquareFinder:
    """Finds a square that isn't black in the middle of the picture; the seventh time, it acts while it rings."""

    name, sha256 = "haar", HaarFaceFinder().sha256  # as the toy's card says

    def __init__(self, act: str = "") -> None:
        self.found, self.act = 0, act

    def find(self, luma: Luma) -> list[Face]:
        if luma[60, 80] == 0:
            return []
        self.found += 1
        if self.found == 7 and self.act == "fail":
            raise ZeroDivisionError("no such face")
        if self.found == 7 and self.act.startswith("SIG"):
            os.kill(os.getpid(), signal.Signals[self.act])
        if self.found == 7 and self.act == "no box":
            return [Face(None, 5.0)]  # type: ignore[arg-type]
        stirs = 14 * (self.found >= 3)  # px: enough to be judged at once
        return [Face(Box(40 + stirs, 20 + stirs, 80 - 2 * stirs, 80 - 2 * stirs), 5.0)]


@pytest.fixture
def door(tmp_path: Path, toy: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A door at which VISIT is seen."""
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setattr("device.signals.signals.LATE_SECONDS", 60.0)  # a busy computer shall not add to the histories
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    folder = tmp_path / "visit"
    folder.mkdir()
    for place, grey in enumerate(VISIT):
        picture = np.zeros((120, 160), np.uint8)
        picture[20:100, 40:120] = grey
        cv2.imwrite(str(folder / f"{place:03}.png"), picture)
    return Settings(
        model=ModelSettings(str(toy)), camera=CameraSettings(str(folder)), signals=WIRED, screen=NO_SCREEN
    )


def histories() -> dict[str, list[bool]]:
    return {name: [change.state for change in Device.pin_factory.pin(pin).states] for name, pin in PINS.items()}


class Listener:
    """A NOTIFY_SOCKET that collects messages up to STOPPING=1."""

    def __init__(self, address: str) -> None:
        self.messages: list[bytes] = []
        self._changed = threading.Condition()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(30)
        self._thread = threading.Thread(target=self._listen)  # the kernel queues no more than ten messages
        self._thread.start()

    def _listen(self) -> None:
        while self.messages[-1:] != [b"STOPPING=1"]:
            message = self._socket.recv(4096)
            with self._changed:
                self.messages.append(message)
                self._changed.notify_all()
        self._socket.close()

    def heard_of(self, message: bytes) -> bool:
        """Wait for a message; return False if it doesn't come."""
        with self._changed:
            return self._changed.wait_for(lambda: message in self.messages, timeout=60)

    def heard(self) -> list[bytes]:
        self._thread.join()
        return self.messages


@pytest.fixture
def listener(tmp_path: Path, door: Settings, monkeypatch: pytest.MonkeyPatch) -> Listener:
    address = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    return Listener(address)


def test_a_visit_is_shown_on_lamps_buzzer_and_terminal(
    door: Settings, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    assert run(door, SquareFinder(), "mock") == 0
    assert capfd.readouterr().out.splitlines() == LINES
    assert histories() == {
        "red": OFF_ON, "green": OFF_ON, "buzzer": [False, *[True, False] * 3], "relay": OFF_ON, "camera": OFF_ON,
    }  # fmt: skip
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
    assert caplog.messages == [f"{door.camera.source}: the recording has ended"]


@pytest.fixture
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    with monkeypatch.context() as context:
        context.setenv("TZ", "UTC0")
        time.tzset()
        yield context
    time.tzset()


@pytest.mark.parametrize(("zone", "beeps"), [("UTC0", 3), ("FAR-12", 0)])
def test_quiet_hours_go_by_the_zone_that_the_computer_has_meanwhile(
    door: Settings, in_utc: pytest.MonkeyPatch, zone: str, beeps: int
) -> None:
    begin, end = (f"{datetime.now(UTC) + timedelta(hours=hours):%H:%M}" for hours in (11, 13))
    signals = dataclasses.replace(door.signals, quiet_from=begin, quiet_until=end, time_zone="local")
    in_utc.setenv("TZ", zone)
    assert run(dataclasses.replace(door, signals=signals), SquareFinder(), "mock") == 0
    assert histories()["buzzer"] == [False, *[True, False] * beeps]


def test_a_video_is_judged_as_the_pictures_are(
    door: Settings, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "visit.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (160, 120))
    for picture in sorted(Path(door.camera.source).iterdir()):
        video.write(read_color(picture))
    video.release()
    assert run(dataclasses.replace(door, camera=CameraSettings(str(path))), SquareFinder(), "mock") == 0
    shown = [line.partition(" s  ") for line in capfd.readouterr().out.splitlines()]
    assert [text.split()[:3] for _, _, text in shown] == [line.partition(" s  ")[2].split()[:3] for line in LINES]
    expected = [float(line.split()[0]) for line in LINES]
    assert [float(seconds) for seconds, _, _ in shown] == pytest.approx(expected, abs=0.11)


def test_a_recording_takes_as_long_as_it_lasts_and_tells_the_same(
    door: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    for picture in sorted(Path(door.camera.source).iterdir())[16:]:
        picture.unlink()
    begun = time.monotonic()
    assert run(door, SquareFinder(), "mock", at_speed=True) == 0
    assert time.monotonic() - begun >= 1.5
    assert capfd.readouterr().out.splitlines()[0].endswith("CHECKING  not sure yet")


def test_systemd_hears_of_decided_frames_and_of_every_change(door: Settings, listener: Listener) -> None:
    run(door, SquareFinder(), "mock")
    alive, status = b"WATCHDOG=1", [f"STATUS={' '.join(line.split())}".encode() for line in ALERTS]
    heard = listener.heard()
    assert heard[:2] == [b"READY=1", alive]
    assert [message for message in heard if message != alive] == [b"READY=1", *status, b"STOPPING=1"]


class SlowFinder(SquareFinder):
    """Takes longer for a picture than a folder's pictures lie apart."""

    def find(self, luma: Luma) -> list[Face]:
        begun = time.monotonic()
        while time.monotonic() - begun < 0.2:
            pass
        return super().find(luma)


def test_systemd_hears_of_pictures_that_take_long_by_its_own_clock(
    door: Settings, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.notify.ALIVE_SECONDS", 0.2)
    pictures = sorted(Path(door.camera.source).iterdir())
    for picture in (*pictures[:10], *pictures[15:]):  # five stay, each of which is searched for somebody
        picture.unlink()
    assert run(door, SlowFinder(), "mock") == 0
    assert listener.heard().count(b"WATCHDOG=1") == 5


def test_an_abstract_socket_is_spoken_to_as_well() -> None:
    listener = Listener(f"\0mask-kiosk-{os.getpid()}")
    with Notifier(f"@mask-kiosk-{os.getpid()}", iter((7.0, 7.5, 8.0)).__next__) as notifier:
        for _ in range(3):
            notifier.decided()
    assert listener.heard() == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_a_systemd_that_reads_nothing_or_is_gone_holds_nothing_up(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        systemd.setblocking(False)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as others, suppress(BlockingIOError):
            others.setblocking(False)
            others.connect(address)
            while True:  # until the queue is full
                others.send(b"of others")
        notifier = Notifier(address, iter((0.0, 0.1, 2.0)).__next__)
        door = threading.Thread(target=notifier.decided, daemon=True)
        door.start()
        door.join(ANSWER_SECONDS)
        assert not door.is_alive()
        with suppress(BlockingIOError):
            while systemd.recv(100) == b"of others":
                pass
        notifier.decided()
        assert [systemd.recv(100) for _ in range(2)] == [b"READY=1", b"WATCHDOG=1"]
    with notifier:
        notifier.decided()
        notifier.status("ALARM")
    with Notifier(str(tmp_path / "absent")) as notifier:  # it was gone before
        notifier.decided()


def test_a_practice_model_says_so_on_every_line(
    door: Settings, toy: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run(dataclasses.replace(door, model=ModelSettings(with_card(toy, tmp_path, practice=True))), SquareFinder(), "mock")
    assert capfd.readouterr().out.splitlines() == [f"PRACTICE  {line}" for line in LINES]
    assert (histories()["green"], histories()["relay"]) == (OFF_ON, [False])  # and it opens no door


def test_a_fault_is_shown_told_to_systemd_and_ends_with_everything_off(door: Settings, listener: Listener) -> None:
    with pytest.raises(ZeroDivisionError):
        run(door, SquareFinder(act="fail"), "mock")
    assert histories() == FAULT
    assert listener.heard()[-2:] == [b"STATUS=FAULT no such face", b"STOPPING=1"]


def test_a_fault_is_the_last_state_that_a_terminal_shows(door: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.delenv("NO_COLOR", raising=False)
    reader, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        with pytest.raises(ZeroDivisionError):
            run(door, SquareFinder(act="fail"), "mock")
    shown = b""
    with os.fdopen(reader, "rb", buffering=0) as screen, suppress(OSError):  # which ends what a terminal has said
        while part := screen.read(4096):
            shown += part
    assert shown.index(b"A L A R M   without a mask") < shown.index(b"F A U L T   out of order")


def test_an_exception_in_the_measuring_of_moves_or_the_decision_is_shown_and_ends_with_everything_off(
    door: Settings,
) -> None:
    with pytest.raises(AttributeError) as error:
        run(door, SquareFinder(act="no box"), "mock")
    assert "wonders" in [entry.name for entry in error.traceback]
    assert histories() == FAULT
    times = dataclasses.replace(door.decision, window_seconds="1 s")  # type: ignore[arg-type]
    with pytest.raises(TypeError) as failure:
        run(dataclasses.replace(door, decision=times), SquareFinder(), "mock")
    assert "update" in [entry.name for entry in failure.traceback]
    assert histories() == FAULT | {"buzzer": [False]}  # before it could ring


def test_a_pi_camera_that_stalls_ends_the_run_with_everything_off_before_the_camera_is_closed(
    door: Settings, picamera2: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    planes = np.full((720, 640), BARE, np.uint8)
    picamera2.FRAMES.extend([planes] * 8)
    clock = itertools.count(5000, 0.125)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    at_stop: list[dict[str, list[bool]]] = []
    monkeypatch.setattr(picamera2, "ON_STOP", lambda: at_stop.append(histories()))
    with pytest.raises(CameraError, match=r"^pi: camera stalled: no frame for 1\.5 s"):
        run(dataclasses.replace(door, camera=CameraSettings("pi")), SquareFinder(), "mock")
    assert capfd.readouterr().out.splitlines() == [
        "0.25 s  CHECKING  not sure yet", "0.25 s  visit 1: enter",
        "0.50 s  ALARM  without a mask 0.90", "0.50 s  visit 1: verdict without a mask 0.90",
    ]
    assert at_stop == [FAULT | {"camera": [False, True]}]  # which is lit until the camera has stopped
    assert histories() == FAULT
    assert picamera2.CALLS[-3:] == ["cancel", "stop", "close"]


def test_the_camera_led_is_lit_before_the_camera_starts_and_out_when_it_does_not(
    door: Settings, picamera2: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    lit: list[list[bool]] = []
    monkeypatch.setattr(picamera2, "ON_OPEN", lambda: lit.append(histories()["camera"]))
    monkeypatch.setattr(StopRequest, "pause", lambda *_: lit.append(histories()["camera"]))  # while FAULT is shown
    monkeypatch.setattr(picamera2, "START_ERROR", RuntimeError("Failed to acquire camera"))
    with pytest.raises(CameraError, match=r"^pi: the camera doesn't start"):
        run(dataclasses.replace(door, camera=CameraSettings("pi")), SquareFinder(), "mock")
    assert lit[0] == [False, True]
    assert len(lit) > 1
    assert all(history == OFF_ON for history in lit[1:])
    assert histories()["camera"] == OFF_ON


def test_a_start_without_a_camera_is_told_to_systemd_and_shown_as_any_fault(
    door: Settings, picamera2: ModuleType, monkeypatch: pytest.MonkeyPatch, listener: Listener
) -> None:
    def no_camera() -> None:  # as picamera2 fails
        raise IndexError("list index out of range")

    monkeypatch.setattr(picamera2, "Picamera2", no_camera)
    with pytest.raises(CameraError, match=r"^pi: no camera found"):
        run(dataclasses.replace(door, camera=CameraSettings("pi")), SquareFinder(), "mock")
    assert histories() == FAULT | {"buzzer": [False]}
    assert listener.heard() == [
        b"STATUS=FAULT pi: no camera found (list index out of range): check the ribbon cable and restart the Pi",
        b"STOPPING=1",
    ]


def test_a_pi_camera_that_repeats_its_picture_ends_the_run_with_everything_off_within_2_s(
    door: Settings, picamera2: ModuleType, monkeypatch: pytest.MonkeyPatch, listener: Listener,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    rng = np.random.default_rng(0)
    picamera2.FRAMES.extend(rng.integers(BARE - 1, BARE + 2, (720, 640), np.uint8) for _ in range(8))
    picamera2.FRAMES.extend([picamera2.FRAMES[-1]] * 40)
    clock = itertools.count(5000, 0.125)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with pytest.raises(CameraFault) as fault:
        run(dataclasses.replace(door, camera=CameraSettings("pi")), SquareFinder(), "mock")
    assert fault.value.word is Blind.FROZEN
    assert 48 - len(picamera2.FRAMES) - 8 <= 2.0 / 0.125  # frames that were the same
    assert capfd.readouterr().out.splitlines() == [
        "0.25 s  CHECKING  not sure yet", "0.25 s  visit 1: enter",
        "0.50 s  ALARM  without a mask 0.90", "0.50 s  visit 1: verdict without a mask 0.90",
    ]
    buzzer = histories()["buzzer"]
    assert histories() == FAULT | {"buzzer": buzzer}
    assert buzzer in ([False, *[True, False] * count] for count in (1, 2, 3))
    assert listener.heard()[-2:] == [
        b"STATUS=FAULT pi: picture frozen: the same picture for 1.5 s: if it recurs, take its power off", b"STOPPING=1",
    ]


def test_a_lens_that_is_covered_at_the_start_is_a_fault_before_anything_is_decided(
    door: Settings, picamera2: ModuleType, monkeypatch: pytest.MonkeyPatch, listener: Listener,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    picamera2.FRAMES.extend(np.random.default_rng(0).integers(0, 6, (20, 720, 640), np.uint8))  # a sensor's noise
    clock = itertools.count(5000, 0.25)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with pytest.raises(CameraFault) as fault:
        run(dataclasses.replace(door, camera=CameraSettings("pi")), SquareFinder(), "mock")
    assert fault.value.word is Blind.COVERED
    assert capfd.readouterr().out == ""
    assert histories() == FAULT | {"buzzer": [False]}
    (status, stopping) = listener.heard()  # it was never ready
    assert status.startswith(b"STATUS=FAULT pi: camera covered: nothing but black for 3.0 s")
    assert stopping == b"STOPPING=1"


def test_what_cannot_be_used_is_refused_with_the_outputs_driven_off(door: Settings, toy: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    signals = dataclasses.replace(WIRED, lamps_active_high=False, buzzer_active_high=False)
    door = dataclasses.replace(door, signals=signals)
    refusals: list[tuple[Settings, type[KioskError], str]] = [
        (dataclasses.replace(door, camera=CameraSettings(str(text))), CameraError, "is damaged or no video"),
        (dataclasses.replace(door, model=ModelSettings("absent")), ModelError, "no model 'absent' in "),
        (
            dataclasses.replace(door, model=ModelSettings(with_card(toy, tmp_path, face_finder="yunet"))), ModelError,
            f"model toy was trained on faces found by 'yunet' ({HaarFaceFinder().sha256[:12]}…), here 'haar' (",
        ),
    ]
    for settings, kind, part in refusals:
        with pytest.raises(kind) as error:
            run(settings, SquareFinder(), "mock")
        assert part in str(error.value)
        assert "\n" not in str(error.value)
        high, high_low_high = [False, True], [False, True, False, True]  # high is dark; FAULT is shown
        assert histories() == {
            "red": high_low_high, "green": high_low_high, "buzzer": high, "relay": [False], "camera": high,
        }  # fmt: skip


def kiosk_process(model: str, folder: str, act: str, fault_seconds: str) -> None:
    """Run in a process of its own: a kiosk that does something while it rings, then a line with the pins' histories."""
    signals = dataclasses.replace(WIRED, fault_seconds=float(fault_seconds))
    camera = CameraSettings(folder)
    settings = Settings(model=ModelSettings(model), camera=camera, signals=signals, screen=NO_SCREEN)
    code = 1
    try:
        code = run(settings, SquareFinder(act=act), "mock")
    finally:
        print(histories(), flush=True)
    sys.exit(code)


@contextmanager
def started(call: str, *arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """A function of this file in a process of its own, which doesn't outlive the block."""
    with subprocess.Popen(
        [sys.executable, "-c", f"import sys, test_kiosk; test_kiosk.{call}(*sys.argv[1:])", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": f"{TREE}{os.pathsep}{TREE / 'tests'}"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_with_everything_off(door: Settings, number: signal.Signals, code: int) -> None:
    # The signal comes while it rings.
    with started("kiosk_process", door.model.name, door.camera.source, number.name, 0.01) as process:
        out, _ = process.communicate()
    assert out.splitlines() == [*LINES[:4], str(STOPPED)]
    assert process.returncode == code


def wait_for_frames() -> None:
    def frames() -> Iterator[Frame]:
        yield Frame(np.zeros((2, 2), np.uint8), 0.0)
        print("waiting", flush=True)
        while True:  # a signal may come just before a wait begins, which then doesn't hear it
            threading.Event().wait(0.01)

    with StopRequest() as stop:
        for _ in stop.before_each(frames()):
            pass
    print(stop.received)


def pause_beside_a_thread() -> None:
    """A pause while only another thread takes SIGTERM, so that it never interrupts what this one waits in."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    with StopRequest() as stop:
        threading.Thread(target=take_signals, daemon=True).start()
        stop.pause(3600.0)
    print(stop.received)


def take_signals() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    print("waiting", flush=True)
    threading.Event().wait()


@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("wait_for_frames", signal.SIGTERM),
        ("wait_for_frames", signal.SIGINT),
        ("pause_beside_a_thread", signal.SIGTERM),
    ],
)
def test_a_signal_is_heard_by_whoever_waits(call: str, number: signal.Signals) -> None:
    with started(call) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
    assert out == f"{number}\n"
    assert process.returncode == 0


def test_a_signal_ends_the_showing_of_a_fault(door: Settings, listener: Listener) -> None:
    with started("kiosk_process", door.model.name, door.camera.source, "fail", 3600.0) as process:
        assert listener.heard()[-1] == b"STOPPING=1"  # FAULT is shown next
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert out.splitlines() == [*LINES[:4], str(FAULT)]
    assert process.returncode == 1


def test_an_unexpected_exception_is_logged_once_and_ends_with_exit_code_1(door: Settings) -> None:
    with started("kiosk_process", door.model.name, door.camera.source, "fail", 0.01) as process:
        out, err = process.communicate()
    assert out.splitlines() == [*LINES[:4], str(FAULT)]
    assert err.count("Traceback") == 1
    assert err.splitlines()[-1] == "ZeroDivisionError: no such face"
    assert process.returncode == 1


def test_real_clips_end_with_outputs_off_and_in_sensible_states(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (clips,) = real_data("CLIPS")
    settings, seen = read_settings(config_for(MODELS / "door.tflite", tmp_path)), {}
    for name in ("bare-man", "masked-desk", "puts-mask-on", "tv-masks"):
        clip = clips / f"{name}.mp4"
        assert run(dataclasses.replace(settings, camera=CameraSettings(str(clip))), pins="mock") == 0
        seen[name] = {line.split()[2] for line in capfd.readouterr().out.splitlines()}
        assert [history[-1] for history in histories().values()] == [False] * len(PINS)
    assert all("CHECKING" in states for states in seen.values())
    assert "ALARM" in seen["bare-man"]
    assert "CLEAR" not in seen["bare-man"]
