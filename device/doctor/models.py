"""Checks of the doctor: settings, models, and what they say of pictures whose answers are known."""

from dataclasses import replace
from pathlib import Path

from device.doctor.finding import Case, Check, Level
from device.doctor.host import CONFIG, CantTellError, Host, Ran
from device.doctor.user import HINDRANCES, hindrance, kiosks_path, kiosks_settings
from device.errors import SettingsError, WiringError
from device.model_card import is_path
from device.seal import owners_key
from device.signals.wiring import check_wiring

VALID = Case(Level.OK, "{path}")
DEFAULTS = Case(Level.NOTE, "no kiosk.toml is installed here: the defaults are looked at")
INVALID = Case(
    Level.TROUBLE, "the settings are refused: {error}",
    "Do what the line says. `sudo nano /etc/mask-kiosk/kiosk.toml` opens the settings.\n"
    "See whether the file is understood now: `python -m device check --config FILE`.\n"
    "Restart the kiosk: `sudo systemctl restart mask-kiosk`.",
)


def config(host: Host) -> Case:
    """Read the settings, and look at the wiring and the collector's key as the kiosk does before it starts."""
    installed = host.root / CONFIG
    if host.config_path == installed and (hindered := hindrance(host, installed)):
        return hindered
    try:
        settings, collect = host.settings, host.settings.collect
        check_wiring(settings.signals)
        if collect.on:
            key = kiosks_path(host, collect.public_key)
            if hindered := hindrance(host, key):
                return hindered
            owners_key(replace(settings, collect=replace(collect, public_key=str(key))))
    except (SettingsError, WiringError) as error:
        return INVALID.of(error=error)
    return VALID.of(path=host.config_path) if host.config_path else DEFAULTS


# Exit code 3: refused by the kiosk in one line on stderr.
OPEN = """
import json, sys
from dataclasses import replace
from pathlib import Path
from device.errors import KioskError
from device.settings import read_settings
settings = read_settings(Path(sys.argv[1]) if sys.argv[1] else None)
try:
    from device.classifier import Classifier
    from device.finders import open_finder
    from device.levels import levels
    classifier, finder = Classifier(sys.argv[2]), open_finder(replace(settings.faces, yunet_path=sys.argv[3]))
    classifier.require_crops_of(finder)
    levels(settings.model, classifier.card)
except KioskError as error:
    print(error, file=sys.stderr)
    sys.exit(3)
"""
MODELS = OPEN + """
print(json.dumps([classifier.card.name, classifier.card.practice, finder.name]))
"""

FIT = Case(Level.OK, "{model} and the face finder {finder} are as their cards say and fit each other")
PRACTICE = Case(
    Level.WARNING, "{model} is a practice model: it learned from drawn faces, and isn't for a door",
    "Set `name = \"door\"` in `[model]` of kiosk.toml; or train a model with photos (`make train convert "
    "DATA=~/photos`).\n"
    "Run `make deploy` again.",
)
UNFIT = Case(
    Level.TROUBLE, "the models are refused: {error}",
    "If the line names threshold or release, correct it in `[model]` of kiosk.toml, and restart the kiosk: `sudo "
    "systemctl restart mask-kiosk`.\n"
    "Otherwise do on the workstation what the line says, then run `make deploy`, which brings each model together with "
    "its card. A wrong hash means that a copy was cut off, or that the SD card has lost bytes.",
)
CRASHED = Case(
    Level.TROUBLE, "Python ends while it loads the models ({error})",
    "Look at the checks of runtime, numpy and opencv first.\n"
    "Run `make deploy` again.",
)


def models(host: Host) -> Case:
    """Load classifier and face finder in a Python of their own, with their cards and hashes."""
    named = kiosks_settings(host, host.settings)
    stem = named.model.name.removesuffix(".tflite")
    files = [Path(stem + ending) for ending in (".tflite", ".json") if is_path(named.model.name)]
    files += [Path(named.faces.yunet_path)] if named.faces.finder == "yunet" else []
    if hindered := hindrance(host, *files):
        return hindered
    ran = _with_settings(host, MODELS)
    if ran.code == 3:
        return UNFIT.of(error=ran.last_line)
    if ran.code:
        return CRASHED.of(error=_end(ran))
    name, is_practice, finder = ran.answer
    return (PRACTICE if is_practice else FIT).of(model=name, finder=finder)


GOLDEN = OPEN + """
from device.golden import golden_answers
try:
    answers = golden_answers(classifier, finder)
except KioskError as error:
    print(error, file=sys.stderr)
    sys.exit(4)
print(json.dumps([[answer.right, str(answer)] for answer in answers]))
"""

RIGHT = Case(Level.OK, "all {count} judged as where the model was made")
MISSING = Case(
    Level.WARNING, "the golden pictures can't be judged: {error}",
    "Run the command that the line names on the workstation. Without golden pictures, nothing shows whether this "
    "computer judges rightly.\n"
    "Run `make deploy` again.",
)
WRONG = Case(
    Level.TROUBLE, "golden pictures are judged wrongly: {wrong}",
    "Don't trust this door until this is mended.\n"
    "Look at the checks of runtime, numpy, opencv and models first.\n"
    "Run `make deploy` again.\n"
    "If that doesn't help, go back to the release before: `make rollback`.",
)


def golden(host: Host) -> Case:
    """Judge the golden pictures with the runtime and the OpenCV of this computer."""
    ran = _with_settings(host, GOLDEN)
    if ran.code == 4:
        return MISSING.of(error=ran.last_line)
    if ran.code:
        raise CantTellError(f"the models can't be loaded ({_end(ran)})")
    answers = ran.answer
    wrong = "; ".join(text for is_right, text in answers if not is_right)
    return WRONG.of(wrong=wrong) if wrong else RIGHT.of(count=len(answers))


def _with_settings(host: Host, code: str) -> Ran:
    path, named = host.config_path, kiosks_settings(host, host.settings)
    return host.python(code, str(path.absolute()) if path else "", named.model.name, named.faces.yunet_path)


def _end(ran: Ran) -> str:
    return f"signal {-ran.code}" if ran.code < 0 else ran.last_line


CHECKS = (
    Check("settings", "A key that is misspelt, or a value out of range, keeps the kiosk from starting.", config,
          (VALID, DEFAULTS, *HINDRANCES, INVALID)),
    Check("models", "A model that is damaged, or was trained with another face finder, may judge at random: the kiosk "
          "refuses it.",
          models, (FIT, PRACTICE, *HINDRANCES, UNFIT, CRASHED)),
    Check("golden pictures", "Golden pictures are test pictures with a known answer. Another runtime, processor or "
          "OpenCV can judge differently without any error.", golden,
          (RIGHT, MISSING, WRONG)),
)
