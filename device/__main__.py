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

CONFIG = "a kiosk.toml (default: none, and every setting has its default)"
MODEL = "a model's name in models/, or a .tflite file (default: name in [model] of the settings)"
PINS = "auto: a Pi's pins; mock: no pin is touched, for tests (default: auto)"


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
    made = Parser(
        "python -m device", "Tell whether people in front of a camera wear masks.",
        "`python -m device COMMAND --help` explains a command.\n\n"
        "exit codes:\n  0    done\n  1    a picture was unusable, or the kiosk crashed\n"
        "  2    refused, or the camera failed; one line says why\n  130  stopped by Ctrl-C",
    )  # fmt: skip
    verbs = made.add_subparsers(required=True, metavar="COMMAND")

    door = verbs.add_parser(
        "run", help="run the kiosk: watch a camera, switch LEDs, buzzer and page",
        description="Watch a camera, judge the faces, and switch LEDs, buzzer and page,\nuntil stopped by Ctrl-C.",
        epilog="examples:\n  python -m device run --camera usb:0\n"
        "  python -m device run --camera clip.mp4 --config my.toml",
    )  # fmt: skip
    door.set_defaults(command=commands.run)
    door.add_argument("--camera", help="pi (the ribbon camera), usb:NUMBER (usb:0 is the first), rtsp://…, a video "
                      "file, or a folder of pictures (default: source in [camera] of the settings)")
    door.add_argument("--config", type=path, help=CONFIG)
    door.add_argument("--model", help=MODEL)
    door.add_argument("--pins", choices=["auto", "mock"], default="auto", help=PINS)

    replayed = verbs.add_parser(
        "replay", help="run recordings through the kiosk as fast as they go; no pin is touched",
        description="Run recordings through the parts of the kiosk, on their own clock, and print\nevents and visits.",
        epilog="FILE of --visits is a CSV table, one line a visit, with the columns\n"
        "  video         the recording's name, without its folder\n"
        "  enter, leave  seconds, when the face can first and last be seen\n"
        "  answer        with_mask, without_mask, without_mask>with_mask (a mask is put\n"
        "                on meanwhile), or poster (a face that is no person)\n"
        "  visible       seconds, from when the face is well seen; can be left out\n"
        "A recording of nobody has one line with its name alone. Other columns are\nignored.\n\n"
        "example:\n  python -m device replay clips/*.mp4 --visits clips/visits.csv",
    )  # fmt: skip
    replayed.set_defaults(command=commands.replay)
    replayed.add_argument("videos", type=path, nargs="+", metavar="VIDEO", help="a video file or a folder of pictures")
    replayed.add_argument("--visits", type=path, metavar="FILE", help="compare with these true visits: see below")
    replayed.add_argument("--json", action="store_true", help="print one JSON object for each recording, one a line")
    replayed.add_argument("--config", type=path, help="a kiosk.toml; its camera's source and [signals] don't count")
    replayed.add_argument("--model", help=MODEL)

    check = verbs.add_parser(
        "check", help="say what the settings mean; no pin and no camera is touched",
        description="Read the settings and the models, and say what a kiosk with them does.\nNo pin and no camera is "
        "touched.", epilog="example:\n  python -m device check --config /etc/mask-kiosk/kiosk.toml",
    )  # fmt: skip
    check.set_defaults(command=commands.check)
    check.add_argument("--config", type=path, help=CONFIG)

    off = verbs.add_parser(
        "off", help="switch every output off, which a kiosk that was killed couldn't",
        description="Switch LEDs, buzzer and relay off, which a kiosk that was killed couldn't.",
    )  # fmt: skip
    off.set_defaults(command=commands.off)
    off.add_argument("--config", type=path, help="a kiosk.toml, of which only [signals] counts here")
    off.add_argument("--pins", choices=["auto", "mock"], default="auto", help=PINS)

    doctor = verbs.add_parser(
        "doctor", help="say what is wrong with this kiosk, why it matters and what to do",
        description="Look for every known problem of a kiosk, and say what was found, why it\nmatters and what to do.",
        epilog="exit codes: 2 if any finding is trouble, else 1 if any is a warning, else 0\n\n"
        "example, on a Pi, in /opt/mask-kiosk/current:\n  sudo venv/bin/python -m device doctor",
    )  # fmt: skip
    doctor.set_defaults(command=commands.doctor)
    doctor.add_argument("--json", action="store_true", help="print one JSON object")
    doctor.add_argument("--config", type=path, help="a kiosk.toml (default: the installed one)")
    doctor.add_argument("--manual", action="store_true", help="print docs/troubleshooting.md; nothing is looked at")

    judge = verbs.add_parser(
        "judge", help="judge the faces in pictures",
        description="Judge the faces in pictures, and print a line for each picture: each face's\n"
        "label, the score of that label from 0 to 1, and its box in pixels. The label is\n"
        "without_mask where that scores at least the threshold of the model's card or of\n"
        "[model]. Below it, with_mask can be what a door isn't sure of, down to release.",
        epilog="examples:\n  python -m device judge photo.jpg\n"
        "  python -m device judge photos/ --draw judged/ --model simple --config haar.toml",
    )  # fmt: skip
    judge.set_defaults(command=commands.judge)
    judge.add_argument("paths", type=path, nargs="+", metavar="PATH", help="a picture, or a folder of pictures")
    judge.add_argument("--cropped", action="store_true", help="each picture is a face crop already: take it whole")
    judge.add_argument("--json", action="store_true", help="print one JSON object for each picture, one a line")
    judge.add_argument("--draw", type=path, metavar="DIR", help="also write the pictures, with a box round each face, "
                       "into this folder")
    judge.add_argument("--config", type=path, help="a kiosk.toml, of which only [model] and [faces] count here")
    judge.add_argument("--model", help=MODEL)
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
