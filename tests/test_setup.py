import asyncio
import dataclasses
import itertools
import json
import signal
import socket
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import pytest
from browser import Browser, needs_chromium
from footprint import TREE
from gpiozero import Device
from ports import free_port
from screens import FRAME, TOKEN, card_of, own_address, served, show
from test_kiosk import BARE, EMPTY, WIRED, SquareFinder, histories
from test_replay import record
from test_screen import ask
from test_screen_browser import AXE, axe_script

from device.cameras.frame import Frame
from device.classifier import Verdict
from device.errors import SettingsError, WiringError
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
from device.web.attempts import Attempts
from device.web.changes import changed
from device.web.edit import edit_settings
from device.web.screen import Screen
from device.web.server import Server
from device.web.what_if import History, states

UNEXPLAINED = """[...document.querySelectorAll('#fields [name]')].filter((input) =>
  !document.getElementById(input.getAttribute('aria-describedby'))?.checkVisibility({checkOpacity: true})
  || !document.getElementById(input.getAttribute('aria-describedby')).textContent).map((input) => input.id)"""
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
        screen.show(State.IDLE, Frame(FRAME.luma, number / 10), [face] if 20 <= number < 60 else [], [])


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
        screen.show(State.IDLE, Frame(luma, 0.0), [], [])
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
    assert [state for _, state in looser[1]["states"]] == ["IDLE", "CHECKING", "ALARM", "IDLE"]
    assert [state for _, state in stricter[1]["states"]] == ["IDLE", "CHECKING", "CLEAR", "IDLE"]
    rings = [dict(map(reversed, found[1]["states"]))["ALARM"] for found in (looser, later)]
    assert rings[1] - rings[0] == pytest.approx(1.6)


def test_scores_and_states_are_of_one_minute_though_the_door_goes_on() -> None:
    with served(card_of()) as (_, server):

        class Late(list[Verdict]):
            """What is seen on a frame; the door sees another whenever this is looked at."""

            def __iter__(self) -> Iterator[Verdict]:
                server.history.note(next(times), [])
                return super().__iter__()

        times = itertools.count(5.0)
        for taken in (1.0, 2.0):
            server.history.note(taken, Late([Verdict(Box(40, 20, 80, 80), 5.0, (0.5, 0.5), 0.5, "with_mask")]))
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
        screen.show(State.CHECKING, Frame(FRAME.luma, 0.0), verdicts, [verdicts[0].box])
        grey = json.loads(get(server, "minute")[1])["grey"]
        assert grey == ["smaller than least height", "in a zone", "darker than least brightness", CUT]
        screen.show(State.CHECKING, Frame(FRAME.luma, 0.1), verdicts[:1], [])
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


def test_without_a_file_nothing_is_saved() -> None:
    with served(card_of()) as (_, server):
        line = "the kiosk has no kiosk.toml: start it with `--config FILE`, or `make run CONFIG=FILE`"
        assert post(server, "save", {})[1] == {"error": line}


def test_levels_are_the_cards_unless_the_owner_sets_them() -> None:
    card = card_of()
    assert levels(ModelSettings(), card) == (card.threshold, card.release)
    assert levels(ModelSettings(threshold=0.9), card) == (0.9, card.release)
    assert levels(ModelSettings(threshold=0.01), card) == (0.01, 0.01)
    with pytest.raises(SettingsError):
        levels(ModelSettings(release=0.98), card)


def test_a_minute_is_kept_and_no_more() -> None:
    history = History()
    for second in range(200):
        history.note(float(second), [])
    assert [at for at, _ in history.frames()] == [float(second) for second in range(-60, 1)]
    told = asyncio.run(states(history.frames(), DecisionSettings(), Levels(0.5, 0.4)))
    assert told == [(-60.0, "IDLE")]
    assert asyncio.run(states(History().frames(), DecisionSettings(), Levels(0.5, 0.4))) == []


def test_others_are_served_while_the_states_of_a_minute_are_found() -> None:
    history = History()
    for number in range(600):
        history.note(number / 10, [])

    async def turns_of_others() -> int:
        found, turns = asyncio.ensure_future(states(history.frames(), DecisionSettings(), Levels(0.5, 0.4))), 0
        while not found.done():
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert asyncio.run(turns_of_others()) >= 10


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


@needs_chromium
def test_the_setup_page_shows_tries_and_saves(tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(SHIPPED)

    with served(card_of(), config) as (screen, server), Browser(tmp_path / "chromium") as browser:
        a_minute(screen)
        before = server.message()
        browser.open(f"{server.url}setup")
        browser.run("document.querySelector('#token').value = 'wrong'; entry.requestSubmit()")
        browser.until("said.textContent.startsWith('That is not the token. It follows the # of the address')")
        assert browser.run("said.textContent").endswith(", or is token of [screen] in kiosk.toml.")
        browser.open(f"{server.url}setup?#{TOKEN}")
        browser.until("!opened.hidden && document.querySelector('figure img').naturalWidth === 320")
        assert browser.run("location.href") == f"{server.url}setup"
        for key, value in (("threshold", 0.45), ("release", 0.4)):
            browser.run(f"values.elements.{key}.value = '{value}'")
        browser.run("values.dispatchEvent(new Event('input'))")
        browser.until("document.querySelector('tbody').rows[3].cells[2].textContent > 2")
        assert browser.run("document.querySelector('tbody').rows[3].cells[1].textContent") == "0.0"
        legend = "getComputedStyle(document.querySelector('tbody').rows[3].cells[0]).borderLeft"
        assert browser.run(legend) == "16px solid rgb(208, 33, 47)"
        assert browser.run(UNEXPLAINED) == []
        axe_script(browser)
        for scheme in ("light", "dark"):
            browser.media(prefers_color_scheme=scheme)
            assert browser.run(AXE)["violations"] == []
        for width in (320, 360, 1920):
            browser.size(width, 800)
            assert browser.run("document.documentElement.scrollWidth") == width
        browser.run("document.querySelector('#decision-hold_seconds').value = '99'; values.requestSubmit()")
        browser.until("saved.textContent.startsWith('\"hold, seconds\" of \"Times and sizes\" is 99, expected a ')")
        browser.run("document.querySelector('#decision-hold_seconds').value = '1.5'; values.requestSubmit()")
        browser.until(f"saved.textContent === 'Saved in {config}.'")
        assert browser.run("saved.previousElementSibling.matches('button:enabled')")
        browser.until("document.querySelector('tbody').rows[3].cells[1].textContent > 2")  # it holds already
        assert browser.run("document.querySelector('#waiting').hidden")
        browser.run("document.querySelector('#screen-language').value = 'de'; values.requestSubmit()")
        browser.until(f"document.querySelector('#waiting').hidden && saved.textContent === 'Saved in {config}.'")
        browser.run("document.querySelector('#camera-rotation').value = '180'; values.requestSubmit()")
        browser.until("!document.querySelector('#waiting').hidden && !document.querySelector('#byhand').hidden")
        screen.show(State.CHECKING, FRAME, [Verdict(Box(0, 0, 9, 9), 5.0, (), 0.5, "", Look(cut=True))] * 2, [])
        browser.until(f"grey.textContent === \"Grey, from the left: {'; '.join(2 * [CUT])}.\"")
        assert browser.run("document.querySelector('#restart').hidden")  # nothing would start it again
        assert server.message() != before  # pages load anew
        assert b'lang="de"' in ask(server.port, "GET /", f"Host: 127.0.0.1:{server.port}")[2]
        complaints = [text for text in browser.complaints() if "401" not in text and "400" not in text]
    assert complaints == []
    settings = read_settings(config)
    assert settings.model == ModelSettings(threshold=0.45, release=0.4)
    assert (settings.screen.language, settings.camera.rotation) == ("de", 180)


@needs_chromium
def test_the_setup_page_says_what_its_test_shows_or_why_nothing(tmp_path: Path) -> None:
    answers = ["Shown in turn: red LED.", "no GPIO here"]

    def self_test() -> str:
        if len(answers) == 1:
            raise WiringError(answers[0])
        return answers.pop(0)

    with served(card_of(), self_test=self_test) as (screen, server), Browser(tmp_path / "chromium") as browser:
        show(screen, State.IDLE)
        browser.open(f"{server.url}setup#{TOKEN}")
        browser.until("!opened.hidden")
        for line in list(answers):
            browser.run("document.querySelector('#test').click()")
            browser.until(f"document.querySelector('#tested').textContent === '{line}'")


@needs_chromium
@pytest.mark.parametrize("before", ["", " http://127.0.0.1:6275/setup#"])
def test_a_token_is_taken_by_itself_or_with_its_address_and_the_keyboard_goes_on_from_there(
    before: str, tmp_path: Path
) -> None:
    with served(card_of()) as (screen, server), Browser(tmp_path / "chromium") as browser:
        show(screen, State.IDLE)
        browser.open(f"{server.url}setup")
        browser.run(f"entry.elements.token.focus(); entry.elements.token.value = '{before}{TOKEN}'")
        browser.run("entry.requestSubmit()")
        browser.until("!opened.hidden && document.activeElement === opened")


HOLD = "document.querySelector('#decision-hold_seconds').value"
BEEPS = "document.querySelector('#signals-beeps').value"
# A page whose answers to `path` are kept back, once they have come, until they are let go.
KEEP_BACK = """(() => {
  const answers = fetch;
  window.kept = [];
  window.fetch = async (path, asked) => {
    const answer = await answers(path, asked);
    if (path === window.keeps) await new Promise((done) => kept.push(done));
    return answer;
  };
})()"""


@needs_chromium
def test_a_setup_page_shows_what_another_one_has_saved_and_keeps_what_was_changed_in_it(tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(SHIPPED)
    with served(card_of(), config) as (screen, server), Browser(tmp_path / "chromium") as browser:
        show(screen, State.IDLE)
        browser.open(f"{server.url}setup#{TOKEN}")
        browser.until("!opened.hidden")
        browser.run(f"{BEEPS} = '7'")
        others = {
            "decision": {"zones": [STREET], "hold_seconds": 2.5}, "signals": {"beeps": 1}, "screen": {"speech": True},
        }  # fmt: skip
        assert post(server, "save", others)[0] == 200
        Zones(browser).are(STREET)
        assert browser.run(HOLD) == "2.5"
        assert browser.run("document.querySelector('#screen-speech').checked")
        browser.until("saved.textContent === 'Another page has saved beeps: Save replaces that by what stands here.'")
        assert browser.run(BEEPS) == "7"
        browser.run(f"{BEEPS} = '3'")  # as it was before both
        browser.run("document.querySelector('#add').click(); values.requestSubmit()")
        browser.until(f"saved.textContent === 'Saved in {config}.'")
        assert read_settings(config).decision.zones == (tuple(STREET), (0.4, 0.4, 0.2, 0.2))
        assert (read_settings(config).signals.beeps, browser.run(BEEPS)) == (3, "3")
        browser.run("document.querySelector('#add').click()")
        assert post(server, "save", {"decision": {"zones": [MIRROR]}})[0] == 200
        browser.until("zoneSaid.textContent === 'Another page has saved other zones: Save replaces them by these.'")
        assert browser.run("zonesNow().length") == 3
        assert browser.complaints() == []


@needs_chromium
def test_a_double_tap_on_open_opens_one_form(tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(SHIPPED)
    with served(card_of(), config) as (screen, server), Browser(tmp_path / "chromium") as browser:
        show(screen, State.IDLE)
        browser.open(f"{server.url}setup")
        browser.run(f"{KEEP_BACK}; window.keeps = '/setup/minute'; entry.elements.token.value = '{TOKEN}'")
        browser.run("entry.requestSubmit(); entry.requestSubmit()")
        browser.until("kept.length === 2")
        browser.run("window.keeps = ''; for (const let_go of kept) let_go()")
        browser.until("!opened.hidden")
        browser.run("document.querySelector('#signals-beeps').value = '7'; values.requestSubmit()")
        browser.until(f"saved.textContent === 'Saved in {config}.'")
        assert browser.run("document.querySelectorAll('[name=beeps]').length") == 1
    assert read_settings(config).signals.beeps == 7


@needs_chromium
def test_a_value_that_is_typed_while_another_is_saved_is_still_to_be_saved(tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(SHIPPED)
    with served(card_of(), config) as (screen, server), Browser(tmp_path / "chromium") as browser:
        show(screen, State.IDLE)
        browser.open(f"{server.url}setup#{TOKEN}")
        browser.until("!opened.hidden")
        browser.run(f"{KEEP_BACK}; window.keeps = '/setup/save'; {HOLD} = '3'; values.requestSubmit()")
        browser.until("kept.length > 0 && saved.textContent === 'Saving…'")
        browser.run(f"{HOLD} = '4'; window.keeps = ''; kept.pop()()")
        browser.until(f"saved.textContent === 'Saved in {config}, but for what was changed since.'")
        browser.run("saved.textContent = ''; values.requestSubmit()")
        browser.until(f"saved.textContent === 'Saved in {config}.'")
        assert browser.run(HOLD) == "4"
    assert read_settings(config).decision.hold_seconds == 4.0


@needs_chromium
@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_save_that_fails_is_not_told_as_under_way_and_can_be_asked_for_again(status: int, tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(SHIPPED)
    with served(card_of(), config) as (screen, server), Browser(tmp_path / "chromium") as browser:
        show(screen, State.IDLE)
        browser.open(f"{server.url}setup#{TOKEN}")
        browser.until("!opened.hidden")
        browser.run(
            f"window.answers = fetch; window.fetch = async (path, asked) => path === '/setup/save'"
            f" ? new Response('', {{status: {status}}}) : answers(path, asked); {HOLD} = '3'; values.requestSubmit()"
        )
        browser.until("saved.textContent === FAILED")
        browser.run("window.fetch = answers; values.requestSubmit()")
        browser.until(f"saved.textContent === 'Saved in {config}.'")
    assert read_settings(config).decision.hold_seconds == 3.0


@needs_chromium
def test_an_answer_that_a_later_one_has_overtaken_changes_nothing(tmp_path: Path) -> None:
    config, waiting = tmp_path / "kiosk.toml", "!document.querySelector('#waiting').hidden"
    config.write_text(SHIPPED)
    with served(card_of(), config) as (screen, server), Browser(tmp_path / "chromium") as browser:
        show(screen, State.IDLE)
        browser.open(f"{server.url}setup#{TOKEN}")
        browser.until("!opened.hidden")
        browser.run(f"{KEEP_BACK}; window.keeps = '/setup/minute'")
        browser.until("kept.length > 0")
        browser.run(f"window.keeps = ''; {HOLD} = '3'; document.querySelector('#camera-rotation').value = '180'")
        browser.run("values.requestSubmit()")
        browser.until(f"saved.textContent === 'Saved in {config}.' && {waiting}")
        seen = "window.answers = fetch; window.seen = []; window.fetch = async (path, asked) => {"
        seen += f"const answer = await answers(path, asked); seen.push([{waiting}, {HOLD}]); return answer; }}"
        browser.run(f"{seen}; kept.pop()()")
        browser.until("seen.length > 2")
        assert browser.run("[...new Set(seen.map(String))]") == ["true,3"]


@needs_chromium
def test_while_values_are_changed_one_thing_at_a_time_is_asked_for(tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(SHIPPED)
    with served(card_of(), config) as (screen, server), Browser(tmp_path / "chromium") as browser:
        a_minute(screen)
        browser.open(f"{server.url}setup#{TOKEN}")
        browser.until("!opened.hidden")
        browser.run(
            "window.answers = fetch; window.open_asks = new Set(); window.most = 0; window.tried = [];"
            "window.fetch = async (path, asked) => {"
            " if (path === '/setup/picture') return answers(path, asked);"
            " if (asked.body) tried.push(JSON.parse(asked.body).decision.hold_seconds);"
            " open_asks.add(asked); most = Math.max(most, open_asks.size);"
            " try { return await answers(path, asked); } finally { open_asks.delete(asked); } }"
        )
        for seconds in range(2, 12):
            browser.run(f"{HOLD} = '{seconds}'; for (const _ of Array(5)) values.dispatchEvent(new Event('input'))")
        browser.until("tried.at(-1) === 11 && open_asks.size === 0")  # the last value isn't left out
        assert browser.run("most") == 1


@needs_chromium
def test_a_refusal_of_a_value_that_was_corrected_meanwhile_is_not_told(tmp_path: Path) -> None:
    with served(card_of()) as (screen, server), Browser(tmp_path / "chromium") as browser:
        show(screen, State.IDLE)
        browser.open(f"{server.url}setup#{TOKEN}")
        browser.until("!opened.hidden")
        browser.run(f"{KEEP_BACK}; window.keeps = '/setup/try'; {HOLD} = '99'")
        browser.until("kept.length > 0")
        browser.run(f"window.keeps = ''; {HOLD} = '3'; values.dispatchEvent(new Event('input')); kept.pop()()")
        browser.until("!asking")
        assert browser.run("saved.textContent") == ""


@needs_chromium
def test_a_device_that_answers_late_has_its_rest_and_its_refusals_are_told(tmp_path: Path) -> None:
    with served(card_of()) as (screen, server), Browser(tmp_path / "chromium") as browser:
        show(screen, State.IDLE)
        browser.open(f"{server.url}setup#{TOKEN}")
        browser.until("!opened.hidden")
        browser.run(
            "window.later = setTimeout; window.due = 0;"
            "window.setTimeout = (call, ms) => { due += ms === MINUTE_MS; return later(call, ms); }"
        )
        browser.run(f"{KEEP_BACK}; {HOLD} = '99'")
        changed = "window.keeps = '/setup/minute', due = 0, values.dispatchEvent(new Event('input'))"
        browser.until(f"!asking && ({changed})")
        browser.until("kept.length === 1 && due > 1")  # once more is due before the answer has come
        browser.run("kept[0]()")
        browser.until("saved.textContent.startsWith('\"hold, seconds\" of \"Times and sizes\" is 99')")


@needs_chromium
def test_what_is_not_saved_is_asked_about_before_a_start_and_survives_it_and_an_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    config = tmp_path / "kiosk.toml"
    config.write_text(SHIPPED)
    with (
        served(card_of(), config) as (screen, server), StopRequest() as stop,
        Browser(tmp_path / "chromium") as browser,
    ):  # fmt: skip
        show(screen, State.IDLE)
        browser.open(f"{server.url}setup#{TOKEN}")
        browser.until("!opened.hidden")
        browser.run(f"{HOLD} = '3'; window.confirm = (text) => {{ window.question = text; return false; }}")
        browser.run("document.querySelector('#restart').click()")
        browser.until("window.question !== undefined")
        assert stop.received is None
        browser.run("window.confirm = () => true; document.querySelector('#restart').click()")
        browser.until("saved.textContent.startsWith('The kiosk starts again.')")
        stop.pause(60.0)
        assert vars(stop)["received"] == signal.SIGTERM
        browser.run("window.before = true")
        server.version = "of a kiosk that was brought up to date"
        browser.until("said.textContent === UPDATED")
        assert (browser.run(HOLD), browser.run("window.before")) == ("3", True)
        browser.run("values.requestSubmit()")
        browser.until("!window.before && document.readyState === 'complete' && !opened.hidden")
        assert (browser.run(HOLD), read_settings(config).decision.hold_seconds) == ("3", 3.0)


@needs_chromium
def test_a_setup_page_left_open_tells_of_a_kiosk_that_is_silent_back_or_started_anew(tmp_path: Path) -> None:
    config, port, opened = tmp_path / "kiosk.toml", free_port(), "!opened.hidden && values.elements.beeps !== undefined"
    config.write_text(SHIPPED)
    with Browser(tmp_path / "chromium") as browser:
        with served(card_of(), config, port=port, token="a" * 16) as (screen, server):
            show(screen, State.IDLE)
            browser.size(360, 640)
            browser.open(f"{server.url}setup#{'a' * 16}")
            browser.until(opened)
            browser.run("document.querySelector('#signals-quiet_from').value = ''; values.requestSubmit()")
            assert browser.run("document.querySelector('#signals-quiet_from').matches(':invalid')")
            browser.run(
                "window.later = setTimeout; window.setTimeout = (call) => later(call, 10); window.answers = fetch;"
                "window.fetch = (path, {signal}) => new Promise((_, failed) =>"
                " signal?.addEventListener('abort', () => failed(signal.reason)));"
                "document.querySelector('#test').scrollIntoView()"
            )
            browser.until("said.textContent === said.dataset.gone")
            top, bottom = browser.run("(({top, bottom}) => [top, bottom])(said.getBoundingClientRect())")
            assert 0 <= top < bottom <= 640  # seen from the last button too
            browser.run("document.querySelector('#signals-beeps').value = '9'")  # is tried, too
            browser.run(
                "window.silent = fetch; window.minutes = window.written = 0;"
                "window.fetch = (path, asked) => { minutes += path === '/setup/minute'; return silent(path, asked); };"
                "new MutationObserver(() => (written += 1)).observe(said, {childList: true})"
            )
            browser.until("minutes > 2")
            assert browser.run("written") == 0
            browser.run("window.fetch = answers; window.setTimeout = later")
            browser.until("said.textContent === '' && saved.textContent === ''")
        with served(card_of(), config, port=port, token="b" * 16):
            browser.until("said.textContent.startsWith('The kiosk has started anew') && entry.checkVisibility()")
            browser.run(f"document.querySelector('#token').value = '{'b' * 16}'; entry.requestSubmit()")
            browser.until("said.textContent === '' && entry.hidden")
            assert browser.run(BEEPS) == "9"  # not saved, and not lost


@needs_chromium
def test_a_setup_page_without_a_file_saves_nothing_and_tells_that_the_recording_has_ended(tmp_path: Path) -> None:
    port = free_port()
    with Browser(tmp_path / "chromium") as browser:
        with served(card_of(), port=port) as (screen, server):
            browser.open(f"{server.url}setup#{TOKEN}")
            browser.until("document.querySelector('#values button').disabled")
            browser.until("said.textContent.includes('CONFIG=FILE')")
            while not server.viewers:
                browser.run("0")
            screen.end()
        browser.until("said.textContent === 'The recording has ended, and the kiosk with it.'")
        with served(card_of(), port=port) as (_, server):
            while not server.viewers:
                browser.run("0")
            browser.until("said.textContent.includes('CONFIG=FILE')")
        browser.until("said.textContent === `The kiosk doesn't answer.`")


@needs_chromium
def test_a_level_of_0_is_drawn_where_the_card_has_it(tmp_path: Path) -> None:
    card = card_of()
    with served(card) as (screen, server), Browser(tmp_path / "chromium") as browser:
        a_minute(screen)
        browser.open(f"{server.url}setup#{TOKEN}")
        browser.until("!opened.hidden")
        note = "(text, x, y) => (drawn[text] = Math.round(y))"
        browser.run(f"window.drawn = {{}}; canvas.getContext('2d').fillText = {note}")
        browser.until("drawn.threshold && drawn.release")
        of_the_card = browser.run("drawn")
        for value, same in (("0.9", False), ("0", True)):
            browser.run(f"values.elements.threshold.value = values.elements.release.value = '{value}'")
            browser.run("window.drawn = {}; lastMinute()")
            browser.until("drawn.threshold && drawn.release")
            assert (browser.run("drawn") == of_the_card) is same


@needs_chromium
def test_the_plot_of_the_setup_page_can_be_read_on_a_phone(tmp_path: Path) -> None:
    with served(card_of()) as (screen, server), Browser(tmp_path / "chromium") as browser:
        a_minute(screen)
        browser.size(360, 640)
        browser.open(f"{server.url}setup#{TOKEN}")
        browser.until("document.querySelector('tbody').rows.length === 4")  # it is drawn
        pen = "canvas.getContext('2d')"
        shown = f"{pen}.getTransform().a * canvas.clientWidth / canvas.width"
        assert browser.run(f"parseFloat({pen}.font) * {shown}") >= 12  # px


class Zones:
    """The zones of a setup page that is open, as its user sees and touches them."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    def point(self, x: float, y: float) -> dict[str, float]:
        """Return where a share of the picture is on the screen."""
        box = self._browser.run("JSON.stringify(layer.getBoundingClientRect())")
        left, top, width, height = (json.loads(box)[side] for side in ("x", "y", "width", "height"))
        return {"x": left + x * width, "y": top + y * height}

    def mouse(self, *way: tuple[float, float]) -> None:
        kinds = ["mousePressed", *["mouseMoved"] * (len(way) - 1), "mouseReleased"]
        for kind, place in zip(kinds, [*way, way[-1]], strict=True):
            point = self.point(*place)
            self._browser.ask("Input.dispatchMouseEvent", type=kind, button="left", buttons=1, clickCount=1, **point)

    def finger(self, *way: tuple[float, float]) -> None:
        self._browser.screenshot()  # a touch meets what was drawn last
        for kind, place in zip(["touchStart", *["touchMove"] * (len(way) - 1)], way, strict=True):
            self._browser.ask("Input.dispatchTouchEvent", type=kind, touchPoints=[self.point(*place)])
        self._browser.ask("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def key(self, key: str, shift: bool = False) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            self._browser.ask("Input.dispatchKeyEvent", type=kind, key=key, modifiers=8 * shift)

    def are(self, *zones: list[float]) -> None:
        """Wait until there are these, to a hundredth."""
        near = f"zonesNow().flat().every((share, i) => Math.abs(share - {json.dumps(zones)}.flat()[i]) < 0.011)"
        self._browser.until(f"zonesNow().length === {len(zones)} && {near}")


@needs_chromium
def test_zones_are_drawn_moved_and_removed_by_mouse_and_keys(tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(SHIPPED)
    with served(card_of(), config) as (screen, server), Browser(tmp_path / "chromium") as browser:
        show(screen, State.IDLE)
        browser.size(900, 1400)
        browser.open(f"{server.url}setup#{TOKEN}")
        browser.until("!opened.hidden && document.querySelector('figure img').naturalWidth === 320")
        browser.run("layer.scrollIntoView({block: 'center'})")
        zones = Zones(browser)
        zones.mouse((0.1, 0.1), (0.3, 0.3), (0.4, 0.5))
        zones.are([0.1, 0.1, 0.3, 0.4])
        zones.mouse((0.2, 0.2), (0.3, 0.3))  # moved
        zones.are([0.2, 0.2, 0.3, 0.4])
        zones.mouse((0.495, 0.595), (0.6, 0.7))  # by its corner
        zones.are([0.2, 0.2, 0.405, 0.505])
        zones.mouse((0.9, 0.9))  # a click draws nothing
        zones.are([0.2, 0.2, 0.405, 0.505])
        zones.mouse((0.95, 0.5), (0.8, 0.4), (0.7, 0.3))
        zones.are([0.2, 0.2, 0.405, 0.505], [0.7, 0.3, 0.25, 0.2])
        zones.key("ArrowRight")
        zones.key("ArrowDown", shift=True)
        zones.are([0.2, 0.2, 0.405, 0.505], [0.71, 0.3, 0.25, 0.21])
        zones.mouse((0.3, 0.3))
        browser.run("document.querySelector('#remove').click()")
        zones.are([0.71, 0.3, 0.25, 0.21])
        browser.run("document.querySelector('#add').click()")
        zones.are([0.71, 0.3, 0.25, 0.21], [0.4, 0.4, 0.2, 0.2])
        axe_script(browser)
        assert browser.run(AXE)["violations"] == []
        zones.key("Delete")
        zones.are([0.71, 0.3, 0.25, 0.21])
        browser.run("values.requestSubmit()")
        browser.until(f"saved.textContent === 'Saved in {config}.'")
        browser.run("saved.textContent = ''; addZone([1 / 16, 3 / 16, 15 / 16, 13 / 16]); values.requestSubmit()")
        browser.until(f"saved.textContent === 'Saved in {config}.'")
        browser.run("saved.textContent = ''; document.querySelector('#camera-mirror').click(); values.requestSubmit()")
        browser.until("saved.textContent.endsWith('. ' + TURNED.trim())")
        assert browser.complaints() == []
    zone, to_the_edges = read_settings(config).decision.zones
    assert zone == pytest.approx((0.71, 0.3, 0.25, 0.21), abs=0.011)
    assert to_the_edges == (0.063, 0.188, 0.937, 0.812)
    lost = set(SHIPPED.splitlines()) - set(config.read_text().splitlines())
    assert [line.split(" = ")[0] for line in sorted(lost)] == ["# mirror", "# zones"]  # they stand there


@needs_chromium
def test_a_finger_moves_what_was_added_or_tapped_and_scrolls_elsewhere(tmp_path: Path) -> None:
    with served(card_of()) as (screen, server), Browser(tmp_path / "chromium") as browser:
        show(screen, State.IDLE)
        browser.size(900, 1400)
        browser.open(f"{server.url}setup#{TOKEN}")
        browser.until("!opened.hidden && document.querySelector('figure img').naturalWidth === 320")
        zones = Zones(browser)
        browser.run("layer.scrollIntoView({block: 'center'}); document.querySelector('#add').click()")
        zones.finger((0.45, 0.45), (0.6, 0.4), (0.75, 0.35))
        zones.finger((0.895, 0.495), (0.9, 0.5), (0.945, 0.495))  # by its corner
        zones.are([0.7, 0.3, 0.25, 0.2])
        browser.run("addZone([0.1, 0.1, 0.3, 0.3]).focus()")
        zones.finger((0.8, 0.4))
        browser.until("chosen === [...rectangles.keys()][0]")
        zones.finger((0.8, 0.4), (0.7, 0.4), (0.6, 0.4))
        zones.are([0.5, 0.3, 0.25, 0.2], [0.1, 0.1, 0.3, 0.3])
        browser.run("window.before = scrollY")
        zones.finger((0.9, 0.9), (0.9, 0.7), (0.9, 0.6))
        browser.until("scrollY > before")
        zones.are([0.5, 0.3, 0.25, 0.2], [0.1, 0.1, 0.3, 0.3])


@needs_chromium
def test_a_second_finger_disturbs_no_zone_that_is_dragged(tmp_path: Path) -> None:
    with served(card_of()) as (screen, server), Browser(tmp_path / "chromium") as browser:
        show(screen, State.IDLE)
        browser.size(900, 1400)
        browser.open(f"{server.url}setup#{TOKEN}")
        browser.until("!opened.hidden && document.querySelector('figure img').naturalWidth === 320")
        browser.run("addZone([0.2, 0.2, 0.4, 0.4]).focus(); layer.scrollIntoView({block: 'center'})")
        browser.screenshot()
        zones = Zones(browser)
        first, moved, second = (zones.point(*place) | {"id": number} for number, place in (
            (1, (0.3, 0.3)), (1, (0.4, 0.4)), (2, (0.595, 0.595)),
        ))  # fmt: skip
        for kind, points in (
            ("touchStart", [first]), ("touchStart", [first, second]), ("touchMove", [moved, second]),
            ("touchEnd", [moved]), ("touchEnd", []),
        ):  # fmt: skip
            browser.ask("Input.dispatchTouchEvent", type=kind, touchPoints=points)
        zones.are([0.3, 0.3, 0.4, 0.4])


@needs_chromium
@pytest.mark.parametrize("way", ["key", "button"])
def test_a_zone_that_is_removed_while_it_is_dragged_stays_away(way: str, tmp_path: Path) -> None:
    with served(card_of()) as (screen, server), Browser(tmp_path / "chromium") as browser:
        show(screen, State.IDLE)
        browser.size(900, 1400)
        browser.open(f"{server.url}setup#{TOKEN}")
        browser.until("!opened.hidden && document.querySelector('figure img').naturalWidth === 320")
        browser.run("addZone([0.2, 0.2, 0.4, 0.4]); layer.scrollIntoView({block: 'center'})")
        zones = Zones(browser)
        mouse = {"button": "left", "clickCount": 1}
        browser.ask("Input.dispatchMouseEvent", type="mousePressed", buttons=1, **mouse, **zones.point(0.3, 0.3))
        if way == "key":
            zones.key("Delete")
        else:  # by a second finger
            browser.run("document.querySelector('#remove').click()")
        zones.are()
        browser.ask("Input.dispatchMouseEvent", type="mouseMoved", buttons=1, **mouse, **zones.point(0.4, 0.4))
        browser.ask("Input.dispatchMouseEvent", type="mouseReleased", buttons=0, **mouse, **zones.point(0.4, 0.4))
        zones.are()
        zones.mouse((0.1, 0.1), (0.3, 0.3))  # the next is drawn as ever
        zones.are([0.1, 0.1, 0.2, 0.2])
        assert browser.complaints() == []


@needs_chromium
def test_all_of_a_turned_picture_is_seen_at_once_with_the_zones_upon_it(tmp_path: Path) -> None:
    with served(card_of()) as (screen, server), Browser(tmp_path / "chromium") as browser:
        screen.show(State.IDLE, Frame(np.full((1280, 720), 90, np.uint8), 0.0), [], [])
        browser.size(1280, 800)
        browser.open(f"{server.url}setup#{TOKEN}")
        sides = "(({width, height}) => [width, height].map(Math.round))"
        shown = f"JSON.stringify({sides}(image.getBoundingClientRect()))"
        browser.until(f"!opened.hidden && {shown} === '[315,560]'")
        assert browser.run(f"JSON.stringify({sides}(layer.getBoundingClientRect()))") == "[315,560]"


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
