"""Writes a release with its wheels as one file, for a Pi that sets itself up at its first start."""

import tarfile
import tempfile
from pathlib import Path

from deploy import wheels
from deploy.lock import pins_of, wheels_of
from deploy.release import TREE, as_json, plan, shipped
from deploy.remote import plain


def write(debian: str, runtime: str) -> Path:
    """Write dist/mask-kiosk-debian-NN.tar and return its path; unpacked in /opt/mask-kiosk, it is as if it was sent."""
    release = plan(TREE, debian, runtime)
    fetched = wheels.fetch(wheels_of(pins_of(TREE, debian), runtime), debian)
    target = TREE / "dist" / f"mask-kiosk-debian-{debian}.tar"
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        beside, fresh = Path(folder) / "release.json", Path(folder) / target.name
        beside.write_text(as_json(release), encoding="utf-8")
        with tarfile.open(fresh, "w", dereference=True) as archive:
            for path in shipped(TREE):
                archive.add(TREE / path, f"incoming/{release.version}/{path.as_posix()}", filter=plain)
            archive.add(beside, f"incoming/{release.version}/release.json", filter=plain)
            for wheel in fetched:
                archive.add(wheel, f"incoming/wheels/{wheel.name}", filter=plain)
        fresh.replace(target)
    return target
