"""Turns a section of a TOML file into a dataclass of settings, each value checked against its type and its limits."""

import dataclasses
import difflib
import textwrap
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from device.errors import SettingsError

LONGEST_TOLD = 200  # characters of a list that a refusal repeats


def read_section(wanted: type, table: object, where: str) -> Any:  # noqa: ANN401
    """Turn one section of a kiosk.toml into its settings; `where` begins the line of a SettingsError."""
    if not isinstance(table, dict):
        raise SettingsError(f"{where} is no section, expected its name in a line of its own and its keys below")
    fields = {item.name: item for item in dataclasses.fields(wanted)}
    kinds = typing.get_type_hints(wanted)
    check_names(table, fields, f"{where} key")
    values = {key: _value(kinds[key], fields[key].metadata, value, f"{where} {key}") for key, value in table.items()}
    return wanted(**values)


def _value(kind: Any, limits: Mapping[str, Any], value: Any, where: str) -> Any:  # noqa: ANN401
    if typing.get_origin(kind) is Literal:
        return _choice(typing.get_args(kind), value, where)
    if typing.get_origin(kind) is tuple:
        return _rows(limits, value, where)
    return _single(kind, limits, value, where)


def _choice(choices: tuple[str, ...], value: Any, where: str) -> str:  # noqa: ANN401
    if value not in choices:
        raise SettingsError(f"{where} is {value!r}, expected one of {', '.join(choices)}")
    return str(value)


def _rows(limits: Mapping[str, Any], value: Any, where: str) -> tuple[Any, ...]:  # noqa: ANN401
    """Return a list, of numbers or of lists of such, as tuples."""
    rows = tuple(tuple(row) if isinstance(row, list) else row for row in value) if isinstance(value, list) else None
    if rows is None or not limits["check"](rows):
        told = textwrap.shorten(repr(value), LONGEST_TOLD, placeholder=" …")
        advice = f": {limits['mended'](rows)}" if limits["mended"] else ""
        raise SettingsError(f"{where} is {told}, expected a list{limits['expected']}{advice}")
    return rows


def _single(kind: type, limits: Mapping[str, Any], value: Any, where: str) -> Any:  # noqa: ANN401
    """Return a text, truth value or number of this kind; a whole number may stand for one with a point."""
    if kind is float and type(value) is int and limits["check"](value):  # else it may be too large for a float
        value = float(value)
    # A check says no to nan too.
    if type(value) is not kind or value == "" or (limits and not limits["check"](value)):
        name = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}[kind]
        hidden = limits.get("secret") and isinstance(value, str | list | dict) and value
        told = "no such text" if hidden else repr(value)
        raise SettingsError(f"{where} is {told}, expected {name}{limits.get('expected', '')}")
    return value


def check_homes(content: Mapping[str, object], sections: Mapping[str, type], path: Path) -> None:
    """Raise SettingsError for a key that stands above the sections, with those that have such a key."""
    for key, value in content.items():
        if key not in sections and not isinstance(value, dict):
            homes = [f"[{name}]" for name, kind in sections.items() if key in typing.get_type_hints(kind)]
            where = " or ".join(homes) or "the one it belongs to"
            raise SettingsError(f"{path}: key {key!r} stands above all sections: write it below {where}")


def check_names(found: typing.Iterable[str], known: typing.Collection[str], what: str) -> None:
    """Raise SettingsError for a name that isn't known, with the nearest that is; `what` begins its line."""
    for name in found:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}"
            raise SettingsError(f"{what} {name!r} is unknown: {hint}")
