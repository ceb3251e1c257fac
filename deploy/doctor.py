"""Has the release that a host runs look at the host, and says what it finds."""

import json
import re
from typing import Any

from deploy import steps
from deploy.errors import DeployError, UnwellError
from deploy.pi.facts import HOME
from deploy.remote import Remote
from deploy.say import Say, tell

# There, because modules of the folder that it is run in come first: in a home, somebody's own `device`.
COMMAND = f"cd {HOME}/current && sudo -n venv/bin/python -B -m device doctor"
COUNTS = re.compile(r"\d+ checks: ")  # how the last line begins, whatever was found


def doctor(as_json: bool, remote: Remote, say: Say) -> str:
    """Return the doctor's counts where nothing is wrong; as_json: nothing, and print its object with the host's name.

    Raises UnwellError if something is wrong there, and DeployError if the doctor itself is.
    """
    steps.released(remote)
    last = ""

    def note(line: str) -> None:
        nonlocal last
        if last:
            say(last)
        last = line

    code = remote.follow(f"{COMMAND} --json" if as_json else COMMAND, note)
    findings = _read(last) if as_json else {}
    if not (findings if as_json else COUNTS.match(last)):
        found = last[:60] if last.startswith("{") else last or f"code {code}"  # half an object may be of any length
        raise DeployError(f"its doctor can't run ({found}), expected its findings: run `make deploy` again")
    if as_json:
        tell(json.dumps({"host": remote.host, **findings}))
        last = f"its worst finding is a {findings['worst']}" if code else ""
    if code:
        raise UnwellError(last)
    return last


def _read(line: str) -> dict[str, Any]:
    """Return the doctor's object; an empty one for a line that isn't it, as of a doctor that was killed meanwhile."""
    try:
        read = json.loads(line)
    except ValueError:
        return {}
    return read if isinstance(read, dict) and "worst" in read else {}
