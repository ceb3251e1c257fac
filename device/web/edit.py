"""Writes changed keys into a kiosk.toml, whole or not at all; its comments and ends of lines stay."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit import TOMLDocument
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Array, Comment, Table

from device.disk import require_file, sync
from device.errors import SettingsError
from device.settings import Settings, read_settings


def edit_settings(
    path: Path, changes: Mapping[str, Mapping[str, Any]], require: Callable[[Settings], object]
) -> Settings:
    """Set keys, section by section; return what the file says now.

    require: what else raises SettingsError for settings that would be refused. Raises SettingsError then, and if the
    file can't be written.
    """
    path = path.resolve()  # a link to the file stays one
    new = path.with_name(f".{path.name}.new")  # in the same folder, so that it can take the file's place at once
    try:
        require_file(path)
        with path.open(encoding="utf-8-sig") as file:  # a mark of Windows is left out
            document = tomlkit.parse(file.read())
            newline = "\r\n" if file.newlines == "\r\n" else "\n"
        for section, values in changes.items():
            table = document.setdefault(section, tomlkit.table())
            if isinstance(table, Mapping):  # if it was made something else by hand, read_settings refuses it below
                for key, value in values.items():
                    _set(table, key, value)
        if os.path.lexists(new):  # of a save that was killed: its mode may be another
            new.unlink()
        with open(new, "x", encoding="utf-8", newline=newline, opener=_secretly) as file:  # passwords may stand in it
            file.write(tomlkit.dumps(document))
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(path, new)
        settings = read_settings(new)
        require(settings)
        new.replace(path)
        sync(path.parent)  # what was told to be saved survives a power cut
        return settings
    except SettingsError as error:
        raise SettingsError(str(error).replace(str(new), str(path))) from error
    except (OSError, ValueError, TypeError, TOMLKitError) as error:
        raise SettingsError(f"{path}: can't be written ({error}): check the file and who may write it") from error
    finally:
        with suppress(OSError):  # it was never made, or on a card that has become read-only
            new.unlink()


def _secretly(path: str, flags: int) -> int:
    """Open a file so that nobody else may read it from the moment when it is made."""
    return os.open(path, flags, 0o600)


def _set(table: Any, key: str, value: Any) -> None:  # noqa: ANN401
    """Set a key of a section; what stays in a list keeps the comments beside it."""
    there = table.get(key)
    if there is None and isinstance(table, Table) and not table.is_super_table():
        _add(table, key, value)
    else:
        table[key] = next(_edited(there, _as_lists(value)), value) if isinstance(there, Array) else value


def _add(table: Table, key: str, value: Any) -> None:  # noqa: ANN401
    """Set a key that a section lacks: where it stands as a comment, so that nobody uncomments it beside another.

    Else below the section's last key: what comes after that may be notes on the next section, or a section that is
    commented out.
    """
    above, indent = table.trivia, ""
    for name, item in table.value.body:
        if name is not None:
            above, indent = item.trivia, item.trivia.indent
        elif isinstance(item, Comment):
            line = _line_of(item)
            if line.as_string().startswith("["):
                break  # what follows is of another section, which is a comment whole
            if list(line) == [key]:
                _set(line, key, value)
                item.trivia.comment = tomlkit.dumps(line)
                return
    # Within the text that ends the line above: that needs no place among the section's items.
    above.trail = (above.trail or "\n") + indent + tomlkit.dumps({key: value})


def _line_of(comment: Comment) -> TOMLDocument:
    """Return what a comment says without its mark; nothing if that is no TOML."""
    try:
        return tomlkit.parse(comment.trivia.comment.lstrip("# "))
    except TOMLKitError:
        return tomlkit.document()


def _edited(array: Array, items: list[Any]) -> Iterator[Any]:
    """Yield the list with other items and its comments, in each of two ways of writing it that can be read again."""
    text, last = array.as_string(), array[-1].as_string() if array else "["
    end = text.rindex(last) + len(last)
    for tried in (text, f"{text[:end]},{text[end:]}"):  # tomlkit adds no comma before a comment
        with suppress(TOMLKitError):
            changed: Any = tomlkit.parse(f"a = {tried}")["a"]
            _change(changed, items)
            if tomlkit.parse(f"a = {changed.as_string()}").unwrap() == {"a": items}:
                yield changed


def _change(array: Any, items: list[Any]) -> None:  # noqa: ANN401
    before, now = list(map(repr, array.unwrap())), list(map(repr, items))
    for kind, first, end, start, stop in reversed(SequenceMatcher(None, before, now).get_opcodes()):
        if kind == "equal":
            continue
        both = min(end - first, stop - start)
        for i in range(both):
            array[first + i] = items[start + i]
        for i in reversed(range(first + both, end)):
            del array[i]
        for i in range(both, stop - start):
            array.insert(first + i, items[start + i])


def _as_lists(value: Any) -> Any:  # noqa: ANN401
    return [_as_lists(item) for item in value] if isinstance(value, tuple) else value
