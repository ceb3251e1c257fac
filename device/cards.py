"""Reads the JSON card beside a .tflite strictly, as the dataclass that it was written from.

A card with a missing, unknown or ill-typed key is refused, and so is a model file whose SHA-256 isn't the card's.
"""

import dataclasses
import hashlib
import json
import shlex
import types
import typing
from pathlib import Path
from typing import Any, Protocol, TypeVar

from device.errors import ModelError


class _OfOneModel(Protocol):
    @property
    def sha256(self) -> str: ...


SHIPPED = ("door", "simple", "simple-random", "faces", "faces-check")  # in models/, and in git
Card = TypeVar("Card", bound=_OfOneModel)
Described = TypeVar("Described")


def read_pair(kind: type[Card], model: Path, made_by: str) -> tuple[Card, bytes]:
    """Read the card beside a model file, and the model's bytes, proven to be those that the card was written for.

    kind: the card's dataclass. made_by: the command that makes both files, for the refusals.
    Raises ModelError with one line that names the file.
    """
    card = read_described(kind, model.with_suffix(".json"), "a model card", brought_back(model, made_by))
    return card, read_proven(model, card.sha256, made_by)


def brought_back(model: Path, made_by: str) -> str:
    """Return what brings a model's files back, for a refusal: made anew, one that ships would be another one."""
    if model.absolute().parent.name != "models":
        return f"`{made_by} MODELS={shlex.quote(str(model.parent))}`"
    shipped = "`git checkout models` for the shipped one, for your own " if model.stem in SHIPPED else ""
    return f"{shipped}`{made_by}`"


def read_proven(path: Path, expected: str, made_by: str) -> bytes:
    """Read a model file, proven to be the one whose SHA-256 its card says. Raises ModelError in one line."""
    back = brought_back(path, made_by)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: can't be read ({error.strerror}): run {back}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ModelError(
            f"{path}: has SHA-256 {found[:12]}…, its card says {expected[:12]}…: copy both files again or run {back}"
        )
    return content


def read_described(kind: type[Described], path: Path, what: str, back: str) -> Described:
    """Read a JSON file as the dataclass that it was written from.

    what: that file, and back: what brings it back, in backticks, for the refusals. Raises ModelError with one line that
    names the file.
    """
    anew = f"expected {what}: run {back}"
    try:
        return typing.cast(Described, parse(kind, json.loads(path.read_text(encoding="utf-8")), "card"))
    except OSError as error:
        raise ModelError(f"{error.filename}: can't be read ({error.strerror}): run {back}") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: is not UTF-8 text, {anew}") from error
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    except (ValueError, OverflowError, RecursionError) as error:  # no JSON, or numbers and nesting beyond all bounds
        raise ModelError(f"{path}: is not JSON ({error}), {anew}") from error


def card_json(card: Any) -> str:  # noqa: ANN401
    """Return a card's dataclass as the text that `read_pair` reads."""
    return json.dumps(dataclasses.asdict(card), indent=2, ensure_ascii=False) + "\n"


def parse(wanted: Any, value: Any, where: str) -> Any:  # noqa: ANN401
    """Check a JSON value, named `where`, against a type of dataclasses, and return it as that. Raises ModelError."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if dataclasses.is_dataclass(wanted):
        fields = typing.get_type_hints(wanted)
        if not isinstance(value, dict):
            raise ModelError(f"{where} is {_shown(value)}, expected an object")
        if odd := sorted(fields.keys() ^ value.keys()):
            state = "is missing" if odd[0] in fields else "is unknown"
            raise ModelError(f"key {odd[0]!r} of {where} {state}: it is of another version, or was edited")
        return typing.cast(type, wanted)(**{key: parse(kind, value[key], key) for key, kind in fields.items()})
    if origin is types.UnionType:  # of something and None
        return None if value is None else parse(arguments[0], value, where)
    if origin is dict and isinstance(value, dict):
        return {str(key): parse(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if origin is tuple and isinstance(value, list):
        kinds = arguments[:1] * len(value) if arguments[-1] is ... else arguments
        if len(kinds) == len(value):
            return tuple(parse(kind, item, where) for kind, item in zip(kinds, value, strict=True))
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is wanted:
        return value
    raise ModelError(f"key {where!r} is {_shown(value)}, expected {getattr(wanted, '__name__', wanted)}")


def _shown(value: Any) -> str:  # noqa: ANN401
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:39] + "…"
