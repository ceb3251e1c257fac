"""What the pages tell a reader to type is understood, the settings they show are read, and what they name is there."""

import argparse
import dataclasses
import functools
import importlib
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from places import TREE
from test_makefile import VERBS, make

from device.settings import read_settings

PAGES = sorted(
    path for folder in (".", "docs", "models", "tests/virtual_pi") for path in (TREE / folder).glob("*.md")
    if path.name != "virtual-pi.md"  # what a story's commands printed
)
MAKEFILE = (TREE / "Makefile").read_text()
# Of the system and of Ray: they aren't run here, and only the names of our units behind them are looked up.
SYSTEM = {".venv/bin/ray", "apt-get", "chmod", "chown", "cp", "echo", "export", "git", "grep", "install", "journalctl",
          "mosquitto_pub", "nano", "reboot", "scp", "systemctl", "true"}
ENDS = {"&&", "||", "|", ";", ">"}
CHECKED = re.compile(r"make( |$)|pytest |(\.venv/bin/)?python -m |(sudo )?(journalctl|systemctl) ")
SETTING = re.compile(r"\[\w+\]|\w+ ?= ?\S")
TOP = "deploy|device|docs|models|systemd|tests|trainer"
NAMED = re.compile(rf"(?:{TOP})/[\w./-]*(?:/|\.\w+)")
MADE = {"models/practice.tflite"}  # by who follows the page


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield each block of code: its language, empty where none is said, and its lines."""
    fenced = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    yield from fenced.findall(text)
    for block in re.findall(r"(?:^ {4}.*\n?)+", fenced.sub("", text), re.MULTILINE):
        yield "", re.sub(r"^ {4}", "", block, flags=re.MULTILINE)


def settings(text: str) -> Iterator[str]:
    """Yield the parts of a kiosk.toml."""
    for language, block in blocks(text):
        if language == "toml" or (not language and block.startswith("[") and "Service" not in block):
            yield block


def commands(text: str) -> Iterator[str]:
    """Yield each command, without its remark: lines of blocks, and what stands between backquotes in a line."""
    for language, block in blocks(text):
        for line in re.sub(r"\\\n\s*", "", block).splitlines() if language in {"", "sh"} else ():
            command = re.sub(r"(^|\s+)#.*", "", line).strip()
            if command and not SETTING.match(command):
                yield command
    spans = re.findall(r"`([^`]+)`", re.sub(r"^(```.*?^```$| {4}.*?$)", "", text, flags=re.MULTILINE | re.DOTALL))
    for span in spans:
        command = " ".join(span.replace("\\|", "|").split())
        if CHECKED.match(command):
            yield command


WITH_SETTINGS = [page for page in PAGES if list(settings(page.read_text()))]
FOUND = sorted({(str(page.relative_to(TREE)), command) for page in PAGES for command in commands(page.read_text())})


@functools.cache
def parser(module: str) -> argparse.ArgumentParser:
    """Return the command line of trainer, device or deploy."""
    made: Callable[[], argparse.ArgumentParser] = importlib.import_module(f"{module}.__main__").parser
    return made()


def understood(module: str, words: list[str]) -> None:
    """Fail unless a command line is taken; if it is only named, or shortened by an ellipsis, unless all is known."""
    commands = [action.choices for action in parser(module)._actions if isinstance(action.choices, dict)]
    if commands and (len(words) == 1 or "…" in words) and words[0] in commands[0]:
        known = commands[0][words[0]].format_help()
        assert [word for word in words if word.startswith("--") and word not in known] == []
    elif words == ["--help"]:
        assert parser(module).format_help()
    elif words:
        parser(module).parse_args(words)  # or it exits with its line


@pytest.mark.parametrize("module", ["deploy", "device", "trainer"])
def test_each_verb_says_what_it_does_with_examples_that_are_understood(module: str) -> None:
    [verbs] = [action.choices for action in parser(module)._actions if isinstance(action.choices, dict)]
    for made in (parser(module), *verbs.values()):
        assert made.description, made.prog
        assert max(map(len, f"{made.description}\n{made.epilog or ''}".splitlines())) <= 88, made.prog
        for example in re.findall(rf"^ .*python -m {module} (.*)", made.epilog or "", re.MULTILINE):
            understood(module, shlex.split(example))


def cut(words: list[str]) -> list[str]:
    """Return the words before the shell's next command."""
    return words[: next((place for place, word in enumerate(words) if word in ENDS), len(words))]


def check_make(words: list[str]) -> None:
    """Fail unless make knows verbs and variables, and what it would call takes its options."""
    verbs = [word for word in words if "=" not in word]
    assert set(verbs) <= VERBS | {".venv-tflite-runtime", ".venv/cluster"}
    recipes = "".join(recipe(verb) for verb in verbs)
    for word in words:
        name = word.partition("=")[0]
        assert "=" not in word or re.search(rf"\b{name}\b", recipes), f"{name} means nothing to {verbs}"
    dry = make("-n", *words)
    assert dry.returncode == 0, dry.stderr
    only_named = len(words) == len(verbs) and "error: " in recipes  # it would ask for its variables
    called = re.findall(r"-m (deploy|device|trainer) (.*)", dry.stdout.replace("\\\n", " "))
    for module, rest in () if only_named else called:
        understood(module, cut(shlex.split(rest)))


def recipe(verb: str) -> str:
    """Return what the Makefile says of a verb, and of the words that it uses."""
    [told] = re.findall(rf"^{re.escape(verb)}:.*\n(?:[\t#].*\n)*", MAKEFILE, re.MULTILINE)
    for word in ("on_hosts", "config", "key", "dry_run", "model", "train_finder"):
        if f"$({word})" in told:
            told += re.findall(rf"^{word} = .*\n|^define {word}\n[\s\S]*?^endef\n", MAKEFILE, re.MULTILINE)[0]
    return str(told)


def check(words: list[str]) -> None:
    """Fail unless a command is one that is known, and understood."""
    words = cut(words)
    match words:
        case ["make", *rest]:
            check_make(rest)
        case ["python" | ".venv/bin/python", "-m", "deploy" | "device" | "trainer" as module, *rest]:
            understood(module, rest)
        case ["python" | ".venv/bin/python", "-m", module, *_] if module.startswith("tests."):
            assert (TREE / f"{module.replace('.', '/')}.py").exists()
        case ["pytest", path, *_] | ["python" | ".venv/bin/python", "-m", "pytest", path, *_]:
            assert (TREE / path).exists()
        case ["sudo", *rest]:
            check(rest)
        case ["ssh", "-L", _, _] | ["ssh", _]:
            pass
        case ["ssh", "-t", _, *rest] | ["ssh", _, *rest]:
            check(rest)
        case [program, *rest]:
            assert program in SYSTEM
            units = [word if "." in word else f"{word}.service" for word in rest if word.startswith("mask-kiosk")]
            assert [unit for unit in units if not (TREE / "systemd" / unit).exists()] == []


@pytest.mark.parametrize(("page", "command"), FOUND)
def test_a_command_is_understood(page: str, command: str) -> None:
    words = shlex.split(command)
    while words:
        check(words)
        words = words[len(cut(words)) + 1 :]
        if words and command.count(">"):
            break  # a file that is written


def test_every_page_has_its_commands() -> None:
    assert {page for page, _ in FOUND} >= {"README.md", "CONTRIBUTING.md", "docs/deploy.md", "docs/network.md"}
    assert len(FOUND) >= 60


@pytest.mark.parametrize("page", WITH_SETTINGS, ids=lambda page: page.name)
def test_the_settings_are_read(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(settings(page.read_text())):
        path = tmp_path / f"{number}.toml"
        path.write_text(block)
        read = dataclasses.asdict(read_settings(path))
        for section, table in tomllib.loads(block).items():
            assert {key: as_lists(read[section][key]) for key in table} == table


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TREE)))
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    absent = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not link.startswith("https://") and not (target.exists() and (not heading or heading in anchors(target))):
            absent.append(link)
    spans = re.findall(r"`([^`\n]+)`", text)
    named = {span for span in spans if NAMED.fullmatch(span) and not re.search("[A-Z]{4}", span)} - MADE
    assert absent + sorted(path for path in named if not (TREE / path).exists()) == []


def as_lists(value: object) -> object:
    """Return what TOML has in the place of tuples."""
    return [as_lists(item) for item in value] if isinstance(value, tuple) else value


def anchors(page: Path) -> set[str]:
    """Return the names under which the headings of a page can be linked to."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
