"""Does the part that a folder holds, and leaves the result there. Loads no Ray."""

import sys
from pathlib import Path

import joblib

from trainer.cluster import DONE, SHARED, WORK
from trainer.parent import end_with_parent


def main(folder: Path) -> None:
    """Write (True, result), or (False, the error that a user should read)."""
    from device.errors import KioskError
    from trainer.training import set_threads

    work, part, threads = joblib.load(folder / WORK, mmap_mode="r")
    set_threads(threads)
    try:
        result = True, work(part, *joblib.load(folder / SHARED, mmap_mode="r"))
    except KioskError as error:
        result = False, error
    joblib.dump(result, folder / DONE)


if __name__ == "__main__":
    end_with_parent()
    main(Path(sys.argv[1]))
