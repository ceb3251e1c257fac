"""Runs commands and copies files on one host, with ssh as it is installed and configured here."""

import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from threading import Timer

from deploy.errors import DeployError, UnreachedError

# Fails rather than asks; gives a host up that has been silent for a minute.
SSH = (
    "ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "LogLevel=ERROR", "-o", "ServerAliveInterval=15",
    "-o", "ServerAliveCountMax=4",
)  # fmt: skip
HOST = re.compile(r"([A-Za-z0-9_.][A-Za-z0-9_.-]*@)?[A-Za-z0-9_.][A-Za-z0-9_.-]*")
STOPPED = "was stopped here; the Pi finishes what it has begun: the same command goes on"  # ssh got our Ctrl-C
# A Pi whose card hangs still answers ssh's own questions.
ANSWER_SECONDS = 60.0  # to a question that takes a second
SILENT_SECONDS = 1800.0  # between two lines of what may build, or two files sent there
UNREACHED = 255  # what ssh ends with when the connection, not the command, failed


class Remote:
    """One host, named as ssh takes it: pi@kiosk.local, or a name of ~/.ssh/config."""

    def __init__(self, host: str) -> None:
        if not HOST.fullmatch(host):
            raise DeployError(
                f"host is '{host}', expected USER@NAME, or a name from ~/.ssh/config, which can also set another port: "
                "set HOST=pi@kiosk.local"
            )
        if shutil.which("ssh") is None:
            raise DeployError("ssh is missing on this computer, expected it on PATH: install it")
        self.host = host

    def ask(self, command: str, script: str, working_seconds: float = 0.0) -> tuple[int, str]:
        """Run a command with `script` as its input; return its exit code and what it printed. Raises UnreachedError.

        working_seconds: what it may take there besides.
        """
        seconds = ANSWER_SECONDS + working_seconds
        try:
            done = subprocess.run(
                [*SSH, self.host, command], input=script, capture_output=True, check=False,
                encoding="utf-8", errors="replace", timeout=seconds,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise UnreachedError(f"hasn't answered for {seconds:.0f} s, expected an answer: restart the Pi") from error
        if done.returncode < 0:
            raise UnreachedError(STOPPED)
        if done.returncode == UNREACHED:
            raise UnreachedError(self._why(done.stderr))
        return done.returncode, done.stdout

    def follow(self, command: str, say: Callable[[str], None], files: Iterable[tuple[Path, str]] = ()) -> int:
        """Run a command, saying each line that it prints as it comes; return its exit code. Raises UnreachedError.

        Its input is an archive of the files, each under its name, or nothing where there are none.
        """
        with subprocess.Popen(
            [*SSH, self.host, command], stdin=subprocess.PIPE if files else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as running, Watch(running) as watch:  # fmt: skip
            if running.stdin is not None:
                with suppress(BrokenPipeError):  # the reason is what the command or ssh says
                    # Links as the files that they lead to, as their version has it.
                    with tarfile.open(fileobj=running.stdin, mode="w|", dereference=True) as archive:
                        for path, name in files:
                            archive.add(path, name, filter=plain)
                            watch.begin()
                    running.stdin.close()
            for line in running.stdout or ():
                watch.begin()
                say(line.decode(errors="replace").rstrip())
        if watch.ended:
            raise UnreachedError(
                f"has said nothing for {SILENT_SECONDS:.0f} s, expected a line: look with `make status`; if that gets "
                "no answer, restart the Pi"
            )
        if running.returncode < 0:
            raise UnreachedError(STOPPED)
        if running.returncode == UNREACHED:
            raise UnreachedError("the connection broke; the Pi finishes what it has begun: look with `make status`")
        return running.returncode

    def start(self, command: str) -> "subprocess.Popen[bytes]":
        """Start a command whose output, as bytes, is to be read."""
        return subprocess.Popen(
            [*SSH, self.host, command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

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


class Watch:
    """Kills a process that is silent for SILENT_SECONDS."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process, self.ended = process, False
        self._timer = Timer(SILENT_SECONDS, self._end)

    def __enter__(self) -> "Watch":
        self._timer.start()
        return self

    def begin(self) -> None:
        """Begin counting anew."""
        self._timer.cancel()
        self._timer = Timer(SILENT_SECONDS, self._end)
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        self.ended = True
        self._process.kill()


def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return a member of an archive as a file that root owns and everybody reads."""
    member.mode, member.uid, member.gid, member.uname, member.gname = 0o644, 0, 0, "", ""
    return member
