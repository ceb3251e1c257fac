"""Checks of the doctor: the operating system and the board under it."""

import sys

from device import board
from device.doctor.finding import Case, Check, Level
from device.doctor.host import SCREEN_UNIT, CantTellError, Host

RELEASES = {"12": "Bookworm", "13": "Trixie"}
PYTHONS = ((3, 11), (3, 13))  # the first and the last that is tried
NOW = {0: "undervoltage", 1: "the processor's clock is capped", 2: "throttled", 3: "at the soft temperature limit"}
SINCE_START = 16  # bits further up the same, for what has happened since the Pi was started
HOT, TOO_HOT = 80.0, 85.0  # °C: where a Pi begins to throttle, and where it does so as much as it can
SCREEN_KILOBYTES = 1_700_000  # what Linux has of 2 GB, the firmware's part taken off

GOOD_OS = Case(Level.OK, "Debian {release} ({name}) on {board}")
NO_PI = Case(Level.NOTE, "{system}, which isn't on a Raspberry Pi")
OTHER_OS = Case(
    Level.TROUBLE, "the operating system is {system}, expected Debian 12 or 13",
    "Write Raspberry Pi OS Bookworm or Trixie, 64-bit, to another SD card (docs/deploy.md shows how).\n"
    "Start the Pi with that card, and run `make deploy` again.",
)


def operating_system(host: Host) -> Case:
    """Look at the release and the board."""
    text = host.text("etc/os-release")
    if text is None:
        raise CantTellError("there is no /etc/os-release")
    words = {key: value.strip('"') for key, _, value in (line.partition("=") for line in text.splitlines())}
    release, system = words.get("VERSION_ID", ""), words.get("PRETTY_NAME", "a system without a name")
    if not host.is_pi:
        return NO_PI.of(system=system)
    if words.get("ID") not in {"debian", "raspbian"} or release not in RELEASES:
        return OTHER_OS.of(system=system)
    return GOOD_OS.of(release=release, name=RELEASES[release], board=board.name(host.root))


GOOD_PYTHON = Case(Level.OK, "Python {version}")
OTHER_PYTHON = Case(
    Level.WARNING, "the kiosk runs on Python {version}, expected 3.11 to 3.13",
    "Run the kiosk with the system's own Python: `make deploy` sets that up.",
)


def python(_: Host) -> Case:
    """Look at the Python that runs this."""
    return python_case(*sys.version_info[:2])


def python_case(major: int, minor: int) -> Case:
    """Judge a version of Python."""
    known = PYTHONS[0] <= (major, minor) <= PYTHONS[1]
    return (GOOD_PYTHON if known else OTHER_PYTHON).of(version=f"{major}.{minor}")


WIDE = Case(Level.OK, "64-bit programs ({architecture})")
NARROW = Case(
    Level.TROUBLE, "the system's programs are 32-bit ones ({architecture}), expected 64-bit ones",
    "Write the 64-bit Raspberry Pi OS to the SD card: a Pi 3, Zero 2 W or later runs it. A 64-bit kernel alone isn't "
    "enough.\n"
    "Run `make deploy` again.",
)


def architecture(host: Host) -> Case:
    """Ask for which processors Debian's programs here are made; the kernel may be for another one."""
    ran = host.run("dpkg", "--print-architecture")
    ran.require_done("dpkg doesn't tell")
    found = ran.out.strip()
    return (NARROW if found in {"armhf", "armel", "i386"} else WIDE).of(architecture=found)


GOOD_POWER = Case(Level.OK, "no undervoltage and no throttling since the start")
WAS_WEAK = Case(
    Level.WARNING, "power and temperature are good now, but weren't always since the start: {past}",
    "For undervoltage: use the power supply made for this Pi and a short cable, and unplug what else draws power from "
    "its USB ports.\n"
    "For temperature: give the Pi more air or a heat sink.\n"
    "Restart the Pi: only a restart clears what was noted since the last one.",
)
WEAK = Case(Level.TROUBLE, "power or temperature is bad now: {now}; since the start: {past}", WAS_WEAK.do)


def power(host: Host) -> Case:
    """Ask the firmware for its throttling bits."""
    bits = _throttled(host)
    now = ", ".join(text for bit, text in NOW.items() if bits >> bit & 1)
    past = ", ".join(text for bit, text in NOW.items() if bits >> bit + SINCE_START & 1)
    return (WEAK if now else WAS_WEAK if past else GOOD_POWER).of(now=now, past=past or "nothing else")


def _throttled(host: Host) -> int:
    # The program first: reading the kernel's file may clear the bits that tell of the past.
    try:
        ran = host.run("vcgencmd", "get_throttled")
    except CantTellError:
        ran = None
    if ran and ran.code == 0 and ran.out.startswith("throttled="):
        return int(ran.out.removeprefix("throttled="), 16)
    for path in sorted((host.root / "sys/devices/platform").glob("soc*/*firmware*/get_throttled")):
        return int(path.read_text(encoding="ascii"), 16)
    raise CantTellError("neither vcgencmd nor the kernel tells: no Raspberry Pi, or its user isn't in the group video")


COOL = Case(Level.OK, "{degrees} °C")
WARM = Case(
    Level.WARNING, "the processor is at {degrees} °C, expected less than 80",
    "Keep the Pi out of the sun.\n"
    "Give it more air, a heat sink or a fan.",
)
OVERHEATED = Case(
    Level.TROUBLE, "the processor is at {degrees} °C, expected less than 80; from 85 on it is as slow as it gets",
    WARM.do,
)


def temperature(host: Host) -> Case:
    """Read the processor's own sensor."""
    degrees = board.degrees(host.root)
    if degrees is None:
        raise CantTellError("this computer has no thermal sensor that Linux knows")
    return (OVERHEATED if degrees >= TOO_HOT else WARM if degrees >= HOT else COOL).of(degrees=f"{degrees:.0f}")


SYNCED = Case(Level.OK, "set by a time server since the start")
UNSYNCED = Case(
    Level.WARNING, "no time server has set the clock since the start",
    "Connect the Pi to a network with a time server (`timedatectl status` says more), or give it a clock module with "
    "a battery.\n"
    "If it can have neither, leave quiet hours off.",
)


def clock(host: Host) -> Case:
    """Ask whether a time server has set the clock."""
    if (host.root / "run/systemd/timesync/synchronized").exists():
        return SYNCED
    answer = host.run("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if answer.code or answer.out.strip() not in {"yes", "no"}:
        raise CantTellError(f"timedatectl doesn't tell ({answer.last_line})")
    return SYNCED if answer.out.strip() == "yes" else UNSYNCED


ENOUGH = Case(Level.OK, "{gigabytes} GB, enough for the screen")
NO_SCREEN = Case(Level.NOTE, "{gigabytes} GB, too little for a screen; none is on")
TOO_LITTLE = Case(
    Level.TROUBLE, "this computer has {gigabytes} GB of memory and its screen is on, expected 2 GB for that",
    "Switch the screen off: `sudo systemctl disable --now mask-kiosk-screen`.\n"
    "Show the page on a tablet or another computer instead (docs/screen.md), or use a Pi with 2 GB or more.",
)


def memory(host: Host) -> Case:
    """Compare the memory with what a browser on the screen takes."""
    total = next((line for line in (host.text("proc/meminfo") or "").splitlines() if line.startswith("MemTotal:")), "")
    if not total:
        raise CantTellError("/proc/meminfo doesn't say")
    kilobytes = int(total.split()[1])
    gigabytes = f"{kilobytes / 1e6:.1f}"
    if kilobytes >= SCREEN_KILOBYTES:
        return ENOUGH.of(gigabytes=gigabytes)
    # Not by UnitFileState: a first deployment enables it, and ConditionMemory= keeps it off here.
    is_on = host.unit(SCREEN_UNIT).get("ActiveState") in {"active", "activating"}
    return (TOO_LITTLE if is_on else NO_SCREEN).of(gigabytes=gigabytes)


CHECKS = (
    Check("system", "Camera, pins and installed packages are those of Debian 12 and 13; others were never tried.",
          operating_system, (GOOD_OS, NO_PI, OTHER_OS)),
    Check("python", "The packages that the kiosk needs are made for these versions of Python, and tried with them.",
          python, (GOOD_PYTHON, OTHER_PYTHON)),
    Check("architecture", "What runs the models isn't made for 32-bit systems, which many SD cards still hold.",
          architecture, (WIDE, NARROW)),
    Check("power", "A Pi that is too hot slows down. With too little voltage it also loses USB devices and damages SD "
          "cards, often unnoticed.", power, (GOOD_POWER, WAS_WEAK, WEAK)),
    Check("temperature", "From 80 °C on, a Pi slows itself down, and verdicts come late.",
          temperature, (COOL, WARM, OVERHEATED)),
    Check("clock", "Most Pis have no clock that runs without power: until a time server has set theirs, quiet hours "
          "and the times in the log are wrong.", clock, (SYNCED, UNSYNCED)),
    Check("memory", "The screen's browser takes 600 to 800 MB: it doesn't start on a computer with less than 2 GB, and "
          "if memory runs out, it is ended before the kiosk.", memory, (ENOUGH, NO_SCREEN, TOO_LITTLE)),
)
