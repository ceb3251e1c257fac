"""Says what a check of the doctor is: what it looks at, why that matters, and every case that it can find."""

import string
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from device.doctor.host import Host
from device.errors import KioskError


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"  # worth knowing, nothing to do
    UNKNOWN = "unknown"  # the check couldn't run
    WARNING = "warning"  # the kiosk works, but not as it should, or not for long
    TROUBLE = "trouble"  # the kiosk doesn't work, or soon won't


@dataclass(frozen=True)
class Case:
    """One thing that a check can find, and what is to be done about it."""

    level: Level
    found: str  # with {places} for what differs from kiosk to kiosk
    do: str = ""  # the same, one step a line; nothing where nothing is to be done

    def of(self, **values: object) -> "Case":
        """Return this case with its places filled."""
        return Case(self.level, self.found.format(**values), self.do.format(**values))

    def with_names(self) -> "Case":
        """Return this case with the name of each place in it, for a manual."""
        fields = string.Formatter().parse(self.found + self.do)
        return self.of(**{name: name.upper().replace("_", " ") for _, name, _, _ in fields if name})


@dataclass(frozen=True)
class Finding:
    """What one check found on this computer."""

    name: str
    level: Level
    found: str
    why: str
    do: str  # one step a line


@dataclass(frozen=True)
class Check:
    """One known trouble of kiosks, and how to look for it."""

    name: str
    why: str
    look: Callable[[Host], Case]
    cases: tuple[Case, ...]  # all that it can find, least urgent first

    def finding(self, host: Host) -> Finding:
        """Look; what keeps the check from running is the finding then."""
        try:
            case = self.look(host)
        except KioskError as error:
            case = Case(Level.UNKNOWN, str(error))
        except Exception as error:  # whatever else is broken here, the other checks are still to be made
            case = Case(Level.UNKNOWN, f"the check failed ({type(error).__name__}: {error})")
        return Finding(self.name, case.level, " ".join(case.found.split()), self.why, case.do)
