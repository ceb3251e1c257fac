"""The verbs are there, say what they do, and work from a folder whose name has a space."""

import dataclasses
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from pi_box import script
from places import TREE

from device.cards import card_json
from device.finders import OwnFaceFinder
from device.model_card import read_card
from trainer.provenance import make_name, make_names

VERBS = {
    "help", ".venv", "train", "convert", "evaluate", "crossval", "compare", "faces", "compare-faces", "face-check",
    "run", "judge", "test", "lint", "bench", "faults", "soak", "fuzz", "mutate", "audit", "count-arm64", "deploy",
    "doctor", "rollback", "undeploy", "status", "logs", "test-trixie", "keys", "publish", "follow", "unfollow",
    "collect-key", "collect", "label", "accept", "film", "bundle", "test-pi", "newcomer", "lock", "clean",
}


def environment() -> dict[str, str]:
    """Return what a user's make would inherit: without the variables of a make that runs the tests."""
    own = {"DATA", "KNOWN_GROUPS", "SCENES", "CLIPS", "CROPS", "YUNET"}
    return {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS")) and k not in own}


def make(*arguments: str, tree: Path = TREE) -> subprocess.CompletedProcess[str]:
    """Run make as a user would."""
    return subprocess.run(
        ["make", *arguments], cwd=tree, env=environment(), capture_output=True, text=True, check=False
    )


@pytest.fixture
def spaced_tree(tmp_path: Path) -> Path:
    """A copy of the tree in a folder whose name has a space; the environment is this one's."""
    if not (TREE / ".venv" / "ready").exists():
        pytest.skip("needs the environment that make .venv makes")
    tree = tmp_path / "a kiosk"
    tree.mkdir()
    for name in ("device", "trainer", "models", "Makefile", "requirements.lock", "pyproject.toml"):
        source = TREE / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, tree / name)
    (tree / ".venv").symlink_to(TREE / ".venv")
    return tree


def test_make_alone_prints_every_verb_with_what_it_does() -> None:
    printed = make()

    lines = printed.stdout.splitlines()
    told = [match[1] for line in lines if (match := re.match(r"  (\S+) +\S", line))]
    assert printed.returncode == 0
    assert sorted(told) == sorted(VERBS)
    assert max(map(len, lines)) <= 110


def test_judge_works_with_spaces_in_every_path(spaced_tree: Path, toy: Path) -> None:
    pictures, models = spaced_tree / "my pictures", spaced_tree / "my models"
    pictures.mkdir()
    cv2.imwrite(str(pictures / "a b.png"), np.full((40, 40), 128, np.uint8))
    models.mkdir()
    card, content = read_card(toy)
    finder = OwnFaceFinder()
    card = dataclasses.replace(card, face_finder=finder.name, face_finder_sha256=finder.sha256)
    (models / toy.name).write_bytes(content)
    (models / toy.name).with_suffix(".json").write_text(card_json(card))

    judged = make("judge", f"PICTURES={pictures}", f"MODEL={models / toy.name}", tree=spaced_tree)

    assert judged.stdout == "a b.png: no face\n"
    assert judged.returncode == 0


def test_a_refusal_stops_make_with_its_line(spaced_tree: Path) -> None:
    refused = make("train", "convert", "DATA=no such folder", tree=spaced_tree)

    assert refused.returncode == 2
    assert f"error: {spaced_tree / 'no such folder'}: no such folder" in refused.stderr.splitlines()[0]
    assert not (spaced_tree / "runs").exists()


def test_a_home_that_the_shell_left_to_make_is_found(spaced_tree: Path, tmp_path: Path) -> None:
    # As zsh does it: `make DATA=~/photos` says ~.
    for verb, word in {"train": "DATA", "evaluate": "DATA", "crossval": "DATA", "label": "PICTURES"}.items():
        done = make(verb, f"{word}=~/gone", f"HOME={tmp_path}", tree=spaced_tree)
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: {tmp_path}/gone: no such folder")
    assert make("convert", "RUNS=~/runs", f"HOME={tmp_path}", tree=spaced_tree).stderr.splitlines()[0] == (
        f"error: {tmp_path}/runs: holds no trained network, expected one: run `make train`"
    )


def test_crossval_without_photos_says_so(spaced_tree: Path) -> None:
    refused = make("crossval", tree=spaced_tree)

    assert refused.returncode == 2
    assert refused.stderr.splitlines()[0].startswith("error: DATA is missing, expected a folder: make crossval DATA=")


def test_what_is_trained_only_to_be_compared_stays_out_of_what_is_deployed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATA", raising=False)
    for name in ("my models/door.json", "requirements.lock", ".venv/ready"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    shutil.copyfile(TREE / "Makefile", tmp_path / "Makefile")
    script(  # says how it was called, and leaves the cards of a conversion
        tmp_path / "python",
        '#!/bin/bash\necho "${@:3}"\n'
        '[ $3 != convert ] || { mkdir -p "$7"; touch "$7"/{door,simple,resnet,vgg19}.json; }\n',
    )
    asked = "compare", "ON=scenes", "MODELS=my models", "venv=./python"
    plain, first, other, again = (
        make(*asked, *more, tree=tmp_path).stdout.splitlines() for more in ([], ["DATA=photos"], ["EPOCHS=9"], [])
    )
    others = " ".join(f"runs/compared/{name}.tflite" for name in ("simple", "resnet", "vgg19"))
    convert, ours = "convert --runs runs/compared --models runs/compared", "compare --data scenes --runs runs --model"
    assert "--model simple resnet vgg19 " in plain[0]
    assert plain[0].split("--runs")[1].split()[0] == "runs/compared"  # or a later `convert` would ship all of them
    assert plain[1:] == [convert, f"{ours} my models/door.tflite {others}"]
    assert "--data photos --model door simple resnet vgg19 " in first[0]  # the shipped door knows other photos
    assert first[1:] == [convert, f"{ours} runs/compared/door.tflite {others}"]
    assert ("--epochs 9 " in other[0], other[1:]) == (True, first[1:])  # the former ones had other epochs
    assert again == plain[2:]
    for word in ("APART=apart", "SPLIT=grouped", "THREADS=1", "FINDER=haar", "MISS_COST=3"):
        assert make(*asked, word, tree=tmp_path).stdout.splitlines()[-1] == first[-1]
    words = "FINDER=yunet", "YUNET=a yunet.onnx"
    cut = make(*asked, *words, tree=tmp_path).stdout.splitlines()
    assert "--finder yunet --yunet a yunet.onnx" in cut[0]
    assert cut[-1] == first[-1].replace(" --model", " --yunet a yunet.onnx --model")
    flattered = make(*asked, "SPLIT=random", tree=tmp_path).stdout.splitlines()[-1]
    assert flattered == first[-1].replace(".tflite", "-random.tflite")


def test_names_come_through_the_shells_and_make_as_they_are(tmp_path: Path) -> None:
    for name in ("requirements.lock", ".venv/ready"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    shutil.copyfile(TREE / "Makefile", tmp_path / "Makefile")
    script(tmp_path / "python", "#!/bin/bash\nprintf '%s\\n' \"${@:3}\"\n")
    odd = ["Anna's photos", "price$photos", 'so "called"', "a`b`", "back\\slash", "a#b", "$(c)"]
    for name in odd:
        asked = f"train venv=./python DATA={make_name(name)} EXTRA={make_names([name, 'more'])}"
        done = make(*shlex.split(asked), tree=tmp_path)
        assert done.stdout.splitlines()[:6] == ["train", "--data", name, "--extra", name, "more"]
    asked = f"faces venv=./python SCENES={make_names(odd)} BACKGROUNDS={make_names(odd)}"
    done = make(*shlex.split(asked), tree=tmp_path)
    assert done.stdout.splitlines()[: 2 * len(odd) + 3] == ["faces", "--scenes", *odd, "--backgrounds", *odd]


@pytest.mark.parametrize(("word", "line"), [("SIZE=25", "--size: 25 is not"), ("SEED=-1", "--seed: -1 is not")])
def test_crossval_is_told_size_and_seed(spaced_tree: Path, word: str, line: str) -> None:
    refused = make("crossval", "DATA=photos", word, tree=spaced_tree)

    assert refused.returncode == 2
    assert refused.stderr.startswith(f"error: argument {line}")


@pytest.fixture
def bare_tree(tmp_path: Path) -> Path:
    """A tree without an environment, and a stand-in for uv, which two files may have wait."""
    (tmp_path / "tree").mkdir()
    for name in ("Makefile", "requirements.lock"):
        shutil.copyfile(TREE / name, tmp_path / "tree" / name)
    (tmp_path / "bin").mkdir()
    script(
        tmp_path / "bin/uv",
        f"#!/bin/bash\necho $1 >> '{tmp_path}/asked'\n[ $1 = venv ] || exit 0\n"
        'mkdir -p "${@: -1}/bin"; cd "${@: -1}/bin"\n'
        'printf "#!/bin/sh\\necho ran" > python; chmod +x python\n'
        f"cd '{tmp_path}'; echo > began; read < on\n",
    )
    (tmp_path / "on").write_text("\n")
    return tmp_path / "tree"


def makes_judge(tree: Path, programs: str = "") -> "subprocess.Popen[str]":
    """Start a verb that needs the environment, as a group of processes."""
    path = f"PATH={programs or str(tree.parent / 'bin') + ':' + os.environ['PATH']}"
    return subprocess.Popen(
        ["make", "judge", "PICTURES=x", path], cwd=tree, env=environment(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )


def ends(started: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = started.communicate()
    return started.returncode, out, err


@pytest.fixture(params=["flock", "perl"])
def locker(request: pytest.FixtureRequest, bare_tree: Path) -> str:
    """What holds the lock: flock on Linux; macOS has none."""
    if request.param == "flock" and not shutil.which("flock"):
        pytest.skip("needs flock")
    programs = "chmod", "cut", "grep", "lsof", "make", "mkdir", "rm", "sort", "touch", "xargs"
    for program in (*programs, request.param):
        if found := shutil.which(program):
            (bare_tree.parent / "bin" / program).symlink_to(found)
    return str(bare_tree.parent / "bin")


@pytest.fixture
def held_up(bare_tree: Path) -> Path:
    """The tree of which the environment takes as long as a test likes: it reads `began`, and writes into `on`."""
    (bare_tree.parent / "on").unlink()
    for name in ("began", "on"):
        os.mkfifo(bare_tree.parent / name)
    return bare_tree


def test_a_second_make_waits_for_the_environment_that_the_first_one_makes(held_up: Path, locker: str) -> None:
    first = makes_judge(held_up, locker)
    (held_up.parent / "began").read_text()
    others = [makes_judge(held_up, locker) for _ in range(3)]
    for other in others:
        assert other.stdout is not None
        assert other.stdout.readline() == "another make is at work on .venv: waiting for it\n"
    (held_up.parent / "on").write_text("\n")

    assert ends(first) == (0, "making .venv from requirements.lock, a few minutes\nran\n", "")
    assert [ends(other) for other in others] == [(0, "ran\n", "")] * 3
    assert (held_up.parent / "asked").read_text().split() == ["venv", "pip"]


def test_an_environment_that_a_killed_make_left_half_is_made_anew_by_one(held_up: Path) -> None:
    killed = makes_judge(held_up)
    (held_up.parent / "began").read_text()
    os.killpg(killed.pid, signal.SIGKILL)
    ends(killed)
    anew = [makes_judge(held_up) for _ in range(4)]
    (held_up.parent / "began").read_text()
    (held_up.parent / "on").write_text("\n")

    outs = [out for code, out, err in map(ends, anew) if (code, err) == (0, "")]
    assert [out.count("ran\n") for out in outs] == [1] * 4
    assert sum(out.count("making .venv from") for out in outs) == 1
    assert (held_up.parent / "asked").read_text().split() == ["venv", "venv", "pip"]


def test_clean_leaves_nothing_of_an_environment_but_the_lock_that_another_make_may_hold(bare_tree: Path) -> None:
    assert ends(makes_judge(bare_tree))[0] == 0
    lock = (bare_tree / ".venv.busy").stat().st_ino
    assert make("clean", tree=bare_tree).returncode == 0
    assert sorted(path.name for path in bare_tree.iterdir()) == [".venv.busy", "Makefile", "requirements.lock"]
    assert (bare_tree / ".venv.busy").stat().st_ino == lock


def test_an_environment_that_something_runs_from_is_not_replaced(bare_tree: Path) -> None:
    library = bare_tree / ".venv" / "numpy.so"
    library.parent.mkdir()
    library.write_bytes(bytes(4096))
    code = (
        "import mmap, sys\nwith open(sys.argv[1], 'r+b') as file:\n    held = mmap.mmap(file.fileno(), 0)\n"
        "print(flush=True)\ninput()"
    )
    words = [sys.executable, "-c", code, str(library)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as training:
        assert training.stdout is not None
        training.stdout.readline()
        ended, out, err = ends(makes_judge(bare_tree))
        assert (ended, out) == (2, "")
        assert err.splitlines()[0] == (
            "error: .venv has to be made anew from requirements.lock, but programs run from it, processes "
            f"{training.pid}: wait for them, or stop them (a training goes on later), and call make again"
        )
        assert library.exists()
        training.communicate(b"\n")
    assert ends(makes_judge(bare_tree))[0] == 0
    assert not library.exists()


def test_where_there_is_no_fuzzer_it_is_said_in_one_line(tmp_path: Path) -> None:
    for name in ("Makefile", "requirements.lock", "tests/fuzz.lock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(TREE / name, tmp_path / name)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "ready").touch()
    script(tmp_path / "uname", "#!/bin/sh\necho Linux aarch64\n")
    refused = make("fuzz", f"PATH={tmp_path}:{os.environ['PATH']}", tree=tmp_path)

    assert refused.returncode == 2
    assert refused.stderr.splitlines()[0] == (
        "error: this is Linux aarch64, expected Linux x86_64, the only one that atheris is built for: without it, "
        "TRIES=10000 .venv/bin/python -m pytest tests/test_fuzz.py"
    )


@pytest.mark.parametrize(
    "verb",
    ["rollback", "undeploy", "status", "logs", "follow", "unfollow", "collect", "bundle", "keys", "publish"],
)
def test_a_verb_that_knows_no_dry_run_refuses_it_and_does_nothing(tmp_path: Path, verb: str) -> None:
    called = tmp_path / "called"
    for program in ("ssh", "ssh-keygen"):
        script(tmp_path / program, f'#!/bin/sh\ntouch "{called}"\n')
    words = "HOST=pi@kiosk.local", f"KEY={tmp_path}/key", f"TO={tmp_path}/to", "FROM=https://example.org/"
    done = make(verb, *words, "DRY_RUN=1", f"PATH={tmp_path}:{os.environ['PATH']}")

    assert done.returncode == 2
    told = rf"only deploy takes DRY_RUN, not {verb}: leave it out"
    assert re.fullmatch(rf"Makefile:\d+: \*\*\* {told}\.  Stop\.\n", done.stderr)
    assert not called.exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("train convert data=photos", "no verb knows the name data, expected one of APART .* DATA .* YUNET"),
        ("train convert Dat=photos", "no verb knows the name Dat, expected one of APART .* DATA .* YUNET"),
        ("deploy HOST=pi@k DRYRUN=1", "no verb knows the name DRYRUN, expected one of .* DRY_RUN .*"),
        ("deploy HOST=pi@k dry-run=1", "no verb knows the name dry-run, expected one of .* DRY_RUN .*"),
        ("run camera=clip.mp4", "no verb knows the name camera, expected one of .* CAMERA .*"),
        ("deploy HOST=pi@k CONFIG=my.toml", "deploy takes no CONFIG, each Pi has its own .*: leave it out, .*"),
        ("bundle DEBIAN=trixie", "DEBIAN is trixie, expected 12 for Bookworm or 13 for Trixie"),
        ("train convert DRY_RUN=1", "only deploy takes DRY_RUN, not train convert: leave it out"),
    ],
)
def test_a_name_that_would_do_nothing_is_refused_before_anything_runs(bare_tree: Path, words: str, told: str) -> None:
    done = make(*words.split(), f"PATH={bare_tree.parent / 'bin'}:{os.environ['PATH']}", tree=bare_tree)

    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"Makefile:\d+: \*\*\* {told}\.  Stop\.\n", done.stderr)
    assert not (bare_tree / ".venv").exists()


def test_an_empty_data_is_not_taken_for_the_notebooks_photos(spaced_tree: Path) -> None:
    done = make("train", "convert", "DATA=", tree=spaced_tree)

    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        "error: DATA is empty, expected a folder: leave it out for the notebook's photos"
    )
    assert not (spaced_tree / "runs").exists()


@pytest.mark.parametrize("value", ["0", "1", ""])
def test_a_switch_is_off_by_0(value: str) -> None:
    for words in (("evaluate", "DATA=x", "CROPPED", "SLICES"), ("deploy", "HOST=x", "DRY_RUN", "ONLINE"),
                  ("doctor", "HOST=x", "JSON")):  # fmt: skip
        for switch in words[2:]:
            said = make("--dry-run", *words[:2], f"{switch}={value}").stdout
            assert (f"--{switch.lower().replace('_', '-')}" in said) == (value == "1"), said


FACTS = {"released": True, "current": {"version": "0.1.0-a"}}


@pytest.mark.parametrize(("ended", "code"), [(0, 0), (1, 2), (2, 2), (255, 2)])
def test_the_doctor_of_the_installed_release_is_called(tmp_path: Path, ended: int, code: int) -> None:
    called = tmp_path / "called"
    findings = '{"worst": "ok", "findings": []}'
    script(
        tmp_path / "ssh",
        f"#!/bin/sh\ncase $* in *doctor*) echo \"$@\" >'{called}'; echo '{findings}'; exit {ended};; esac\n"
        f"echo '{json.dumps(FACTS)}'\n",
    )
    done = make("doctor", "HOST=pi@kiosk.local", "JSON=1", f"PATH={tmp_path}:{os.environ['PATH']}")

    assert done.returncode == code
    assert called.read_text().endswith(
        " pi@kiosk.local cd /opt/mask-kiosk/current && sudo -n venv/bin/python -B -m device doctor --json\n"
    )
    if ended != 255:
        assert json.loads(done.stdout) == {"host": "pi@kiosk.local", "worst": "ok", "findings": []}
