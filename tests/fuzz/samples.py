"""Whole input of every target, small, from which broken input is made; and words that parsers stumble over."""

import dataclasses
import hashlib
import io
import json
import re
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import cv2
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from places import TREE
from screens import TOKEN

from deploy.manifest import FORMAT, PRODUCT, Bundle, File, Manifest, Ring
from deploy.release import Release
from device.classifier import MODELS
from device.face_card import read_face_card
from device.model_card import read_card
from device.seal import seal
from device.telemetry.counts import ADD, NAMES, TABLE

MODEL = b"stands in for a network"  # of which a card only knows the hash
PORT = b"{port}"  # stands for the server's, which is another each time
KEY = X25519PrivateKey.from_private_bytes(bytes(range(32)))  # that opens what is collected
UPGRADE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)
WORDS = [
    b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"nan", b"-inf", b"1e999", b"9" * 5000, b"-1", b"0x10", b"[" * 3000,
    b"{" * 2000, b'"', b"'", b"\n", b",", b"null", b"true", b"[]", b"{}", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;",
    b"../../etc/passwd", "\u2028\u0661".encode(), b"\xed\xa0\x80", b"1979-05-27", b"\r", b"a.png", b"/dev/zero",
]  # fmt: skip


def request(path: bytes, body: bytes = b"", more: bytes = b"") -> bytes:
    """Return a request of somebody who knows the token; more: headers, and the empty line behind them."""
    host = b"127.0.0.1:" + PORT
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    return (
        (b"POST " if body else b"GET ") + path + b" HTTP/1.1\r\nHost: " + host + b"\r\nOrigin: http://" + host
        + b"\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\nConnection: close\r\n" + length + (more or b"\r\n")
        + body
    )  # fmt: skip


def _cards() -> Iterator[bytes]:
    """Yield the two cards, as of MODEL, without what makes them long."""
    few, sha256 = {"a": 1}, hashlib.sha256(MODEL).hexdigest()
    short: Any = {"versions": {"a": "1"}, "command": "make"}
    card, _ = read_card(MODELS / "door.tflite")
    trained = dataclasses.replace(
        card.trained_on, photos=few, sources=few, near_copies=few, measuring={"a": "0"}, **short
    )
    yield _json(dataclasses.replace(card, sha256=sha256, trained_on=trained))
    faces, _ = read_face_card(MODELS / "faces.tflite")
    check = dataclasses.replace(faces.check, sha256=sha256, **short) if faces.check else None
    learned = dataclasses.replace(
        faces.trained_on, pictures=few, faces=few, backgrounds=few, held_out=("a",), **short
    )
    sets = dict(list(faces.measured.sets.items())[:1])
    measured = dataclasses.replace(faces.measured, sets=sets)
    yield _json(dataclasses.replace(faces, sha256=sha256, trained_on=learned, measured=measured, check=check))


def _json(described: Any) -> bytes:
    return json.dumps(dataclasses.asdict(described), separators=(",", ":"), ensure_ascii=False).encode()


def _manifest() -> bytes:
    release = Release("1.0-abc", "12", "ai-edge-litert", 64 * "0")
    return _json(Manifest(
        FORMAT, PRODUCT, 7, 1_790_000_000, 1_800_000_000, (Ring(0.05, 0.0), Ring(1.0, 72.0)),
        (f"ssh-ed25519 {68 * 'A'}",), (Bundle(release, File("a.zip", 9, 64 * "1"), (File("b", 9, ""),)),),
    ))  # fmt: skip


def _sections() -> list[bytes]:
    """Return the sections of the shipped kiosk.toml, every key at its default, without the remarks."""
    text = re.sub(r"(?m)^# (?=\w+ = )", "", (TREE / "deploy" / "kiosk.toml").read_text(encoding="utf-8"))
    return [re.sub(r"(?m)(^|\s+)# .*$", "", part).encode() for part in re.split(r"(?m)^(?=\[)", text)[1:]]


def _picture(suffix: str, *options: int) -> bytes:
    picture = np.arange(16 * 18 * 3, dtype=np.uint8).reshape(18, 16, 3)
    return bytes(cv2.imencode(suffix, picture, options)[1])


def _archive(form: int) -> bytes:
    """Return a crop as a kiosk sends it, in an archive; some forms of it write headers of headers."""
    content, packed = seal(b"a picture", KEY.public_key()), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form, pax_headers={"comment": "a"}) as archive:
        member = tarfile.TarInfo("./1790000000-0123abcd.crop")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()[: packed.getvalue().rindex(content) // 512 * 512 + 3 * 512]


def _counts() -> bytes:
    with closing(sqlite3.connect(":memory:")) as file:
        file.execute("PRAGMA page_size = 512")
        file.execute(TABLE)
        file.execute(ADD, ("2026-11-27", 9, *range(len(NAMES))))
        file.commit()
        return file.serialize()


def _keys() -> list[bytes]:
    private = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    other = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key()
    return [
        KEY.private_bytes(*private), KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        other.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
    ]  # fmt: skip


CARD, FACE_CARD = _cards()
BODY = b'{"model": {"threshold": 0.5, "release": 0.4}, "decision": {"hold_seconds": 3, "zones": [[0, 0, 0.2, 1]]}}'
SAMPLES = {
    "card": [CARD], "face-card": [FACE_CARD], "settings": _sections(), "manifest": [_manifest()],
    "boxes": [b"file,x,y,w,h,label\na.png,1,2,24,22,mask\na.png,9,9,20,20,no mask\n"],
    "crops": [b"file,label,source,kind,note\na.png,with_mask,s,synthetic,hand;cloth\n"],
    "voc": [b"<annotation><object><name>mask</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>31</ymax>"
            b"</bndbox></object></annotation>"],
    "yolo": [b"0 0.5 0.5 0.2 0.3\n1 0.2 0.2 0.1 0.1\n"],
    "data.yaml": [b"nc: 2\nnames:\n  0: mask # worn\n  1: 'face'\n", b"names: [mask, face]\n", b"names:\n- mask\n"],
    "picture": [_picture(".png"), _picture(".bmp"), _picture(".webp"), _picture(".tiff"), _picture(".gif"),
                _picture(".jpg"), _picture(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)],
    "visits": [b"video,enter,leave,answer,visible\na.mp4,1,4.5,with_mask>without_mask,2\nb,,,\nc,1,2,poster,\n"],
    "counts": [_counts()],
    "keys": _keys(),
    "secret": [b"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\n"],
    "hosts": [b"# doors\npi@north.local\nsouth # of the house\n\n", b"\xef\xbb\xbfpi@192.168.1.9\n"],
    "source": [b"pi", b"usb:0", b"rtsp://anna:pa%40ss@10.0.0.9:8554/stream?a=1", b"/home/pi/clip.mp4", b"rtsp://[fe80::1]/"],
    "collected": [_archive(form) for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)],
    "page": [
        *map(request, (b"/?language=de", b"/static/screen.js", b"/setup", b"/setup/minute", b"/setup/picture",
                       b"/today", b"/today/plot", b"/today/counts.csv", b"/metrics")),
        request(b"/setup/try", BODY), request(b"/setup/restart", b"{}"), request(b"/setup/test", b"{}"),
        b"POST /setup/try HTTP/1.1\r\nHost: localhost:{port}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost:{port}\r\nAccept-Language: fr-CH,de;q=0.9\r\nIf-None-Match: *\r\n\r\n",
    ],
    "setup": [b"0" + BODY, b"1" + BODY, b"1" + b'{"signals": {"quiet_from": "22:00"}, "camera": {"rotation": 90}}'],
    "viewer": [b"0\x81\x85\0\0\0\0hello\x89\x80\0\0\0\0\x88\x82\0\0\0\0\x03\xe8", b"1\x88\x80\0\0\0\0",
               b"1\x01\x81\0\0\0\0a"],
    "label": [
        *map(request, (b"/", b"/next", b"/picture?name=a.png", b"/static/label.js")), request(b"/undo", b"{}"),
        request(b"/label", b'{"name": "a.png", "label": "with_mask"}'),
    ],
    "webhook": [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 503 no\r\n\r\n"],
    "fetch": [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://other.lan:8000/manifest?a#b\r\n\r\n",
        b"HTTP/1.1 401 no\r\nWWW-Authenticate: Basic realm=\"a\"\r\n\r\n",
    ],
    "broker": [b"\x20\x02\0\0\x90\x03\0\x01\0\x30\x1c\0\x14homeassistant/statusonline\xd0\0\x40\x02\0\x02",
               b"\x20\x02\0\x05", b"\x20\x02\0\0\x34\x08\0\x02ab\0\x07cd\x62\x02\0\x07\xc0\0"],
}  # fmt: skip
