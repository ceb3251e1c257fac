"""The commands of docs/deploy.md, as they stand there."""

import re

from virtual_pi.guest import TREE

DOCS = TREE / "docs" / "deploy.md"
PI = "pi@kiosk.local"
REACH = f"ssh {PI} true"
DEPLOY = f"make deploy HOST={PI}"
DRY_RUN = f"{DEPLOY} DRY_RUN=1"
STATUS, LOGS = f"make status HOST={PI}", f"make logs HOST={PI}"
ROLLBACK, UNDEPLOY = f"make rollback HOST={PI}", f"make undeploy HOST={PI}"
EDIT = f"ssh -t {PI} sudo nano /etc/mask-kiosk/kiosk.toml"
RESTART = f"ssh {PI} sudo systemctl restart mask-kiosk"
BUNDLE, BUNDLE_TRIXIE = "make bundle DEBIAN=12", "make bundle DEBIAN=13"
COMMANDS = (REACH, DRY_RUN, DEPLOY, EDIT, RESTART, STATUS, LOGS, ROLLBACK, UNDEPLOY, BUNDLE, BUNDLE_TRIXIE)


def page_commands() -> list[str]:
    """Return the commands that docs/deploy.md shows, without their remarks."""
    shown = re.findall(r"^    (\S.*)$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    return [line.partition(" #")[0].strip() for line in shown]
