"""Turns a kiosk.toml into settings that were checked key by key; every default of the door lives here."""

import dataclasses
import difflib
import tomllib
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from device.errors import SettingsError

PINS = ("red_pin", "green_pin", "buzzer_pin")


def _ranged(default: float, low: float, high: float) -> Any:  # noqa: ANN401
    return field(default=default, metadata={"low": low, "high": high})


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


@dataclass(frozen=True)
class DecisionSettings:
    """How long the door looks before it says something. Levels of the score are the model's and stand in its card."""

    window_seconds: float = _ranged(1.0, 0.2, 10.0)  # a face's scores are averaged over this time
    notice_seconds: float = _ranged(0.15, 0.0, 5.0)  # a face followed for less isn't counted: finders see ghosts
    sure_seconds: float = _ranged(0.4, 0.0, 10.0)  # a face followed for less has no verdict yet
    forget_seconds: float = _ranged(0.7, 0.0, 10.0)  # a face not seen for longer has left
    hold_seconds: float = _ranged(1.5, 0.0, 60.0)  # an alarm lasts at least this long


@dataclass(frozen=True)
class SignalSettings:
    """What is wired where. Pins are GPIO (BCM) numbers from 2 to 27; 0: not wired."""

    red_pin: int = 17
    green_pin: int = 27
    buzzer_pin: int = 22
    lamps_active_high: bool = True  # false: the lamps light when their pin is low
    buzzer_active_high: bool = True  # false: as the buzzer modules that sound at a low level
    beeps: int = _ranged(3, 0, 20)  # how often the buzzer sounds in one alarm
    beep_seconds: float = _ranged(0.2, 0.05, 2.0)
    pause_seconds: float = _ranged(0.2, 0.05, 10.0)  # between two beeps


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


def _value(kind: Any, limits: typing.Mapping[str, float], value: Any, where: str) -> Any:  # noqa: ANN401
    if typing.get_origin(kind) is Literal:
        if value not in typing.get_args(kind):
            raise SettingsError(f"{where} is {value!r}, expected one of {', '.join(typing.get_args(kind))}")
        return value
    kinds = typing.get_args(kind) or (kind,)
    if float in kinds and type(value) is int:
        value = float(value)
    name = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}[kinds[0]]
    expected = f"{name} from {limits['low']} to {limits['high']}" if limits else name
    # "not (low <= x <= high)" also refuses nan.
    if type(value) not in kinds or value == "" or (limits and not limits["low"] <= value <= limits["high"]):
        raise SettingsError(f"{where} is {value!r}, expected {expected}")
    return value


def _check_names(found: typing.Iterable[str], known: typing.Collection[str], what: str) -> None:
    for name in found:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}"
            raise SettingsError(f"{what} {name!r} is unknown: {hint}")
