"""Ends with an error unless the parts named on its command line are right in the release in this folder; see PARTS.

Its text is run by the release's own Python with the release's own modules, which know what its version is a hash of.
"""

import csv
import json
import marshal
import sys
from base64 import urlsafe_b64encode
from hashlib import file_digest
from importlib import import_module
from pathlib import Path

HEADER_BYTES = 16  # of a .pyc, before its code


def imports() -> None:
    """Import the packages. Raises ImportError; SystemExit where numpy isn't Debian's own."""
    runtime: str = json.loads(Path("release.json").read_text(encoding="utf-8"))["runtime"]
    for name in ("cv2", "gpiozero", f"{runtime.replace('-', '_')}.interpreter"):
        import_module(name)
    found = import_module("numpy").__file__
    if not str(found).startswith("/usr/lib/python3"):
        sys.exit(f"numpy is {found}, expected Debian's own")


def packages() -> None:
    """Compare the packages with their wheels' own lists. Raises what a damaged file leads to; SystemExit."""
    (site,) = Path("venv").glob("lib/python3*/site-packages")
    for info in site.glob("*.dist-info"):
        # Not importlib.metadata, which says nothing of a file that isn't there.
        with (info / "RECORD").open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        if not rows:
            sys.exit(f"{info.name}/RECORD is empty, expected the list of its files")
        for name, said, _ in rows:
            if said.startswith("sha256="):
                with (site / name).open("rb") as file:
                    digest = file_digest(file, "sha256").digest()
                if urlsafe_b64encode(digest).decode().rstrip("=") != said.removeprefix("sha256="):
                    sys.exit(f"{name} isn't what its wheel says")
    _load_compiled(site)


def sources() -> None:
    """Compare the release's own files with its version. Raises what a damaged file leads to; SystemExit."""
    from deploy.release import from_json, plan

    release = from_json(Path("release.json").read_text(encoding="utf-8"))
    found = plan(Path(), release.debian, release.runtime).version
    if found != release.version:
        sys.exit(f"its files are those of {found}, expected {release.version}")
    _load_compiled(Path("device"))


def _load_compiled(folder: Path) -> None:
    """Read what Python runs in place of a module's text. Raises EOFError, TypeError, ValueError."""
    for path in folder.rglob("*.pyc"):
        marshal.loads(path.read_bytes()[HEADER_BYTES:])  # noqa: S302  # as importing it does


PARTS = {"imports": imports, "packages": packages, "sources": sources}

if __name__ == "__main__":
    for part in sys.argv[1:]:
        PARTS[part]()
