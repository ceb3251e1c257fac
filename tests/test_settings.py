import dataclasses
import json
import os
import re
import secrets
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from device.cameras.source import A_SOURCE
from device.errors import SettingsError
from device.settings import CameraSettings, DecisionSettings, ScreenSettings, Settings, SignalSettings, read_settings

SHIPPED = Path(__file__).parent.parent / "deploy" / "kiosk.toml"


def refusal(path: Path) -> str:
    with pytest.raises(SettingsError) as error:
        read_settings(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_shipped_file_names_every_key_and_holds_the_defaults() -> None:
    assert read_settings(SHIPPED) == read_settings(None) == Settings()
    uncommented = re.sub(r"^# (?=\w+ = )", "", SHIPPED.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert tomllib.loads(uncommented) == json.loads(json.dumps(dataclasses.asdict(Settings())))  # zones as a list


def test_zones_are_read_as_shares(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text("[decision]\nzones = [[0, 0, 0.25, 1], [0.5, 0.5, 0.5, 0.5]]\n")
    assert read_settings(path).decision.zones == ((0, 0, 0.25, 1), (0.5, 0.5, 0.5, 0.5))


@pytest.mark.parametrize(
    ("zones", "refused"),
    [
        ("[[0, 0, 1, 1]]", True),
        ("[[0, 0, 0.5, 1], [0.4, 0, 0.6, 0.5], [0.5, 0.5, 0.5, 0.5]]", True),
        ("[[0, 0, 0.5, 1], [0.4, 0, 0.6, 0.5], [0.6, 0.5, 0.4, 0.5]]", False),
        ("[[0.0, 0.0, 0.1, 1.0], [0.1, 0.0, 0.7, 1.0], [0.8, 0.0, 0.2, 1.0]]", True),  # but for 1e-16
        ("[[0, 0, 0.5, 1], [0.5, 0, 0.4999999, 1]]", True),
        ("[[0, 0, 0.5, 1], [0.5, 0, 0.49, 1]]", False),
        (str([[0, 0, 0.5, 1]] * 50), False),
        (str([[0, 0, 0.5, 1]] * 51), True),
    ],
)
def test_zones_leave_some_of_the_picture(tmp_path: Path, zones: str, refused: bool) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text(f"[decision]\nzones = {zones}\n")
    if refused:
        assert refusal(path).startswith(f"{path}: [decision] zones is {zones[:190]}")
        assert "expected a list of at most 50 zones, " in refusal(path)[: len(str(path)) + 300]
    else:
        assert len(read_settings(path).decision.zones) == zones.count("[") - 1


@pytest.mark.parametrize("share", [10**400, -(10**400)])  # more than a float holds
def test_a_zone_that_is_far_too_large_is_refused(tmp_path: Path, share: int) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text(f"[decision]\nzones = [[0.5, 0.0, {share}, 0.5]]\n")
    assert refusal(path).startswith(f"{path}: [decision] zones is [[0.5, 0.0, …, expected a list of at most 50 zones, ")


def test_a_token_as_the_kiosk_prints_one_may_be_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"
    for token in ("aB3-_" * 4, *(secrets.token_urlsafe(18) for _ in range(50))):
        path.write_text(f'[screen]\ntoken = "{token}"\nread_token = "{token}x"\n')
        assert read_settings(path).screen == ScreenSettings(token=token, read_token=f"{token}x")
    for wrong in ("aB3-_" * 3, "aB3-_" * 4 + " ", "é" * 16, "0123456789abcde."):
        path.write_text(f'[screen]\ntoken = "{wrong}"\n')
        assert wrong not in refusal(path)


def test_a_token_to_read_with_that_opens_the_setup_page_is_refused(tmp_path: Path) -> None:
    path, token = tmp_path / "kiosk.toml", "aB3-_" * 4
    path.write_text(f'[screen]\ntoken = "{token}"\nread_token = "{token}"\n')
    line = "[screen] read_token is the setup page's token, expected its own: write another"
    assert refusal(path) == f"{path}: {line}"
    path.write_text('[screen]\ntoken = "random"\nread_token = "random"\n')
    read_settings(path)


def test_what_a_file_leaves_out_keeps_its_default(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text('[camera]\nsource = "usb:1"\n[decision]\nhold_seconds = 3\n[signals]\nbeeps = 5\n')
    assert read_settings(path) == Settings(
        camera=CameraSettings("usb:1"), decision=DecisionSettings(hold_seconds=3.0), signals=SignalSettings(beeps=5)
    )
    assert type(read_settings(path).decision.hold_seconds) is float


def test_a_file_may_begin_with_the_mark_that_windows_writes(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text("[signals]\nbeeps = 5\n", encoding="utf-8-sig", newline="\r\n")
    assert read_settings(path).signals.beeps == 5


def test_a_pin_that_is_left_out_keeps_its_default(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text("[signals]\nred_pin = 5\n")
    assert read_settings(path).signals == SignalSettings(red_pin=5, green_pin=27, buzzer_pin=22)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("[signal]", "section 'signal' is unknown: did you mean 'signals'?"),
        ("[xyz]", "section 'xyz' is unknown: expected one of model, faces, camera, decision, signals, screen, "
          "mqtt, webhook, counts, collect"),
        ('name = "door"', "key 'name' stands above all sections: write it below [model]"),
        ("mirror = true", "key 'mirror' stands above all sections: write it below [camera] or [screen]"),
        ("nome = 1", "key 'nome' stands above all sections: write it below the one it belongs to"),
        ("[signals]\nred_pim = 5", "[signals] key 'red_pim' is unknown: did you mean 'red_pin'?"),
        ('camera = "pi"', "[camera] is no section, expected its name in a line of its own and its keys below"),
        ("[faces]\nfinder = 'hog'", "[faces] finder is 'hog', expected one of own, yunet, haar"),
        ("[faces]\nfinder = 1", "[faces] finder is 1, expected one of own, yunet, haar"),
        ("[faces]\nyunet_score = 1", "[faces] yunet_score is 1, expected a number from 0.1 to 0.99"),
        *(
            (f"[model]\n{key} = {level}", f"[model] {key} is {level}, expected a number from 0.02 to 0.98, or 0 for "
             "that of the model's card")
            for key in ("threshold", "release") for level in (-0.5, 0.01, 0.99)
        ),
        ("[camera]\nsource = 0", f"[camera] source is 0, expected a text{A_SOURCE}"),
        ("[camera]\nrotation = 45", "[camera] rotation is 45, expected a whole number of degrees: 0, 90, 180 or 270"),
        (
            "[camera]\ncrop = [0.5, 0.0, 0.6, 1.0]",
            "[camera] crop is [0.5, 0.0, 0.6, 1.0], expected a list as [left, top, width, height], shares from 0 to 1 "
            "of the picture, width and height at least 0.1, left + width and top + height at most 1",
        ),
        ('[camera]\nsource = ""', f"[camera] source is '', expected a text{A_SOURCE}"),
        ('[signals]\nred_pin = "17"', "[signals] red_pin is '17', expected a whole number"),
        ("[signals]\nred_pin = true", "[signals] red_pin is True, expected a whole number"),
        ("[signals]\nlamps_active_high = 1", "[signals] lamps_active_high is 1, expected true or false"),
        ("[signals]\nbeeps = 2.0", "[signals] beeps is 2.0, expected a whole number from 0 to 20"),
        ("[signals]\nrelease_seconds = 31", "[signals] release_seconds is 31, expected a number from 0.5 to 30.0"),
        ("[signals]\nfault_seconds = -1", "[signals] fault_seconds is -1, expected a number from 1.6 to 3.0"),
        (
            '[signals]\nquiet_from = "24:00"',
            "[signals] quiet_from is '24:00', expected a text as \"22:00\", from 00:00 to 23:59",
        ),
        (
            '[signals]\nquiet_until = 06:30:00',
            "[signals] quiet_until is datetime.time(6, 30), expected a text as \"22:00\", from 00:00 to 23:59",
        ),
        (
            '[signals]\ntime_zone = "Europe/Berlim"',
            "[signals] time_zone is 'Europe/Berlim', expected a text as \"Europe/Berlin\", the name of a time zone, or "
            '"local"',
        ),
        ("[signals]\nbeeps = 21", "[signals] beeps is 21, expected a whole number from 0 to 20"),
        ("[decision]\nwindow_seconds = 0.1", "[decision] window_seconds is 0.1, expected a number from 0.2 to 10.0"),
        *(
            (
                f"[decision]\nzones = {zones}",
                f"[decision] zones is {zones}, expected a list of at most 50 zones, each [left, top, width, height] in "
                "shares from 0 to 1 of the picture, width and height above 0, left + width and top + height at most 1, "
                f"that leave some of the picture, as [[0.0, 0.0, 0.25, 1.0]]: {advice}",
            )
            for zones, advice in (
                ("0.5", "put each zone into brackets of its own, with four numbers"),
                ("[0.1, 0.2, 0.3, 0.4]", "put each zone into brackets of its own, with four numbers"),
                ("[[0.1, 0.2, 0.3]]", "put each zone into brackets of its own, with four numbers"),
                ("[[0.7, 0.0, 0.5, 0.5]]", "shorten what reaches beyond the picture"),
                ("[[0.1, 0.1, 0.0, 0.5]]", "give each a width and a height"),
                ("[[300, 0, 200, 100]]", "divide pixels by the picture's width or height"),
                ("[['a', 0, 1, 1]]", "divide pixels by the picture's width or height"),
                ("[[0, 0, 1, 1]]", "leave some of the picture in no zone"),
            )
        ),
        (
            '[screen]\nhost = "localhost"',
            "[screen] host is 'localhost', expected a text as \"127.0.0.1\", this computer alone, or \"0.0.0.0\", its "
            "whole network",
        ),
        ("[screen]\nport = 80", "[screen] port is 80, expected a whole number from 1024 to 65535"),
        (
            '[screen]\nlanguage = "tlh"',
            "[screen] language is 'tlh', expected a text, auto or one of ar, de, en, es, fr, ne",
        ),
        (
            '[screen]\ntoken = "secret"',
            "[screen] token is no such text, expected a text, random or at least 16 characters of a-z, A-Z, 0-9, - and "
            "_: write another",
        ),
        ('[screen]\nsetup = "on"', "[screen] setup is 'on', expected one of loopback, lan, off"),
        ("[mqtt]\nport = 0", "[mqtt] port is 0, expected a whole number from 1 to 65535"),
        *(
            (
                f'[mqtt]\nhost = "{host}"',
                f"[mqtt] host is '{host}', expected a text as \"broker.lan\" or \"192.168.1.10\", a name or an address",
            )
            for host in ("mqtts://broker.lan", "broker..lan", f"{'b' * 64}.lan")
        ),
        (
            '[mqtt]\nid = "door/1"',
            "[mqtt] id is 'door/1', expected a text of letters, digits, - and _, at most 64, or \"hostname\"",
        ),
        *(
            (
                f'[webhook]\nurl = "{url}"',
                "[webhook] url is no such text, expected a text as \"https://example.org/kiosk\", without a user or a "
                "password",
            )
            for url in ("ftp://example.org", "https://me:pw@example.org/", "https://", "https://example.org:x/",
                        "https://example..org/")
        ),
        ("[counts]\nkeep_days = 0", "[counts] keep_days is 0, expected a whole number from 1 to 3650"),
        ("[decision]\nwindow_seconds = nan", "[decision] window_seconds is nan, expected a number from 0.2 to 10.0"),
    ],
)
def test_a_key_that_cannot_be_meant_is_refused(tmp_path: Path, content: str, line: str) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text(content)
    assert refusal(path) == f"{path}: {line}"


def test_a_crop_is_four_shares(tmp_path: Path) -> None:
    path = tmp_path / "kiosk.toml"
    path.write_text("[camera]\ncrop = [0, 0.25, 1, 0.5]")
    assert read_settings(path).camera.crop == (0, 0.25, 1, 0.5)
    for wrong in ("0", "[]", "[0, 0, 1]", "[0, 0, 1, 1, 1]", '["0", 0, 1, 1]', "[[0, 0, 1, 1]]", "[-0.1, 0, 1, 1]",
                  "[0, 0, 0.09, 1]", "[0, 0, 1, nan]", "[0, nan, 1, 1]", "[0, true, 1, 1]", "{ left = 0 }"):
        path.write_text(f"[camera]\ncrop = {wrong}")
        assert refusal(path).startswith(f"{path}: [camera] crop is "), wrong


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "absent.toml") == (
        f"{tmp_path}/absent.toml: can't be read (No such file or directory): check the path and its permissions"
    )
    path = tmp_path / "kiosk.toml"
    path.write_text("[signals]\nquiet_from = 22:00\n")
    assert refusal(path).endswith(
        '(at line 2, column 16)): correct it; numbers have a point (0.5), texts straight quotes ("), and a key stands '
        "once"
    )
    path.write_text("[signals\n")
    assert refusal(path).startswith(f"{path}: is no valid TOML (")
    path.write_bytes(b"\xff\xfe")
    assert refusal(path).startswith(f"{path}: is no valid TOML (")


def test_a_pipe_is_read_only_from_a_shell(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "kiosk.toml")  # nobody ever writes into it
    assert refusal(tmp_path / "kiosk.toml") == (
        f"{tmp_path}/kiosk.toml: can't be read (a pipe or device, expected a plain file): check the path and its "
        "permissions"
    )
    code = "import sys; from pathlib import Path; from device.settings import read_settings as read\n"
    code += "print(read(Path(sys.argv[1])).signals.beeps)"
    ran = subprocess.run(["bash", "-c", '"$0" -c "$1" <(echo "[signals]"; echo "beeps = 7")', sys.executable, code],
                         cwd=SHIPPED.parent.parent, capture_output=True, text=True, check=False)  # fmt: skip
    assert (ran.stdout, ran.stderr) == ("7\n", "")


def test_a_file_without_an_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    code = (
        "import resource, sys\nfrom device.__main__ import main\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 500_000_000, resource.RLIM_INFINITY))\n"
        "sys.exit(main(['off', '--config', sys.argv[1]]))\n"
    )
    large = tmp_path / "large.toml"
    with large.open("w") as file:
        file.truncate(2**40)  # bytes, none of which takes room
    for path in (Path("/dev/zero"), large):
        ran = subprocess.run([sys.executable, "-c", code, path], cwd=SHIPPED.parent.parent, capture_output=True,
                             text=True, check=False)  # fmt: skip
        line = f"error: {path}: has more than 1000000 characters, expected a kiosk.toml: name another file\n"
        assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", line)
