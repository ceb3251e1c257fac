import dataclasses
import errno
import io
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import typing
from pathlib import Path
from typing import IO, Any, Literal

import cv2
import numpy as np
import pytest
from gpiozero import Device
from healthy_pi import Pi, as_somebody
from places import TREE
from screens import card_of
from test_classifier import with_card

from device.__main__ import main
from device.cameras.camera import open_camera
from device.check import table
from device.doctor.host import Host
from device.errors import CameraError, ModelError, SettingsError
from device.finders import open_finder
from device.settings import (
    CameraSettings,
    CollectSettings,
    DecisionSettings,
    FaceSettings,
    ScreenSettings,
    Settings,
    SignalSettings,
)
from device.telemetry.discovery import Discovery
from device.telemetry.mqtt import Mqtt, client_of
from device.telemetry.settings import CountsSettings, MqttSettings, WebhookSettings
from device.web.limited_server import MOST_CONNECTIONS
from device.web.pages import MOST_VIEWERS
from trainer.collect_key import PUBLIC, make_pair

TABLE = """\
settings            {config}
model               toy, trained on photos; the alarm begins at {threshold}, ends below {release}
golden pictures     none beside this model
face finder         haar
camera              usb:0
picture             as the camera takes it
zones               none
red LED             GPIO 17, low when on
green LED           GPIO 27, low when on
blue of an RGB LED  not wired
buzzer              GPIO 14, and the serial console if that is on
door relay          GPIO 16
camera LED          not wired
collecting LED      not wired
button              GPIO 3
verdict             after 0.4 s, from the scores of the last 1 s
who counts          whoever was seen for 0.15 s, until not seen for 0.7 s
who is judged       {judged}
same visit          if back where they were lost within 2.5 s
poster              a face that hasn't moved for 300 s
alarm               for at least 1.5 s; 3 beeps of 0.2 to 0.4 s, 0.2 s apart
quiet hours         22:00 to 06:30, time zone Europe/Berlin
door                released for at most 3 s when everybody wears a mask
fault               shown for 2 s before the kiosk ends
screen              127.0.0.1 port 6275, language auto, no picture, setup page from loopback
faces kept          none
metrics             none
mqtt                none
webhook             none
counts              none
"""


def config(folder: Path, model: str, more: str = "") -> str:
    path = folder / "kiosk.toml"
    path.write_text(
        f'[model]\nname = "{model}"\n[faces]\nfinder = "haar"\n[camera]\nsource = "usb:0"\n[signals]\n'
        "lamps_active_high = false\nbuzzer_pin = 14\nrelay_pin = 16\nbutton_pin = 3\nrelease_seconds = 3\n"
        f'quiet_from = "22:00"\nquiet_until = "06:30"\ntime_zone = "Europe/Berlin"\n{more}'
    )
    return str(path)


@pytest.fixture(autouse=True)
def _no_pin_factory_is_left_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "pin_factory", None)


def test_it_says_what_the_kiosk_would_do_and_touches_no_pin(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from device.model_card import read_card

    card = read_card(toy)[0]
    assert main(["check", "--config", config(tmp_path, str(toy))]) == 0
    assert capsys.readouterr().out == TABLE.format(
        config=tmp_path / "kiosk.toml",
        threshold=f"{card.threshold:.2f}", release=f"{card.release:.2f}", judged="a face at least 8% as high as the "
        "picture and 20 grey levels bright, once it moved by 7% of its height",
    )  # fmt: skip
    assert main(["check", "--config", config(tmp_path, with_card(toy, tmp_path, practice=True))]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("model               toy, PRACTICE: trained on drawn faces, not for a door; ")
    assert lines[22] == "door                never released, because of the practice model"
    assert Device.pin_factory is None


def test_without_a_file_it_says_that_it_looked_at_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    line = "settings            the defaults, because no file was named with --config FILE"
    assert capsys.readouterr().out.splitlines()[0] == line


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ("green_pin = 17", "[signals] red_pin and green_pin are both 17: give each part a pin of its own"),
        ("green_pim = 17", "{path}: [signals] key 'green_pim' is unknown: did you mean 'green_pin'?"),
        ("beeps = 21", "{path}: [signals] beeps is 21, expected a whole number from 0 to 20"),
    ],
)
@pytest.mark.parametrize("command", ["check", "off", "run"])
def test_a_bad_configuration_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, more: str, line: str
) -> None:
    path = config(tmp_path, "absent", more)
    assert main([command, "--config", path]) == 2
    assert capsys.readouterr() == ("", f"error: {line.format(path=path)}\n")
    assert Device.pin_factory is None


@pytest.mark.parametrize("source", [
    "usb:zero", "usb:", "rtsp://", "rtsp:///door", "rtsp//me:secret@cam.lan/door", " rtsp://me:secret@cam.lan/door",
    "rtsp://me:secret@cam.lan/door ", "rtsp:me:secret@cam.lan", "cam.lan/door?user=me&pwd=secret",
    "http://me:secret@cam.lan/door", "rtsp://me:sec/secret@cam.lan/door",
])  # fmt: skip
def test_what_is_no_source_is_refused_in_one_line_without_what_it_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str
) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text(f'[camera]\nsource = "{source}"\n')
    assert main(["check", "--config", str(path)]) == 2
    assert capsys.readouterr() == (
        "", f"error: {path}: [camera] source is no such text, expected a text: pi, usb:0, "
        "rtsp://USER:PASSWORD@HOST/PATH with / ? # @ and : in user, password and path as %2F %3F %23 %40 and %3A, "
        "a video file or a folder of pictures\n",
    )  # fmt: skip


@pytest.mark.parametrize(("source", "line"), [
    ("usb0", "usb0: no such camera, expected pi, usb:0, rtsp://HOST/PATH, a video file or a folder of pictures"),
    ("{folder}", "{folder}: holds no pictures, expected a folder with JPEG, PNG or WebP files"),
    ("{folder}/kiosk.toml", "{folder}/kiosk.toml: is damaged or no video, expected one of .avi, .m4v, .mkv, .mov, "
     ".mp4, .mpeg, .mpg, .webm"),
    ("/" + 256 * "a", "/" + 256 * "a" + ": can't be read (File name too long): check its name and rights"),
])  # fmt: skip
def test_a_camera_that_run_would_refuse_without_opening_one_is_refused_in_the_same_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, line: str
) -> None:
    path, source, line = tmp_path / "kiosk.toml", source.format(folder=tmp_path), line.format(folder=tmp_path)
    path.write_text(f'[camera]\nsource = "{source}"\n')
    assert main(["check", "--config", str(path)]) == 2
    assert capsys.readouterr() == ("", f"error: {line}\n")
    with pytest.raises(CameraError) as refused:
        open_camera(CameraSettings(source))
    assert str(refused.value) == line


def test_it_tells_zones(toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zones = "[0, 0, 0.5, 1], [0.4, 0, 0.6, 0.5]"
    assert main(["check", "--config", config(tmp_path, str(toy), f"[decision]\nzones = [{zones}]\n")]) == 0
    told = f"2, in which no face counts: {zones} (left, top, width, height)"
    assert f"zones               {told}" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("key", [field.name for field in dataclasses.fields(DecisionSettings)])
def test_it_tells_every_key_of_the_decision(key: str) -> None:
    value: Any = ((0.0, 0.0, 0.5, 0.5),) if key == "zones" else 0.321
    settings = Settings(decision=dataclasses.replace(DecisionSettings(), **{key: value}))
    before, after = (list(table(Host(), each, card_of(), has_golden=True)) for each in (Settings(), settings))
    (line,) = set(after) - set(before)
    assert key == "zones" or "0.321 " in line or "32.1%" in line


def test_no_verdict_is_told_to_come_before_a_face_counts() -> None:
    settings = Settings(decision=DecisionSettings(notice_seconds=2.0, sure_seconds=0.4))
    lines = table(Host(), settings, card_of(), has_golden=True)
    assert "verdict             after 2 s, from the scores of the last 1 s" in lines


def test_who_reads_no_more_ends_it_without_a_word(toy: Path, tmp_path: Path) -> None:
    ear, voice = os.pipe()
    os.close(ear)
    with os.fdopen(voice, "wb") as gone:
        assert ended(gone, "check", "--config", config(tmp_path, str(toy))) == (-signal.SIGPIPE, "")


@pytest.mark.parametrize("module", ["argparse", "device.settings"])
def test_a_ctrl_c_while_the_program_is_imported_ends_it_without_a_word(module: str) -> None:
    code = (
        "import os, runpy, signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Interrupter:\n    def find_spec(self, name, path=None, target=None):\n"
        "        if name == sys.argv[1]:\n            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.modules.pop(sys.argv[1], None)\nsys.meta_path.insert(0, Interrupter())\n"
        "runpy.run_module('device', run_name='__main__', alter_sys=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, module], cwd=TREE, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("command", [["check"], ["doctor", "--manual"]])
def test_a_full_disk_is_told_in_one_line(toy: Path, tmp_path: Path, command: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        found = ended(full, *command, "--config", config(tmp_path, str(toy)))
    assert found == (1, "error: [Errno 28] No space left on device\n")


def test_another_error_of_the_system_is_none_of_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(sys, "stdout", Broken())
    with pytest.raises(FileNotFoundError):
        main(["check"])


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_was_closed_ends_nothing(toy: Path, toy_config: Path, tmp_path: Path, closed: str) -> None:
    (tmp_path / "visit").mkdir()
    cv2.imwrite(str(tmp_path / "visit" / "0.png"), np.zeros((120, 160), np.uint8))
    for command in (
        ["run", "--camera", str(tmp_path / "visit"), "--pins", "mock", "--config", str(toy_config)],
        ["judge", str(tmp_path / "visit"), "--cropped"],
    ):
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "device", *command, "--model", str(toy)],
            cwd=TREE, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, "Traceback" in done.stderr) == (0, False)


def ended(out: IO[bytes], *command: str) -> tuple[int, str]:
    """Run a command with this standard output, buffered as usual; return its exit code and its stderr."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, "-m", "device", *command], cwd=TREE, env=environment, stdout=out, stderr=subprocess.PIPE,
        text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_off_drives_every_output_off(tmp_path: Path) -> None:
    assert main(["off", "--config", config(tmp_path, "absent"), "--pins", "mock"]) == 0
    levels = {pin: [change.state for change in Device.pin_factory.pin(pin).states] for pin in (17, 27, 14, 16)}
    assert levels == {17: [False, True], 27: [False, True], 14: [False], 16: [False]}


def test_the_service_switches_off_what_a_killed_kiosk_left_on() -> None:
    unit = (TREE / "systemd" / "mask-kiosk.service").read_text()
    python = "/opt/mask-kiosk/current/venv/bin/python"
    started = "/run/mask-kiosk/started.toml"  # kiosk.toml may be broken meanwhile
    assert f"\nExecStartPre=-/usr/bin/timeout 5 /usr/bin/cp /etc/mask-kiosk/kiosk.toml {started}\n" in unit
    assert f"\nExecStopPost=-{python} -m device off --config {started}\n" in unit


def test_the_service_may_open_as_many_files_as_it_lets_in() -> None:
    found = re.search(r"^LimitNOFILE=(\d+)$", (TREE / "systemd" / "mask-kiosk.service").read_text(), re.MULTILINE)
    assert found
    assert int(found[1]) >= 2 * (2 * MOST_CONNECTIONS + 2 * 2 * MOST_VIEWERS)  # of the network's and its own, twice


def test_it_says_what_becomes_of_the_picture_and_no_password(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text(
        f'[model]\nname = "{toy}"\n[faces]\nfinder = "haar"\n'
        '[camera]\nsource = "rtsp://me:secret@cam.lan/user=me_pw=x"\n'
        "rotation = 270\nmirror = true\ncrop = [0.25, 0, 0.5, 1]\nbacklit = true\nbrighter = 0.5\n"
    )
    assert main(["check", "--config", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[4:6] == [
        "camera              rtsp://cam.lan:554/…",
        "picture             turned by 270 degrees, mirrored, cut to 50% x 100%, 25% from the left and 0% from the "
        "top, exposed for people in front of something bright, exposed by +0.5 stops",
    ]


def keys() -> list[tuple[str, dataclasses.Field[Any], Any]]:
    """Return every key there is, as section, field and type."""
    sections = typing.get_type_hints(Settings)
    return [
        (name, field, typing.get_type_hints(section)[field.name])
        for name, section in sections.items() for field in dataclasses.fields(section)
    ]  # fmt: skip


def wrong_values(field: dataclasses.Field[Any], kind: Any) -> list[str]:
    """Return values of a wrong type, then ones that are out of any range or in another unit, as TOML."""
    if kind is bool:
        return ["1", '"true"', "[]"]
    if kind is str:
        # A name or a path may be anything.
        free = field.name in {"name", "source", "user", "public_key"} or field.name.endswith("_path")
        return ["1", "true", "[]", '""', *([] if free else ['"no such thing"'])]
    if kind is int:
        return ['"1"', "true", "1.5", "[]", "-1", "100000"]
    if kind is float:
        return ['"1"', "true", "[]", "nan", "inf", "-1000", "1e5", "9" * 400, '"0.5 s"']
    if typing.get_origin(kind) is Literal:
        return ["1", "true", "[]", '"no such thing"']
    assert typing.get_origin(kind) is tuple
    return ["1", '"all"', "[1]", '["a"]', "[[1]]"]


@pytest.mark.parametrize(("section", "field", "kind"), keys())
def test_every_key_is_checked_for_type_range_and_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], section: str, field: dataclasses.Field[Any], kind: Any
) -> None:
    path = tmp_path / "kiosk.toml"
    for value in wrong_values(field, kind):
        path.write_text(f"[{section}]\n{field.name} = {value}\n")
        assert main(["check", "--config", str(path)]) == 2, value
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith("error: [signals]" if "_pin" in field.name and value in {"-1", "100000"} else
                               f"error: {path}: [{section}] {field.name} is "), value  # fmt: skip
        assert f" {field.name} is " in err
        assert "expected" in err
    for name in (field.name + field.name[-1], field.name[0] + field.name):
        path.write_text(f"[{section}]\n{name} = 1\n")
        assert main(["check", "--config", str(path)]) == 2
        assert capsys.readouterr().err == (
            f"error: {path}: [{section}] key '{name}' is unknown: did you mean '{field.name}'?\n"
        )


def test_it_says_who_would_be_told_and_shows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    secret, readable = tmp_path / "secret", tmp_path / "readable"
    for path, mode in ((secret, 0o640), (readable, 0o644)):
        path.write_text("whsec_" + "A" * 40)
        path.chmod(mode)
    settings = Settings(
        screen=ScreenSettings(metrics="lan"), counts=CountsSettings(enabled=True),
        mqtt=MqttSettings(True, "broker.lan", password_path=str(secret), id="door-1"),
        webhook=WebhookSettings(True, "https://example.org/hook/hidden", str(readable)),
    )
    assert list(table(Host(), settings, card_of(), has_golden=True))[-4:] == [
        "metrics             at /metrics, from 127.0.0.1 alone, because [screen] host says so: set 0.0.0.0 for lan",
        "mqtt                broker.lan port 8883 as mask-kiosk, TLS with whom this computer trusts; this kiosk is "
        "door-1; at most 1000 events wait",
        f"webhook             none; WARNING: {readable}: its mode is 0644, expected nothing for others: run "
        f"`chmod o= {readable}`; the door goes on without it",
        f"counts              in {tmp_path}/counts.db, for the last 90 days with any; page at /today, from loopback",
    ]
    webhook = dataclasses.replace(settings.webhook, secret_path=str(secret))
    lines = list(table(Host(), dataclasses.replace(settings, webhook=webhook), card_of(), has_golden=True))
    assert lines[-2] == "webhook             posts to https://example.org/…, signed; at most 1000 events wait"


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (0o640, "posts to https://example.org/…, signed; at most 1000 events wait"),
        (0o040, "{secret}: can't be read by you: run it with sudo"),
        (0o600, "none; WARNING: the service's user daemon can't read {secret} (mode 0600; numbers of owner and group "
         f"{os.getuid()}:{os.getgid()}): `sudo venv/bin/python -m device doctor` says what to do; the door goes on "
         "without it"),
    ],
)
def test_where_the_service_is_installed_it_says_what_that_does(
    mode: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/root")  # as sudo does
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # pytest's own one may only be entered by whoever tests
        secret = Path(folder, "secret")
        secret.write_text("whsec_" + "A" * 40)
        secret.chmod(mode)
        Pi(Path(folder), monkeypatch).service(
            User="daemon", Group=str(os.getgid()), StateDirectory="mask-kiosk", WorkingDirectory=folder, PrivateTmp="no"
        )
        settings = Settings(
            webhook=WebhookSettings(True, "https://example.org/", "secret"), counts=CountsSettings(enabled=True)
        )
        with as_somebody(*[secret] if mode == 0o040 else []):
            lines = list(table(Host(), settings, card_of(), has_golden=True))
    assert lines[-2:] == [
        f"webhook             {said.format(secret=secret)}",
        "counts              in /var/lib/mask-kiosk/counts.db, for the last 90 days with any; page at /today, from "
        "loopback",
    ]


def test_camera_model_and_finder_are_those_that_the_service_means(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there, path = tmp_path / "there", tmp_path / "kiosk.toml"
    Pi(tmp_path, monkeypatch).service(User="root", WorkingDirectory=str(there))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for folder in (there / "recording", tmp_path / "here"):
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / "0.png"), np.zeros((48, 64), np.uint8))
    for file in (toy, toy.with_suffix(".json")):
        shutil.copy(file, there)
    found = []
    for source, model, finder in (
        ("recording", f"./{toy.name}", "haar"), ("here", str(toy), "haar"), ("~/here", str(toy), "haar"),
        ("usb:0", "~/absent", "haar"), ("usb:0", str(toy), "yunet"),
    ):  # fmt: skip
        faces = f"[faces]\nfinder = '{finder}'\nyunet_path = '~/absent.onnx'\n"
        path.write_text(f"{faces}[camera]\nsource = '{source}'\n[model]\nname = '{model}'\n")
        code = main(["check", "--config", str(path)])
        found.append((code, capsys.readouterr().err.partition(": ")[2].partition(": ")[0]))
    home = pwd.getpwnam("root").pw_dir
    assert found == [
        (0, ""), (2, f"{there}/here"), (2, f"{home}/here"), (2, f"{home}/absent.json"), (2, f"{home}/absent.onnx"),
    ]


def test_a_key_that_the_service_may_not_see_is_warned_of_and_no_release_refused(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pi = Pi(tmp_path, monkeypatch).service(User="root")
    pi.program("systemctl", f'echo asked >> "{tmp_path}/asked"; exec /bin/cat "{tmp_path}/units/$2"')
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        make_pair(Path(folder))
        path = Path(folder, PUBLIC)
        more = f'collect_pin = 24\n[collect]\npublic_key = "{path}"\n[counts]\nenabled = true\n'
        monkeypatch.setattr(tempfile, "tempdir", "/absent")  # as on a full card
        assert main(["check", "--config", config(tmp_path, str(toy), more)]) == 0
    (kept,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("faces kept"))
    assert kept == (
        f"faces kept          none; WARNING: the service doesn't see {path}: PrivateTmp=yes hides that folder from it: "
        "`sudo venv/bin/python -m device doctor` says what to do; the kiosk doesn't start"
    )
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_a_tilde_in_the_files_that_settings_name_is_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text("whsec_" + "A" * 40)
    make_pair(tmp_path / "keys")
    mqtt = MqttSettings(True, "broker.lan", password_path="~/secret", id="door-1")  # noqa: S106 - a path
    settings = Settings(
        signals=SignalSettings(collect_pin=24), collect=CollectSettings(f"~/keys/{PUBLIC}"), mqtt=mqtt,
        webhook=WebhookSettings(True, "https://example.org/", "~/secret"),
    )
    lines = list(table(Host(), settings, card_of(), has_golden=True))
    assert [line for line in lines if "WARNING" in line] == []
    assert [line for line in lines if ", encrypted to key " in line] != []
    with pytest.raises(SettingsError, match=r"^~/secret: is no certificate \(.*no certificate or crl found"):
        client_of(dataclasses.replace(mqtt, ca_path="~/secret"), "door-1")
    with pytest.raises(ModelError, match=f"^{secret}: has SHA-256"):
        open_finder(FaceSettings("yunet", "~/secret"))


@pytest.mark.parametrize("name", ["absent", "a\0b"])
@pytest.mark.parametrize("unusable", ["password_path", "ca_path"])
def test_it_warns_of_a_broker_that_run_goes_on_without(tmp_path: Path, unusable: str, name: str) -> None:
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text("secret")
    paths: dict[str, Any] = {"password_path": str(password), unusable: str(tmp_path / name)}
    mqtt = MqttSettings(enabled=True, **paths)
    with pytest.raises(SettingsError, match=f"{name}: ") as refused:
        Mqtt(mqtt, Discovery("door-1", "toy"))
    line = f"mqtt                none; WARNING: {refused.value}; the door goes on without it"
    assert line in list(table(Host(), Settings(mqtt=mqtt), card_of(), has_golden=True))


@pytest.mark.parametrize(
    ("host", "answered", "said"),
    [
        ("0.0.0.0", "lan", "lan"),  # noqa: S104
        ("192.168.1.20", "lan", "lan"),
        ("::1", "lan", "::1 alone, because [screen] host says so: set 0.0.0.0 for lan"),
        ("0.0.0.0", "loopback", "loopback"),  # noqa: S104
    ],
)
def test_it_says_from_where_each_page_is_reached(host: str, answered: Literal["lan", "loopback"], said: str) -> None:
    screen = ScreenSettings(host=host, setup=answered, today=answered, metrics=answered)
    settings = Settings(screen=screen, counts=CountsSettings(enabled=True))
    lines = list(table(Host(), settings, card_of(), has_golden=True))
    told = [line for line in lines if line.startswith(("screen", "metrics", "counts"))]
    assert [line.rpartition("from ")[2] for line in told] == [said] * 3
