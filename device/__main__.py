"""The device's command line: run the door or a recording, say what it would do or what ails it, or judge pictures."""

import os
import signal

if __name__ == "__main__":
    # Until all is imported there is nothing to put away, and imports make other errors of a KeyboardInterrupt.
    on_interrupt = signal.getsignal(signal.SIGINT)
    if on_interrupt is not signal.SIG_IGN:  # which a shell sets for what it runs in the background
        signal.signal(signal.SIGINT, lambda *_: os._exit(128 + signal.SIGINT))

import argparse
import errno
import io
import logging
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

from device import commands
from device.arguments import Parser, path
from device.errors import KioskError, UnusableError

# What writing to a standard output raises that is closed, full, a file of the largest size, or a terminal that is gone.
STDOUT_ENDS = (errno.EPIPE, errno.EBADF, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 when done, 1 if a picture was unusable, 2 when refused with one line on stderr."""
    _open_missing_streams()
    try:
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        options = parser().parse_args(arguments)
        code = int(options.command(options))
        sys.stdout.flush()
    except KioskError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, UnusableError) else 2
    except ModuleNotFoundError as error:
        print(f"error: {error}: run `.venv/bin/python -m device`, which `make .venv` makes, or on a Pi "
              "/opt/mask-kiosk/current/venv/bin/python", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in STDOUT_ENDS:
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.stdout = io.StringIO()  # the end would try to write the rest
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return code


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = Parser("python -m device", description="Tell whether people before a camera wear masks")
    verbs = made.add_subparsers(required=True, metavar="COMMAND")

    door = verbs.add_parser("run", help="watch a camera and switch the LEDs and the buzzer until stopped")
    door.set_defaults(command=commands.run)
    door.add_argument("--camera", help="pi, usb:0, rtsp://…, a video, or a folder of pictures (default: the settings')")
    door.add_argument("--config", type=path, help="a kiosk.toml (default: the defaults of every setting)")
    door.add_argument("--model", help="a name in models/ or a .tflite (default: the settings')")
    door.add_argument("--pins", choices=["auto", "mock"], default="auto", help="mock: no GPIO is touched, for tests")

    replayed = verbs.add_parser(
        "replay", help="run recordings through the loop as fast as they go; no pin is touched",
        description="Run recordings through the parts of the loop, on their own clock, and print events and visits",
        epilog="FILE is a table with the columns video, enter, leave, answer, one line a visit. video: the recording's "
        "name, without its folder; enter, leave: seconds, when the face can first and last be seen; answer: with_mask, "
        "without_mask, both as without_mask>with_mask for a mask put on meanwhile, or poster for a face that is no "
        "person. A column visible, if there is one: seconds, from when the face is well seen. A recording of nobody "
        "has one line with its name alone. Other columns are left alone.",
    )  # fmt: skip
    replayed.set_defaults(command=commands.replay)
    replayed.add_argument("videos", type=path, nargs="+", metavar="VIDEO", help="a video file or a folder of pictures")
    replayed.add_argument("--visits", type=path, metavar="FILE", help="the true visits, a CSV to compare with")
    replayed.add_argument("--json", action="store_true", help="one JSON object a line and recording")
    replayed.add_argument("--config", type=path, help="a kiosk.toml; its camera's source and [signals] don't count")
    replayed.add_argument("--model", help="a name in models/ or a .tflite (default: the settings')")

    check = verbs.add_parser("check", help="say what the settings mean; no pin and no camera is touched")
    check.set_defaults(command=commands.check)
    check.add_argument("--config", type=path, help="a kiosk.toml (default: the defaults of every setting)")

    off = verbs.add_parser("off", help="switch every output off, which a killed kiosk couldn't")
    off.set_defaults(command=commands.off)
    off.add_argument("--config", type=path, help="a kiosk.toml, of which [signals] counts here")
    off.add_argument("--pins", choices=["auto", "mock"], default="auto", help="mock: no GPIO is touched, for tests")

    doctor = verbs.add_parser(
        "doctor", help="look for every known trouble of a kiosk: what was found, why it matters, what to do",
        epilog="exit code: 2 if any finding is a trouble, else 1 if any is a warning, else 0",
    )
    doctor.set_defaults(command=commands.doctor)
    doctor.add_argument("--json", action="store_true", help="one JSON object")
    doctor.add_argument("--config", type=path, help="a kiosk.toml (default: the installed one)")
    doctor.add_argument("--manual", action="store_true", help="print docs/troubleshooting.md; nothing is looked at")

    judge = verbs.add_parser("judge", help="judge the faces in pictures")
    judge.set_defaults(command=commands.judge)
    judge.add_argument("paths", type=path, nargs="+", metavar="PATH", help="a picture, or a folder of pictures")
    judge.add_argument("--cropped", action="store_true", help="each picture is a face crop already: take it whole")
    judge.add_argument("--json", action="store_true", help="one JSON object a line and picture")
    judge.add_argument("--draw", type=path, metavar="DIR", help="also write the pictures with their boxes there")
    judge.add_argument("--config", type=path, help="a kiosk.toml, of which [model] and [faces] count here")
    judge.add_argument("--model", help="a name in models/ or a .tflite (default: the settings')")
    return made


def _open_missing_streams() -> None:
    """Let go nowhere what is written to a stream that was closed: it is None, and its number the next file's."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _end(code: int) -> NoReturn:
    """End the process, at once if a camera still hangs in its driver: coming back, it would abort an ordinary end."""
    if not any(thread.daemon for thread in threading.enumerate()):
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, on_interrupt)
    _end(main())
