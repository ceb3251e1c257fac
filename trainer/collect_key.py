"""Makes the two keys of collected faces: a kiosk seals with the public one, only the private one opens them."""

import os
from pathlib import Path

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from device.errors import KioskError
from device.folders import user_folder
from device.seal import fingerprint

PRIVATE, PUBLIC = "collect-private.pem", "collect-public.pem"


class KeyFileError(KioskError, ValueError):
    """A key that is missing, no key, or open to others."""


def keys_folder() -> Path:
    """Return $XDG_CONFIG_HOME/mask-kiosk, by default ~/.config/mask-kiosk."""
    return user_folder("XDG_CONFIG_HOME", ".config")


def make_pair(folder: Path) -> Path:
    """Write a new pair into a folder, the private key for its owner alone; return the public key's file.

    A private key that is there is never replaced, because what was sealed to it would be lost: where only the public
    one is missing, it is made again from it. Raises KeyFileError if both are there.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    private, public = folder / PRIVATE, folder / PUBLIC
    if private.exists() and public.exists():
        raise KeyFileError(f"{folder}: holds a pair of keys already, which is kept: use it, or name another folder")
    if not private.exists():
        key = X25519PrivateKey.generate()
        _write_new(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    public.unlink(missing_ok=True)  # without its private key it is good for nothing
    _write_new(public, public_pem(read_private_key(private).public_key()), 0o644)
    return public


def public_pem(key: X25519PublicKey) -> bytes:
    """Return a public key as a PEM file holds it."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def read_private_key(path: Path) -> X25519PrivateKey:
    """Read a private key that only its owner may read. Raises KeyFileError."""
    expected = "expected the private key that `make collect-key` made"
    try:
        mode, content = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"{path}: can't be read ({error.strerror}), {expected}: name it with KEY=") from error
    if mode & 0o077:
        raise KeyFileError(f"{path}: others may read it (mode {mode & 0o777:o}), expected 600: `chmod 600 '{path}'`")
    try:
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError) as error:  # no key, or one with a passphrase
        raise KeyFileError(f"{path}: is no private key in PEM, {expected}: name it with KEY=") from error
    if not isinstance(key, X25519PrivateKey):
        raise KeyFileError(f"{path}: is a key of another kind, {expected}, of X25519: name it with KEY=")
    return key


def describe_pair(public: Path) -> str:
    """Return what to do with a new pair."""
    key = read_private_key(public.with_name(PRIVATE)).public_key()
    return (
        f"{public.with_name(PRIVATE)}: keep it here, and a copy in a safe place: nothing else opens the faces\n"
        f"{public}: for the kiosks, key {fingerprint(key)}; docs/collect.md tells how it gets there"
    )


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that isn't there yet, whole or not at all."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(new, path)  # not renamed: that would replace
    finally:
        new.unlink()
