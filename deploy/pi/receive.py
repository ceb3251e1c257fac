"""Takes a release from a workstation and has it install itself, while no other deployment changes this computer.

Sent over ssh, so it stands alone; its input is an archive of files. Half of it, after a broken connection, stays: the
next deployment goes on from there.
"""

import fcntl
import os
import signal
import sys
import tarfile
from pathlib import Path
from types import FrameType

# In a folder of root's, unlike /run/lock, that the pull agent's unit has let it write since the first release.
LOCK = Path("/run/mask-kiosk-pull/lock")
ROOM = "expected a disk with room: look with `df -h` and `df -i`"
BUSY = "another deployment runs there: wait until it has ended"
BUSY_CODE, UNREACHED_CODE, UNKEPT_CODE = 4, 3, 5  # exit codes, as deploy/errors.py has them
INCOMING = Path("/opt/mask-kiosk/incoming")
LAST = "release.json"  # of what is sent: without it something is missing
SILENT_SECONDS = 60.0  # as ssh on the workstation: a connection that is dead and doesn't know it keeps nobody out
PIECE = 65536  # bytes
# Runs in a release's tree, with its version; who starts it holds the lock.
INSTALL = "import sys; from deploy.pi.__main__ import main; sys.exit(main(['install', sys.argv[1]], locked=True))"


def receive(tree: Path) -> None:
    """Write the files that come. Raises OSError and TarError; half a file that stays is sent again."""
    signal.signal(signal.SIGALRM, silent)
    signal.setitimer(signal.ITIMER_REAL, SILENT_SECONDS)
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
        for member in archive:
            content, path = archive.extractfile(member), INCOMING / member.name
            assert content is not None  # noqa: S101
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)  # it may have a second name elsewhere
            with path.open("wb") as file:
                while piece := content.read(PIECE):
                    file.write(piece)
                    signal.setitimer(signal.ITIMER_REAL, SILENT_SECONDS)
    signal.setitimer(signal.ITIMER_REAL, 0)
    if not (tree / LAST).exists():
        raise tarfile.ReadError("unexpected end of data")


def silent(_: int, __: FrameType | None) -> None:
    """End waiting."""
    raise TimeoutError(f"nothing came for {SILENT_SECONDS:.0f} s")


def main(version: str) -> int:
    """Receive a release and become its installer; return the exit code where it doesn't come to that."""
    os.umask(0o022)
    LOCK.parent.mkdir(exist_ok=True)
    LOCK.touch(0o600)  # who can open it can hold it
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"error: {BUSY}")
            return BUSY_CODE
        try:
            receive(INCOMING / version)
        except (TimeoutError, tarfile.TarError) as error:
            print(f"error: the copy stopped ({error}): run the same command again")
            return UNREACHED_CODE
        except OSError as error:  # a card that is full, or was mounted read-only after an error
            print(f"error: {error}, {ROOM}, and run the same command again")
            return UNKEPT_CODE
        os.chdir(INCOMING / version)
        os.set_inheritable(lock.fileno(), True)  # the installer, in this process' place, holds it
        os.execv(sys.executable, [sys.executable, "-E", "-s", "-B", "-c", INSTALL, version])  # noqa: S606


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
