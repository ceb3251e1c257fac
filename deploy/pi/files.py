"""Changes of files that a power cut leaves either undone or done, and where things lie on the Pi."""

import ctypes
import errno
import os
import shutil
from pathlib import Path

from deploy.errors import DeployError, UnkeptError
from deploy.pi.facts import GONE, HOME
from deploy.pi.receive import ROOM
from device.disk import NO_ROOM, sync, write_whole

RELEASES = HOME / "releases"
CURRENT = HOME / "current"  # a link to the release that runs and starts
FORMER = HOME / "former"  # a link to the one before
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # Linux's, which Python doesn't name
UNABLE = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}  # of a file system that exchanges no names
AILING = {errno.EIO, errno.EROFS}  # of a card that the kernel gave up


def refusal(error: OSError) -> DeployError:
    """Return what this computer refused and what to do: an UnkeptError where its card did, whatever was to be kept."""
    if error.errno in NO_ROOM:
        return UnkeptError(f"{error}, {ROOM}")
    if error.errno in AILING:
        return UnkeptError(f"{error}, expected a card that can be written: look with `sudo dmesg`")
    if isinstance(error, PermissionError):
        return DeployError(f"{error}, expected root: put `sudo` before it")
    return DeployError(f"{error}, expected what `make deploy` leaves there: run it")


def write(path: Path, content: str | bytes) -> None:
    """Replace a file, readable by everybody. Raises OSError, which names it; then it is as it was."""
    write_whole(path, content.encode() if isinstance(content, str) else content, 0o644)


def point(link: Path, target: Path) -> None:
    """Make a symbolic link lead somewhere, in one step."""
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)
    sync(link.parent)


def exchange(one: Path, other: Path) -> bool:
    """Let two files or folders have each other's names, in one step; return False where the file system can't.

    Raises OSError; DeployError on an overlay.
    """
    names = os.fsencode(one), os.fsencode(other)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE):
        if ctypes.get_errno() in UNABLE:
            return False
        if ctypes.get_errno() == errno.EXDEV:
            raise DeployError(
                f"{other} lies below an overlay, expected a card that is written: switch *Overlay File System* off "
                "with `sudo raspi-config` there, and run the same command again"
            )
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(other))
    return True


def release_at(link: Path) -> Path:
    """Return the release that CURRENT or FORMER leads to, below HOME also where that is a link to another disk."""
    return RELEASES / link.resolve().name


def advance(release: Path) -> None:
    """Make a release the current one, and the one before it the former. Raises OSError; then both are as they were.

    After a power cut in between the former one is current still: the same command goes on. Where the file system
    exchanges no names, a rollback that was cut off has lost its way back.
    """
    rolls_back = CURRENT.exists() and FORMER.exists() and release_at(FORMER) == release
    if rolls_back and exchange(CURRENT, FORMER):  # in one step, or a power cut in between would leave no way back
        sync(HOME)
        return
    former = release_at(FORMER)
    if CURRENT.exists() and release_at(CURRENT) != release:
        point(FORMER, release_at(CURRENT))
    try:
        point(CURRENT, release)
    except OSError:
        if former.exists():
            point(FORMER, former)
        raise


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):  # or Linux says first that nothing may be written there, as beside HOME to the agent
        path.unlink()


def remove_home() -> None:
    """Remove all that was deployed, and what a power cut left of it: it ends in one step, not release by release.

    Where HOME is a link to another disk, or one is mounted there, it stays, empty, for the next deployment.
    """
    remove(GONE)
    if HOME.is_symlink() or HOME.is_mount():
        for path in HOME.iterdir() if HOME.exists() else ():
            remove(path)
    elif HOME.exists():
        HOME.rename(GONE)
        remove(GONE)
