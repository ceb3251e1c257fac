from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from browser import AXE, Browser, axe_script, needs_chromium
from screens import DOOR, TOKEN, card_of, served
from setup_page import Zones, opened
from test_setup import SHIPPED

from device.cameras.frame import Frame
from device.events import State
from device.settings import read_settings


@contextmanager
def with_zones(folder: Path, config: Path | None = None) -> Iterator[tuple[Browser, Zones]]:
    """A page with its picture where it can be seen whole, and its zones: none yet."""
    with opened(folder, config) as (browser, _):
        browser.size(900, 1400)
        browser.until("document.querySelector('figure img').naturalWidth === 320")
        browser.run("layer.scrollIntoView({block: 'center'})")
        yield browser, Zones(browser)


@needs_chromium
def test_zones_are_drawn_moved_and_removed_by_mouse_and_keys(tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(SHIPPED)
    with with_zones(tmp_path, config) as (browser, zones):
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
    with with_zones(tmp_path) as (browser, zones):
        browser.run("document.querySelector('#add').click()")
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
    with with_zones(tmp_path) as (browser, zones):
        browser.run("addZone([0.2, 0.2, 0.4, 0.4]).focus()")
        browser.screenshot()
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
    with with_zones(tmp_path) as (browser, zones):
        browser.run("addZone([0.2, 0.2, 0.4, 0.4])")
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
        screen.show(State.IDLE, Frame(np.full((1280, 720), 90, np.uint8), 0.0), [], [], DOOR)
        browser.size(1280, 800)
        browser.open(f"{server.url}setup#{TOKEN}")
        sides = "(({width, height}) => [width, height].map(Math.round))"
        shown = f"JSON.stringify({sides}(image.getBoundingClientRect()))"
        browser.until(f"!opened.hidden && {shown} === '[315,560]'")
        assert browser.run(f"JSON.stringify({sides}(layer.getBoundingClientRect()))") == "[315,560]"
