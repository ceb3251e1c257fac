"""Turns a kiosk.toml into settings that were checked key by key; every default of the door lives here."""

import dataclasses
import tomllib
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from device.cameras.source import A_SOURCE, is_source
from device.disk import require_file
from device.errors import SettingsError
from device.limits import (
    A_CROP,
    A_LANGUAGE,
    A_LEVEL,
    A_TIME,
    A_TIME_ZONE,
    A_TOKEN,
    AN_ADDRESS,
    RANDOM,
    SOME_ZONES,
    Zone,
    are_zones,
    checked,
    is_address,
    is_crop,
    is_level,
    is_sha256,
    is_token,
    mended_zones,
    ranged,
)
from device.sections import check_homes, check_names, read_section
from device.signals.quiet_hours import LOCAL, is_clock, is_time_zone
from device.telemetry.settings import CountsSettings, MqttSettings, WebhookSettings
from device.web.languages import AUTO, codes

LARGEST = 1_000_000  # characters of a kiosk.toml: the installed one has seven thousand
FROM_SHELL = ("/dev/", "/proc/")  # where the pipe of `--config <(…)` is, which the shell writes into


@dataclass(frozen=True)
class ModelSettings:
    """Which classifier judges."""

    name: str = "door"  # models/NAME.tflite, or the path of a .tflite
    threshold: float = checked(0.0, is_level, A_LEVEL)  # the alarm begins at this score; 0: the card's
    release: float = checked(0.0, is_level, A_LEVEL)  # and ends below this; 0: by the card, see levels.py


@dataclass(frozen=True)
class FaceSettings:
    """What finds faces. A classifier judges only crops of the finder that it was trained with."""

    finder: Literal["own", "yunet", "haar"] = "own"
    yunet_path: str = "/etc/mask-kiosk/face_detection_yunet_2023mar.onnx"  # not shipped: it is put there by hand
    # Of that file.
    yunet_sha256: str = checked(
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4", is_sha256, " of 64 hexadecimal digits"
    )
    yunet_score: float = ranged(0.7, 0.1, 0.99)  # of a face at least; at 0.9 most masked ones are missed


@dataclass(frozen=True)
class CameraSettings:
    """Where frames come from."""

    # pi, usb:0, rtsp://USER:PASSWORD@HOST/PATH, a video file, or a folder of pictures.
    source: str = checked("pi", is_source, A_SOURCE, secret=True)
    rotation: int = checked(0, lambda degrees: degrees in {0, 90, 180, 270}, " of degrees: 0, 90, 180 or 270")
    mirror: bool = False  # left and right are swapped, after the turn
    crop: tuple[float, ...] = checked((0.0, 0.0, 1.0, 1.0), is_crop, A_CROP)  # after both: the rest is cut
    backlit: bool = False  # people stand in front of something bright; pi, some USB cameras
    brighter: float = ranged(0.0, -3.0, 3.0)  # stops more than the camera would choose; pi only


@dataclass(frozen=True)
class DecisionSettings:
    """How long the door looks before it says something, and at whom. Levels of the score are in the model's card."""

    window_seconds: float = ranged(1.0, 0.2, 10.0)  # a face's scores are averaged over this time
    notice_seconds: float = ranged(0.15, 0.0, 5.0)  # a face followed for less isn't counted: finders see ghosts
    sure_seconds: float = ranged(0.4, 0.0, 10.0)  # a face followed for less has no verdict yet
    forget_seconds: float = ranged(0.7, 0.0, 10.0)  # a face not seen for longer has left
    return_seconds: float = ranged(2.5, 0.0, 60.0)  # whoever is back sooner, where they were lost, is the same visit
    hold_seconds: float = ranged(1.5, 0.0, 60.0)  # an alarm lasts at least this long
    background_seconds: float = ranged(300.0, 20.0, 3600.0)  # a face that hasn't moved for so long is a poster
    least_move: float = ranged(0.07, 0.0, 1.0)  # of its height: a face that never moved so far isn't judged
    least_height: float = ranged(0.08, 0.0, 0.9)  # of the picture's: who is smaller doesn't count
    least_brightness: float = ranged(20.0, 0.0, 200.0)  # mean grey level, 0-255; the same for who is darker
    # Faces whose middle is in one don't count.
    zones: tuple[Zone, ...] = checked((), are_zones, SOME_ZONES, mended=mended_zones)


@dataclass(frozen=True)
class SignalSettings:
    """What is wired where, and how long it is on. Pins are GPIO (BCM) numbers from 2 to 27; 0: not wired."""

    red_pin: int = 17
    green_pin: int = 27
    blue_pin: int = 0  # wired: the three are the legs of one RGB LED
    buzzer_pin: int = 22
    relay_pin: int = 0  # high while the door is released
    camera_pin: int = 0  # an LED that is lit while the camera runs
    collect_pin: int = 0  # an LED that is lit while [collect] keeps faces, which it doesn't without one
    button_pin: int = 0  # to ground; pressed: silence, held for 3 s: self-test
    lamps_active_high: bool = True  # false: the LEDs light when their pin is low
    buzzer_active_high: bool = True  # false: for buzzer modules that sound at a low level
    beeps: int = ranged(3, 0, 20)  # how often the buzzer sounds in one alarm
    beep_seconds: float = ranged(0.2, 0.05, 2.0)
    pause_seconds: float = ranged(0.2, 0.05, 10.0)  # between two beeps
    quiet_from: str = checked("00:00", is_clock, A_TIME)  # no alarm beeps from here
    quiet_until: str = checked("00:00", is_clock, A_TIME)  # until here; both the same: alarms always beep
    time_zone: str = checked(LOCAL, is_time_zone, A_TIME_ZONE)  # of these two; local: the one this computer is set to
    release_seconds: float = ranged(5.0, 0.5, 30.0)  # the longest that the relay releases the door at a time
    fault_seconds: float = ranged(2.0, 1.6, 3.0)  # how long the lamps show FAULT before the kiosk ends


@dataclass(frozen=True)
class ScreenSettings:
    """The page that the kiosk serves, for a screen at the door."""

    enabled: bool = True
    host: str = checked("127.0.0.1", is_address, AN_ADDRESS)  # the address at which it is served
    port: int = ranged(6275, 1024, 65535)
    language: str = checked(AUTO, lambda code: code in (AUTO, *codes()), A_LANGUAGE)  # auto: the browser's
    mirror: bool = False  # the page shows the camera's picture, to everybody who may open it
    speech: bool = False  # the page speaks its prompts
    open_browser: bool = True  # when started from a terminal of a graphical session
    setup: Literal["loopback", "lan", "off"] = "loopback"  # from where the setup page is answered
    token: str = checked(RANDOM, is_token, A_TOKEN, secret=True)  # of the setup page; random: a new one at each start
    today: Literal["loopback", "lan", "off"] = "loopback"  # from where /today is answered, if [counts] is enabled
    metrics: Literal["loopback", "lan", "off"] = "off"  # from where /metrics is answered, for Prometheus
    read_token: str = checked(RANDOM, is_token, A_TOKEN, secret=True)  # of these two; it opens no setup page


@dataclass(frozen=True)
class CollectSettings:
    """Which unsure faces are kept, sealed to a key. docs/collect.md says what that asks of an owner."""

    public_key: str = "off"  # off: none; else the file of the public key
    days: int = ranged(14, 1, 30)  # after which a crop is removed
    most_a_visit: int = ranged(3, 1, 10)  # crops
    most: int = ranged(500, 1, 900)  # crops in all
    most_megabytes: float = ranged(10.0, 0.1, 100.0)  # in all

    @property
    def on(self) -> bool:
        """Tell whether anything is kept."""
        return self.public_key != "off"


@dataclass(frozen=True)
class Settings:
    """A kiosk.toml, section by section."""

    model: ModelSettings = ModelSettings()
    faces: FaceSettings = FaceSettings()
    camera: CameraSettings = CameraSettings()
    decision: DecisionSettings = DecisionSettings()
    signals: SignalSettings = SignalSettings()
    screen: ScreenSettings = ScreenSettings()
    mqtt: MqttSettings = dataclasses.field(default_factory=MqttSettings)
    webhook: WebhookSettings = dataclasses.field(default_factory=WebhookSettings)
    counts: CountsSettings = dataclasses.field(default_factory=CountsSettings)
    collect: CollectSettings = CollectSettings()


def read_settings(path: Path | None) -> Settings:
    """Read a kiosk.toml; what it leaves out keeps its default, and without a file everything does.

    Raises SettingsError with one line that names the file and the key.
    """
    if path is None:
        return Settings()
    try:
        if not str(path).startswith(FROM_SHELL):
            require_file(path)
        with path.open(encoding="utf-8-sig") as file:  # Windows may mark it; a device may have no end
            text = file.read(LARGEST + 1)
        content = tomllib.loads(text) if len(text) <= LARGEST else None
    except OSError as error:
        raise SettingsError(f"{path}: can't be read ({error.strerror}): check the path and its permissions") from error
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, or numbers of thousands of digits
        advice = "correct it; numbers have a point (0.5), texts straight quotes (\"), and a key stands once"
        raise SettingsError(f"{path}: is no valid TOML ({error}): {advice}") from error
    if content is None:
        raise SettingsError(f"{path}: has more than {LARGEST} characters, expected a kiosk.toml: name another file")
    sections = typing.get_type_hints(Settings)
    check_homes(content, sections, path)
    check_names(content, sections, f"{path}: section")
    settings = Settings(
        **{name: read_section(sections[name], table, f"{path}: [{name}]") for name, table in content.items()}
    )
    if settings.screen.read_token == settings.screen.token != RANDOM:
        raise SettingsError(f"{path}: [screen] read_token is the setup page's token, expected its own: write another")
    return settings
