"""The device's command line: run the door or a recording, say what it would do or what ails it, or judge pictures.

Each command imports what it needs, so that the doctor still speaks where OpenCV or the pins' library is broken.
"""

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
from device.errors import KioskError, PictureError, SettingsError
from device.settings import Settings, read_settings
from device.wiring import check_wiring


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 when done, 1 if a picture was unusable, 2 when refused with one line on stderr."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = parser().parse_args(arguments)
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
    from device.kiosk import run

    settings = _settings(options)
    if options.camera == "":
        raise SettingsError("--camera is empty, expected pi, usb:0, rtsp://…, a video file or a folder of pictures")
    if options.camera is not None:
        settings = dataclasses.replace(settings, camera=dataclasses.replace(settings.camera, source=options.camera))
    return run(settings, pins=options.pins, config=options.config, at_speed=True)


def _replay(options: argparse.Namespace) -> int:
    from device.classifier import Classifier
    from device.finders import open_finder
    from device.replay import as_json, as_text, compare, replay, tally_json
    from device.visits import read_visits

    settings, true = _settings(options), read_visits(options.visits) if options.visits else None
    classifier, finder = Classifier(settings.model.name), open_finder(settings.faces)
    classifier.require_crops_of(finder)
    replays = []
    for video in options.videos:
        played = replay(video, finder, classifier, settings)
        lines = [as_json(played, classifier)] if options.json else as_text(played, classifier)
        print(*lines, sep="\n", flush=True)
        replays.append(played)
    if true is not None:
        tally = compare(replays, true)
        print(*([tally_json(tally)] if options.json else map(classifier.card.marked, tally.lines())), sep="\n")
    return 0


def _check(options: argparse.Namespace) -> int:
    from device.check import table
    from device.classifier import Classifier
    from device.finders import open_finder
    from device.golden import golden_folder, require_right

    settings = read_settings(options.config)
    check_wiring(settings.signals)
    classifier, finder = Classifier(settings.model.name), open_finder(settings.faces)
    classifier.require_crops_of(finder)
    has_golden = golden_folder(classifier.path).is_dir()  # models from elsewhere may have none
    if has_golden:
        require_right(classifier, finder)
    print(*table(settings, classifier.card, has_golden), sep="\n")
    return 0


def _off(options: argparse.Namespace) -> int:
    from device.signals import Signals

    with Signals(read_settings(options.config).signals, options.pins):
        return 0


def _doctor(options: argparse.Namespace) -> int:
    from device.doctor import as_json, as_text, examine, exit_code, manual, summary
    from device.host import Host

    if options.manual:
        print(manual(), end="")
        return 0
    findings = []
    for finding in examine(Host(config=options.config)):
        findings.append(finding)
        if not options.json:
            print(as_text(finding), flush=True)
    print(as_json(findings) if options.json else summary(findings))
    return exit_code(findings)


def _judge(options: argparse.Namespace) -> int:
    from device.classifier import Classifier
    from device.finders import open_finder
    from device.judge import as_json, as_text, draw, judge_all, require_apart

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `… | head` ends it without a traceback
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names need not be UTF-8
    settings = _settings(options)
    classifier, finder = Classifier(settings.model.name), None
    if not options.cropped:
        finder = open_finder(settings.faces)
        classifier.require_crops_of(finder)
    if options.draw:
        require_apart(options.paths, options.draw)
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


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = Parser("python -m device", description="Tell whether people before a camera wear masks")
    commands = made.add_subparsers(required=True, metavar="COMMAND")

    door = commands.add_parser("run", help="watch a camera and switch the LEDs and the buzzer until stopped")
    door.set_defaults(command=_run)
    door.add_argument("--camera", help="pi, usb:0, rtsp://…, a video, or a folder of pictures (default: the settings')")
    door.add_argument("--config", type=Path, help="a kiosk.toml (default: the defaults of every setting)")
    door.add_argument("--model", help="a name in models/ or a .tflite (default: the settings')")
    door.add_argument("--pins", choices=["auto", "mock"], default="auto", help="mock: no GPIO is touched, for tests")

    replayed = commands.add_parser(
        "replay", help="run recordings through the loop as fast as they go; no pin is touched",
        description="Run recordings through the parts of the loop, on their own clock, and print events and visits",
        epilog="FILE is a table with the columns video, enter, leave, answer, one line a visit. video: the recording's "
        "name, without its folder; enter, leave: seconds, when the face can first and last be seen; answer: with_mask, "
        "without_mask, both as without_mask>with_mask for a mask put on meanwhile, or poster for a face that is no "
        "person. A column visible, if there is one: seconds, from when the face is well seen. A recording of nobody "
        "has one line with its name alone. Other columns are left alone.",
    )  # fmt: skip
    replayed.set_defaults(command=_replay)
    replayed.add_argument("videos", type=Path, nargs="+", metavar="VIDEO", help="a video file or a folder of pictures")
    replayed.add_argument("--visits", type=Path, metavar="FILE", help="the true visits, a CSV to compare with")
    replayed.add_argument("--json", action="store_true", help="one JSON object a line and recording")
    replayed.add_argument("--config", type=Path, help="a kiosk.toml; its camera's source and [signals] don't count")
    replayed.add_argument("--model", help="a name in models/ or a .tflite (default: the settings')")

    check = commands.add_parser("check", help="say what the settings mean; no pin and no camera is touched")
    check.set_defaults(command=_check)
    check.add_argument("--config", type=Path, help="a kiosk.toml (default: the defaults of every setting)")

    off = commands.add_parser("off", help="switch every output off, which a killed kiosk couldn't")
    off.set_defaults(command=_off)
    off.add_argument("--config", type=Path, help="a kiosk.toml, of which [signals] counts here")
    off.add_argument("--pins", choices=["auto", "mock"], default="auto", help="mock: no GPIO is touched, for tests")

    doctor = commands.add_parser(
        "doctor", help="look for every known trouble of a kiosk: what was found, why it matters, what to do",
        epilog="exit code: 2 if any finding is a trouble, else 1 if any is a warning, else 0",
    )
    doctor.set_defaults(command=_doctor)
    doctor.add_argument("--json", action="store_true", help="one JSON object")
    doctor.add_argument("--config", type=Path, help="a kiosk.toml (default: the installed one)")
    doctor.add_argument("--manual", action="store_true", help="print docs/troubleshooting.md; nothing is looked at")

    judge = commands.add_parser("judge", help="judge the faces in pictures")
    judge.set_defaults(command=_judge)
    judge.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="a picture, or a folder of pictures")
    judge.add_argument("--cropped", action="store_true", help="each picture is a face crop already: take it whole")
    judge.add_argument("--json", action="store_true", help="one JSON object a line and picture")
    judge.add_argument("--draw", type=Path, metavar="DIR", help="also write the pictures with their boxes there")
    judge.add_argument("--config", type=Path, help="a kiosk.toml, of which [model] and [faces] count here")
    judge.add_argument("--model", help="a name in models/ or a .tflite (default: the settings')")
    return made


def _end(code: int) -> NoReturn:
    """End the process, at once if a camera still hangs in its driver: coming back, it would abort an ordinary end."""
    if not any(thread.daemon for thread in threading.enumerate()):
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _end(main())
