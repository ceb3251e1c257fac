from pathlib import Path

import pytest
from footprint import TREE
from gpiozero import Device
from test_kiosk import with_card

from device.__main__ import main

TABLE = """\
model               toy, made of photos; rings from {threshold}, stops below {release}
golden pictures     none beside this model
face finder         haar
camera              usb:0
red LED             GPIO 17, low when on
green LED           GPIO 27, low when on
blue of an RGB LED  not wired
buzzer              GPIO 14, and the serial console if that is on
door relay          GPIO 16
camera LED          not wired
button              GPIO 3
verdict             after 0.4 s, of the last 1.0 s
alarm               1.5 s at least; 3 beeps of 0.2 s, 0.2 s apart
quiet hours         22:00 to 06:30, time zone Europe/Berlin
door                released for 3.0 s at most when everybody wears a mask
fault               shown for 2.0 s before the kiosk ends
screen              127.0.0.1 port 6275, language auto, no picture, setup page from loopback
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
    assert capsys.readouterr().out == TABLE.format(threshold=f"{card.threshold:.2f}", release=f"{card.release:.2f}")
    assert main(["check", "--config", config(tmp_path, with_card(toy, tmp_path, practice=True))]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("model               toy, PRACTICE: made of drawn faces, for no door; ")
    assert lines[14] == "door                never released, because of the practice model"
    assert Device.pin_factory is None


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


def test_off_drives_every_output_off(tmp_path: Path) -> None:
    assert main(["off", "--config", config(tmp_path, "absent"), "--pins", "mock"]) == 0
    levels = {pin: [change.state for change in Device.pin_factory.pin(pin).states] for pin in (17, 27, 14, 16)}
    assert levels == {17: [False, True], 27: [False, True], 14: [False], 16: [False]}


def test_the_service_switches_off_what_a_killed_kiosk_left_on() -> None:
    unit = (TREE / "systemd" / "mask-kiosk.service").read_text()
    assert "\nExecStopPost=-/opt/mask-kiosk/venv/bin/python -m device off --config /etc/mask-kiosk/kiosk.toml\n" in unit
