"""Reads what the screen says from one file a language."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device.errors import SettingsError

PAGE = Path(__file__).parent / "page"
LANGUAGES = PAGE / "languages"
AUTO = "auto"  # the browser's, where it is one of ours
FALLBACK = "en"
LOOKS = ("STARTING", "IDLE", "CHECKING", "CLEAR", "ALARM", "FAULT", "ENDED")
# No picture, the four of device.errors.Blind, anything else, no connection.
FAULTS = ("camera", "stalled", "covered", "dazzled", "frozen", "device", "gone")
# Of the page of today's counts: what is counted first, in the order of its table.
TODAY = (
    "visits", "with_mask", "without_mask", "put_on", "taken_off", "starts", "title", "hour", "all", "plot", "none",
    "export", "token", "open", "wrong", "wait", "unreadable",
)  # fmt: skip


@dataclass(frozen=True)
class Words:
    """What one look of the screen says."""

    word: str  # huge
    prompt: str  # a sentence below it, which is also what is spoken


@dataclass(frozen=True)
class Language:
    """One language file."""

    code: str  # as "de", the file's name
    direction: str  # "ltr" or "rtl"
    title: str
    practice: str
    collecting: str
    looks: dict[str, Words]  # of each of LOOKS
    faults: dict[str, str]  # of each of FAULTS
    today: dict[str, str]  # of each of TODAY


def codes() -> list[str]:
    """List the languages that there are files for."""
    return sorted(path.stem for path in LANGUAGES.glob("*.toml"))


def read_language(path: Path) -> Language:
    """Read a language file. Raises SettingsError with one line if something is missing or too much."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: can't be read ({error}): correct it, or choose another language") from error
    for name, wanted in (
        ("", ("direction", "title", "practice", "collecting", "looks", "faults", "today")),
        ("looks", LOOKS),
        ("faults", FAULTS),
        ("today", TODAY),
        *((f"looks.{look}", ("word", "prompt")) for look in LOOKS),
    ):
        found = _part(content, name)
        if not isinstance(found, dict) or sorted(found) != sorted(wanted):
            raise SettingsError(f"{path}: [{name}] has {sorted(found or ())}, expected {sorted(wanted)}: correct it")
    if content["direction"] not in ("ltr", "rtl"):
        raise SettingsError(f'{path}: direction is {content["direction"]!r}, expected "ltr" or "rtl": correct it')
    looks = {look: Words(**words) for look, words in content.pop("looks").items()}
    return Language(code=path.stem, looks=looks, **content)


def preferred(accepted: str, known: list[str]) -> str:
    """Return the first language of an Accept-Language header, as "de-AT,de;q=0.9,en", that there is a file for."""
    for part in accepted.split(","):
        code = part.partition(";")[0].partition("-")[0].strip().lower()
        if code in known:
            return code
    return FALLBACK


def _part(content: dict[str, Any], name: str) -> Any:  # noqa: ANN401
    part: Any = content
    for key in filter(None, name.split(".")):
        part = part.get(key) if isinstance(part, dict) else None
    return part
