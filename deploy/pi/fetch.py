"""Fetches files from a web server within limits of size and time, each under another name until it is complete."""

import http.client
import os
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest, sha256
from pathlib import Path
from types import FrameType

from deploy.errors import DeployError, UnreachedError
from deploy.manifest import MOST_BYTES, File

SILENT_SECONDS = 30.0  # between two pieces
PATIENCE_SECONDS = 60.0  # for the smallest file, and for a large one as long as SLOWEST takes besides
SLOWEST = 20_000  # bytes/s
PIECE = 65536  # bytes
MOST_REASON = 200  # characters


def content(url: str) -> bytes:
    """Return a manifest's file. Raises UnreachedError, and DeployError for one of more than MOST_BYTES."""
    found = b"".join(_pieces(url, MOST_BYTES + 1))
    if len(found) > MOST_BYTES:
        raise DeployError(f"{url} is larger than {MOST_BYTES} bytes, expected a manifest")
    return found


def save(url: str, file: File, folder: Path) -> None:
    """Fetch a file into a folder, unless it lies there complete.

    Raises UnreachedError, and DeployError if it isn't the one meant; then there is none.
    """
    target = folder / file.name
    if target.exists() and _is(file, target):
        return
    part = folder / f".{file.name}.part"
    total, size = sha256(), 0
    try:
        with part.open("wb") as fresh:
            for piece in _pieces(url, file.size + 1):
                total.update(piece)
                size += len(piece)
                fresh.write(piece)
            fresh.flush()
            os.fsync(fresh.fileno())
        if size != file.size:
            found = f"larger than {file.size} bytes" if size > file.size else f"{size} of {file.size} bytes"
            raise DeployError(f"{url} is {found}, expected what the manifest says: copy the whole folder to the server")
        if total.hexdigest() != file.sha256:
            raise DeployError(f"{url} has another SHA-256 than the manifest says: copy the whole folder to the server")
        part.replace(target)
    except TimeoutError as error:  # while a piece was written
        raise UnreachedError(f"{url} isn't reached ({error}), expected {file.size} bytes sooner") from error
    finally:
        part.unlink(missing_ok=True)


def _pieces(url: str, most: int) -> Iterator[bytes]:
    """Yield a file piece by piece, `most` bytes of it. Raises UnreachedError."""
    seconds = PATIENCE_SECONDS + most / SLOWEST
    try:
        with _within(seconds), urllib.request.urlopen(url, timeout=SILENT_SECONDS) as answer:  # noqa: S310  # http(s)
            while most > 0 and (piece := answer.read1(min(PIECE, most))):
                most -= len(piece)
                yield piece
    # ValueError: of an address that it sends us to. OverflowError, MemoryError: of a piece as large as it says.
    except (OSError, ValueError, OverflowError, MemoryError, http.client.HTTPException) as error:
        reason = "".join(filter(str.isprintable, str(error)))[:MOST_REASON]  # a server may have written it
        raise UnreachedError(f"{url} isn't reached ({reason}), expected it within {seconds:.0f} s") from error


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Raise TimeoutError where the body takes longer, wherever it waits: for a name, a header or a piece."""

    def late(_: int, __: FrameType | None) -> None:
        raise TimeoutError("too slow")

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _is(file: File, path: Path) -> bool:
    with path.open("rb") as found:
        return file_digest(found, "sha256").hexdigest() == file.sha256
