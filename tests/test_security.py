"""A token of the owner's own is in no line that the kiosk logs, whatever is asked with it; a random one is in one."""

import logging

import pytest
from ports import free_port
from screens import TOKEN, ask, card_of

from device.settings import ScreenSettings, Settings
from device.web.screen import open_screen


@pytest.mark.parametrize(("token", "lines"), [(TOKEN, 0), ("random", 1)])
def test_the_token_is_printed_once_if_it_is_made_anew_and_never_if_it_is_the_owners(
    caplog: pytest.LogCaptureFixture, token: str, lines: int
) -> None:
    caplog.set_level(logging.DEBUG)
    port = free_port()
    settings = Settings(screen=ScreenSettings(port=port, token=token, open_browser=False))
    with open_screen(settings, card_of(), None):
        secret = token if token == TOKEN else next(text for text in caplog.messages if "setup#" in text).split("#")[1]
        common = f"Host: 127.0.0.1:{port}", f"Origin: http://127.0.0.1:{port}", f"Authorization: Bearer {secret}"
        saved = ask(port, "POST /setup/save", *common, "Content-Length: 2", body=b"{}")  # fails: there is no such file
        wrong = ask(port, "GET /setup/minute", *common[:2], f"Authorization: Bearer {secret}x")
        assert (saved[0], wrong[0]) == (400, 401)
    said = [text for text in caplog.messages if secret in text]
    assert len(said) == lines
