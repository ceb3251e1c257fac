"""The trainer's command line."""

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from device.arguments import Parser
from device.errors import KioskError, UnusableError
from trainer.collecting import add_collecting
from trainer.converting import add_converting
from trainer.finder.commands import add_finder
from trainer.making import add_making
from trainer.measuring import add_measuring
from trainer.passages.commands import add_drawing
from trainer.telling import told_once

# TensorFlow's notes on the processor it found; it reads these when it is first imported, by a command below.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

GO_ON = {"train", "crossval", "faces", "face-check", "label"}  # commands that keep what they have finished
STOPPED = 130  # exit code after Ctrl-C: 128 and the signal's number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 when done, 2 when refused with one line on stderr, 130 when stopped by Ctrl-C.

    1 for a model that is worse, and for a clip in which no picture is usable.
    """
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs start with it ignored
    try:
        with told_once():
            return int(options.command(options) or 0)
    except KioskError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, UnusableError) else 2
    except ModuleNotFoundError as error:
        print(f"error: {error}: run `.venv/bin/python -m trainer`, which `make .venv` makes", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.filename or options.verb}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        goes_on = "; the same command goes on from here" if options.verb in GO_ON else ""
        print(f"\nstopped{goes_on}", file=sys.stderr)
        return STOPPED


def parser() -> Parser:
    """Return the command line."""
    made = Parser(
        "python -m trainer", "Turn photos into a small model for the kiosk, and measure models.",
        "`python -m trainer COMMAND --help` explains a command.\n\nexit codes:\n  0    done\n"
        "  1    the new model is worse (accept), or a clip has no usable picture (passages)\n"
        "  2    refused; one line says why\n  130  stopped by Ctrl-C",
    )  # fmt: skip
    verbs = made.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    add_making(verbs)
    add_converting(verbs)
    add_measuring(verbs)
    add_finder(verbs)
    add_drawing(verbs)
    add_collecting(verbs)
    return made


def end(code: int) -> NoReturn:
    """End the process, at once after Ctrl-C: TensorFlow's threads still work, and would crash an ordinary end."""
    if code != STOPPED:
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    end(main())
