"""Seals bytes to a public key, so that nobody can read them without the private one: HPKE (RFC 9180), X25519.

The library is imported where it is used: a kiosk that keeps nothing needs none of it.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from device import arguments
from device.disk import require_file
from device.errors import KioskError, SettingsError
from device.settings import Settings
from device.signals.wiring import NOT_WIRED

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.hpke import Suite

INFO = b"mask-kiosk: a collected face, 1"  # what is sealed for this purpose opens for no other
FINGERPRINT = 12  # hexadecimal digits


class SealError(KioskError, ValueError):
    """Sealed bytes that this key doesn't open, or that aren't whole."""


def owners_key(settings: Settings) -> "X25519PublicKey | None":
    """Read the key that `[collect]` names; None where nothing is kept. Raises SettingsError, also without an LED."""
    if not settings.collect.on:
        return None
    if settings.signals.collect_pin == NOT_WIRED:
        raise SettingsError(
            f"[collect] public_key is set and [signals] collect_pin is {NOT_WIRED}, expected an LED that is lit while "
            'faces are kept: wire one and set its pin, or set public_key = "off"'
        )
    return read_public_key(arguments.path(settings.collect.public_key))


def read_public_key(path: Path) -> "X25519PublicKey":
    """Read the PEM file of an X25519 public key. Raises SettingsError."""
    from cryptography.exceptions import InternalError, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    expected = "expected the public key that `make collect-key` made"
    try:
        require_file(path)
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path}: can't be read ({error.strerror}), {expected}: put it there") from error
    except (ValueError, UnsupportedAlgorithm, InternalError) as error:
        raise SettingsError(f"{path}: is no public key in PEM, {expected}: put that there") from error
    if not isinstance(key, X25519PublicKey):
        raise SettingsError(f"{path}: is a key of another kind, {expected}, of X25519: put that there")
    return key


def fingerprint(key: "X25519PublicKey") -> str:
    """Return what tells one public key from another: the first digits of its SHA-256."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:FINGERPRINT]


def seal(content: bytes, key: "X25519PublicKey") -> bytes:
    """Return the content sealed to a public key: 48 bytes longer, and another time other bytes."""
    return bytes(_suite().encrypt(content, key, INFO))


def unseal(sealed: bytes, key: "X25519PrivateKey") -> bytes:
    """Return what was sealed. Raises SealError if it was to another key, or if a byte is missing or changed."""
    from cryptography.exceptions import InvalidTag

    try:
        return bytes(_suite().decrypt(sealed, key, INFO))
    except (InvalidTag, ValueError) as error:
        raise SealError("is incomplete, or was encrypted to another key") from error


def _suite() -> "Suite":
    from cryptography.hazmat.primitives import hpke

    # Not AES: the processors of a Pi 3 and 4 have no instructions for it.
    return hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
