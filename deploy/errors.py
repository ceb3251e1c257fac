"""What a deployment may end with, each with its exit code."""

import signal

# From outside, as where memory is short; a program that doesn't fit its computer crashes, of another signal.
KILLED = {-signal.SIGKILL, -signal.SIGTERM}


class DeployError(Exception):
    """A host was refused with one line, and is as it was."""

    code = 2


class UnreachedError(DeployError):
    """A host can't be talked to, or no longer."""

    code = 3


class TakenBackError(DeployError):
    """A release didn't come up, and the former one was started again."""

    code = 1


class UnkeptError(TakenBackError):
    """A host couldn't keep a release: its card was full or failed, systemd was silent, or what installs it was killed.

    Where it comes of the card, or of what was killed, the release may not have been started, nor copied whole.
    """

    code = 5


class DarkError(TakenBackError):
    """Neither a release nor the former one saw anything but black: nothing is known of it, and the former one runs."""

    code = 6


class UnwellError(DeployError):
    """The doctor looked at a host and found something wrong."""

    code = 1


class BusyError(DeployError):
    """Another deployment runs on the host, and nothing was begun."""

    code = 4


KINDS = (TakenBackError, UnkeptError, DarkError, UnreachedError, BusyError)  # of the Pi's side


def error_of(code: int) -> type[DeployError]:
    """Return what the Pi's side of a deployment has raised that ended with this exit code."""
    return {kind.code: kind for kind in KINDS}.get(code, DeployError)


def require_end(code: int, program: str) -> None:
    """Raise UnkeptError for the code of a program that was killed, which says nothing of what it was to do."""
    if code in KILLED:
        raise UnkeptError(f"{program} was killed (signal {-code}): look with `sudo dmesg` whether memory is short")
