import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gpiozero import Device
from kiosk_toml import config_for
from places import TREE
from rtsp_camera import ENCODED, PASSWORD, RtspCamera
from screens import ANSWER_SECONDS
from test_kiosk import WIRED, Listener, SquareFinder, histories, started

from device.__main__ import main
from device.cameras.camera import open_camera
from device.cameras.source import shown
from device.errors import Blind, CameraError, CameraFault
from device.faces import Face, Luma
from device.kiosk import run
from device.settings import CameraSettings, DecisionSettings, ModelSettings, Settings

SECRETS = ("secret", "owner", ENCODED, PASSWORD)


@pytest.fixture
def rtsp() -> Iterator[RtspCamera]:
    with RtspCamera() as camera:
        yield camera


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("pi", "pi"),
        ("usb:0", "usb:0"),
        ("/srv/visits/a b.mp4", "/srv/visits/a b.mp4"),
        ("rtsp://cam.lan/door", "rtsp://cam.lan:554/…"),
        ("rtsp://owner:secret@cam.lan:8554/door", "rtsp://cam.lan:8554/…"),
        ("rtsp://10.0.0.9/user=owner_password=secret_stream=0.sdp", "rtsp://10.0.0.9:554/…"),
        ("rtsp://cam.lan/door?user=owner&pwd=secret", "rtsp://cam.lan:554/…"),
        ("rtsp://owner:sec/secret@cam.lan/door", "rtsp://…"),
        ("rtsp://owner:sec@secret@cam.lan/door", "rtsp://…"),
        ("rtsp://owner:[secret@cam.lan/door", "rtsp://…"),
        ("rtsp:/owner:secret@cam.lan/door", "rtsp://…"),
        ("rtsp://owner:1#secret@cam.lan/door", "rtsp://…"),
        ("http://owner:secret@cam.lan/door.mjpg", "http://cam.lan:554/…"),
        ("owner:secret@cam.lan", "…"),
        ("rtsp//owner:secret@cam.lan/door", "…"),
        ("rtsp//cam.lan/user=owner_password=secret", "…"),
        (" rtsp://owner:secret@cam.lan/secret", "…"),
        ("rtsp:\\\\cam.lan\\secret", "…"),
        ("/srv/visits/me@home.mp4", "/srv/visits/me@home.mp4"),
    ],
)
def test_no_line_shows_user_password_or_path(source: str, line: str) -> None:
    assert shown(source) == line
    if line == source:
        return
    with pytest.raises(CameraError) as refused:
        open_camera(CameraSettings(source.replace("cam.lan", "cam.invalid").replace("10.0.0.9", "127.0.0.1:9")))
    assert not [secret for secret in SECRETS if secret in str(refused.value)]


def test_a_camera_that_is_not_there_or_has_no_address_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        assert main(["run", "--pins", "mock", "--camera", f"rtsp://owner:secret@127.0.0.1:{port}/door"]) == 2
    assert main(["run", "--pins", "mock", "--camera", "rtsp://owner:sec/secret@127.0.0.1/door"]) == 2
    assert capfd.readouterr() == (
        "",
        f"error: rtsp://127.0.0.1:{port}/…: can't be reached (Connection refused): check its power, its network and "
        "the address\n"
        "error: rtsp://…: is no address, expected rtsp://USER:PASSWORD@HOST:PORT/PATH: write / ? # @ and : in user, "
        "password and path as %2F %3F %23 %40 and %3A\n",
    )


def test_a_wrong_password_is_refused_without_showing_it(rtsp: RtspCamera, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--pins", "mock", "--camera", rtsp.source.replace(ENCODED, "secret")]) == 2
    assert capfd.readouterr() == (
        "",
        f"error: {rtsp.shown}: gives no video: check user, password and path, and that it sends H.264 or MJPEG\n",
    )


def test_a_network_camera_that_freezes_is_noticed_as_soon_as_any_other(rtsp: RtspCamera) -> None:
    taken = list[float]()

    def watch() -> None:
        with open_camera(CameraSettings(rtsp.source)) as camera:
            for frame in camera.frames():
                if not taken:
                    rtsp.stop(signal.SIGUSR1)  # it goes on sending the picture that it has
                taken.append(frame.taken)

    with pytest.raises(CameraFault, match=r"the same picture for 1\.[5-9] s") as fault:
        watch()
    assert fault.value.word is Blind.FROZEN
    assert taken[-1] - taken[0] >= 1.0  # frames came all the while


def test_only_the_newest_frame_of_a_network_camera_is_judged(rtsp: RtspCamera) -> None:
    with open_camera(CameraSettings(rtsp.source, rotation=90)) as camera:
        frames = camera.frames()
        first, second = next(frames), next(frames)
        time.sleep(1.0)  # a slow loop
        late = [next(frames), next(frames)]
    greys = [int(frame.luma[120, 180]) for frame in (first, second, *late)]
    assert first.luma.shape == (320, 240)
    assert first.luma[:, :100].max() < 10  # the lower half is left now
    assert greys[1] - greys[0] <= 5
    assert greys[2] - greys[1] >= 15  # of 25; those between were dropped
    assert greys[3] - greys[2] <= 5
    assert late[0].taken - second.taken >= 0.5


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_the_run_while_a_network_camera_is_still_connected_to(
    toy: Path, number: signal.Signals, code: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(ANSWER_SECONDS)
        source = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/door"
        with (
            started("kiosk_process", toy, source, "", 0.01) as process,
            silent.accept()[0], silent.accept()[0],  # to see whether it is there, and OpenCV's
        ):  # fmt: skip
            process.send_signal(number)
            out, _ = process.communicate()
    others = {name: [False] for name in ("red", "green", "buzzer", "relay")}
    assert out == f"{others | {'camera': [False, True, False]}}\n"  # lit before there can be a picture
    assert process.returncode == code


class StoppingFinder(SquareFinder):
    """Stops the camera at the twentieth face."""

    def __init__(self, camera: RtspCamera, number: signal.Signals) -> None:
        super().__init__()
        self._camera, self._number = camera, number

    def find(self, luma: Luma) -> list[Face]:
        faces = super().find(luma)
        if self.found == 20:
            self._camera.stop(self._number)
        return faces


@pytest.mark.parametrize(
    ("number", "found"), [(signal.SIGKILL, "it gives no more frames"), (signal.SIGSTOP, "no frame for 1.5 s")]
)
def test_a_network_camera_that_ends_in_the_middle_is_a_fault_with_the_outputs_off(
    rtsp: RtspCamera, toy: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, found: str
) -> None:
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setattr("device.signals.signals.LATE_SECONDS", 60.0)  # a busy computer shall not add to the histories
    settings = Settings(
        model=ModelSettings(str(toy)), camera=CameraSettings(rtsp.source), signals=WIRED,
        decision=DecisionSettings(least_move=0.0),  # the picture shows that nothing moves in it
    )  # fmt: skip
    with pytest.raises(CameraFault) as fault:
        run(settings, StoppingFinder(rtsp, number), "mock")
    assert fault.value.word is Blind.STALLED
    assert str(fault.value) == f"{rtsp.shown}: camera stalled: {found}: check its power and its network"
    assert histories() == {  # CLEAR, then FAULT, which is both lamps
        "red": [False, True, False], "green": [False, True, False], "buzzer": [False], "relay": [False, True, False],
        "camera": [False, True, False],
    }  # fmt: skip


def test_a_fault_has_its_word_for_systemd_its_line_and_its_exit_code(
    rtsp: RtspCamera, toy: Path, tmp_path: Path
) -> None:
    address = str(tmp_path / "notify")
    listener = Listener(address)
    process = subprocess.Popen(
        [sys.executable, "-m", "device", "run", "--pins", "mock", "--model", str(toy), "--camera", rtsp.source,
         "--config", str(config_for(toy, tmp_path))],
        cwd=TREE, env=os.environ | {"NOTIFY_SOCKET": address}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert listener.heard_of(b"WATCHDOG=1")
    rtsp.stop(signal.SIGSTOP)
    out, err = process.communicate(timeout=120)
    fault = f"{rtsp.shown}: camera stalled: no frame for 1.5 s: check its power and its network"
    assert (process.returncode, out, err) == (2, "", f"error: {fault}\n")
    assert listener.heard()[-2:] == [f"STATUS=FAULT {fault}".encode(), b"STOPPING=1"]
