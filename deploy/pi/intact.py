"""Ends with an error unless the release in this folder is what was built: its files, and its packages to the last byte.

Its text is run by the release's own Python with the release's own modules, which know what its version is a hash of.
"""

import sys
from base64 import urlsafe_b64encode
from hashlib import sha256
from importlib import import_module
from importlib.metadata import distributions
from pathlib import Path


def main() -> None:
    """Look. Raises ImportError, and whatever else a damaged file leads to; SystemExit with the reason."""
    import cv2  # noqa: F401
    import gpiozero  # noqa: F401
    import numpy as np

    from deploy.release import from_json, plan

    if not np.__file__.startswith("/usr/lib/python3"):
        sys.exit(f"numpy is {np.__file__}, expected Debian's own")
    release = from_json(Path("release.json").read_text(encoding="utf-8"))
    import_module(f"{release.runtime.replace('-', '_')}.interpreter")
    found = plan(Path(), release.debian, release.runtime).version
    if found != release.version:
        sys.exit(f"its files are those of {found}, expected {release.version}")
    for package in distributions(path=[str(site) for site in Path("venv").glob("lib/python3*/site-packages")]):
        for file in package.files or ():
            if file.hash is not None and file.hash.mode == "sha256":
                digest = sha256(Path(file.locate()).read_bytes()).digest()
                if urlsafe_b64encode(digest).decode().rstrip("=") != file.hash.value:
                    sys.exit(f"{file} isn't what its wheel says")


if __name__ == "__main__":
    main()
