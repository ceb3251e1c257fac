"""Broken input of every kind ends in the project's own one-line errors; $TRIES: how often each reader is tried."""

import dataclasses
import json
import logging
import os
import re
import socket
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from footprint import TREE
from fuzz_targets import ANSWER_SECONDS, UPGRADE, Targets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from screens import TOKEN, card_of, served
from test_screen import ask as ask_page
from test_setup import a_minute

from deploy.manifest import FORMAT, PRODUCT, Bundle, File, Manifest, Ring
from deploy.release import Release
from device.web.server import Server

TRIES = int(os.environ.get("TRIES") or 60)
FUZZ = settings(
    max_examples=TRIES, deadline=None, database=None, derandomize="TRIES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
TOML = re.sub(r"(?m)^# (?=\w+ = )", "", (TREE / "deploy" / "kiosk.toml").read_text(encoding="utf-8")).encode()
CARD, FACE_CARD = ((TREE / "models" / name).read_bytes() for name in ("door.json", "faces.json"))
BOXES = b"file,x,y,w,h,label\na.png,1,2,24,22,mask\na.png,9,9,20,20,no mask\n"
CROPS = b"file,label,source,kind,note\na.png,with_mask,s,synthetic,hand;cloth\n"
VOC = (
    b"<annotation><object><name>mask</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>31</ymax></bndbox>"
    b"</object></annotation>"
)
YOLO, YAML = b"0 0.5 0.5 0.2 0.3\n1 0.2 0.2 0.1 0.1\n", b"nc: 2\nnames:\n  0: mask # worn\n  1: 'face'\n"
MANIFEST = json.dumps(dataclasses.asdict(Manifest(
    FORMAT, PRODUCT, 7, 1_790_000_000, 1_800_000_000, (Ring(0.05, 0.0), Ring(1.0, 72.0)), (f"ssh-ed25519 {68 * 'A'}",),
    (Bundle(Release("1.0-abc", "12", "ai-edge-litert", 64 * "0"), File("a.zip", 9, 64 * "1"), (File("b", 9, ""),)),),
))).encode()  # fmt: skip
# What parsers stumble over.
WORDS = [
    b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"nan", b"-inf", b"1e999", b"9" * 5000, b"-1", b"0x10", b"[" * 3000,
    b"{" * 2000, b'"', b"'", b"\n", b",", b"null", b"true", b"[]", b"{}", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;",
    b"../../etc/passwd", "\u2028\u0661".encode(), b"\xed\xa0\x80", b"1979-05-27", b"\r", b"a.png", b"/dev/zero",
]  # fmt: skip


@st.composite
def broken(draw: st.DrawFn, sample: bytes) -> bytes:
    """Yield a sample in which a few places are cut, repeated, or replaced."""
    content = sample
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 40)))
        word = draw(st.sampled_from(WORDS) | st.binary(max_size=8))
        content = content[:start] + draw(st.sampled_from([word, content[start:end] * 2 + word])) + content[end:]
    return content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@st.composite
def miswritten(draw: st.DrawFn, sample: bytes) -> bytes:
    """Yield a sample of JSON in which one value is another, is missing, or is one too many."""
    content = json.loads(sample)
    place = content
    while isinstance(place, dict) and place:
        key = draw(st.sampled_from(sorted(place)))
        if not isinstance(place[key], dict) or draw(st.booleans()):
            break
        place = place[key]
    change = draw(st.sampled_from(["other", "gone", "more"]))
    if change == "gone":
        place.pop(key, None)
    else:
        place[key if change == "other" else draw(st.text(max_size=9))] = draw(VALUES)
    return json.dumps(content).encode("utf-8", "surrogatepass")


def encoded(suffix: str) -> bytes:
    picture = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
    return bytes(cv2.imencode(suffix, picture)[1])


@pytest.fixture(scope="module")
def targets() -> Iterator[Targets]:
    targets = Targets()
    yield targets
    targets.close()


def test_a_reader_takes_what_is_whole(targets: Targets) -> None:
    whole = {"card": CARD, "face_card": FACE_CARD, "manifest": MANIFEST, "settings": TOML, "boxes": BOXES,
             "crops": CROPS, "voc": VOC, "yolo": YOLO, "yaml": YAML, "picture": encoded(".png")}  # fmt: skip
    assert {name: getattr(targets, name)(content) for name, content in whole.items()} == {name: [] for name in whole}


@pytest.mark.parametrize(
    ("target", "content"),
    [
        ("card", miswritten(CARD) | broken(CARD)), ("face_card", miswritten(FACE_CARD) | broken(FACE_CARD)),
        ("manifest", miswritten(MANIFEST) | broken(MANIFEST)),
        ("settings", broken(TOML)), ("boxes", broken(BOXES)), ("crops", broken(CROPS)), ("voc", broken(VOC)),
        ("yolo", broken(YOLO)), ("yaml", broken(YAML)),
        ("picture", st.one_of(*(broken(encoded(kind)) for kind in (".png", ".jpg", ".bmp", ".webp", ".tiff")))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_reader_refuses_broken_input_in_one_line(targets: Targets, target: str, content: Any) -> None:
    @FUZZ
    @given(content)
    def read(content: bytes) -> None:
        refusals = getattr(targets, target)(content)
        assert [line for line in refusals if len(line.splitlines()) != 1] == []

    read()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = tmp_path_factory.mktemp("etc") / "kiosk.toml"
    config.write_bytes((TREE / "deploy" / "kiosk.toml").read_bytes())
    with served(card_of(), config, mirror=True) as (screen, server):
        a_minute(screen)
        yield server


def answer(server: Server, content: bytes) -> bytes:
    """Send bytes and an end; return all that comes back until the server closes."""
    received = b""
    with socket.create_connection(("127.0.0.1", server.port), ANSWER_SECONDS) as client:
        try:
            client.sendall(content)
            client.shutdown(socket.SHUT_WR)
            while more := client.recv(65536):
                received += more
        except ConnectionError:
            pass  # refused before all was sent
    return received


def request(server: Server, path: bytes, body: bytes = b"", more: bytes = b"") -> bytes:
    host = f"127.0.0.1:{server.port}".encode()
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    return (
        (b"POST " if body else b"GET ") + path + b" HTTP/1.1\r\nHost: " + host + b"\r\nOrigin: http://" + host
        + b"\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\nConnection: close\r\n" + length + (more or b"\r\n")
        + body
    )  # fmt: skip


def failures(server: Server, content: bytes, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Send bytes; return what fails inside, and what the next one, who asks for the page, is refused with."""
    caplog.clear()
    server.attempts.clear()  # a wrong token is no news here
    received = answer(server, content)
    found = [record.getMessage() for record in caplog.records
             if record.levelno >= logging.ERROR or "the door goes on" in record.getMessage()]
    if b"Traceback" in received or b" 500 " in received.partition(b"\r\n")[0]:
        found.append(received.decode(errors="replace"))
    if (status := ask_page(server.port, "GET /", f"Host: 127.0.0.1:{server.port}")[0]) != 200:
        found.append(f"then {status}")
    return found


def test_the_page_answers_broken_requests(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    body = b'{"model": {"threshold": 0.5, "release": 0.4}, "decision": {"hold_seconds": 3}}'
    requests = [request(server, path) for path in (b"/?language=de", b"/static/screen.js", b"/setup/minute")]
    requests += [request(server, b"/setup/" + path, body) for path in (b"try", b"save")]

    @FUZZ
    @given(st.one_of(*map(broken, requests)))
    def ask(content: bytes) -> None:
        assert failures(server, content, caplog) == []

    ask()


def test_the_setup_page_answers_whatever_values(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    keys = st.sampled_from(["threshold", "release", "hold_seconds", "zones", "window_seconds", "name", "x"])
    section = st.dictionaries(keys, VALUES, max_size=3) | VALUES
    bodies = st.dictionaries(st.sampled_from(["model", "decision", "signals"]), section, max_size=3) | VALUES

    @FUZZ
    @given(bodies, st.sampled_from([b"/setup/try", b"/setup/save"]))
    def ask(body: Any, path: bytes) -> None:
        content = json.dumps(body).encode("utf-8", "surrogatepass")
        assert failures(server, request(server, path, content), caplog) == []

    ask()


def test_a_viewer_that_talks_nonsense_is_let_go(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    frames = broken(b"\x81\x85\0\0\0\0hello\x89\x80\0\0\0\0\x88\x82\0\0\0\0\x03\xe8") | st.binary(max_size=40)

    @FUZZ
    @given(frames, st.sampled_from([b"/state", b"/mirror"]))
    def talk(content: bytes, path: bytes) -> None:
        assert failures(server, request(server, path, more=UPGRADE) + content, caplog) == []

    talk()
