"""Runs commands and copies files on one host, with ssh as it is installed and configured here."""

import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from deploy.errors import DeployError, UnreachedError

# Fails rather than asks; gives a host up that has been silent for a minute.
SSH = (
    "ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "LogLevel=ERROR", "-o", "ServerAliveInterval=15",
    "-o", "ServerAliveCountMax=4",
)  # fmt: skip
HOST = re.compile(r"([A-Za-z0-9_.][A-Za-z0-9_.-]*@)?[A-Za-z0-9_.][A-Za-z0-9_.-]*")
STOPPED = "was stopped here; what the Pi has begun it ends: the same command goes on"  # ssh got our Ctrl-C
UNREACHED = 255  # what ssh ends with when the connection, not the command, failed


class Remote:
    """One host, named as ssh takes it: pi@kiosk.local, or a name of ~/.ssh/config."""

    def __init__(self, host: str) -> None:
        if not HOST.fullmatch(host):
            raise DeployError(f"host is '{host}', expected USER@NAME: set HOST=pi@kiosk.local")
        if shutil.which("ssh") is None:
            raise DeployError("ssh is missing on this computer, expected it on PATH: install it")
        self.host = host

    def ask(self, command: str, script: str) -> tuple[int, str]:
        """Run a command with `script` as its input; return its exit code and what it printed. Raises UnreachedError."""
        done = subprocess.run([*SSH, self.host, command], input=script, capture_output=True, text=True, check=False)
        if done.returncode < 0:
            raise UnreachedError(STOPPED)
        if done.returncode == UNREACHED:
            raise UnreachedError(self._why(done.stderr))
        return done.returncode, done.stdout

    def follow(self, command: str, say: Callable[[str], None]) -> int:
        """Run a command, saying each line that it prints as it comes; return its exit code. Raises UnreachedError."""
        with subprocess.Popen(
            [*SSH, self.host, command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace",
        ) as running:  # fmt: skip
            for line in running.stdout or ():
                say(line.rstrip())
        if running.returncode < 0:
            raise UnreachedError(STOPPED)
        if running.returncode == UNREACHED:
            raise UnreachedError("the connection broke; the Pi goes on by itself: look with `make status`")
        return running.returncode

    def start(self, command: str) -> "subprocess.Popen[bytes]":
        """Start a command whose output, as bytes, is to be read."""
        return subprocess.Popen(
            [*SSH, self.host, command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def push(self, files: Iterable[tuple[Path, str]], target: str) -> None:
        """Copy files, each under its name in a folder of the host, as root's. Raises UnreachedError if that stops."""
        unpack = f"mkdir -p {target} && tar --extract --directory {target} --no-same-owner --no-same-permissions"
        command = [*SSH, self.host, f"sudo -n sh -c '{unpack}'"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as copy:
            assert copy.stdin is not None  # noqa: S101
            assert copy.stderr is not None  # noqa: S101
            with suppress(BrokenPipeError):  # the reason is what ssh or tar says
                with tarfile.open(fileobj=copy.stdin, mode="w|") as archive:
                    for path, name in files:
                        archive.add(path, name, filter=plain)
                copy.stdin.close()
            errors = copy.stderr.read().decode(errors="replace")
        if copy.returncode:
            found = next((line.strip() for line in errors.splitlines() if line.strip()), f"code {copy.returncode}")
            raise UnreachedError(f"the copy stopped ({found}): run the same command again")

    def _why(self, errors: str) -> str:
        name = self.host.rpartition("@")[2]
        lines = [line.strip() for line in errors.splitlines() if line.strip()]  # ssh ends its own with \r\n
        found = lines[-1] if lines else "no reason given"
        if "IDENTIFICATION HAS CHANGED" in errors:
            return (
                "its host key has changed, expected the one known here: if the Pi was set up anew, "
                f"`ssh-keygen -R {name}` and log in once; otherwise another computer answers in its place"
            )
        if "Host key verification failed" in errors:
            return f"its host key isn't known here: log in once with `ssh {self.host}` and compare the fingerprint"
        if "Permission denied" in errors:
            return f"it doesn't take your key ({found}): with `ssh-copy-id {self.host}` it does"
        return f"isn't reached ({found}), expected a login by key: check its name, power and network"


def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return a member of an archive as a file that root owns and everybody reads."""
    member.mode, member.uid, member.gid, member.uname, member.gname = 0o644, 0, 0, "", ""
    return member
