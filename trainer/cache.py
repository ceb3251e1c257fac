"""Names the folder outside the tree for what can be fetched or made again; writes folders whole, files bit by bit."""

import contextlib
import fcntl
import glob
import io
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from device.disk import NO_ROOM, sync, write_whole
from device.folders import user_folder

LOCK = ".lock"  # a file in a folder that is being filled
UNFINISHED = (".new", ".partial")  # endings of what becomes a file or folder once it is whole


def cache_folder() -> Path:
    """Return $XDG_CACHE_HOME/mask-kiosk, by default ~/.cache/mask-kiosk."""
    return user_folder("XDG_CACHE_HOME", ".cache")


def write_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write a .npy as `write_whole` writes a file."""
    content = io.BytesIO()
    np.save(content, array)
    write_whole(path, content.getvalue())


def read_array(path: Path) -> npt.NDArray[Any] | None:
    """Return the array in a .npy, None if there is none or it is damaged."""
    try:
        array: npt.NDArray[Any] = np.load(path)
    except (OSError, ValueError, EOFError):
        return None
    return array


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder to fill; it becomes `path` only if the block ends without an error.

    What processes that were killed have left of the same folder is removed; those that live hold a lock in theirs.
    """
    path = path.absolute()  # the parent of `.` is not `.`
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.partial"):
        _remove_left(left)
    with _errors_name(path):
        made = Path(tempfile.mkdtemp(prefix=f"{path.name}.", suffix=".new", dir=path.parent))
        with (made / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            partial = made.rename(made.with_suffix(".partial"))  # not before it is locked
            yield from _filled(partial, path)


@contextmanager
def _errors_name(path: Path) -> Iterator[None]:
    """Let an error name the path, not the file or folder that stands in for it until it is whole."""
    try:
        yield
    except OSError as error:
        named = str(error.filename or "")
        inside = named.startswith(f"{path}.") and any(part.endswith(UNFINISHED) for part in Path(named).parts)
        if inside or (not named and error.errno in NO_ROOM):  # a write into a full disk names no file
            error.filename = str(path)
        raise


def _remove_left(partial: Path) -> None:
    with contextlib.suppress(OSError), (partial / LOCK).open("r+") as lock:  # BlockingIOError of one that lives
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(partial)


def _filled(partial: Path, path: Path) -> Iterator[Path]:
    try:
        yield partial
        (partial / LOCK).unlink()
        sync(partial)
        if path.is_dir() and not any(path.iterdir()):  # not replaced: it may be a link, or somebody's working directory
            for made in list(partial.iterdir()):
                shutil.move(made, path)
            partial.rmdir()
            return
        try:
            partial.rename(path)
        except OSError:
            if not path.is_dir():
                raise
            shutil.rmtree(partial)  # another process was faster, with the same content
        sync(path.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def scratch_array(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Return zeros, uint8, that are kept on disk instead of in memory and go with the process."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    rows = max(shape[0], 1)
    with tempfile.TemporaryFile(dir=cache_folder()) as file:
        for _ in range(rows):  # a hole in the file that a full disk can't fill would end the process, without a word
            file.write(bytes(math.prod(shape[1:])))
        file.flush()
        array: npt.NDArray[np.uint8] = np.memmap(file, np.uint8, "r+", shape=(rows, *shape[1:]))
    return array[: shape[0]].view(np.ndarray)


class GrowingArray:
    """Writes a .npy of uint8 rows, row by row; nothing of it stays in memory."""

    def __init__(self, path: Path, row: tuple[int, ...]) -> None:
        """Begin the file; row: the shape of each row."""
        self._file, self._row, self._rows = path.open("wb"), row, 0
        self._write_head()

    def __enter__(self) -> "GrowingArray":
        return self

    def append(self, row: npt.NDArray[np.uint8]) -> None:
        """Write one more row. Raises ValueError for another shape or type."""
        if row.shape != self._row or row.dtype != np.uint8:
            raise ValueError(f"a row is {row.dtype} {row.shape}, expected uint8 {self._row}")
        self._file.write(np.ascontiguousarray(row).data)
        self._rows += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.seek(0)
        self._write_head()
        self._file.flush()
        os.fsync(self._file.fileno())  # before its folder gets its name
        self._file.close()

    def _write_head(self) -> None:
        # NumPy leaves room in the head for the number of rows to grow.
        np.lib.format.write_array_header_1_0(
            self._file, {"shape": (self._rows, *self._row), "fortran_order": False, "descr": "|u1"}
        )
