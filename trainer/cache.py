"""Names the folder outside the tree for what can be fetched or made again, and writes files whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """Return $XDG_CACHE_HOME/mask-kiosk, by default ~/.cache/mask-kiosk."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mask-kiosk"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a power cut leaves either the old content or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder to fill; it becomes `path` only if the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{path.name}.", suffix=".partial", dir=path.parent))
    try:
        yield partial
        try:
            partial.rename(path)
        except OSError:
            if not path.is_dir():
                raise
            shutil.rmtree(partial)  # another process was faster, with the same content
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
