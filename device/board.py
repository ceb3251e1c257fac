"""Reads what the board is, its temperature, and whether its voltage falls too low."""

from pathlib import Path

ROOT = Path("/")


def name(root: Path = ROOT) -> str | None:
    """Return what the board is, as "Raspberry Pi 4 Model B Rev 1.4"; None where it doesn't say."""
    return text(root / "proc/device-tree/model")


def is_pi(root: Path = ROOT) -> bool:
    """Tell whether the board is a Raspberry Pi."""
    return "Raspberry Pi" in (name(root) or "")


def degrees(root: Path = ROOT) -> float | None:
    """Return the processor's temperature in °C, to a tenth; None where Linux knows of no sensor, or it says nothing."""
    try:
        return round(int(text(root / "sys/class/thermal/thermal_zone0/temp") or "") / 1000, 1)
    except ValueError:
        return None


def undervoltage(root: Path = ROOT) -> bool | None:
    """Tell whether a Raspberry Pi had too little voltage within the last seconds; None on other boards.

    The kernel's driver asks the firmware every two seconds (drivers/hwmon/raspberrypi-hwmon.c); asking it here would
    clear what the doctor wants to read.
    """
    for sensor in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        if text(sensor / "name") == "rpi_volt":
            alarm = text(sensor / "in0_lcrit_alarm")
            return None if alarm is None else alarm != "0"
    return None


def text(path: Path) -> str | None:
    """Return the content of a file of the system, stripped; None where there is none that can be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return None
