"""Offers lines of config.txt that hold the outputs off from power-on, before any program drives them."""

from pathlib import Path

from deploy.pi.facts import CONFIG, lines
from device.errors import KioskError
from device.settings import SignalSettings, read_settings
from device.signals.wiring import off_levels

BOOT = Path("/boot/firmware/config.txt")
WORDS = ("dl", "dh")  # of the levels 0 and 1


def lines_for_config_txt() -> list[str]:
    """Return what to add to config.txt, one line each with what leads to it; nothing where it stands there."""
    try:
        wanted = held(read_settings(CONFIG).signals)
        there = [line.strip() for line in lines(BOOT)]
    except (KioskError, OSError):  # the kiosk said so already; what is only offered fails no deployment
        return []
    missing = [line for line in wanted if line not in there]
    if not BOOT.exists() or not missing:
        return []
    return [
        f"offered: add to {BOOT}, so that outputs stay off while the Pi starts:",
        *(f"  {line}" for line in missing),
    ]


def held(signals: SignalSettings) -> list[str]:
    """Return the lines that make each wired output an output at its level for off: dl low, dh high."""
    levels = off_levels(signals)
    pins = {word: [str(pin) for pin, found in levels.items() if found == level] for level, word in enumerate(WORDS)}
    return [f"gpio={','.join(each)}=op,{word}" for word, each in pins.items() if each]
