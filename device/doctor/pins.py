"""Checks of the doctor: who may use the pins, through which driver, and who already does."""

from device.doctor.finding import Case, Check, Level
from device.doctor.host import CantTellError, Host
from device.doctor.user import service_user
from device.guard import CHIPS
from device.signals.wiring import NOT_WIRED, PARTS

GROUPS = {"video": "the camera", "render": "the camera's memory", "gpio": "the pins"}
FACTORY = "GPIOZERO_PIN_FACTORY"
HELD = "anon_inode:gpio-line"  # what a program that holds lines has open; or -linehandle, -event
LABEL = "lg"  # what lgpio has the kernel say of a line that it holds

MEMBER = Case(Level.OK, "{user} is in {groups}")
NO_USER = Case(Level.NOTE, "no user {user}: the kiosk isn't installed here")
NO_MEMBER = Case(
    Level.TROUBLE, "the service's user {user} isn't in the groups {missing}",
    "Run `make deploy` again, or `sudo usermod --append --groups video,render,gpio {user}`.\n"
    "Restart the kiosk: `sudo systemctl restart mask-kiosk`.",
)


def groups(host: Host) -> Case:
    """Compare the groups of the service's user with those that devices belong to."""
    user = service_user(host)
    if user.number is None:
        return NO_USER.of(user=user.name)
    missing = [f"{name} ({what})" for name, what in GROUPS.items() if name not in user.groups]
    return NO_MEMBER.of(user=user.name, missing=", ".join(missing)) if missing else MEMBER.of(
        user=user.name, groups=", ".join(GROUPS)
    )


PINS = """
import json
from importlib.metadata import version
from gpiozero import Device
Device.ensure_pin_factory()
print(json.dumps(version("gpiozero")))
"""

LGPIO = Case(Level.OK, "gpiozero {version} with lgpio on {chip}")
NO_BOARD = Case(Level.NOTE, "no Raspberry Pi, so there are no pins: states are shown in the terminal only")
NO_CHIP = Case(
    Level.TROUBLE, "there is no /dev/gpiochip0 and no /dev/gpiochip4",
    "Install the kernel of Raspberry Pi OS: `sudo apt full-upgrade`.\n"
    "Restart the Pi: `sudo reboot`.",
)
OTHER_FACTORY = Case(
    Level.TROUBLE, "the service has {factory} as its pin driver, expected lgpio",
    "Run `make deploy` again; or put `Environment=GPIOZERO_PIN_FACTORY=lgpio` back into mask-kiosk.service.",
)
NO_LGPIO = Case(
    Level.TROUBLE, "the pin driver lgpio can't open the pins ({error})",
    "Install the driver: `sudo apt install python3-lgpio`. (The lgpio that pip installs is empty for some versions of "
    "Python.)\n"
    "Run the doctor again, with `sudo` or as a user in the group gpio.",
)


def pins(host: Host) -> Case:
    """Open the pins' driver, and no pin, with lgpio."""
    if not host.is_pi:
        return NO_BOARD
    chips = [number for number in CHIPS if (host.root / f"dev/gpiochip{number}").exists()]
    if not chips:
        return NO_CHIP
    variables = dict(part.partition("=")[::2] for part in host.service.get("Environment", "").split())
    if variables.get(FACTORY, "lgpio") != "lgpio":
        return OTHER_FACTORY.of(factory=variables[FACTORY])
    ran = host.python(PINS, **{FACTORY: "lgpio"})
    if ran.code:
        return NO_LGPIO.of(error=ran.last_line)
    return LGPIO.of(version=ran.answer, chip=" and ".join(f"/dev/gpiochip{number}" for number in chips))


LINES = """
import json, lgpio, sys
from device.guard import open_header
chip = open_header(lgpio)
if chip is None:
    sys.exit("no chip of the header can be opened")
lines = {pin: lgpio.gpio_get_line_info(chip, int(pin)) for pin in sys.argv[1:]}
print(json.dumps({pin: line[4] for pin, line in lines.items() if line[2] & 1}))
"""

ALL_FREE = Case(Level.OK, "none of {pins} is taken")
OURS = Case(Level.OK, "{pins} held by the kiosk")
OTHERWISE = Case(
    Level.WARNING, "the kiosk holds {held}, but kiosk.toml also names {free}",
    "Restart the kiosk: `sudo systemctl restart mask-kiosk`. It takes the pins that kiosk.toml names when it starts.",
)
BUSY = Case(
    Level.TROUBLE, "pins of the kiosk are taken: {pins}; {who}",
    "If a program holds them, end it; or wire the part to another pin, and set that one in `[signals]` of kiosk.toml. "
    "Restart the kiosk: `sudo systemctl restart mask-kiosk`.\n"
    "If a name like w1 or spi is given, the kernel holds the pin: remove that name's line from "
    "/boot/firmware/config.txt, and restart the Pi with `sudo reboot`.",
)


def busy_pins(host: Host) -> Case:
    """Ask the kernel which of the wired pins are taken, and look who holds any."""
    if not host.is_pi:
        raise CantTellError("no Raspberry Pi, so there are no pins")
    signals = host.settings.signals
    wired = {str(pin): part for key, part in PARTS.items() if (pin := getattr(signals, key)) != NOT_WIRED}
    ran = host.python(LINES, *wired)
    ran.require_done("lgpio doesn't tell")
    busy: dict[str, str] = ran.answer
    if not busy:
        return ALL_FREE.of(pins="GPIO " + ", ".join(wired))
    held = {process: sum(file.startswith(HELD) for file in process.open_files or ()) for process in host.processes()}
    kiosk = next((process for process in held if process.pid == host.kiosk_pid), None)
    others = [str(process) for process, lines in held.items() if lines and process is not kiosk]
    if kiosk:
        if busy.keys() == wired.keys():
            return OURS.of(pins="GPIO " + ", ".join(busy))
        strange = {pin: label for pin, label in busy.items() if label != LABEL}
        # lgpio opens each line by itself: a kiosk with as many as are taken leaves none to another program.
        if not strange and (not others or held[kiosk] >= len(busy)):
            free = [f"GPIO {pin} ({part})" for pin, part in wired.items() if pin not in busy]
            return OTHERWISE.of(held="GPIO " + ", ".join(busy), free=", ".join(free))
        busy = strange or busy
    named = [f"GPIO {pin} ({wired[pin]}){f' as {label!r}' if label else ''}" for pin, label in busy.items()]
    return BUSY.of(pins=", ".join(named), who=_who(others, host))


def _who(holders: list[str], host: Host) -> str:
    if holders:
        return f"programs that hold pins: {', '.join(holders)}"
    if any(process.open_files is None for process in host.processes()):
        return "run the doctor with sudo to see by whom"
    return "no program holds any, so the kernel does"


CHECKS = (
    Check("groups", "Camera and pins belong to groups of users. The service runs as a user of its own, which has to be "
          "in them.",
          groups, (MEMBER, NO_USER, NO_MEMBER)),
    Check("pins", "Only the driver lgpio works with the pins of every Pi. Without it, another is taken with no more "
          "than a warning.", pins, (LGPIO, NO_BOARD, NO_CHIP, OTHER_FACTORY, NO_LGPIO)),
    Check("busy pins", "A pin that another program or the kernel holds can't be switched, and the kiosk doesn't start.",
          busy_pins, (ALL_FREE, OURS, OTHERWISE, BUSY)),
)
