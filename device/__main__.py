"""The device's command line: run the door, say what it would do, switch it off, or judge pictures."""

import argparse
import dataclasses
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from device.arguments import Parser
from device.check import table
from device.classifier import Classifier
from device.errors import KioskError, PictureError
from device.finders import open_finder
from device.judge import as_json, as_text, draw, judge_all
from device.kiosk import run
from device.settings import Settings, read_settings
from device.signals import Signals
from device.wiring import check_wiring


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 when done, 1 if a picture was unusable, 2 when refused with one line on stderr."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except KioskError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # standard output is closed or full
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _run(options: argparse.Namespace) -> int:
    settings = _settings(options)
    if options.camera is not None:
        settings = dataclasses.replace(settings, camera=dataclasses.replace(settings.camera, source=options.camera))
    return run(settings, pins=options.pins)


def _check(options: argparse.Namespace) -> int:
    settings = read_settings(options.config)
    check_wiring(settings.signals)
    classifier = Classifier(settings.model.name)
    classifier.require_crops_of(open_finder(settings.faces))
    for line in table(settings, classifier.card):
        print(line)
    return 0


def _off(options: argparse.Namespace) -> int:
    with Signals(read_settings(options.config).signals, options.pins):
        return 0


def _judge(options: argparse.Namespace) -> int:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `… | head` ends it without a traceback
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names need not be UTF-8
    settings = _settings(options)
    classifier, finder = Classifier(settings.model.name), None
    if not options.cropped:
        finder = open_finder(settings.faces)
        classifier.require_crops_of(finder)
    failed = 0
    for judgement in judge_all(options.paths, classifier, finder):
        if isinstance(judgement, PictureError):
            print(judgement, file=sys.stderr)
            failed = 1
            continue
        print((as_json if options.json else as_text)(judgement, classifier), flush=True)
        if options.draw:
            draw(judgement, classifier, options.draw)
    return failed


def _settings(options: argparse.Namespace) -> Settings:
    settings = read_settings(options.config)
    if options.model is None:
        return settings
    return dataclasses.replace(settings, model=dataclasses.replace(settings.model, name=options.model))


def _parser() -> argparse.ArgumentParser:
    parser = Parser("python -m device", description="Tell whether people before a camera wear masks")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    door = commands.add_parser("run", help="watch a camera and switch the LEDs and the buzzer until stopped")
    door.set_defaults(command=_run)
    door.add_argument("--camera", help="pi, usb:0, rtsp://…, a video, or a folder of pictures (default: the settings')")
    door.add_argument("--config", type=Path, help="a kiosk.toml (default: the defaults of every setting)")
    door.add_argument("--model", help="a name in models/ or a .tflite (default: the settings')")
    door.add_argument("--pins", choices=["auto", "mock"], default="auto", help="mock: no GPIO is touched, for tests")

    check = commands.add_parser("check", help="say what the settings mean; no pin and no camera is touched")
    check.set_defaults(command=_check)
    check.add_argument("--config", type=Path, help="a kiosk.toml (default: the defaults of every setting)")

    off = commands.add_parser("off", help="switch every output off, which a killed kiosk couldn't")
    off.set_defaults(command=_off)
    off.add_argument("--config", type=Path, help="a kiosk.toml, of which [signals] counts here")
    off.add_argument("--pins", choices=["auto", "mock"], default="auto", help="mock: no GPIO is touched, for tests")

    judge = commands.add_parser("judge", help="judge the faces in pictures")
    judge.set_defaults(command=_judge)
    judge.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="a picture, or a folder of pictures")
    judge.add_argument("--cropped", action="store_true", help="each picture is a face crop already: take it whole")
    judge.add_argument("--json", action="store_true", help="one JSON object a line and picture")
    judge.add_argument("--draw", type=Path, metavar="DIR", help="also write the pictures with their boxes there")
    judge.add_argument("--config", type=Path, help="a kiosk.toml, of which [model] and [faces] count here")
    judge.add_argument("--model", help="a name in models/ or a .tflite (default: the settings')")
    return parser


def _end(code: int) -> NoReturn:
    """End the process, at once if a camera still hangs in its driver: coming back, it would abort an ordinary end."""
    if not any(thread.daemon for thread in threading.enumerate()):
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _end(main())
