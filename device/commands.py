"""What each command of the device does.

Each imports what it needs, so that the doctor still speaks where OpenCV or the pins' library is broken.
"""

import argparse
import dataclasses
import io
import signal
import sys

from device.errors import PictureError, SettingsError
from device.settings import Settings, read_settings
from device.signals.wiring import check_wiring


def run(options: argparse.Namespace) -> int:
    """Run the door."""
    from device import kiosk

    settings = _settings(options)
    if options.camera == "":
        raise SettingsError("--camera is empty, expected pi, usb:0, rtsp://…, a video file or a folder of pictures")
    if options.camera is not None:
        settings = dataclasses.replace(settings, camera=dataclasses.replace(settings.camera, source=options.camera))
    return kiosk.run(settings, pins=options.pins, config=options.config, at_speed=True)


def replay(options: argparse.Namespace) -> int:
    """Run recordings through the loop; print what happened, and how that compares with what is true."""
    from device.classifier import Classifier
    from device.compare_visits import Tally
    from device.finders import open_finder
    from device.replay import as_json, as_text, replay, require_recordings, tally_json
    from device.visits import read_visits, require_named

    _print_whatever()
    settings, true = _settings(options), read_visits(options.visits) if options.visits else None
    if true is not None:
        require_named(options.videos, true)
    require_recordings(options.videos)
    classifier, finder = Classifier(settings.model.name), open_finder(settings.faces)
    classifier.require_crops_of(finder)
    tally = Tally()
    for video in options.videos:
        played = replay(video, finder, classifier, settings)
        lines = [as_json(played, classifier)] if options.json else as_text(played, classifier)
        print(*lines, sep="\n", flush=True)
        if true is not None:
            tally.count(played.visits, true[played.video])
    if true is not None:
        print(*([tally_json(tally)] if options.json else map(classifier.card.marked, tally.lines())), sep="\n")
    return 0


def check(options: argparse.Namespace) -> int:
    """Say what the settings mean, and prove that the models judge here as they did where they were made."""
    from device.cameras.camera import require_source
    from device.check import table
    from device.classifier import Classifier
    from device.doctor.host import Host
    from device.doctor.user import is_installed, kiosks_settings
    from device.finders import open_finder
    from device.golden import has_golden_pictures, require_right

    _print_whatever()
    host, settings = Host(), read_settings(options.config)
    if is_installed(host.service):
        settings = kiosks_settings(host, settings)
    check_wiring(settings.signals)
    require_source(settings.camera.source)
    classifier, finder = Classifier(settings.model.name), open_finder(settings.faces)
    classifier.require_crops_of(finder)
    has_golden = has_golden_pictures(classifier)
    if has_golden:
        require_right(classifier, finder)
    print(*table(host, settings, classifier.card, has_golden, options.config), sep="\n")
    return 0


def off(options: argparse.Namespace) -> int:
    """Switch every output off."""
    from device.signals.signals import Signals

    with Signals(read_settings(options.config).signals, options.pins):
        return 0


def doctor(options: argparse.Namespace) -> int:
    """Look for every known trouble; return 2 for a trouble, 1 for a warning, else 0."""
    from device.doctor.doctor import as_json, as_text, examine, exit_code, manual, summary
    from device.doctor.host import Host

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


def judge(options: argparse.Namespace) -> int:
    """Judge pictures; return 1 if one was unusable."""
    from device.classifier import Classifier
    from device.finders import open_finder
    from device.judge import as_json, as_text, draw, judge_all, require_apart
    from device.levels import levels

    _print_whatever()
    settings = _settings(options)
    classifier, finder = Classifier(settings.model.name), None
    classifier.threshold = levels(settings.model, classifier.card).threshold
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


def _print_whatever() -> None:
    """Print names of files that are no UTF-8 too, and let `… | head` end what holds no pin and no socket."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _settings(options: argparse.Namespace) -> Settings:
    settings = read_settings(options.config)
    if options.model is None:
        return settings
    return dataclasses.replace(settings, model=dataclasses.replace(settings.model, name=options.model))
