"""Turns a kiosk.toml into settings that were checked key by key; every default of the door lives here."""

import dataclasses
import difflib
import tomllib
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from device.errors import SettingsError
from device.quiet_hours import LOCAL, is_clock, is_zone


def _ranged(default: float, low: float, high: float) -> Any:  # noqa: ANN401
    return _checked(default, lambda value: low <= value <= high, f" from {low} to {high}")


def _checked(default: object, check: Callable[[Any], bool], expected: str) -> Any:  # noqa: ANN401
    return field(default=default, metadata={"check": check, "expected": expected})


@dataclass(frozen=True)
class ModelSettings:
    """Which classifier judges."""

    name: str = "door"  # models/NAME.tflite, or the path of a .tflite


@dataclass(frozen=True)
class FaceSettings:
    """What finds faces. A classifier judges the crops of the finder that it was trained with only."""

    finder: Literal["own", "yunet", "haar"] = "own"
    yunet_path: str = "/etc/mask-kiosk/face_detection_yunet_2023mar.onnx"  # not shipped: it is put there by hand
    yunet_sha256: str = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"  # of that file
    yunet_score: float = _ranged(0.7, 0.1, 0.99)  # a face is one from this score on; at 0.9 most masked ones are missed


@dataclass(frozen=True)
class CameraSettings:
    """Where frames come from."""

    source: str = "pi"  # pi, usb:0, a video file, or a folder of pictures


Zone = tuple[float, float, float, float]  # left, top, width, height, as shares of the picture's
SHARES = ", each [left, top, width, height] in shares from 0 to 1 of the picture, as [[0.0, 0.0, 0.25, 1.0]]"


def are_zones(zones: tuple[Any, ...]) -> bool:
    """Tell whether each of the zones is a rectangle that has an area and lies in the picture."""
    return all(
        isinstance(zone, tuple) and len(zone) == 4 and all(type(share) in {int, float} for share in zone)
        and min(zone[:2]) >= 0 < min(zone[2:]) and zone[0] + zone[2] <= 1 >= zone[1] + zone[3]
        for zone in zones
    )  # fmt: skip


@dataclass(frozen=True)
class DecisionSettings:
    """How long the door looks before it says something, and at whom; levels of the score stand in the model's card."""

    window_seconds: float = _ranged(1.0, 0.2, 10.0)  # a face's scores are averaged over this time
    notice_seconds: float = _ranged(0.15, 0.0, 5.0)  # a face followed for less isn't counted: finders see ghosts
    sure_seconds: float = _ranged(0.4, 0.0, 10.0)  # a face followed for less has no verdict yet
    forget_seconds: float = _ranged(0.7, 0.0, 10.0)  # a face not seen for longer has left
    return_seconds: float = _ranged(2.5, 0.0, 60.0)  # whoever is back sooner, where they were lost, is the same visit
    hold_seconds: float = _ranged(1.5, 0.0, 60.0)  # an alarm lasts at least this long
    background_seconds: float = _ranged(300.0, 20.0, 3600.0)  # a face that hasn't moved for so long is a poster
    least_move: float = _ranged(0.07, 0.0, 1.0)  # of its height: a face that never moved so far isn't judged
    least_height: float = _ranged(0.08, 0.0, 0.9)  # of the picture's: who is smaller is waited for, not judged
    least_brightness: float = _ranged(20.0, 0.0, 200.0)  # mean grey level, 0-255; the same for who is darker
    zones: tuple[Zone, ...] = _checked((), are_zones, SHARES)  # faces whose middle is in one don't count


A_TIME = ' as "22:00", from 00:00 to 23:59'
A_ZONE = f' as "Europe/Berlin", the name of a time zone, or "{LOCAL}"'


@dataclass(frozen=True)
class SignalSettings:
    """What is wired where, and how long it is on. Pins are GPIO (BCM) numbers from 2 to 27; 0: not wired."""

    red_pin: int = 17
    green_pin: int = 27
    blue_pin: int = 0  # wired: the three are the legs of one RGB LED
    buzzer_pin: int = 22
    relay_pin: int = 0  # high while the door is released
    camera_pin: int = 0  # an LED that is lit while the camera runs
    button_pin: int = 0  # to ground; pressed: silence, held for 3 s: self-test
    lamps_active_high: bool = True  # false: the LEDs light when their pin is low
    buzzer_active_high: bool = True  # false: as the buzzer modules that sound at a low level
    beeps: int = _ranged(3, 0, 20)  # how often the buzzer sounds in one alarm
    beep_seconds: float = _ranged(0.2, 0.05, 2.0)
    pause_seconds: float = _ranged(0.2, 0.05, 10.0)  # between two beeps
    quiet_from: str = _checked("00:00", is_clock, A_TIME)  # no alarm beeps from here
    quiet_until: str = _checked("00:00", is_clock, A_TIME)  # until here; the same: it always may
    time_zone: str = _checked(LOCAL, is_zone, A_ZONE)  # of these two; local: the one this computer is set to
    release_seconds: float = _ranged(5.0, 0.5, 30.0)  # the longest that the relay releases the door at a time
    fault_seconds: float = _ranged(2.0, 0.0, 5.0)  # how long the lamp shows FAULT before the kiosk ends


@dataclass(frozen=True)
class Settings:
    """A kiosk.toml, section by section."""

    model: ModelSettings = ModelSettings()
    faces: FaceSettings = FaceSettings()
    camera: CameraSettings = CameraSettings()
    decision: DecisionSettings = DecisionSettings()
    signals: SignalSettings = SignalSettings()


def read_settings(path: Path | None) -> Settings:
    """Read a kiosk.toml; what it leaves out keeps its default, and without a file everything does.

    Raises SettingsError with one line that names the file and the key.
    """
    if path is None:
        return Settings()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: can't be read ({error.strerror}): check the path and its permissions") from error
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, or numbers of thousands of digits
        raise SettingsError(f"{path}: is no valid TOML ({error}): correct it") from error
    sections = typing.get_type_hints(Settings)
    _check_names(content, sections, f"{path}: section")
    return Settings(**{name: _section(sections[name], table, f"{path}: [{name}]") for name, table in content.items()})


def _section(wanted: type, table: object, where: str) -> Any:  # noqa: ANN401
    if not isinstance(table, dict):
        raise SettingsError(f"{where} is {table!r}, expected a section")
    fields = {item.name: item for item in dataclasses.fields(wanted)}
    kinds = typing.get_type_hints(wanted)
    _check_names(table, fields, f"{where} key")
    values = {key: _value(kinds[key], fields[key].metadata, value, f"{where} {key}") for key, value in table.items()}
    return wanted(**values)


def _value(kind: Any, limits: Mapping[str, Any], value: Any, where: str) -> Any:  # noqa: ANN401
    if typing.get_origin(kind) is Literal:
        if value not in typing.get_args(kind):
            raise SettingsError(f"{where} is {value!r}, expected one of {', '.join(typing.get_args(kind))}")
        return value
    if typing.get_origin(kind) is tuple:
        rows = value if isinstance(value, list) else [value]
        zones = tuple(tuple(row) if isinstance(row, list) else row for row in rows)
        if not limits["check"](zones):
            raise SettingsError(f"{where} is {value!r}, expected a list of zones{limits['expected']}")
        return zones
    kinds = typing.get_args(kind) or (kind,)
    if float in kinds and type(value) is int:
        value = float(value)
    name = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}[kinds[0]]
    # A check says no to nan too.
    if type(value) not in kinds or value == "" or (limits and not limits["check"](value)):
        raise SettingsError(f"{where} is {value!r}, expected {name}{limits.get('expected', '')}")
    return value


def _check_names(found: typing.Iterable[str], known: typing.Collection[str], what: str) -> None:
    for name in found:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}"
            raise SettingsError(f"{what} {name!r} is unknown: {hint}")
