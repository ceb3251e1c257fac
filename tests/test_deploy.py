import os
import platform
import re
import shutil
import socket
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

from device.settings import Settings, read_settings

TREE = Path(__file__).parent.parent
UNIT = TREE / "systemd" / "mask-kiosk.service"
EXPOSURE = 1.6  # 0-10 on systemd's scale


def outcome(*command: str | Path, path: Path | None = None) -> tuple[int, list[str]]:
    """Run a command; return its exit code and the lines of its stderr."""
    environment = os.environ | ({"PATH": f"{path}:{os.environ['PATH']}"} if path else {})
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=environment, timeout=60
    )
    return done.returncode, done.stderr.splitlines()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return what deploy.sh reads, with a model, in a folder whose name has a space."""
    copy = tmp_path / "a kiosk"
    shutil.copytree(TREE / "deploy", copy / "deploy")
    (copy / "models").mkdir()
    (copy / "models" / "simple.tflite").write_bytes(b"")
    return copy


@pytest.mark.parametrize("host", ["", "-oProxyCommand=true", "pi@kiosk.local:/opt", "pi kiosk", "pi@@kiosk"])
def test_refuses_a_host_that_is_none(tree: Path, host: str) -> None:
    assert outcome(tree / "deploy" / "deploy.sh", host) == (
        2, [f"deploy: host is '{host}', expected USER@NAME: run `make deploy HOST=pi@kiosk.local`"],
    )


@pytest.mark.skipif(not (shutil.which("ssh") and shutil.which("rsync")), reason="needs ssh and rsync")
def test_refuses_to_ship_a_practice_model_alone(tree: Path) -> None:
    (tree / "models" / "simple.tflite").rename(tree / "models" / "practice.tflite")
    (tree / "models" / "faces.tflite").write_bytes(b"")
    assert outcome(tree / "deploy" / "deploy.sh", "pi@kiosk.local") == (
        2, ["deploy: models/ has no .tflite made from photos, expected one for the kiosk: run `make train convert`"],
    )


@pytest.mark.skipif(not (shutil.which("ssh") and shutil.which("rsync")), reason="needs ssh and rsync")
def test_says_in_one_line_that_nobody_answers(tree: Path, tmp_path: Path) -> None:
    # A bound port that nobody listens on refuses every connection.
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        programs = tmp_path / "bin"
        programs.mkdir()
        ssh = programs / "ssh"
        ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F /dev/null -p {closed.getsockname()[1]} "$@"\n')
        ssh.chmod(stat.S_IRWXU)
        code, lines = outcome(tree / "deploy" / "deploy.sh", "pi@127.0.0.1", path=programs)
    assert code == 2
    assert [re.sub(r"port \d+", "port N", line) for line in lines] == [
        "deploy: pi@127.0.0.1 isn't reached (ssh: connect to host 127.0.0.1 port N: Connection refused), expected a "
        "login by key: check its name, power and network; with `ssh-copy-id pi@127.0.0.1` it takes your key"
    ]


@pytest.mark.skipif(platform.machine() == "aarch64", reason="this computer may well be a kiosk")
def test_a_computer_that_is_no_pi_is_told_so() -> None:
    code, lines = outcome("bash", TREE / "deploy" / "check.sh")
    name = platform.node()
    assert code == 2
    assert lines[0] == (
        f"{name}: is {platform.machine()}, expected aarch64: use a Pi 3 or later with the 64-bit Raspberry Pi OS"
    )
    assert [line for line in lines if not line.startswith(f"{name}: ") or "expected" not in line] == []


def test_the_shipped_settings_show_the_defaults(tmp_path: Path) -> None:
    shipped = TREE / "deploy" / "kiosk.toml"
    shown = tmp_path / "shown.toml"
    shown.write_text(re.sub(r"^# (\w+ = )", r"\1", shipped.read_text(), flags=re.MULTILINE))
    assert read_settings(shipped) == Settings()
    assert read_settings(shown) == Settings()
    assert {name: set(keys) for name, keys in tomllib.loads(shown.read_text()).items()} == {
        name: set(vars(section)) for name, section in vars(Settings()).items()
    }


@pytest.mark.parametrize("release", ["12", "13"])
def test_locks_hold_what_pyproject_and_the_release_ask_for(release: str) -> None:
    def names(lines: Iterable[str]) -> set[str]:
        return {match[0] for line in lines if (match := re.match(r"[a-z][a-z-]*", line))}

    lock = (TREE / "deploy" / f"debian-{release}.lock").read_text().splitlines()
    pins = {line.split()[0] for line in lock if "==" in line and not line.startswith("#")}
    wanted = (TREE / "deploy" / f"debian-{release}.in").read_text().splitlines()
    device = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]["optional-dependencies"]["device"]
    assert names(device) | names(wanted) <= names(pins)
    assert {line.split()[0] for line in wanted if "==" in line} <= pins
    assert names(pins) & {"tensorflow", "keras", "scikit-learn", "scipy", "matplotlib"} == set()


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="needs shellcheck")
def test_shell_scripts_are_clean() -> None:
    scripts = sorted((*TREE.glob("deploy/*.sh"), *TREE.glob("tests/arm64/*.sh")))
    assert len(scripts) == 4
    assert subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False).stdout == ""


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_the_unit_is_valid_and_hardened(tmp_path: Path) -> None:
    # The venv's Python stands on the Pi only; `verify` wants to see a program.
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/mask-kiosk/venv/bin/python", sys.executable))
    assert outcome("systemd-analyze", "verify", unit) == (0, [])
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", unit], capture_output=True, text=True, check=True
    )
    found = re.search(r"exposure level for \S+: ([\d.]+)", rated.stdout)
    assert found is not None
    assert float(found[1]) <= EXPOSURE
