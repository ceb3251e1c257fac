"""The signed manifest: which release kiosks are to fetch, from when on, and until when it may be believed.

One line of JSON, and below it what `ssh-keygen -Y sign` makes of that line: one file, so that nobody reads half a pair.
"""

import json
import os
import re
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.errors import DeployError
from deploy.release import Release
from device.cards import parse
from device.errors import ModelError

FORMAT, PRODUCT = 1, "mask-kiosk"
NAME = "manifest"  # of the file, in the folder that the server shows
MOST_BYTES = 65536
# For which a manifest may be valid, and by which its serial, also a time, may be ahead of when it was made.
MOST_DAYS = 3650
MOST_DIGITS = 15  # of a whole number: the times of a larger one end in an OverflowError
# A signature that the same key made for anything else isn't one of a manifest.
NAMESPACE = "update@mask-kiosk"
KEY = re.compile(r"ssh-ed25519 [A-Za-z0-9+/]{68}")
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


@dataclass(frozen=True)
class File:
    """A file beside the manifest."""

    name: str
    size: int  # bytes
    sha256: str


@dataclass(frozen=True)
class Bundle:
    """A release for one Debian release."""

    release: Release
    archive: File  # in releases/: a zip of its tree
    wheels: tuple[File, ...]  # in wheels/

    def __post_init__(self) -> None:
        for name in (self.release.version, self.archive.name, *(wheel.name for wheel in self.wheels)):
            if not FILE_NAME.fullmatch(name):
                raise ModelError(f"name is {name!r}, expected that of a file")


@dataclass(frozen=True)
class Ring:
    """A share of all kiosks, and when it is their turn."""

    share: float  # 0-1, those of the rings before included
    after_hours: float  # since the manifest was made; less than 0: an earlier one began with the same rings


@dataclass(frozen=True)
class Manifest:
    """What the publisher says."""

    format: int
    product: str
    serial: int  # each has a larger one than those before
    made: int  # s since 1970, as `expires`
    expires: int
    rings: tuple[Ring, ...]
    signers: tuple[str, ...]  # public keys that are believed from now on
    bundles: tuple[Bundle, ...]

    def __post_init__(self) -> None:
        if not self.signers or not all(KEY.fullmatch(key) for key in self.signers):
            raise ModelError("signers are no public keys, expected one at least")
        if self.serial > (latest := latest_serial(self.made)):  # or none after it would be believed any more
            raise ModelError(f"serial is {self.serial}, expected {latest} at most")


def latest_serial(made: int) -> int:
    """Return the largest serial of a manifest that was made then, s since 1970."""
    return made + MOST_DAYS * 86400


def signed(manifest: Manifest, key: Path) -> str:
    """Return a manifest's file, signed by a private key; ssh-keygen asks for its passphrase. Raises DeployError."""
    line = json.dumps(asdict(manifest)) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NAME
        path.write_text(line, encoding="utf-8")
        _require_private(key)
        done = subprocess.run(  # its input stays the terminal: else it asks a window for the passphrase, or nobody
            ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(path)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise DeployError(
                f"{key} can't sign ({_first(done.stderr)}), expected a private key and its passphrase: try again, or "
                "run `make keys`"
            )
        return line + path.with_name(f"{NAME}.sig").read_text(encoding="utf-8")


def public_of(key: Path) -> str:
    """Return the text of the public key of a private one; ssh-keygen asks for its passphrase. Raises DeployError."""
    _require_private(key)
    done = subprocess.run(["ssh-keygen", "-y", "-f", str(key)], capture_output=True, text=True, check=False)
    if done.returncode or not KEY.match(done.stdout):
        found = _first(done.stderr) if done.returncode else "of another kind"
        raise DeployError(
            f"{key}: can't be read ({found}), expected an Ed25519 private key and its passphrase: try again, or set "
            "KEY="
        )
    return done.stdout


def _require_private(key: Path) -> None:
    """Raise DeployError for a private key of the caller's that others may read, as ssh-keygen does, or for a folder."""
    if key.is_dir():
        raise DeployError(f"{key}: is a folder, expected a private key: name a file in it with KEY=")
    if key.exists() and key.stat().st_uid == os.getuid() and (mode := key.stat().st_mode & 0o777) & 0o077:
        raise DeployError(f"{key}: others may read it (mode {mode:o}), expected 600: `chmod 600 '{key}'`")


def verified(content: bytes, signers: Path) -> Manifest:
    """Return the manifest of a file that one of the signers has signed. Raises DeployError before anything is read."""
    line, newline, signature = content.partition(b"\n")
    with tempfile.NamedTemporaryFile() as beside:
        beside.write(signature)
        beside.flush()
        done = subprocess.run(
            ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", PRODUCT, "-n", NAMESPACE, "-s", beside.name],
            input=line + newline, capture_output=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise DeployError(
            f"the manifest isn't signed by a key that is trusted here ({_first(done.stderr.decode(errors='replace'))})"
        )
    return read_manifest(line)


def read_manifest(line: bytes) -> Manifest:
    """Return what the line of a manifest says. Raises DeployError."""
    try:
        found = json.loads(line, parse_int=number)
        said = found if isinstance(found, dict) else {}
        product, version = said.get("product"), said.get("format")
        if (product, version) != (PRODUCT, FORMAT):
            told = f"{product!r}, format {version!r}"  # quoted, because a text may be of several lines
            raise DeployError(f"the manifest is for {told}, expected {PRODUCT}, format {FORMAT}")
        manifest: Manifest = parse(Manifest, found, "the manifest")
    except (ModelError, ValueError, RecursionError) as error:
        raise DeployError(f"the manifest can't be read ({error}), expected what `make publish` writes") from error
    return manifest


def number(text: str) -> int:
    """Return a manifest's whole number. Raises ValueError for one that no calendar and no disk knows."""
    if len(text) > MOST_DIGITS:
        raise ValueError(f"{text[:MOST_DIGITS]}… is too large a number")
    return int(text)


def signers_file(keys: tuple[str, ...]) -> str:
    """Return public keys as ssh-keygen reads whom to believe."""
    return "".join(f'{PRODUCT} namespaces="{NAMESPACE}" {key}\n' for key in keys)


def public_key(path: Path) -> str:
    """Return the public key in a file, without its comment. Raises DeployError."""
    try:
        found = KEY.match(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DeployError(f"{path}: no public key ({error}), expected one: run `make keys`") from error
    if not found:
        raise DeployError(f"{path}: isn't an Ed25519 public key, expected one: run `make keys`")
    return found[0]


def _first(errors: str) -> str:
    return next((line.strip() for line in errors.splitlines() if line.strip()), "no reason given")
