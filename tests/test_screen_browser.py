"""The screen's page in a real Chromium: nothing is cut off, all is readable, and a dead device is a FAULT."""

import itertools
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from browser import AXE, Browser, axe_script, needs_chromium
from ports import free_port
from screens import DOOR, FRAME, card_of, served, show

from device.cameras.frame import Frame
from device.events import State
from device.web import mirror
from device.web.languages import LANGUAGES, LOOKS, codes, read_language
from device.web.pages import MOST_VIEWERS
from device.web.screen import Screen
from device.web.server import Server

pytestmark = needs_chromium
SIZES = [(320, 240), (240, 320), (480, 320), (480, 480), (800, 480), (1920, 1080), (600, 1024)]
LEAST_CONTRAST = 7.0
LEAST_WORD = 0.07  # height of the word's letters, as a share of the screen's shorter side
LEAST_PROMPT = 0.5  # of the word, where the words fill less than LEAST_FILLED of their place
LEAST_FILLED = 0.6
LEAST_NOTICE = 0.04  # height of its letters and of the practice strip's, of the shorter side
LEAST_SHAPE = 0.3  # of the shorter side; beside a picture, half of that
MEASURE = """
(() => {
  const box = (part) => { const r = part.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
  const section = document.querySelector("section:not([hidden])");
  const strip = document.querySelector(".practice");
  const notice = document.querySelector(".collecting");
  const words = section.querySelector(".words");
  const parts = [...document.querySelectorAll("main *, main, header, footer")].filter((part) => part.checkVisibility());
  const texts = parts.filter((part) => part.matches("h1, p:not(.unseen), header, footer"));
  const style = (part) => getComputedStyle(part);
  const letters = (part) => parseFloat(style(part).fontSize);
  const paper = (part) => { while (style(part).backgroundColor === "rgba(0, 0, 0, 0)") part = part.parentElement;
    return style(part).backgroundColor; };
  const picture = document.querySelector(".mirror");
  return {
    look: section.dataset.look,
    outside: parts.filter((part) => { const [l, t, r, b] = box(part);
      return !part.matches(".unseen") && (l < -0.5 || t < -0.5 || r > innerWidth + 0.5 || b > innerHeight + 0.5);
    }).map((part) => part.outerHTML.slice(0, 80)),
    cut: texts.filter((part) => part.scrollWidth > part.clientWidth).concat([words, strip].filter((part) => part &&
      (part.scrollWidth > part.clientWidth || part.scrollHeight > part.clientHeight)))
      .map((part) => part.outerHTML.slice(0, 80)),
    page: [document.documentElement.scrollWidth, document.documentElement.scrollHeight],
    boxes: { shape: box(section.querySelector("svg")), strip: strip && box(strip),
      notice: notice && box(notice),
      picture: picture && picture.checkVisibility() ? box(picture) : null,
      words: texts.filter((part) => part !== strip && !part.matches("header")).map(box) },
    letters: letters(words.querySelector("h1")),
    prompt: letters(words.querySelector("p")),
    notices: [strip, notice].filter((part) => part).map(letters),
    filled: [...words.children].reduce((sum, part) => sum + part.offsetHeight, 0) / words.clientHeight,
    colors: texts.concat(section.querySelector("svg")).map((part) => [style(part).color, paper(part)]),
    live: document.querySelector("[role=status]").textContent,
  };
})()
"""


@pytest.fixture
def page(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """The browser, without what other tests have left; the page may not have complained."""
    monkeypatch.setattr("device.web.server.LATE_SECONDS", 3600.0)  # of a door that has decided no more for so long
    browser.events.clear()
    browser.media(prefers_color_scheme="light", prefers_reduced_motion="reduce")
    yield browser
    complaints = [text for text in browser.complaints() if "ERR_CONNECTION_REFUSED" not in text]
    assert complaints == []


def look_at(page: Browser, screen: Screen, server: Server, look: str) -> None:
    """Let the door show a look, and wait until the page does."""
    if look == "FAULT":
        screen._tell(server.show, State.FAULT, "camera")
    elif look == "ENDED":
        screen.end()
    elif look != "STARTING":
        show(screen, State(look))
        screen._tell(server.show, State(look))
    page.until(f"document.body?.dataset.look === '{look}'")  # a page that loads anew has none for a moment


def contrast(ink: str, paper: str) -> float:
    """Return the contrast of two colours as CSS computes them, by WCAG 2: 1-21."""

    def luminance(color: str) -> float:
        assert re.fullmatch(r"rgb\(\d+, \d+, \d+\)", color), color
        shares = [int(level) / 255 for level in re.findall(r"\d+", color)]
        red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in shares)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted([luminance(ink), luminance(paper)])
    return (light + 0.05) / (dark + 0.05)


def apart(a: list[float], b: list[float] | None) -> bool:
    return b is None or a[2] <= b[0] + 1 or b[2] <= a[0] + 1 or a[3] <= b[1] + 1 or b[3] <= a[1] + 1


def check(found: dict[str, Any], width: int, height: int) -> list[str]:
    """Return what is wrong with a look at a size."""
    wrong = [f"outside: {part}" for part in found["outside"]] + [f"cut off: {part}" for part in found["cut"]]
    boxes, shorter = found["boxes"], min(width, height)
    solid = [("shape", boxes["shape"]), *(("words", box) for box in boxes["words"])]
    others = [(name, boxes[name]) for name in ("strip", "notice", "picture")]
    wrong += [f"{a} on {b}" for a, box in solid for b, other in others if not apart(box, other)]
    wrong += [f"words on shape: {box}" for box in boxes["words"] if not apart(box, boxes["shape"])]
    if found["page"] != [width, height]:
        wrong.append(f"scrolls: {found['page']}")
    left, top, right, bottom = boxes["shape"]
    least = LEAST_SHAPE / (2 if boxes["picture"] else 1)
    if min(right - left, bottom - top) < least * shorter:
        wrong.append(f"small shape: {boxes['shape']}")
    if found["letters"] < LEAST_WORD * shorter:
        wrong.append(f"small word: {found['letters']} px")
    if found["prompt"] < LEAST_PROMPT * found["letters"] and found["filled"] < LEAST_FILLED:
        wrong.append(f"small prompt: {found['prompt']} px beside {found['letters']}, {found['filled']:.0%} filled")
    wrong += [f"small notice: {letters} px" for letters in found["notices"] if letters < LEAST_NOTICE * shorter]
    return wrong


@contextmanager
def camera_running(server: Server) -> Iterator[None]:
    """Give the server a frame now and then, as the door does."""
    ended = threading.Event()

    def give() -> None:
        while not ended.wait(0.05):
            server.seen(Frame(FRAME.luma, 0.0), [], [], DOOR, time.monotonic())

    thread = threading.Thread(target=give)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def check_sizes(page: Browser, look: str, what: str) -> list[str]:
    """Return what is wrong with the look that the page shows, at every size."""
    wrong = []
    for width, height in SIZES:
        page.size(width, height)
        found = page.run(MEASURE)
        assert found["look"] == look
        wrong += [f"{what} {look} {width}x{height} {line}" for line in check(found, width, height)]
    return wrong


@pytest.mark.parametrize(
    ("practice", "mirror", "collecting"), [(True, False, False), (False, True, False), (True, True, True)]
)
def test_nothing_is_cut_off_at_any_size_in_any_language_and_look(
    page: Browser, practice: bool, mirror: bool, collecting: bool
) -> None:
    wrong = []
    with (
        served(card_of(practice), collecting=collecting, mirror=mirror) as (screen, server),
        camera_running(server),
    ):
        for code in codes():
            page.open(f"{server.url}?language={code}")
            wrong += check_sizes(page, "STARTING", code)
        for code in codes():
            page.open(f"{server.url}?language={code}")
            for look in LOOKS[1:]:
                look_at(page, screen, server, look)
                if mirror and look != "FAULT":
                    page.until("document.querySelector('.mirror img').naturalWidth > 0")
                    page.until("!document.querySelector('.mirror img').hidden")
                wrong += check_sizes(page, look, code)
    assert wrong == []


def test_people_are_told_in_every_language_that_faces_are_kept(page: Browser) -> None:
    said = {}
    with served(card_of(), collecting=True) as (_, server):
        page.size(800, 480)
        for code in codes():
            page.open(f"{server.url}?language={code}")
            tree = page.ask("Accessibility.getFullAXTree")["nodes"]
            spoken = " ".join(str(node.get("name", {}).get("value")) for node in tree if not node["ignored"])
            text = page.run("[...document.querySelectorAll('header')].find((it) => it.checkVisibility()).textContent")
            said[code] = text if text in spoken else None
    assert said == {code: read_language(LANGUAGES / f"{code}.toml").collecting for code in codes()}
    assert len(set(said.values())) == len(codes())
    with served(card_of()) as (_, server):
        page.open(server.url)
        assert page.run("document.querySelector('header')") is None


def test_every_pair_of_colours_has_a_contrast_of_seven(page: Browser) -> None:
    with served(card_of(practice=True)) as (screen, server):
        page.size(800, 480)
        page.open(server.url)
        pairs = {}
        for look, scheme in itertools.product(LOOKS, ("light", "dark")):
            page.media(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
            look_at(page, screen, server, look) if look != "STARTING" else None
            pairs[look, scheme] = page.run(MEASURE)["colors"]
    assert {key: pair for key, found in pairs.items() for pair in found if contrast(*pair) < LEAST_CONTRAST} == {}
    papers = {key: found[0][1] for key, found in pairs.items()}
    by_day = [paper for (_, scheme), paper in papers.items() if scheme == "light"]
    assert len(set(by_day)) == len(LOOKS) - 2  # STARTING, IDLE and ENDED are on one
    assert all(len(found) >= 4 for found in pairs.values())


def test_the_live_region_says_the_words_and_the_language_is_marked(page: Browser) -> None:
    for code in ("de", "ar"):
        language = read_language(LANGUAGES / f"{code}.toml")
        with served(card_of()) as (screen, server):
            page.open(f"{server.url}?language={code}")
            said = {}
            for look in LOOKS[1:]:
                look_at(page, screen, server, look)
                said[look] = page.run(MEASURE)["live"]
            assert page.run("[document.documentElement.lang, getComputedStyle(document.body).direction]") == [
                code, language.direction,
            ]  # fmt: skip
        expected = {look: f"{language.looks[look].word} {language.looks[look].prompt}" for look in LOOKS[1:]}
        assert said == expected | {"FAULT": f"{expected['FAULT']} {language.faults['camera']}"}


def test_shape_and_words_change_sides_from_right_to_left(page: Browser) -> None:
    with served(card_of()) as (_, server):
        page.size(1280, 720)
        sides = {}
        for code in ("en", "ar"):
            page.open(f"{server.url}?language={code}")
            boxes = page.run(MEASURE)["boxes"]
            sides[code] = boxes["shape"][0] < boxes["words"][0][0]
    assert sides == {"en": True, "ar": False}


def test_axe_finds_no_barrier(page: Browser) -> None:
    wrong = []
    with served(card_of(practice=True), collecting=True, mirror=True) as (screen, server):
        page.size(1280, 720)
        page.open(server.url)
        axe_script(page)
        for look in LOOKS:
            look_at(page, screen, server, look) if look != "STARTING" else None
            for scheme in ("light", "dark"):
                page.media(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
                result = page.run(AXE)
                assert result["count"] > 10
                wrong += [(look, scheme, item["id"], item["nodes"][0]["html"]) for item in result["violations"]]
    assert wrong == []


def test_a_device_that_goes_is_a_fault_and_one_that_comes_back_is_shown_again(page: Browser) -> None:
    port = free_port()
    with served(card_of(), port=port) as (screen, server):
        page.open(f"{server.url}?language=en")
        look_at(page, screen, server, "CLEAR")
        page.run("window.same = true")
    page.until("document.body.dataset.look === 'FAULT'")
    gone = read_language(LANGUAGES / "en.toml").faults["gone"]
    assert page.run("document.querySelector('[data-reason]:not([hidden])').textContent") == gone
    with served(card_of(), port=port) as (screen, server):
        while not server.viewers:
            page.run("0")
        assert page.run("document.body.dataset.look") == "FAULT"  # until it has decided something
        look_at(page, screen, server, "IDLE")
        assert page.run("window.same")
    page.until("document.body.dataset.look === 'FAULT'")
    with served(card_of(practice=True), port=port) as (screen, server):
        page.until("document.querySelector('.practice') !== null")  # it has loaded itself anew
        look_at(page, screen, server, "IDLE")


def test_a_page_is_loaded_anew_only_once_it_is_there(page: Browser) -> None:
    port = free_port()
    with served(card_of(), port=port) as (_, server):
        page.open(server.url)
        page.run("window.same = true")
        page.ask("Network.enable")
        page.ask("Network.setBlockedURLs", urls=[server.url])
    with served(card_of(practice=True), port=port) as (screen, server):
        look_at(page, screen, server, "IDLE")
        assert page.run("window.same")
        page.ask("Network.setBlockedURLs", urls=[])
        page.until("document.querySelector('.practice') !== null")
    page.ask("Network.disable")
    page.events[:] = [event for event in page.events if "ERR_BLOCKED_BY_CLIENT" not in str(event)]


def test_a_browser_that_cannot_speak_shows_the_door_again_after_a_gap(page: Browser) -> None:
    port = free_port()
    with served(card_of(), port=port, speech=True) as (screen, server):
        page.open(server.url)
        assert page.run("delete window.speechSynthesis")  # as in Android's WebView
        look_at(page, screen, server, "CLEAR")
    page.until("document.body.dataset.look === 'FAULT'")
    with served(card_of(), port=port, speech=True) as (screen, server):
        look_at(page, screen, server, "IDLE")


@pytest.mark.parametrize("missed", ["screen.js", "screen.css"])
def test_a_page_that_missed_a_file_once_loads_anew_when_the_kiosk_answers(page: Browser, missed: str) -> None:
    port = free_port()
    page.ask("Network.enable")
    page.ask("Network.setBlockedURLs", urls=[f"http://*/static/{missed}"])
    hurry = "const wait = setInterval; window.setInterval = (call) => wait(() => window.same && call(), 50);"
    hurried = page.ask("Page.addScriptToEvaluateOnNewDocument", source=hurry)["identifier"]
    with served(card_of(), port=port) as (_, server):
        page.open(server.url)
    page.run("window.same = true")
    page.ask("Network.setBlockedURLs", urls=[])
    with served(card_of(), port=port) as (screen, server):
        page.until("!window.same && document.readyState === 'complete'")
        look_at(page, screen, server, "ALARM")
        assert page.run("getComputedStyle(document.body).display") == "flex"
    page.ask("Page.removeScriptToEvaluateOnNewDocument", identifier=hurried)
    page.ask("Network.disable")
    page.events[:] = [event for event in page.events if "ERR_BLOCKED_BY_CLIENT" not in str(event)]


def test_a_page_that_loads_slowly_is_not_loaded_anew_meanwhile(page: Browser) -> None:
    hurry = "const wait = setInterval; window.ticks = 0; window.setInterval = (call) => wait(() => call(++ticks), 50);"
    hurried = page.ask("Page.addScriptToEvaluateOnNewDocument", source=hurry)["identifier"]
    with served(card_of()) as (screen, server):
        page.ask("Fetch.enable", patterns=[{"urlPattern": "http://*/static/screen.js"}])
        page.ask("Page.navigate", url=server.url)
        page.until("window.ticks > 20")
        page.ask("Fetch.disable")  # lets it through
        look_at(page, screen, server, "IDLE")
    page.ask("Page.removeScriptToEvaluateOnNewDocument", identifier=hurried)
    assert [event["method"] for event in page.events].count("Fetch.requestPaused") == 1


def test_a_recording_that_has_ended_is_no_fault_when_its_kiosk_is_gone(page: Browser) -> None:
    port = free_port()
    with served(card_of(), port=port) as (screen, server):
        page.open(f"{server.url}?language=en")
        page.run("window.retries = 0; window.WebSocket = class { constructor() { retries += 1; } close() {} }")
        look_at(page, screen, server, "CLEAR")
        screen.end()
    page.until("retries > 0")
    assert page.run(MEASURE)["live"] == "Ended The recording has ended."


def test_a_device_that_falls_silent_with_its_connection_open_is_a_fault(
    page: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.web.routes.HEARTBEAT_SECONDS", 3600.0)
    with served(card_of()) as (screen, server):
        page.open(server.url)
        look_at(page, screen, server, "CLEAR")
        page.until("document.body.dataset.look === 'FAULT'")


def test_the_mirror_is_seen_and_goes_with_a_fault(page: Browser) -> None:
    with served(card_of(), mirror=True) as (screen, server), camera_running(server):
        page.open(server.url)
        look_at(page, screen, server, "IDLE")
        page.until("document.querySelector('.mirror img').naturalWidth === 320")
        look_at(page, screen, server, "FAULT")
        page.until("document.querySelector('.mirror img').hidden")
        page.until("!document.querySelector('.mirror').checkVisibility()")


def test_a_picture_stays_until_the_next_where_as_many_look_as_may(
    page: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "MOST_SENT", mirror.MOST_SENT / MOST_VIEWERS)  # to this one viewer
    with served(card_of(), mirror=True) as (screen, server), camera_running(server):
        page.open(server.url)
        look_at(page, screen, server, "IDLE")
        page.until("!document.querySelector('.mirror img').hidden")
        page.run(
            "window.changes = []; new MutationObserver((seen) => changes.push(...seen.map((one) => one.attributeName)))"
            ".observe(document.querySelector('.mirror img'), {attributes: true})"
        )
        page.until("changes.length > 0")
        assert page.run("changes[0]") == "src"


def test_motion_is_left_out_for_who_asks_so(page: Browser) -> None:
    with served(card_of()) as (screen, server):
        page.open(server.url)
        look_at(page, screen, server, "CHECKING")
        moving = "getComputedStyle(document.querySelector('section:not([hidden]) svg')).animationName"
        assert page.run(moving) == "none"
        page.media(prefers_reduced_motion="no-preference")
        assert page.run(moving) == "breathe"


@pytest.mark.parametrize("speech", [True, False])
def test_prompts_are_spoken_where_the_owner_wants_it(page: Browser, speech: bool) -> None:
    with served(card_of(), speech=speech) as (screen, server):
        page.open(f"{server.url}?language=es")
        page.run("window.said = []; speechSynthesis.speak = (speech) => said.push([speech.lang, speech.text])")
        for look in ("IDLE", "CHECKING", "ALARM", "FAULT"):
            look_at(page, screen, server, look)
        looks = read_language(LANGUAGES / "es.toml").looks
        expected = [["es", looks[look].prompt] for look in ("CHECKING", "ALARM")]
        assert page.run("window.said") == (expected if speech else [])
