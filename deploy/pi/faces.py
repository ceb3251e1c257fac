"""Sees to it that faces that a kiosk has kept go in time where no kiosk is left that removes them."""

from pathlib import Path

from deploy.pi.facts import FACES
from deploy.pi.files import remove, write
from deploy.pi.say import say

RULES = Path("/etc/tmpfiles.d/mask-kiosk.conf")  # a link to the release's, while there is one
RULE = f"e {FACES} - - - m:31d\n"


def leave_rule() -> None:
    """Put what removes kept faces in the place of the release's rules, unless it is there; without faces, nothing."""
    if not (FACES.is_dir() and any(FACES.iterdir())):
        remove(RULES)
    elif RULES.is_symlink() or not RULES.exists():
        write(RULES, RULE)
        say(f"{FACES}: the sealed faces there still go after 31 days, as {RULES} says")
