"""What native code prints is held back; what Python says is shown, then and afterwards."""

import logging
import os
import sys

import pytest

from device.quiet import native_code_quiet


def test_a_log_that_was_begun_meanwhile_still_has_its_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with native_code_quiet():
        handler = logging.StreamHandler()  # keeps what sys.stderr is now, as TensorFlow's does
        os.write(2, b"native noise\n")
        handler.handle(logging.makeLogRecord({"msg": "at once"}))
    handler.handle(logging.makeLogRecord({"msg": "later"}))

    assert capfd.readouterr().err == "at once\nlater\n"


def test_a_stderr_that_was_kept_meanwhile_and_put_back_is_the_process_own(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with native_code_quiet():
        kept = sys.stderr
    monkeypatch.setattr(sys, "stderr", kept)
    print("later", file=sys.stderr)

    assert capfd.readouterr().err == "later\n"


def test_a_block_that_fails_shows_what_native_code_said(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with native_code_quiet():
            os.write(2, b"native noise\n")
            raise ValueError("no model")

    with pytest.raises(ValueError, match="no model"):
        fail()

    assert capfd.readouterr().err == "native noise\n"
