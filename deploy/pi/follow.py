"""Where a kiosk fetches its releases, whom it believes, and what it believed last: the pull agent's files."""

import json
import re
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from deploy.errors import DeployError
from deploy.manifest import KEY, signers_file
from deploy.pi import service
from deploy.pi.files import CURRENT, point, remove, write
from deploy.pi.say import say
from device.cards import parse
from device.errors import ModelError

# Not in /etc/mask-kiosk and /var/lib/mask-kiosk, which the kiosk itself may write.
ETC = Path("/etc/mask-kiosk-pull")
SERVER, SIGNERS = ETC / "server", ETC / "signers"
STATE = Path("/var/lib/mask-kiosk-pull/state.json")
# The manifest's SHA-256, and the release that ran when it was first believed. Apart from the state, in which the agents
# of older releases refuse a key that they don't know.
RAN = STATE.with_name("ran")
URL = re.compile(r"https?://[^\s/]+/(\S*/)?")


@dataclass(frozen=True)
class State:
    """The newest manifest that was believed; an older one never is again."""

    serial: int = 0
    sha256: str = ""  # of its file
    ended: str = ""  # how its release's installation ended; nothing: not yet
    begun: int = 0  # how often it began without coming to an end


@dataclass(frozen=True)
class Computer:
    """The computer below `root`."""

    root: Path

    def at(self, path: Path) -> Path:
        """Return where a path of the kiosk is."""
        return self.root / path.relative_to("/")

    def server(self) -> str:
        """Return the address of the manifest's folder. Raises DeployError."""
        path = self.at(SERVER)
        if not path.exists():
            raise DeployError("follows no server, expected one: run `make follow`")
        return path.read_text(encoding="utf-8", errors="replace").strip()

    def runs(self) -> str:
        """Return the version of the current release, or `nothing`."""
        return self.at(CURRENT).resolve().name if self.at(CURRENT).exists() else "nothing"

    def place(self) -> float:
        """Return this computer's place among all, 0-1: the same in every roll-out, and it gives no machine id away."""
        machine = self.at(Path("/etc/machine-id")).read_bytes().strip()
        return int.from_bytes(sha256(b"mask-kiosk ring\0" + machine).digest()[:8]) / 2**64


def folder_url(server: str) -> str:
    """Return the address of a manifest's folder, with its last slash. Raises DeployError."""
    url = server.rstrip("/") + "/"
    if not URL.fullmatch(url):
        raise DeployError(f"server is '{server}', expected the manifest's folder: FROM=https://example.org/kiosks/")
    return url


def follow(server: str, keys: tuple[str, ...]) -> None:
    """Have the pull agent fetch what one of these public keys has signed from a server's folder."""
    server = folder_url(server)
    found = [match[0] for key in keys if (match := KEY.match(key))]  # without a comment
    if not found or len(found) < len(keys):
        raise DeployError(f"keys are {keys}, expected ssh-ed25519 …: run `make keys`")
    service.systemctl("stop", service.PULL)  # it may be fetching what is believed no more
    write(SIGNERS, signers_file(tuple(found)))
    write(SERVER, f"{server}\n")
    service.systemctl("daemon-reload")
    if not service.systemctl("restart", service.PULL_TIMER):
        raise DeployError(f"{service.PULL_TIMER} doesn't start, expected a release that brings it: run `make deploy`")
    point(service.TIMER_ENABLED, service.UNITS / service.PULL_TIMER)
    say(f"follows {server}")


def unfollow() -> None:
    """Stop fetching; what was believed last stays."""
    service.systemctl("stop", service.PULL_TIMER, service.PULL)  # it may be fetching
    remove(ETC)
    say("follows no server")


def write_ran(computer: Computer, digest: str) -> None:
    """Note which release runs where a manifest of this SHA-256 is believed for the first time."""
    write(computer.at(RAN), f"{digest} {computer.runs()}\n")


def came_by_hand(computer: Computer, digest: str) -> bool:
    """Tell whether another release runs than when the manifest of this SHA-256 was believed for the first time."""
    path = computer.at(RAN)
    said = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    of, _, ran = said.strip().partition(" ")
    return of == digest and ran != computer.runs()


def read_state(computer: Computer) -> State:
    """Return what was believed last; without its file nothing was yet. Raises DeployError."""
    path = computer.at(STATE)
    if not path.exists():
        return State()
    try:
        found = parse(State, json.loads(path.read_text(encoding="utf-8")), "the state")
    except (ModelError, ValueError) as error:
        raise DeployError(
            f"{path} is damaged ({error}), so an old manifest can't be told from a new one: remove it on the Pi"
        ) from error
    assert isinstance(found, State)  # noqa: S101
    return found


def write_state(computer: Computer, state: State) -> None:
    """Replace the state, on the card before anything else happens."""
    write(computer.at(STATE), json.dumps(asdict(state)) + "\n")
