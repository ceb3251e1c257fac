import asyncio
import dataclasses
import itertools
import json
import os
import re
import signal
import socket
import threading
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import pytest
from gpiozero import Device
from places import TREE
from ports import free_port
from screens import ANSWER_SECONDS, DOOR, FRAME, TOKEN, Viewer, ask, card_of, own_address, served, show
from test_kiosk import BARE, EMPTY, WIRED, SquareFinder, histories
from test_replay import record

from device.cameras.frame import Frame
from device.classifier import Verdict
from device.decision import Decision
from device.errors import SettingsError
from device.events import State
from device.faces import Box, Face, Luma
from device.kiosk import run
from device.levels import Levels, levels
from device.limits import SHORTEST_TOKEN
from device.look import Look
from device.settings import (
    CameraSettings,
    DecisionSettings,
    ModelSettings,
    ScreenSettings,
    Settings,
    SignalSettings,
    read_settings,
)
from device.signals.signals import Signals
from device.stop import StopRequest
from device.telemetry.counts import NAMES, counts_path, rows
from device.telemetry.settings import CountsSettings
from device.web import routes, screen
from device.web.attempts import Attempts
from device.web.changes import CHANGES, changed
from device.web.edit import edit_settings
from device.web.languages import PAGE
from device.web.screen import Screen
from device.web.server import Server
from device.web.what_if import History, states

IN_USE = DecisionSettings()
CUT = "cut by the picture's edge"
PATHS = {"GET": ["minute", "picture"], "POST": ["try", "save", "test", "restart"]}
SHIPPED = (TREE / "deploy" / "kiosk.toml").read_text(encoding="utf-8")


def post(server: Server, path: str, body: object, *more: str, token: str = TOKEN) -> tuple[int, Any]:
    """Ask as the setup page does; return the status and what the JSON says."""
    return post_to(server.port, path, body, *more, token=token)


def post_to(port: int, path: str, body: object, *more: str, token: str = TOKEN) -> tuple[int, Any]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    host = f"127.0.0.1:{port}"
    headers = [f"Host: {host}", f"Authorization: Bearer {token}", f"Content-Length: {len(content)}"]
    headers += more or [f"Origin: http://{host}"]
    status, _, answer = ask(port, f"POST /setup/{path}", *headers, body=content)
    return status, json.loads(answer) if answer.startswith(b"{") else answer


def get(server: Server, path: str, token: str = TOKEN) -> tuple[int, bytes]:
    headers = f"Host: 127.0.0.1:{server.port}", f"Authorization: Bearer {token}"
    status, _, answer = ask(server.port, f"GET /setup/{path}", *headers)
    return status, answer


def a_minute(screen: Screen) -> None:
    """Somebody comes after 2 s, whose score of 0.5 lies below the shipped threshold's 0.6, and leaves after 6 s."""
    for number in range(100):
        step = 20 * (number >= 22)  # px: no poster
        face = Verdict(Box(40 + step, 20, 80, 80), 5.0, (0.5, 0.5), 0.5, "with_mask")
        seen = [face] if 20 <= number < 60 else []
        screen.show(State.IDLE, Frame(FRAME.luma, number / 10), seen, [], DOOR)


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, paths in PATHS.items() for path in paths])
def test_without_the_token_nothing_is_told_or_done(method: str, path: str, tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(SHIPPED)
    with served(card_of(), config) as (screen, server):
        show(screen, State.IDLE)
        host = f"127.0.0.1:{server.port}"
        common = f"Host: {host}", f"Origin: http://{host}", "Content-Length: 2"
        for given in ("", "Bearer", f"Bearer {TOKEN}x", TOKEN):
            headers = *common, f"Authorization: {given}"
            status, _, body = ask(server.port, f"{method} /setup/{path}", *headers, body=b"{}")
            assert (status, body) == (401, b"401 Unauthorized\n")
    assert config.read_text() == SHIPPED


def test_after_five_wrong_tokens_nobody_is_let_in_for_a_while() -> None:
    with served(card_of()) as (_, server):
        assert [get(server, "minute", f"wrong{number}")[0] for number in range(7)] == [401] * 5 + [429] * 2
        assert get(server, "minute")[0] == 429
    attempts = Attempts()
    for now in range(5):
        assert not attempts.too_many(now)
        attempts.failed(now, b"Bearer %d" % now)
    assert [attempts.too_many(now) for now in (5.0, 59.9, 60.1)] == [True, True, False]


def test_a_page_left_open_with_the_token_of_before_keeps_nobody_out() -> None:
    with served(card_of()) as (_, server):
        assert [get(server, "minute", "the-one-before")[0] for _ in range(10)] == [401] * 10
        assert get(server, "minute")[0] == 200


@pytest.mark.parametrize("origin", ["X: none", "Origin: null", "Origin: http://evil.example"])
def test_other_sites_can_change_nothing(origin: str) -> None:
    with served(card_of()) as (_, server):
        assert [post(server, path, {}, origin)[0] for path in PATHS["POST"]] == [403] * 4


@pytest.mark.parametrize(("setup", "status"), [("loopback", 403), ("lan", 200), ("off", 404)])
def test_on_the_network_setup_is_answered_only_if_asked_for(setup: str, status: int) -> None:
    address = own_address()
    with served(card_of(), host="0.0.0.0", setup=setup) as (_, server):  # noqa: S104
        with socket.create_connection((address, server.port), 60) as connection:
            connection.sendall(f"GET /setup HTTP/1.0\r\nHost: {address}:{server.port}\r\n\r\n".encode())
            assert int(connection.recv(4096).split()[1]) == status
        assert ask(server.port, "GET /setup", f"Host: 127.0.0.1:{server.port}")[0] == (404 if setup == "off" else 200)


def test_at_one_address_of_the_network_alone_setup_is_answered_from_this_computer() -> None:
    address = own_address()
    with served(card_of(), host=address, token="random") as (_, server):  # noqa: S106
        assert server.setup_url == f"http://{address}:{server.port}/setup#{server.token}"
        with socket.create_connection((address, server.port), 60) as connection:
            connection.sendall(f"GET /setup HTTP/1.0\r\nHost: {address}:{server.port}\r\n\r\n".encode())
            assert int(connection.recv(4096).split()[1]) == 200


def test_the_token_is_made_anew_or_the_files() -> None:
    with served(card_of(), token="random") as (_, server):  # noqa: S106
        assert server.setup_url == f"http://127.0.0.1:{server.port}/setup#{server.token}"
        assert len({server.token, server.read_token, "random"}) == 3
        assert min(len(server.token), len(server.read_token)) >= SHORTEST_TOKEN
    with served(card_of(), token="a" * 16) as (_, server):
        assert server.setup_url == f"http://127.0.0.1:{server.port}/setup"  # the owner's own isn't printed
        assert (get(server, "minute", "a" * 16)[0], get(server, "minute")[0]) == (200, 401)


def test_the_picture_is_as_the_camera_sees_it() -> None:
    luma = np.full((240, 320), 100, np.uint8)
    luma[:, :160] = 200
    with served(card_of()) as (screen, server):
        assert get(server, "picture")[0] == 404
        screen.show(State.IDLE, Frame(luma, 0.0), [], [], DOOR)
        status, jpeg = get(server, "picture")
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert status == 200
    assert picture is not None
    assert [int(picture[120, x]) // 50 for x in (20, 300)] == [4, 2]


def test_the_last_minute_is_told_and_what_other_values_would_have_made_of_it() -> None:
    card = card_of()
    with served(card) as (screen, server):
        a_minute(screen)
        status, body = get(server, "minute")
        minute = json.loads(body)
        assert (status, len(minute["scores"]), minute["scores"][0]) == (200, 40, [pytest.approx(-7.9), 0.5])
        assert minute["model"] == {"threshold": card.threshold, "release": card.release}
        assert minute["config"] is None
        looser = post(server, "try", {"model": {"threshold": 0.45, "release": 0.4}})
        stricter = post(server, "try", {"model": {"threshold": 0.7, "release": 0.6}})
        later = post(server, "try", {"model": {"threshold": 0.45, "release": 0.4}, "decision": {"sure_seconds": 2}})
        lower = post(server, "try", {"model": {"threshold": 0.1}})
    assert lower[1]["model"] == levels(ModelSettings(threshold=0.1), card)._asdict()
    assert [state for _, state in looser[1]["states"]] == ["IDLE", "CHECKING", "ALARM", "IDLE"]
    assert [state for _, state in stricter[1]["states"]] == ["IDLE", "CHECKING", "CLEAR", "IDLE"]
    rings = [dict(map(reversed, found[1]["states"]))["ALARM"] for found in (looser, later)]
    assert rings[1] - rings[0] == pytest.approx(1.5)


def test_scores_and_states_are_of_one_minute_though_the_door_goes_on() -> None:
    with served(card_of()) as (_, server):

        class Late(list[Verdict]):
            """What is seen on a frame; the door sees another whenever this is looked at."""

            def __iter__(self) -> Iterator[Verdict]:
                server.history.note(next(times), [], DOOR)
                return super().__iter__()

        times = itertools.count(5.0)
        for taken in (1.0, 2.0):
            seen = Late([Verdict(Box(40, 20, 80, 80), 5.0, (0.5, 0.5), 0.5, "with_mask")])
            server.history.note(taken, seen, DOOR)
        minute = json.loads(get(server, "minute")[1])
    assert minute["scores"] == [[-1.0, 0.5], [0.0, 0.5]]
    assert minute["states"][0][0] == -1.0


def test_it_says_why_faces_in_grey_frames_are_not_judged() -> None:
    looks = [
        Look(x=0.9), Look(x=0.1, height=0.07), Look(x=0.2, y=0.2), Look(x=0.5, cut=True), Look(x=0.4, brightness=19.0),
    ]  # fmt: skip
    verdicts = [Verdict(Box(place, 0, 9, 9), 5.0, (), 0.9, "", look) for place, look in enumerate(looks)]
    with served(card_of()) as (screen, server):
        assert json.loads(get(server, "minute")[1])["grey"] == []
        server.settings = changed(server.settings, {"decision": {"zones": ((0.15, 0.1, 0.1, 0.2),)}})
        screen.show(State.CHECKING, Frame(FRAME.luma, 0.0), verdicts, [verdicts[0].box], DOOR)
        grey = json.loads(get(server, "minute")[1])["grey"]
        assert grey == ["smaller than least height", "in a zone", "darker than least brightness", CUT]
        screen.show(State.CHECKING, Frame(FRAME.luma, 0.1), verdicts[:1], [], DOOR)
        assert json.loads(get(server, "minute")[1])["grey"] == ["came just now, or hasn't moved"]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ({"decision": {"sure_seconds": 11}}, "[decision] key sure_seconds"),
        ({"decision": {"sure_second": 1}}, "[decision] key 'sure_second' is unknown: did you mean 'sure_seconds'?"),
        ({"model": {"threshold": 0.3, "release": 0.4}}, "[model] release is 0.4, expected at most the threshold, 0.3"),
        ({"model": {"threshold": "high"}}, "[model] threshold is 'high', expected a number from 0.02 to 0.98, "
         "or 0 for that of the model's card"),
        ({"decision": 7}, "[decision] is no section, expected its name in a line of its own"),
        ({"decision": {"zones": [[0, 0, 1, 1]]}}, "[decision] zones is [[0, 0, 1, 1]], expected a list of at most 50"),
    ],
)
def test_values_that_cannot_be_meant_are_refused_in_one_line(tmp_path: Path, body: object, line: str) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(SHIPPED)
    with served(card_of(), config) as (_, server):
        for path in ("try", "save"):
            status, answer = post(server, path, body)
            assert status == 400
            assert answer["error"].startswith(line.replace("key sure_seconds", "sure_seconds is 11"))
        assert post(server, "save", {"signals": {"red_pin": 4}})[0] == 400
        assert post(server, "save", {"model": {"name": "other"}})[0] == 400
        assert post(server, "save", [])[0] == 400
    assert config.read_text() == SHIPPED


@pytest.mark.parametrize("path", ["try", "save"])
def test_what_is_no_json_or_nested_too_deep_is_refused(tmp_path: Path, path: str) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(SHIPPED)
    deep = [b"[" * depth + b"]" * depth for depth in (*range(850, 1010, 3), 30_000)]
    with served(card_of(), config) as (_, server):
        for body in (b"", b"{", b"\xff", *deep, *(b'{"decision": {"hold_seconds": %s}}' % value for value in deep)):
            assert post(server, path, body)[0] == 400, body[:40]
    assert config.read_text() == SHIPPED


def test_what_is_saved_is_read_again_and_comments_stay(tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(SHIPPED + "\n# the owner's note\n")
    config.chmod(0o640)
    with served(card_of(), config) as (_, server):
        body = {"model": {"threshold": 0.5, "release": 0.4}, "decision": {"hold_seconds": 3}}
        assert post(server, "save", body) == (200, {"saved": str(config), "waiting": False})
    settings = read_settings(config)
    assert (settings.model.threshold, settings.model.release, settings.decision.hold_seconds) == (0.5, 0.4, 3.0)
    expected = SHIPPED + "\n# the owner's note\n"  # each value stands where it stood as a comment
    for before, after in (
        ("# threshold = 0.0", "threshold = 0.5"), ("# release = 0.0", "release = 0.4"),
        ("# hold_seconds = 1.5", "hold_seconds = 3.0"),
    ):  # fmt: skip
        expected = expected.replace(before, after)
    assert config.read_text() == expected
    assert config.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["kiosk.toml"]


STREET, MIRROR, STAIRS = [0.0, 0.0, 0.25, 1.0], [0.5, 0.0, 0.25, 1.0], [0.8, 0.0, 0.2, 0.5]
ZONES = """\
[decision]
zones = [  # of this door
    # the street
    [0.0, 0.0, 0.25, 1.0],  # behind glass
    [0.5, 0.0, 0.25, 1.0],  # a mirror
    [0.8, 0.0, 0.2, 0.5]  # the stairs
]  # as of May
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("zones", "lines"),
    [
        ([STREET, MIRROR, STAIRS], {}),
        ([STREET, STAIRS], {4: ""}),
        ([MIRROR], {3: "", 5: ""}),
        ([STREET, [0.5, 0.0, 0.3, 0.5], STAIRS], {4: "    [0.5, 0.0, 0.3, 0.5],  # a mirror\n"}),
        ([STREET, MIRROR, STAIRS, STREET],
         {5: "    [0.8, 0.0, 0.2, 0.5],  # the stairs\n    [0.0, 0.0, 0.25, 1.0]\n"}),
        ([], {3: "", 4: "", 5: ""}),
    ],
)  # fmt: skip
def test_zones_keep_their_comments_and_the_file_its_ends_of_lines(
    zones: list[list[float]], lines: dict[int, str], newline: str, tmp_path: Path
) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(ZONES, newline=newline)
    with served(card_of(), config) as (_, server):
        assert post(server, "save", {"decision": {"zones": zones}})[0] == 200
    expected = "".join(lines.get(number, line) for number, line in enumerate(ZONES.splitlines(keepends=True)))
    assert config.read_bytes().decode() == expected.replace("\n", newline)
    assert [list(zone) for zone in read_settings(config).decision.zones] == zones


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[model]\nname = "door"\n\n# ---- times ----\n[decision]\nhold_seconds = 2.0  # mine\n',
         '[model]\nname = "door"\nthreshold = 0.4\n\n# ---- times ----\n[decision]\nhold_seconds = 3.0  # mine\n'
         "zones = [[0.0, 0.0, 0.25, 1.0]]\n"),
        ("[decision]  # times\n\t# zones = []  # none\n\t# hold_seconds = 2.0 was too short\n\n# levels\n[model]",
         "[decision]  # times\nhold_seconds = 3.0\n\tzones = [[0.0, 0.0, 0.25, 1.0]]  # none\n"
         "\t# hold_seconds = 2.0 was too short\n\n# levels\n[model]\nthreshold = 0.4\n"),
        ('[decision]\n# zones = []\n\n# [screen]\n# hold_seconds = 2.0\n\n[model]\nname = "door"\n# [[screen]]\n'
         "# threshold = 0.0\nrelease = 0.2\n",
         "[decision]\nhold_seconds = 3.0\nzones = [[0.0, 0.0, 0.25, 1.0]]\n\n# [screen]\n# hold_seconds = 2.0\n\n"
         '[model]\nname = "door"\nthreshold = 0.4\n# [[screen]]\n# threshold = 0.0\nrelease = 0.2\n'),
        ('\n[model]\n\tname = "door"', '\n[model]\n\tname = "door"\n\tthreshold = 0.4\n\n'
         "[decision]\nhold_seconds = 3.0\nzones = [[0.0, 0.0, 0.25, 1.0]]\n"),
        ("model.release = 0.4\ndecision.hold_seconds = 2.0\n", "model.release = 0.4\nmodel.threshold = 0.4\n"
         "decision.hold_seconds = 3.0\ndecision.zones = [[0.0, 0.0, 0.25, 1.0]]\n"),
    ],
)  # fmt: skip
def test_what_a_section_lacks_is_added_below_its_last_key_or_where_it_is_commented(
    text: str, expected: str, tmp_path: Path
) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(text)
    times = {"hold_seconds": 3.0, "zones": (tuple(STREET),)}
    edit_settings(config, {"model": {"threshold": 0.4}, "decision": times}, bool)
    assert config.read_text() == expected


def test_a_file_with_the_mark_that_windows_writes_is_saved_without_it(tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text("[decision]\nhold_seconds = 2.0\n", encoding="utf-8-sig", newline="\r\n")
    edit_settings(config, {"decision": {"hold_seconds": 3.0}}, bool)
    assert config.read_bytes() == b"[decision]\r\nhold_seconds = 3.0\r\n"


def test_a_file_that_cannot_be_written_stays_and_says_why(tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text("[signals]\nbeeps = 99\n")  # which read_settings refuses
    with pytest.raises(SettingsError, match=rf"^{config}: \[signals\] beeps is 99") as refused:
        edit_settings(config, {"decision": {"hold_seconds": 3.0}}, bool)
    assert "\n" not in str(refused.value)
    with pytest.raises(SettingsError, match=r"absent\.toml: can't be written \("):
        edit_settings(tmp_path / "absent.toml", {}, bool)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"kiosk.toml": "[signals]\nbeeps = 99\n"}
    config.write_text("")
    link = tmp_path / "link.toml"
    link.symlink_to(config)
    edit_settings(link, {"decision": {"hold_seconds": 3.0}}, bool)
    assert link.is_symlink()
    assert tomllib.loads(config.read_text()) == {"decision": {"hold_seconds": 3.0}}


def test_a_pipe_in_the_files_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "kiosk.toml")  # nobody ever writes into it
    with pytest.raises(SettingsError, match=r"kiosk\.toml: can't be written \(.*a pipe or device, expected a plain"):
        edit_settings(tmp_path / "kiosk.toml", {}, lambda settings: None)
    assert [path.name for path in tmp_path.iterdir()] == ["kiosk.toml"]


def test_levels_that_would_be_refused_at_the_next_start_are_not_saved(tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text("")
    with served(card_of(), config) as (_, server):
        by_hand = "[model]\nrelease = 0.6\n"  # the kiosk hasn't read it yet
        config.write_text(by_hand)
        line = "[model] release is 0.6, expected at most the threshold, 0.55: lower it, or set both"
        assert post(server, "save", {"model": {"threshold": 0.55}}) == (400, {"error": line})
        assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"kiosk.toml": by_hand}


@pytest.mark.parametrize("by_hand", ["[[signals]]\nbeeps = 2\n", "signals = 5\n", "signals = [{ beeps = 2 }]\n"])
def test_a_section_that_was_made_something_else_by_hand_is_refused_and_stays(by_hand: str, tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text("")
    with served(card_of(), config) as (_, server):
        config.write_text(by_hand)
        line = f"{config}: [signals] is no section, expected its name in a line of its own and its keys below"
        assert post(server, "save", {"signals": {"beeps": 7}}) == (400, {"error": line})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"kiosk.toml": by_hand}


def test_screens_hear_of_the_door_while_a_slow_card_takes_one_save_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text("")
    asked, answers = threading.Event(), threading.Event()

    def fsync(_: int) -> None:
        asked.set()
        assert answers.wait(ANSWER_SECONDS)

    monkeypatch.setattr(os, "fsync", fsync)
    with served(card_of(), config) as (_, server), ThreadPoolExecutor() as pages:
        viewer = Viewer(server.port)
        changes = {"decision": {"hold_seconds": 3.0}}, {"signals": {"beeps": 1}}
        saves = [pages.submit(post, server, "save", each) for each in changes]
        assert asked.wait(ANSWER_SECONDS)
        viewer.wait(len(viewer.messages) + 2)
        answers.set()
        assert [save.result()[0] for save in saves] == [200, 200]
    settings = read_settings(config)
    assert (settings.decision.hold_seconds, settings.signals.beeps) == (3.0, 1)


def test_a_save_that_is_being_written_when_the_kiosk_ends_is_finished_and_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text("")
    assert routes.SAVING_SECONDS + routes.GOODBYE_SECONDS < screen.CLOSE_SECONDS
    monkeypatch.setattr(routes, "SAVING_SECONDS", ANSWER_SECONDS)
    monkeypatch.setattr(screen, "CLOSE_SECONDS", 2 * ANSWER_SECONDS)
    asked, told = threading.Event(), threading.Event()

    def fsync(_: int) -> None:
        asked.set()
        assert told.wait(ANSWER_SECONDS)

    def goodbye() -> None:
        viewer.ended()
        told.set()

    monkeypatch.setattr(os, "fsync", fsync)
    with ThreadPoolExecutor() as pages:
        with served(card_of(), config) as (_, server):
            viewer = Viewer(server.port)
            viewer.wait()
            save = pages.submit(post, server, "save", {"decision": {"hold_seconds": 3.0}})
            assert asked.wait(ANSWER_SECONDS)
            pages.submit(goodbye)
        assert save.result()[0] == 200
    assert read_settings(config).decision.hold_seconds == 3.0


def test_without_a_file_nothing_is_saved() -> None:
    with served(card_of()) as (_, server):
        line = "the kiosk has no kiosk.toml: start it with `--config FILE`, or `make run CONFIG=FILE`"
        assert post(server, "save", {})[1] == {"error": line}


def test_levels_are_the_cards_unless_the_owner_sets_them() -> None:
    card = card_of()
    assert levels(ModelSettings(), card) == (card.threshold, card.release)
    assert levels(ModelSettings(threshold=0.9), card) == (0.9, card.release)
    lower = levels(ModelSettings(threshold=0.1), card)  # or a wavering score would change the verdict at will
    assert lower.threshold == 0.1
    assert lower.release == pytest.approx(0.1 * card.release / card.threshold)
    assert levels(ModelSettings(threshold=0.02), card) == (0.02, 0.02)  # no mean of few scores is surely below less
    assert levels(ModelSettings(threshold=0.1, release=0.1), card) == (0.1, 0.1)
    with pytest.raises(SettingsError):
        levels(ModelSettings(release=0.98), card)


def told(history: History, settings: DecisionSettings, in_use: DecisionSettings = IN_USE) -> list[tuple[float, str]]:
    return asyncio.run(states(history.minute(), in_use, settings, Levels(0.5, 0.4), lambda: True))


def lived(
    settings: DecisionSettings, seconds: float, frames_a_second: float, moves: bool = False, misses: int = 0
) -> tuple[History, list[tuple[float, str]]]:
    """Somebody, or a poster, at a door; return what is kept, and when it showed which state in the last minute.

    Of each 5 frames of a poster, and of somebody once they have moved, so many miss the face.
    """
    history, decision = History(), Decision(settings, Levels(0.5, 0.4))
    last = int(seconds * frames_a_second)
    shown = list[tuple[float, str]]()
    for number in range(last + 1):
        now, box = number / frames_a_second, Box(10 * min(20, number) * moves, 20 + number % 2, 80, 100)
        verdicts = list[Verdict]()
        if number <= 60 or number % 5 >= misses:
            wonders = decision.wonders(now, [box], (240, 320))
            look = Look(moved=0.03 * (moves and number < 40) if wonders else None)
            verdicts = [Verdict(box, 5.0, (0.1, 0.9), 0.9, "", look)]
        decision.update(now, verdicts)
        history.note(now, verdicts, decision)
        at = now - last / frames_a_second
        if at <= -60:
            shown = [(-60.0, decision.state.value)]
        elif shown[-1][1] != decision.state:
            shown.append((at, decision.state.value))
    return history, shown


def test_a_minute_is_kept_and_no_more() -> None:
    history = History()
    for second in range(200):
        history.note(float(second), [], DOOR)
    assert [at for at, _ in history.minute().last] == [float(second) for second in range(-60, 1)]
    assert told(history, IN_USE) == [(-60.0, "IDLE")]
    assert told(History(), IN_USE) == []


@pytest.mark.parametrize(
    ("moves", "frames_a_second", "misses", "seconds", "last"),
    [
        (False, 10.0, 0, 400.0, "IDLE"), (True, 10.0, 0, 200.0, "ALARM"), (True, 1.2, 0, 200.0, "ALARM"),
        (True, 5.0, 3, 200.0, "ALARM"), (True, 10.0, 3, 363.0, "IDLE"),
    ],
)  # fmt: skip
def test_the_minute_is_as_it_was_shown_whatever_was_known_before(
    moves: bool, frames_a_second: float, misses: int, seconds: float, last: str
) -> None:
    history, shown = lived(IN_USE, seconds, frames_a_second, moves, misses)
    assert told(history, IN_USE) == shown
    assert shown[-1][1] == last


def test_another_time_is_tried_with_what_was_known_and_another_move_with_an_empty_door() -> None:
    history, _ = lived(IN_USE, 200.0, 10.0, moves=True)
    assert told(history, dataclasses.replace(IN_USE, notice_seconds=3.0)) == [(-60.0, "ALARM")]
    assert [state for _, state in told(history, dataclasses.replace(IN_USE, least_move=0.3))] == ["IDLE", "CHECKING"]
    needless = dataclasses.replace(IN_USE, least_move=0.0)
    history, shown = lived(needless, 200.0, 10.0)
    assert told(history, needless, needless) == shown == [(-60.0, "ALARM")]
    assert [state for _, state in told(history, IN_USE, needless)] == ["IDLE", "CHECKING"]
    brief = dataclasses.replace(IN_USE, background_seconds=20.0)
    history, shown = lived(brief, 200.0, 10.0)
    assert told(history, brief, brief) == shown == [(-60.0, "IDLE")]
    assert [state for _, state in told(history, IN_USE, brief)] == ["IDLE", "CHECKING"]


class Ticking(asyncio.SelectorEventLoop):
    """Its clock goes on by 8 ms whenever somebody looks at it."""

    ticks = 0

    def time(self) -> float:
        self.ticks += 1
        return self.ticks * 0.008


def test_others_are_served_while_the_states_of_a_minute_are_found() -> None:
    history = History()
    for number in range(30):
        history.note(number / 10, [], DOOR)

    async def turns_of_others() -> int:
        asked = states(history.minute(), IN_USE, IN_USE, Levels(0.5, 0.4), lambda: True)
        found, turns = asyncio.ensure_future(asked), 0
        while not found.done():
            await asyncio.sleep(0)
            turns += 1
        return turns

    with asyncio.Runner(loop_factory=Ticking) as runner:
        assert runner.run(turns_of_others()) >= 10


@pytest.mark.parametrize("leaves", [False, True])
def test_one_minute_at_a_time_is_tried_and_none_for_who_has_gone(
    leaves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.web.what_if.WORK_SECONDS", 0.0)
    looked = list[int]()
    with (
        served(card_of()) as (_, server),
        socket.create_connection(("127.0.0.1", server.port), 60) as first,
        socket.create_connection(("127.0.0.1", server.port), 60) as second,
    ):
        host = f"127.0.0.1:{server.port}"
        headers = f"Host: {host}", f"Origin: http://{host}", f"Authorization: Bearer {TOKEN}", "Content-Length: 2"
        asking = "\r\n".join(("POST /setup/try HTTP/1.0", *headers, "", "{}")).encode()

        class Seen(list[Verdict]):
            """What is seen on a frame; a second page asks while the first one's minute is tried, and that may leave."""

            number = 0

            def __iter__(self) -> Iterator[Verdict]:
                looked.append(self.number)
                if looked == [1]:
                    second.sendall(asking)
                    if leaves:
                        first.close()
                return super().__iter__()

        for number in range(300):
            seen = Seen()
            seen.number = number
            server.history.note(number / 10, seen, DOOR)
        first.sendall(asking)
        for page in [second] if leaves else [first, second]:
            assert b" 200 OK" in page.recv(4096)
    tried = len(looked) - 299  # for the first page; after the first frame
    assert looked == [*range(1, 1 + tried), *range(1, 300)]
    assert tried < 299 if leaves else tried == 299


def test_the_pin_test_shows_each_lamp_and_the_buzzer_and_leaves_the_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setattr("device.signals.signals.LATE_SECONDS", 60.0)  # a busy computer shall not add to the histories
    pins = {"red": 17, "green": 27, "buzzer": 22, "relay": 16}
    with (
        Signals(SignalSettings(relay_pin=16), "mock") as signals,
        served(card_of(), self_test=signals.self_test) as (_, server),
    ):
        signals.show(State.IDLE, 0.0, datetime.now(UTC), [])
        line = "Shown in turn: red LED, green LED, buzzer. The pins are mock: nothing is switched."
        assert post(server, "test", {}) == (200, {"shown": line})
        lit = []
        for tick in range(1, 40):
            signals.show(State.IDLE, tick / 10, datetime.now(UTC), [])
            lit.append([name for name, pin in pins.items() if Device.pin_factory.pin(pin).state])
    assert [names for names, _ in itertools.groupby(lit)] == [["red"], ["green"], ["buzzer"], []]


def test_the_pin_test_says_that_there_are_no_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setattr("device.signals.pins.ROOT", Path("/no/such/root"))
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "none-such")
    with Signals(SignalSettings()) as signals, served(card_of(), self_test=signals.self_test) as (_, server):
        line = "no GPIO here, so no lamp lights up and nothing sounds: test them on the Raspberry Pi"
        assert post(server, "test", {}) == (400, {"error": line})


class SavingFinder(SquareFinder):
    """Saves, as the setup page does, when it has found a face for the twelfth time."""

    def __init__(self, port: int, body: object) -> None:
        super().__init__()
        self._port, self._body = port, body

    def find(self, luma: Luma) -> list[Face]:
        faces = super().find(luma)
        if self.found == 12 and faces:
            assert post_to(self._port, "save", self._body)[0] == 200
        return faces


class LookingFinder(SavingFinder):
    """Also looks, as the setup page does, at the picture of the frame before: are its boxes green or red?"""

    def __init__(self, port: int, body: object) -> None:
        super().__init__(port, body)
        self.colored = list[bool]()

    def find(self, luma: Luma) -> list[Face]:
        if self.found:
            headers = f"Host: 127.0.0.1:{self._port}", f"Authorization: Bearer {TOKEN}"
            _, _, jpeg = ask(self._port, "GET /setup/picture", *headers)
            picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
            assert picture is not None
            self.colored.append(bool(np.ptp(picture.astype(int), axis=2).max() > 60))
        return super().find(luma)


def test_the_picture_frames_a_face_in_grey_until_it_moves_and_in_a_zone(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Device, "pin_factory", None)
    folder = record(tmp_path / "visit", [EMPTY] * 5 + [BARE] * 25 + [EMPTY])
    config, port = tmp_path / "kiosk.toml", free_port()
    config.write_text("")
    settings = Settings(
        model=ModelSettings(str(toy)), camera=CameraSettings(str(folder)), screen=ScreenSettings(port=port, token=TOKEN)
    )
    finder = LookingFinder(port, {"decision": {"zones": [[0.0, 0.0, 1.0, 0.99]]}})
    assert run(settings, finder, "mock", config) == 0
    assert [colored for colored, _ in itertools.groupby(finder.colored)] == [False, True, False]


@pytest.mark.parametrize(
    ("body", "last", "beeps"),
    [
        ({"decision": {"zones": [[0.0, 0.0, 1.0, 0.99]]}}, "visit 1: leave", 3),
        ({"model": {"threshold": 0.95, "release": 0.93}}, "visit 1: change with a mask", 3),
        ({"signals": {"beeps": 0}}, "visit 1: leave", 2),
    ],
)
def test_what_is_saved_holds_at_once(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    body: dict[str, object], last: str, beeps: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setattr("device.signals.signals.LATE_SECONDS", 60.0)  # a busy computer shall not add to the histories
    folder = record(tmp_path / "visit", [EMPTY] * 5 + [BARE] * 25 + [EMPTY] * 35)
    config, port = tmp_path / "kiosk.toml", free_port()
    config.write_text("")
    settings = Settings(
        model=ModelSettings(str(toy)), camera=CameraSettings(str(folder)), signals=WIRED,
        screen=ScreenSettings(port=port, token=TOKEN),
    )  # fmt: skip
    assert run(settings, SavingFinder(port, body), "mock", config) == 0
    lines = capfd.readouterr().out.splitlines()
    told = [line.partition("  ")[2] for line in lines if "visit" in line]
    assert told[:2] == ["visit 1: enter", "visit 1: verdict without a mask 0.90"]
    assert told[2].startswith(last)
    assert sum(histories()["buzzer"]) == beeps
    if "decision" in body:
        (idle,) = [float(line.split()[0]) for line in lines if "IDLE" in line]
        assert idle < 2.7  # not found any more since 1.6 s; it was there until 3.0 s


def test_a_time_zone_that_is_saved_holds_at_once_for_what_is_counted(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setattr("device.signals.signals.LATE_SECONDS", 60.0)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    folder = record(tmp_path / "visit", [EMPTY] * 5 + [BARE] * 25 + [EMPTY] * 35)
    config, port = tmp_path / "kiosk.toml", free_port()
    config.write_text("")
    settings = Settings(
        model=ModelSettings(str(toy)), camera=CameraSettings(str(folder)), counts=CountsSettings(enabled=True),
        signals=dataclasses.replace(WIRED, time_zone="Etc/GMT+12"), screen=ScreenSettings(port=port, token=TOKEN),
    )  # fmt: skip
    today = datetime.now(ZoneInfo("Etc/GMT-14")).date().isoformat()
    saved = {"signals": {"time_zone": "Etc/GMT-14"}, "model": {"threshold": 0.95, "release": 0.93}}
    assert run(settings, SavingFinder(port, saved), "mock", config) == 0
    put_on = [day for day, _, *counted in rows(counts_path()) if counted[NAMES.index("put_on")]]
    assert put_on
    assert min(map(str, put_on)) >= today  # 26 hours lie between the two zones


def test_the_page_and_its_manual_name_what_of_the_screen_holds_at_once() -> None:
    for path, start in ((PAGE / "setup.html", "saved too."), (TREE / "docs" / "screen.md", "Levels, times")):
        _, _, sentence = path.read_text(encoding="utf-8").partition(start)
        told = set(re.findall(r"\w+", sentence.partition("hold at once")[0]))
        assert {*CHANGES["screen"][1]} <= told, path


def test_what_waits_for_a_start_is_told_and_systemd_starts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(SHIPPED)
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    with served(card_of(), config) as (_, server), StopRequest() as stop:
        for body, waiting in (
            ({"decision": {"zones": [[0.0, 0.0, 0.5, 0.5]]}, "signals": {"beeps": 1}}, False),
            ({"camera": {"rotation": 90}}, True), ({"decision": {"hold_seconds": 2}}, True),
            ({"camera": {"rotation": 0}}, False),
        ):  # fmt: skip
            assert post(server, "save", body)[1]["waiting"] is waiting
            assert json.loads(get(server, "minute")[1])["waiting"] is waiting
        assert (post(server, "restart", {})[0], stop.received) == (404, None)  # nobody would start it again
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        assert json.loads(get(server, "minute")[1])["restarts"] is True
        assert (post(server, "restart", {}), stop.received) == ((200, {}), signal.SIGTERM)
