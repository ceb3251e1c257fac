import signal
from pathlib import Path

import pytest
from browser import AXE, Browser, axe_script, needs_chromium
from ports import free_port
from screens import DOOR, FRAME, TOKEN, ask, card_of, served, show
from setup_page import Zones, opened
from test_setup import CUT, MIRROR, SHIPPED, STREET, a_minute, post

from device.classifier import Verdict
from device.errors import WiringError
from device.events import State
from device.faces import Box
from device.levels import levels
from device.look import Look
from device.settings import ModelSettings, read_settings
from device.stop import StopRequest

UNEXPLAINED = """[...document.querySelectorAll('#fields [name]')].filter((input) =>
  !document.getElementById(input.getAttribute('aria-describedby'))?.checkVisibility({checkOpacity: true})
  || !document.getElementById(input.getAttribute('aria-describedby')).textContent).map((input) => input.id)"""


@needs_chromium
def test_the_setup_page_shows_tries_and_saves(tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(SHIPPED)

    with served(card_of(), config) as (screen, server), Browser(tmp_path / "chromium") as browser:
        a_minute(screen)
        before = server.message()
        browser.open(f"{server.url}setup")
        browser.run("document.querySelector('#token').value = 'wrong'; entry.requestSubmit()")
        browser.until("said.textContent.startsWith('That is not the token. It comes after the # of the address')")
        assert browser.run("said.textContent").endswith(", or is token in [screen] of kiosk.toml.")
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
        seen = [Verdict(Box(0, 0, 9, 9), 5.0, (), 0.5, "", Look(cut=True))] * 2
        screen.show(State.CHECKING, FRAME, seen, [], DOOR)
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
    with opened(tmp_path, config) as (browser, server):
        browser.run(f"{BEEPS} = '7'")
        others = {
            "decision": {"zones": [STREET], "hold_seconds": 2.5}, "signals": {"beeps": 1}, "screen": {"speech": True},
        }  # fmt: skip
        assert post(server, "save", others)[0] == 200
        Zones(browser).are(STREET)
        assert browser.run(HOLD) == "2.5"
        assert browser.run("document.querySelector('#screen-speech').checked")
        browser.until("saved.textContent === 'Another page has saved beeps. Save replaces that with what is here.'")
        assert browser.run(BEEPS) == "7"
        browser.run(f"{BEEPS} = '3'")  # as it was before both
        browser.run("document.querySelector('#add').click(); values.requestSubmit()")
        browser.until(f"saved.textContent === 'Saved in {config}.'")
        assert read_settings(config).decision.zones == (tuple(STREET), (0.4, 0.4, 0.2, 0.2))
        assert (read_settings(config).signals.beeps, browser.run(BEEPS)) == (3, "3")
        browser.run("document.querySelector('#add').click()")
        assert post(server, "save", {"decision": {"zones": [MIRROR]}})[0] == 200
        browser.until("zoneSaid.textContent === 'Another page has saved other zones. Save replaces them with these.'")
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
    with opened(tmp_path, config) as (browser, _):
        browser.run(f"{KEEP_BACK}; window.keeps = '/setup/save'; {HOLD} = '3'; values.requestSubmit()")
        browser.until("kept.length > 0 && saved.textContent === 'Saving…'")
        browser.run(f"{HOLD} = '4'; window.keeps = ''; kept.pop()()")
        browser.until(f"saved.textContent === 'Saved in {config}, except what was changed since.'")
        browser.run("saved.textContent = ''; values.requestSubmit()")
        browser.until(f"saved.textContent === 'Saved in {config}.'")
        assert browser.run(HOLD) == "4"
    assert read_settings(config).decision.hold_seconds == 4.0


@needs_chromium
@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_save_that_fails_is_not_told_as_under_way_and_can_be_asked_for_again(status: int, tmp_path: Path) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_text(SHIPPED)
    with opened(tmp_path, config) as (browser, _):
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
    with opened(tmp_path, config) as (browser, _):
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
    with opened(tmp_path) as (browser, _):
        browser.run(f"{KEEP_BACK}; window.keeps = '/setup/try'; {HOLD} = '99'")
        browser.until("kept.length > 0")
        browser.run(f"window.keeps = ''; {HOLD} = '3'; values.dispatchEvent(new Event('input')); kept.pop()()")
        browser.until("!asking")
        assert browser.run("saved.textContent") == ""


@needs_chromium
def test_a_device_that_answers_late_has_its_rest_and_its_refusals_are_told(tmp_path: Path) -> None:
    with opened(tmp_path) as (browser, _):
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
            browser.until("said.textContent.startsWith('The kiosk was restarted') && entry.checkVisibility()")
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
            browser.run("lastMinute()")
            browser.until(f"(drawn.threshold === {of_the_card['threshold']}) === {str(same).lower()}")
            assert (browser.run("drawn") == of_the_card) is same
        browser.run("values.elements.release.value = shown(minute.model.release)")
        browser.run("values.elements.threshold.value = '0.1'")
        browser.run("lastMinute()")
        browser.until(f"drawn.threshold > {of_the_card['threshold']}")
        assert browser.run("drawn.release > drawn.threshold")  # below it, though its value stands above


@needs_chromium
def test_the_release_that_holds_with_a_threshold_alone_is_shown_and_saved_and_one_that_is_typed_too(
    tmp_path: Path,
) -> None:
    card, config = card_of(), tmp_path / "kiosk.toml"
    config.write_text(SHIPPED)
    release = "document.querySelector('#model-release')"
    typing = "{field}.value = '{value}'; {field}.dispatchEvent(new Event('input', {{bubbles: true}}))"
    with served(card, config) as (screen, server), Browser(tmp_path / "chromium") as browser:
        a_minute(screen)
        browser.open(f"{server.url}setup#{TOKEN}")
        browser.until("!opened.hidden")
        own = browser.run(f"{release}.value")
        for threshold in (0.3, 0.1):
            browser.run(typing.format(field="document.querySelector('#model-threshold')", value=threshold))
            holds = round(levels(ModelSettings(threshold=threshold), card).release, 3)
            browser.until(f"{release}.value == {holds}")
        browser.run("values.requestSubmit()")
        browser.until("saved.textContent.startsWith('Saved')")
        assert server.settings.model == ModelSettings(threshold=0.1)
        browser.until(f"minute.model.threshold === 0.1 && {release}.value == {holds} && !Object.keys(changes()).length")
        browser.run(typing.format(field="document.querySelector('#model-threshold')", value=card.threshold))
        browser.until(f"{release}.value === '{own}'")
        browser.run(typing.format(field=release, value=own))
        browser.run("values.requestSubmit()")
        browser.until("saved.textContent.startsWith('Saved')")
        assert server.settings.model == ModelSettings(threshold=card.threshold, release=float(own))
        assert browser.complaints() == []


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
