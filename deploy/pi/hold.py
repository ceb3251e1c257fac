"""Offers lines of config.txt that hold the outputs off from power-on, before any program drives them."""

from pathlib import Path

from deploy.pi.facts import CONFIG, lines
from device.errors import KioskError
from device.settings import SignalSettings, read_settings

BOOT = Path("/boot/firmware/config.txt")
LAMPS = ("red_pin", "green_pin", "blue_pin")


def lines_for_config_txt() -> list[str]:
    """Return what to add to config.txt, one line each with what leads to it; nothing where it stands there."""
    try:
        wanted = held(read_settings(CONFIG).signals)
    except KioskError:  # the kiosk said so already
        return []
    there = [line.strip() for line in lines(BOOT)]
    missing = [line for line in wanted if line not in there]
    if not BOOT.exists() or not missing:
        return []
    return [
        f"offered: add to {BOOT}, so that outputs stay off while the Pi starts:",
        *(f"  {line}" for line in missing),
    ]


def held(signals: SignalSettings) -> list[str]:
    """Return the lines that make each wired output an output at its level for off: dl low, dh high."""
    high_when_off = [getattr(signals, key) for key in LAMPS if not signals.lamps_active_high]
    if not signals.buzzer_active_high:
        high_when_off.append(signals.buzzer_pin)
    outputs = [getattr(signals, key) for key in (*LAMPS, "buzzer_pin", "relay_pin", "camera_pin", "collect_pin")]
    low = [str(pin) for pin in outputs if pin and pin not in high_when_off]
    high = [str(pin) for pin in high_when_off if pin]
    return [f"gpio={','.join(pins)}=op,{level}" for pins, level in ((low, "dl"), (high, "dh")) if pins]
