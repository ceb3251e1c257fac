"""Says in one line what can't be meant in the pins of the settings; nothing is switched here."""

from device.errors import WiringError
from device.settings import SignalSettings

PARTS = {
    "red_pin": "red LED",
    "green_pin": "green LED",
    "blue_pin": "blue of an RGB LED",
    "buzzer_pin": "buzzer",
    "relay_pin": "door relay",
    "camera_pin": "camera LED",
    "collect_pin": "collecting LED",
    "button_pin": "button",
}
# Of each output, the setting that says whether it is on at a high level; None: it always is.
ACTIVE_HIGH = {
    "red_pin": "lamps_active_high",
    "green_pin": "lamps_active_high",
    "blue_pin": "lamps_active_high",
    "buzzer_pin": "buzzer_active_high",
    "relay_pin": None,
    "camera_pin": "lamps_active_high",
    "collect_pin": "lamps_active_high",
}
NOT_WIRED = 0
FIRST_PIN, LAST_PIN = 2, 27  # of the 40-pin header
ADD_ON_PIN = 1  # with 0, which nobody can ask for here, where add-on boards say what they are
FIXED_PULL_UPS = (2, 3)  # resistors on the board, which light what is wired there while nobody drives it
PULLED_UP_AT_START = range(9)  # until a program takes them; the others are pulled down
CONSOLE_PINS = (14, 15)  # the serial console's, which speaks while the Pi starts


def check_wiring(settings: SignalSettings) -> None:
    """Raise WiringError for an unknown, reserved or unfit pin, for two parts on one, and for half an RGB LED."""
    used: dict[int, str] = {}
    for key in PARTS:
        pin = getattr(settings, key)
        if pin == NOT_WIRED:
            continue
        _check_pin(key, pin)
        if pin in used:
            raise WiringError(f"[signals] {used[pin]} and {key} are both {pin}: give each part a pin of its own")
        used[pin] = key
    for key in ("red_pin", "green_pin"):
        if settings.blue_pin != NOT_WIRED and getattr(settings, key) == NOT_WIRED:
            raise WiringError(
                f"[signals] blue_pin is {settings.blue_pin} and {key} is {NOT_WIRED}, expected all three legs of an "
                f"RGB LED: set {key}, or blue_pin to {NOT_WIRED} for two LEDs"
            )


def off_levels(settings: SignalSettings) -> dict[int, int]:
    """Return each wired output's pin with the level, 0 or 1, at which the part there is off."""
    pins = {key: getattr(settings, key) for key in ACTIVE_HIGH}
    return {pin: int(not active_high(settings, key)) for key, pin in pins.items() if pin != NOT_WIRED}


def active_high(settings: SignalSettings, key: str) -> bool:
    """Tell whether an output, by the key of its pin, is on at a high level."""
    setting = ACTIVE_HIGH[key]
    return setting is None or bool(getattr(settings, setting))


def _check_pin(key: str, pin: int) -> None:
    found = f"[signals] {key} is {pin}"
    if pin == ADD_ON_PIN:
        raise WiringError(f"{found}, which is kept for add-on boards: take a GPIO from 4 to {LAST_PIN}")
    if not FIRST_PIN <= pin <= LAST_PIN:
        raise WiringError(
            f"{found}, expected a GPIO (BCM) number from {FIRST_PIN} to {LAST_PIN}, or {NOT_WIRED} for none: count "
            "GPIO names, not places on the header"
        )
    if pin in FIXED_PULL_UPS and key != "button_pin":
        raise WiringError(
            f"{found}, whose fixed pull-up keeps it from being an output: take a GPIO from 4 to {LAST_PIN}"
        )
    if key == "relay_pin" and (pin in PULLED_UP_AT_START or pin in CONSOLE_PINS):
        raise WiringError(
            f"{found}, which is high at times while the Pi starts and would release the door: take GPIO 9 to 13, or "
            f"16 to {LAST_PIN}"
        )
