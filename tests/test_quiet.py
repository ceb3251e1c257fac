"""What native code prints is held back; what Python says is shown, then and afterwards."""

import logging
import os

import pytest

from device.quiet import native_code_quiet


def test_a_log_that_was_begun_meanwhile_still_has_its_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with native_code_quiet():
        handler = logging.StreamHandler()  # keeps what sys.stderr is now, as TensorFlow's does
        os.write(2, b"native noise\n")
        handler.handle(logging.makeLogRecord({"msg": "at once"}))
    handler.handle(logging.makeLogRecord({"msg": "later"}))

    assert capfd.readouterr().err == "at once\nlater\n"


def test_a_block_that_fails_shows_what_native_code_said(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with native_code_quiet():
            os.write(2, b"native noise\n")
            raise ValueError("no model")

    with pytest.raises(ValueError, match="no model"):
        fail()

    assert capfd.readouterr().err == "native noise\n"
