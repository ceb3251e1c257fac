"""Writes releases and their signed manifest into a folder that any web server can show, for kiosks that fetch them."""

import io
import json
import math
import os
import subprocess
import tempfile
import time
import zipfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from deploy import wheels
from deploy.errors import DeployError
from deploy.lock import pins_of, wheels_of
from deploy.manifest import (
    FORMAT,
    MOST_BYTES,
    MOST_DAYS,
    NAME,
    PRODUCT,
    Bundle,
    File,
    Manifest,
    Ring,
    latest_serial,
    number,
    public_key,
    public_of,
    signed,
    signers_file,
    verified,
)
from deploy.pi.files import write
from deploy.release import TREE, Release, plan, shipped

RINGS = "5@0 25@24 100@72"
LAST_RING_DAYS = 1.0  # that a manifest is believed at least after its last ring's turn: kiosks look once an hour
EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file in an archive: the same tree makes the same bytes


def make_keys(key: Path) -> str:
    """Make a pair of Ed25519 keys, the private one for its owner's eyes alone; return what to do with it.

    Where only the private one is there, make the public one of it.
    """
    public = key.with_name(f"{key.name}.pub")
    if public.exists():
        there = key if key.exists() else public
        raise DeployError(f"{there} exists, and kiosks may trust it, so it is kept: for another key set KEY=")
    if key.exists():
        write(public, public_of(key))
        return f"{public}: made again from {key}"
    key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    done = subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-C", PRODUCT, "-f", str(key)], check=False)
    if done.returncode:
        raise DeployError(f"ssh-keygen couldn't write {key}: see its line")
    return f"{key}: keep it secret and keep a copy; {key}.pub goes to the kiosks with `make follow`"


def rings(text: str) -> tuple[Ring, ...]:
    """Return the rings that a text such as 5@0 100@24 names: percent of all kiosks @ hours, in the end of all.

    Raises DeployError.
    """
    try:
        pairs = [word.split("@") for word in text.split()]
        found = tuple(Ring(float(percent) / 100, float(hours)) for percent, hours in pairs)
    except ValueError:
        found = ()
    shares, times = ([getattr(ring, name) for ring in found] for name in ("share", "after_hours"))
    rise = all(map(math.isfinite, shares + times)) and sorted(shares) == shares and sorted(times) == times
    latest = 24 * (MOST_DAYS - LAST_RING_DAYS)
    if not (found and rise and 0 < shares[0] <= shares[-1] == 1 and 0 <= times[0] <= times[-1] <= latest):
        raise DeployError(f"rings are '{text}', expected PERCENT@HOURS, rising up to 100@…: set RINGS=\"{RINGS}\"")
    return found


def publish(
    to: Path, key: Path, trusted: list[Path], days: float, ringed: tuple[Ring, ...], debians: list[str], runtime: str
) -> str:
    """Write the tree's releases, then the manifest that names them, each file in one step; return what was published.

    Nothing is written before the manifest is signed. trusted: public keys that kiosks believe from then on besides that
    of `key`. Raises DeployError.
    """
    os.umask(0o022)  # a web server's user reads the folders too
    least = ringed[-1].after_hours / 24 + LAST_RING_DAYS
    if not least <= days <= MOST_DAYS:
        raise DeployError(
            f"days are {days:g}, expected {least:g} to {MOST_DAYS}, one more than the last ring waits: "
            f"set DAYS={max(30, math.ceil(least))}"
        )
    signers = tuple(dict.fromkeys(public_key(path) for path in (key.with_name(f"{key.name}.pub"), *trusted)))
    now = int(time.time())
    serial = max(now, _serial_before(to, now) + 1)  # a clock counts on even where the folder before was lost
    before = _believed(to / NAME, signers)
    made = [_bundle(to, debian, runtime, before) for debian in debians]
    bundles = tuple(bundle for bundle, _ in made)
    expires = now + round(days * 86400)
    turns = _going_on(before, ringed, [bundle.release for bundle in bundles], now)
    text = signed(Manifest(FORMAT, PRODUCT, serial, now, expires, turns, signers, bundles), key)
    if len(text) > MOST_BYTES:
        raise DeployError(f"the manifest has {len(text)} bytes, expected {MOST_BYTES} at most: trust fewer keys")
    for folder in (to / "releases", to / "wheels"):
        folder.mkdir(parents=True, exist_ok=True)
        mode = folder.stat().st_mode
        if mode & 0o055 != 0o055:  # made by a publish before, under a narrower umask
            folder.chmod(mode | 0o055)
    for path, content in [*(each for _, files in made for each in files.items()), (to / NAME, text.encode())]:
        if _serial_before(to, now) >= serial:  # while a passphrase was awaited, or files were written
            raise DeployError(f"{to / NAME} was published anew meanwhile, expected the one before: publish again")
        if not path.exists() or path.read_bytes() != content:
            write(path, content)
    versions = " and ".join(f"{bundle.release.version} for Debian {bundle.release.debian}" for bundle in bundles)
    return f"{to / NAME}: serial {serial}, {versions}, until {time.strftime('%Y-%m-%d', time.gmtime(expires))}"


def _serial_before(to: Path, now: int) -> int:
    """Return the serial to count on from, whoever signed it; raise DeployError for one that kiosks would never pass."""
    path = to / NAME
    if not path.exists():
        return 0
    try:
        serial = json.loads(path.read_text(encoding="utf-8").partition("\n")[0], parse_int=number)["serial"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DeployError(f"{path} isn't a manifest, expected one or none: choose another folder with TO=") from error
    if not isinstance(serial, int) or serial >= latest_serial(now):
        raise DeployError(
            f"{path} has serial {serial!r}, expected a time, less than {latest_serial(now)}: remove it, "
            "and see who else may write there"
        )
    return serial


def _going_on(
    before: Manifest | None, wished: tuple[Ring, ...], releases: list[Release], now: int
) -> tuple[Ring, ...]:
    """Return the rings in hours since `now`: where the folder's manifest has the same, of these releases, they go on.

    One of other signers isn't believed and counts for nothing: who has the web server could have every kiosk take its
    turn at once. An older one of the same releases counts, which is why a release that was withdrawn is better
    published as another.
    """
    if before is None or [bundle.release for bundle in before.bundles] != releases:
        return wished
    began = min([0.0, *(ring.after_hours for ring in before.rings)])  # said by a ring of nobody, below
    rest = [(ring.share, round(ring.after_hours - began, 6)) for ring in before.rings if ring.share]
    passed = (now - before.made) / 3600 - began
    if rest != [(ring.share, round(ring.after_hours, 6)) for ring in wished] or passed <= 0:
        return wished
    # A key of its own would be refused by kiosks that don't know it.
    return (Ring(0.0, -passed), *(replace(ring, after_hours=ring.after_hours - passed) for ring in wished))


def _believed(path: Path, signers: tuple[str, ...]) -> Manifest | None:
    """Return the manifest in a file, if there is one and one of these keys has signed it."""
    if not path.exists():
        return None
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as names:
        names.write(signers_file(signers))
        names.flush()
        try:
            return verified(path.read_bytes(), Path(names.name))
        except DeployError:
            return None


def _bundle(to: Path, debian: str, runtime: str, before: Manifest | None) -> tuple[Bundle, dict[Path, bytes]]:
    """Return how the manifest names a release, and what is to stand in its files."""
    release = plan(TREE, debian, runtime)
    fetched = wheels.fetch(wheels_of(pins_of(TREE, debian), runtime), debian)
    path = to / "releases" / f"{release.version}.zip"
    there = path.read_bytes() if path.exists() else b""
    # Another computer may pack the same tree into other bytes: kiosks may be fetching those that were signed.
    signed_before = {bundle.archive for bundle in before.bundles} if before else set()
    archive = there if _file(path, there) in signed_before else _archive()
    packed = {to / "wheels" / wheel.name: wheel.read_bytes() for wheel in fetched}
    files = tuple(_file(wheel, content) for wheel, content in packed.items())
    return Bundle(release, _file(path, archive), files), {path: archive, **packed}


def _archive() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in shipped(TREE):
            member = zipfile.ZipInfo(path.as_posix(), EPOCH)
            packed.writestr(member, (TREE / path).read_bytes(), zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def _file(path: Path, content: bytes) -> File:
    return File(path.name, len(content), sha256(content).hexdigest())
