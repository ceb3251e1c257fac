from pathlib import Path

import pytest

from device import board


def below(root: Path, path: str, text: str) -> None:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


@pytest.mark.parametrize(("alarm", "low"), [("1", True), ("0", False)])
def test_a_raspberry_pi_tells_its_name_its_heat_and_its_voltage(tmp_path: Path, alarm: str, low: bool) -> None:
    below(tmp_path, "proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0")
    below(tmp_path, "sys/class/thermal/thermal_zone0/temp", "51540\n")
    below(tmp_path, "sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
    below(tmp_path, "sys/class/hwmon/hwmon0/in0_lcrit_alarm", "1\n")
    below(tmp_path, "sys/class/hwmon/hwmon1/name", "rpi_volt\n")
    below(tmp_path, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", f"{alarm}\n")
    assert (board.name(tmp_path), board.is_pi(tmp_path)) == ("Raspberry Pi 4 Model B Rev 1.4", True)
    assert (board.degrees(tmp_path), board.undervoltage(tmp_path)) == (51.5, low)


def test_what_another_computer_does_not_say_is_not_known(tmp_path: Path) -> None:
    assert (board.name(tmp_path), board.is_pi(tmp_path)) == (None, False)
    assert (board.degrees(tmp_path), board.undervoltage(tmp_path)) == (None, None)


def test_a_sensor_that_says_nothing_tells_no_temperature(tmp_path: Path) -> None:
    below(tmp_path, "sys/class/thermal/thermal_zone0/temp", "\n")
    assert board.degrees(tmp_path) is None
