"""What the values of a kiosk.toml may be: checks, and what a refusal says was expected."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import field
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from device.signals.quiet_hours import LOCAL
from device.web.languages import AUTO, codes


def ranged(default: float, low: float, high: float) -> Any:  # noqa: ANN401
    """Return the field of a number that may be from `low` to `high`."""
    return checked(default, lambda value: low <= value <= high, f" from {low} to {high}")


def checked(
    default: object, check: Callable[[Any], bool], expected: str, secret: bool = False,
    mended: Callable[[Any], str] | None = None,
) -> Any:  # noqa: ANN401
    """Return a field with the check of its value, and how a refusal goes on after the kind of value.

    secret: the value may hold what no log may tell, so a refusal doesn't repeat it. mended: says how a refused list is
    mended.
    """
    return field(default=default, metadata={"check": check, "expected": expected, "secret": secret, "mended": mended})


# Of a score. No mean of few scores is surely beyond a level that is nearer to 0 or 1: it always has some error.
LOWEST_LEVEL, HIGHEST_LEVEL = 0.02, 0.98
A_LEVEL = f" from {LOWEST_LEVEL} to {HIGHEST_LEVEL}, or 0 for that of the model's card"


def is_level(score: float) -> bool:
    """Tell whether a face's scores can rise to a level, and fall below it; 0 stands for another."""
    return score == 0 or LOWEST_LEVEL <= score <= HIGHEST_LEVEL


def is_sha256(text: str) -> bool:
    """Tell whether a text can be a SHA-256, as sha256sum prints it."""
    return re.fullmatch("[0-9a-f]{64}", text) is not None


WITHIN = "left + width and top + height at most 1"
A_CROP = f" as [left, top, width, height], shares from 0 to 1 of the picture, width and height at least 0.1, {WITHIN}"


def is_crop(shares: tuple[Any, ...]) -> bool:
    """Tell whether four shares, left, top, width and height, lie in the picture and leave something of it."""
    if len(shares) != 4 or not all(type(share) in {int, float} and 0 <= share <= 1 for share in shares):
        return False
    left, top, width, height = shares
    return bool(min(width, height) >= 0.1 and max(left + width, top + height) <= 1)


Zone = tuple[float, float, float, float]  # left, top, width, height, as shares of the picture's
SLIVER = 1e-3  # share of the picture's width or height, in which nobody is seen, as between zones drawn side by side
MOST_ZONES = 50  # whether they leave anything takes the cube of their number
SOME_ZONES = (
    f" of at most {MOST_ZONES} zones, each [left, top, width, height] in shares from 0 to 1 of the picture, width and "
    f"height above 0, {WITHIN}, that leave some of the picture, as [[0.0, 0.0, 0.25, 1.0]]"
)


def are_zones(zones: tuple[Any, ...]) -> bool:
    """Tell whether each zone is a rectangle that has an area and lies in the picture, and some of that is in none."""
    return not mended_zones(zones)


def mended_zones(zones: tuple[Any, ...] | None) -> str:
    """Return what to do about the first rule that zones break, or nothing; None is no list."""
    if zones is None or not all(isinstance(zone, tuple) and len(zone) == 4 for zone in zones):
        return "put each zone into brackets of its own, with four numbers"
    if len(zones) > MOST_ZONES:
        return "leave some out"
    if not all(type(share) in {int, float} and 0 <= share <= 1 for zone in zones for share in zone):  # may be no float
        return "divide pixels by the picture's width or height"
    if any(min(zone[2:]) <= 0 for zone in zones):
        return "give each a width and a height"
    if any(zone[0] + zone[2] > 1 or zone[1] + zone[3] > 1 for zone in zones):
        return "shorten what reaches beyond the picture"
    return "leave some of the picture in no zone" if _cover(zones) else ""


def _cover(zones: tuple[Zone, ...]) -> bool:
    """Tell whether zones leave nothing of the picture that is wider and higher than SLIVER."""
    lines = [sorted({0.0, 1.0, *(side for zone in zones for side in (zone[i], zone[i] + zone[i + 2]))}) for i in (0, 1)]
    columns, rows = ([(a + b) / 2 for a, b in pairwise(sides) if b - a > SLIVER] for sides in lines)
    return all(
        any(left < x < left + width and top < y < top + height for left, top, width, height in zones)
        for x in columns for y in rows
    )  # fmt: skip


A_TIME = ' as "22:00", from 00:00 to 23:59'
A_TIME_ZONE = f' as "Europe/Berlin", the name of a time zone, or "{LOCAL}"'


def is_address(text: str) -> bool:
    """Tell whether a text is an IP address."""
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


AN_ADDRESS = ' as "127.0.0.1", this computer alone, or "0.0.0.0", its whole network'
A_LANGUAGE = f", {AUTO} or one of {', '.join(codes())}"
RANDOM = "random"
SHORTEST_TOKEN = 16  # characters
A_TOKEN = f", {RANDOM} or at least {SHORTEST_TOKEN} characters of a-z, A-Z, 0-9, - and _: write another"


def is_token(text: str) -> bool:
    """Tell whether a text may be the token of the setup page."""
    return text == RANDOM or re.fullmatch(rf"[A-Za-z0-9_-]{{{SHORTEST_TOKEN},}}", text) is not None


HOSTNAME = "hostname"
A_HOST = ' as "broker.lan" or "192.168.1.10", a name or an address'
AN_ID = f' of letters, digits, - and _, at most 64, or "{HOSTNAME}"'
A_URL = ' as "https://example.org/kiosk", without a user or a password'


def is_host(text: str) -> bool:
    """Tell whether a text is the name or the address of a computer."""
    known = re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", text) is not None
    return is_address(text) or (known and _has_whole_parts(text))


def _has_whole_parts(name: str) -> bool:
    """Tell whether a name can be looked up, without an error that ends a thread: no part is missing or too long."""
    return all(1 <= len(part) <= 63 for part in name.removesuffix(".").split("."))


def is_id(text: str) -> bool:
    """Tell whether a text may name a device in Home Assistant's discovery topics."""
    return re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text) is not None


def is_url(text: str) -> bool:
    """Tell whether a text is an HTTP address that holds no password."""
    try:
        parts = urlsplit(text)
        given = parts.hostname and _has_whole_parts(parts.hostname) and (parts.port or 1)
    except ValueError:
        return False
    return bool(given) and parts.scheme in {"http", "https"} and "@" not in text and text.isascii() and " " not in text
