import ctypes
import errno
import fcntl
import io
import json
import os
import platform
import pwd
import re
import resource
import shutil
import socket
import stat
import subprocess
import sys
import tarfile
import time
import tomllib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace

import pytest
from pi_box import possible, script
from toy_release import NUMPY, TREE, behave, index_of, make_tree

from deploy import wheels
from deploy.__main__ import main
from deploy.checks import Facts, refusals, shortages
from deploy.errors import DeployError, UnkeptError, UnreachedError
from deploy.hosts import hosts
from deploy.lock import RUNTIMES, chosen, pins_of, read_lock, wheels_of
from deploy.pi.__main__ import _prove as prove
from deploy.pi.__main__ import undeploy
from deploy.pi.build import _add_venv as add_venv
from deploy.pi.build import _run as run
from deploy.pi.build import _take_over as take_over
from deploy.pi.build import build, is_intact
from deploy.pi.faces import RULE
from deploy.pi.facts import facts, settings
from deploy.pi.files import advance, exchange, remove_home, write
from deploy.pi.hold import held, lines_for_config_txt
from deploy.pi.page import silence
from deploy.release import as_json, plan, shipped
from deploy.remote import Remote
from deploy.steps import facts_of, install
from device.settings import Settings, SignalSettings, read_settings
from trainer.__main__ import main as train

# 0-10 on systemd's scale; the agent installs, for which it has to be root.
EXPOSURES = {"mask-kiosk.service": 1.6, "mask-kiosk-pull.service": 2.5}


def outcome(*command: str | Path, path: Path | None = None, cwd: Path | None = None) -> tuple[int, list[str]]:
    """Run a command; return its exit code and the lines of its stderr."""
    environment = os.environ | ({"PATH": f"{path}:{os.environ['PATH']}"} if path else {})
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=environment,
        timeout=60,
        cwd=cwd,
    )
    return done.returncode, done.stderr.splitlines()


def deploy(*words: str | Path, path: Path | None = None) -> tuple[int, list[str]]:
    return outcome(sys.executable, "-m", "deploy", *words, path=path, cwd=TREE)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["foo", "pi@kiosk"], "error: argument COMMAND: invalid choice: 'foo' (choose from "),
        (["deploy", "--nope"], "error: unrecognized arguments: --nope: see python -m deploy --help"),
        (["publish", "--days", "x"], "error: argument --days: invalid float value: 'x': see python -m deploy publish "),
        (["keys", "--key", "/dev/null/key"], "error: /dev/null: can't be used (File exists): give another path"),
        (["publish", "--to", "~nobody-here/x", "--key", "~nobody-here/k"], "error: ~nobody-here/k.pub: no public key"),
        (["rollback", "pi@kiosk", "--online"], "error: unrecognized arguments: --online: see python -m deploy --help"),
    ],
)
def test_a_wrong_command_line_is_refused_in_one_line(words: list[str], line: str) -> None:
    code, lines = deploy(*words)
    assert (code, len(lines), lines[0][: len(line)]) == (2, 1, line)



needs_ssh = pytest.mark.skipif(not shutil.which("ssh"), reason="needs ssh")


@needs_ssh
@pytest.mark.parametrize("host", ["", "=oProxyCommand=true", "pi@kiosk.local:2222", "pi kiosk", "pi@@kiosk"])
def test_refuses_a_host_that_is_none(host: str) -> None:
    assert deploy("deploy", host) == (
        2, [f"error: host is '{host}', expected USER@NAME, or a name from ~/.ssh/config, which can also set another "
            "port: set HOST=pi@kiosk.local"],
    )  # fmt: skip


def test_refuses_an_option_in_a_hosts_place() -> None:
    assert deploy("deploy", "--", "-oProxyCommand=true")[0] == 2


def test_hosts_are_named_or_stand_in_files_each_once(tmp_path: Path) -> None:
    file = tmp_path / "doors"
    file.write_text("# the doors\npi@a\n\npi@b  # upstairs\npi@c\n")
    assert hosts(["pi@c", str(file), "pi@d"]) == ["pi@c", "pi@a", "pi@b", "pi@d"]


@pytest.mark.parametrize("named", ["doors.txt", "lists/doors", "~/doors.txt", "~nobody-here/doors.txt", "./doors"])
def test_a_file_of_hosts_that_is_missing_is_not_taken_for_a_host(named: str) -> None:
    assert deploy("status", "pi@kiosk.local", named) == (
        2, [f"error: {named}: no such file, expected one with a host a line, or USER@NAME: correct HOST="],
    )  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_file_of_hosts_may_begin_with_a_mark_of_utf_8(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "doors.txt").write_text("pi@a  # Tür\r\npi@b\r\n", encoding=encoding)
    assert hosts([str(tmp_path / "doors.txt")]) == ["pi@a", "pi@b"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_a_file_of_hosts_in_another_encoding_is_refused_in_one_line(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "doors.txt"
    file.write_text("pi@a\n# T\u00fcr\n" if encoding == "latin-1" else "pi@a\npi@b\n", encoding=encoding)
    code, lines = deploy("status", file)
    assert (code, len(lines)) == (2, 1), lines
    assert re.fullmatch(
        rf"error: {file}: isn't UTF-8 \(.+\), expected a host a line: save it as UTF-8", lines[0]
    ), lines[0]


def test_what_is_shipped_is_what_a_kiosk_reads(tmp_path: Path) -> None:
    tmp_path /= ".work"  # where the tree lies doesn't matter
    for name in ("door.tflite", "door.json", "faces.tflite", "faces.keras", "faces-check.keras", "practice.tflite",
                 "practice.json", "README.md", "golden/door/a.png", "golden/practice/a.png"):  # fmt: skip
        path = tmp_path / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "device" / "__pycache__").mkdir(parents=True)
    (tmp_path / "device" / "kiosk.py").touch()
    (tmp_path / "device" / "__pycache__" / "kiosk.pyc").touch()
    for name in (".DS_Store", ".kiosk.py.swp", ".ruff_cache/0.1/kiosk"):
        (tmp_path / "device" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "device" / name).touch()
    assert [path.as_posix() for path in shipped(tmp_path)] == [
        "device/kiosk.py", "models/door.json", "models/door.tflite", "models/faces.tflite", "models/golden/door/a.png",
    ]  # fmt: skip
    (tmp_path / "models" / "door.tflite").unlink()
    assert (tmp_path / "models" / "golden" / "door" / "a.png").exists()  # which is no model either
    with pytest.raises(DeployError, match=r"models/ has no .tflite made from photos"):
        shipped(tmp_path)
    own = Path("models/own/door.tflite")  # which kiosk.toml may name by its path
    (tmp_path / own).parent.mkdir()
    (tmp_path / own).touch()
    assert own in shipped(tmp_path)


def test_a_version_names_its_content_and_nothing_else(tmp_path: Path) -> None:
    tree = make_tree(tmp_path)
    first = plan(tree, "12", "ai-edge-litert")
    os.utime(tree / "device" / "__main__.py", (0, 0))
    assert plan(tree, "12", "ai-edge-litert") == first
    assert plan(tree, "12", "tflite-runtime").version != first.version
    behave(tree, "otherwise")
    assert plan(tree, "12", "ai-edge-litert").version != first.version
    assert plan(tree, "12", "ai-edge-litert").lock == first.lock


@needs_ssh
def test_a_model_that_is_a_link_travels_as_the_file_that_it_leads_to(tmp_path: Path) -> None:
    tree = make_tree(tmp_path)
    model = tree / "models" / "door.tflite"
    model.rename(tmp_path / "door.tflite")
    model.symlink_to("../../door.tflite")
    (tmp_path / "bin").mkdir()
    script(tmp_path / "bin/ssh", f"#!/bin/sh\ncat >'{tmp_path}/sent.tar'\n")
    environment = os.environ | index_of(tree) | {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    send = (
        "from pathlib import Path; from deploy.remote import Remote; name = 'models/door.tflite'; "
        "Remote('pi@kiosk').follow('', print, [(Path(name), name)])"
    )
    for words in (["-c", send], ["-m", "deploy", "bundle", "--debian", "12"]):
        done = subprocess.run(
            [sys.executable, *words], cwd=tree, env=environment | {"XDG_CACHE_HOME": str(tmp_path / "cache")},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    for archive in (tmp_path / "sent.tar", tree / "dist/mask-kiosk-debian-12.tar"):
        with tarfile.open(archive) as packed:
            (member,) = (each for each in packed if each.name.endswith("models/door.tflite"))
            assert (member.isreg(), member.size) == (True, len(b"a model"))


def test_trixie_has_one_runtime_only() -> None:
    with pytest.raises(
        DeployError, match=r"runtime is tflite-runtime, expected ai-edge-litert on Debian 13: set RUNTIME="
    ):
        plan(TREE, "13", "tflite-runtime")


@pytest.mark.parametrize(
    ("debian", "runtime"), [("12", "ai-edge-litert"), ("12", "tflite-runtime"), ("13", "ai-edge-litert")]
)
def test_a_venv_holds_one_runtime_and_never_numpy(debian: str, runtime: str) -> None:
    pins = read_lock((TREE / "deploy" / f"debian-{debian}.lock").read_text())
    names = {pin.name for pin in wheels_of(pins, runtime)}
    assert runtime in names
    assert names & {"numpy", *RUNTIMES} == {runtime}
    assert all(pin.hashes for pin in pins)


def test_a_damaged_wheel_in_the_cache_is_fetched_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = make_tree(tmp_path)
    for name, value in (index_of(tree) | {"XDG_CACHE_HOME": str(tmp_path / "cache")}).items():
        monkeypatch.setenv(name, value)
    pins = wheels_of(pins_of(tree, "12"), RUNTIMES[0])
    first, whole, other = wheels.fetch(pins, "12")
    inodes = [path.stat().st_ino for path in (first, whole)]
    other.write_bytes(other.read_bytes()[:9])  # as a power cut leaves it
    damaged = whole.with_name(whole.name.replace("-py3-", "-py2.py3-"))  # comes before the whole one
    damaged.touch()
    found = wheels.fetch(pins, "12")
    assert [path.read_bytes() for path in found] == [(tmp_path / "index" / path.name).read_bytes() for path in found]
    assert (found, [path.stat().st_ino for path in (first, whole)]) == ([first, whole, other], inodes)
    assert not damaged.exists()


@pytest.mark.parametrize("language", ["en", "de"])  # which says something else only where its catalog is installed
def test_a_full_disk_is_not_taken_for_a_missing_network(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = make_tree(tmp_path)
    for name, value in (index_of(tree) | {"LC_ALL": "C.UTF-8", "LANGUAGE": language}).items():
        monkeypatch.setenv(name, value)
    (pin,) = (pin for pin in pins_of(tree, "12") if pin.name == "gpiozero")
    script(tmp_path / "python", f'#!/bin/sh\nulimit -f 1\nexec "{sys.executable}" "$@"\n')  # a block of 512 bytes
    (tmp_path / "wheels").mkdir()
    with pytest.raises(OSError, match=r"^\[Errno 27\] File too large$"):
        wheels.download(str(tmp_path / "python"), [pin], tmp_path / "wheels")


def test_a_pip_that_is_killed_is_not_taken_for_a_missing_network(tmp_path: Path) -> None:
    script(tmp_path / "python", "#!/bin/sh\nkill -9 $$\n")
    (tmp_path / "wheels").mkdir()
    with pytest.raises(UnkeptError, match=r"^pip was killed \(signal 9\): look with `sudo dmesg` whether memory is "):
        wheels.download(str(tmp_path / "python"), [], tmp_path / "wheels")


def test_a_wheel_that_did_not_come_is_named(tmp_path: Path) -> None:
    pins = read_lock(f"gpiozero==2.0.1 \\\n    --hash=sha256:{'0' * 64}\n")
    with pytest.raises(DeployError, match=r"has no wheel of gpiozero 2\.0\.1, expected it from the package index"):
        chosen(tmp_path, pins)


FACTS: Facts = {
    "user": "pi", "architecture": "arm64", "system": "debian 12", "systemd": True, "sudo": True, "groups_missing": [],
    "free_mb": 9000, "time": 0.0, "packages_missing": [], "pip": True, "numpy": "1.24.2", "settings_wrong": "",
    "usb_missing": "", "wheels": {},
}  # fmt: skip


def test_a_wrong_clock_matters_only_to_what_needs_the_network() -> None:
    assert shortages(FACTS, venv=True, pins=[], online=False) == []
    assert shortages(FACTS | {"pip": False}, venv=False, pins=[], online=True) == []
    wrong = [
        "its clock says 1970-01-01 00:00 UTC, expected today: connect it to a network, or set it with `sudo date -s`"
    ]
    assert shortages(FACTS, venv=True, pins=[], online=True) == wrong
    assert shortages(FACTS | {"packages_missing": ["python3-lgpio"]}, venv=False, pins=[], online=False) == wrong


def test_wheels_that_came_before_take_no_room_from_the_release_they_are_for() -> None:
    pins, there = read_lock(f"gpiozero==2.0.1 \\\n    --hash=sha256:{'0' * 64}\n"), "gpiozero-2.0.1-py3-none-any.whl"
    narrow = FACTS | {"free_mb": 880, "wheels": {there: 19_500_000}}
    assert shortages(narrow, venv=True, pins=pins, online=False) == []
    no_room = ["has 880 MB free under /opt/mask-kiosk, expected 900: remove something, or use a larger card or disk"]
    assert shortages(narrow, venv=True, pins=[], online=False) == no_room


def test_what_keeps_a_host_from_being_a_kiosk_has_a_line_each() -> None:
    assert refusals(FACTS) == []
    nothing = {"systemd": False, "sudo": False, "groups_missing": ["gpio"], "settings_wrong": "kiosk.toml: line 3"}
    lines = refusals(FACTS | {"architecture": "armhf", "system": "debian 11"} | nothing)
    assert len(lines) == 6
    assert [line for line in lines if "expected" not in line] == []


@needs_ssh
@pytest.mark.parametrize("lists", ["held", "missing"])
def test_apt_waits_for_another_one_that_updates_its_lists_and_says_nothing_of_it(
    lists: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "lists" / "lock"
    monkeypatch.setattr("deploy.checks.LISTS_LOCK", str(lock))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    script(tmp_path / "ssh", '#!/bin/sh\nfor command; do :; done\nexec sh -c "$command"\n')
    script(tmp_path / "sudo", '#!/bin/sh\nshift\nexec "$@"\n')
    script(tmp_path / "timeout", '#!/bin/sh\necho waits\nexec /usr/bin/timeout "$@"\n')
    takes = f"import fcntl; fcntl.lockf(open('{lock}', 'a'), fcntl.LOCK_EX | fcntl.LOCK_NB)"  # as apt does: at once
    takes = f'"{sys.executable}" -c "{takes}"' if lists == "held" else "true"
    script(tmp_path / "apt-get", f"#!/bin/sh\n{takes} && echo $2\n")
    lines: SimpleQueue[str] = SimpleQueue()
    with ThreadPoolExecutor() as pool, ExitStack() as holding:
        if lists == "held":
            lock.parent.mkdir()
            fcntl.lockf(holding.enter_context(lock.open("a")), fcntl.LOCK_EX)
        installing = pool.submit(install, Remote("pi@kiosk"), ["python3-lgpio"], lines.put)
        assert lines.get() == "apt: waits"
        holding.close()
        installing.result()
    assert [lines.get() for _ in range(lines.qsize())] == ["apt: update", "apt: install"]


@needs_ssh
def test_a_dry_run_shows_what_apt_would_be_told(tmp_path: Path) -> None:
    found = FACTS | {"time": time.time(), "packages_missing": ["python3-lgpio"], "current": {}, "unit": {}}
    script(tmp_path / "ssh", f"#!/bin/sh\ncat >/dev/null\necho '{json.dumps(found)}'\n")
    assert printed(tmp_path, "deploy", "--dry-run", "pi@kiosk")[1] == (
        "pi@kiosk: apt, there: sudo -n apt-get -q update && sudo -n env DEBIAN_FRONTEND=noninteractive "
        "apt-get -q install -y --no-install-recommends -o DPkg::Lock::Timeout=60 python3-lgpio"
    )


def test_the_lines_of_config_txt_hold_each_output_off() -> None:
    assert held(SignalSettings(relay_pin=16)) == ["gpio=17,27,22,16=op,dl"]
    assert held(SignalSettings(lamps_active_high=False, camera_pin=25)) == ["gpio=22=op,dl", "gpio=17,27,25=op,dh"]
    assert held(SignalSettings(red_pin=0, green_pin=0, buzzer_pin=0)) == []


@pytest.mark.parametrize("text", ["# T\u00fcr\ngpio=17,27,22=op,dl\n", "# T\u00fcr\n", None])
def test_lines_are_offered_whatever_config_txt_holds(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.pi.hold.CONFIG", tmp_path / "kiosk.toml")
    monkeypatch.setattr("deploy.pi.hold.BOOT", tmp_path / "config.txt")
    (tmp_path / "kiosk.toml").write_text("")
    if text is None:  # nothing that can be read
        (tmp_path / "config.txt").mkdir()
    else:
        (tmp_path / "config.txt").write_bytes(text.encode("latin-1"))
    assert lines_for_config_txt()[1:] == (["  gpio=17,27,22=op,dl"] if text == "# T\u00fcr\n" else [])


def test_only_a_page_at_an_address_of_this_computer_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.pi.page.CONFIG", tmp_path / "kiosk.toml")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        said = {}
        for host in ("192.0.2.7", "2001:db8::7", "127.0.0.1"):
            (tmp_path / "kiosk.toml").write_text(f'[screen]\nhost = "{host}"\nport = {port}\n')
            said[host] = silence()
    here = f"its page at http://127.0.0.1:{port}/ doesn't answer: <urlopen error [Errno 111] Connection refused>"
    assert said == {"192.0.2.7": "", "2001:db8::7": "", "127.0.0.1": here}


def test_a_screen_is_started_again_as_often_as_it_takes() -> None:
    unit = (TREE / "systemd" / "mask-kiosk-screen.service").read_text().splitlines()
    assert {"StartLimitIntervalSec=0", "Restart=always"} <= set(unit)


@needs_ssh
@pytest.mark.parametrize("verb", ["deploy", "doctor", "status", "logs", "rollback"])
def test_says_in_one_line_that_nobody_answers(tmp_path: Path, verb: str) -> None:
    # A bound port that nobody listens on refuses every connection.
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        programs = tmp_path / "bin"
        programs.mkdir()
        port = closed.getsockname()[1]
        script(programs / "ssh", f'#!/bin/sh\nexec {shutil.which("ssh")} -F /dev/null -p {port} "$@"\n')
        code, lines = deploy(verb, "pi@127.0.0.1", path=programs)
    assert code == 3
    assert [re.sub(r"port \d+", "port N", line) for line in lines] == [
        "pi@127.0.0.1  error  isn't reached (ssh: connect to host 127.0.0.1 port N: Connection refused), expected a "
        "login by key: check its name, power and network"
    ]


def printed(programs: Path, *words: str) -> list[str]:
    """Run the workstation's side with programs that come before the computer's; return the lines of its stdout."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy", *words], cwd=TREE, capture_output=True, text=True, check=False,
        env=os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"},
    )  # fmt: skip
    return done.stdout.splitlines()


@needs_ssh
def test_lines_of_many_hosts_stay_whole_and_leave_the_terminal_alone(tmp_path: Path) -> None:
    facts = {"released": True, "unit": {"ActiveState": "active", "StatusText": "IDLE"}, "current": {}}
    findings = json.dumps({"worst": "ok", "findings": ["x" * 5000]})
    red = "printf '\\033[31mred\\tface\\n'"
    script(tmp_path / "ssh", f"""#!/bin/sh
case $* in
*--json*) echo '{findings}' ;;
*journalctl*) {red} ;;
*) cat >/dev/null; echo '{json.dumps(facts)}' ;;
esac
""")
    names = [f"pi@door{number}" for number in range(40)]
    assert {json.loads(line)["host"] for line in printed(tmp_path, "doctor", "--json", *names)} == set(names)
    assert printed(tmp_path, "logs", names[0])[0] == f"{names[0]}: [31mred\tface"


@needs_ssh
@pytest.mark.parametrize("cut", [f'{{"worst": "trouble", "find{"i" * 5000}', '{"a": 1}', "7"])
def test_a_doctor_that_is_killed_while_it_answers_spoils_no_other_hosts_findings(tmp_path: Path, cut: str) -> None:
    facts = json.dumps({"released": True, "unit": {}, "current": {}})
    script(tmp_path / "ssh", f"""#!/bin/sh
case $* in
*--json*) case $* in *cut*) echo '{cut}'; exit 137 ;; *) echo '{{"worst": "ok", "findings": []}}' ;; esac ;;
*) cat >/dev/null; echo '{facts}' ;;
esac
""")
    answers = printed(tmp_path, "doctor", "--json", "pi@cut", "pi@whole")
    assert [json.loads(line)["host"] for line in answers] == ["pi@whole"]
    code, lines = deploy("doctor", "--json", "pi@cut", path=tmp_path)
    assert code == 2
    assert len(lines) == 1
    assert f"its doctor can't run ({cut[:60]}), expected its findings: " in lines[0]


RECEIVE = """\
import pathlib, sys
from deploy.pi import receive
folder = pathlib.Path(sys.argv[1])
receive.LOCK, receive.INCOMING, receive.SILENT_SECONDS = folder / "lock", folder / "incoming", 1.0
sys.exit(receive.main("1"))
"""


INSTALLER = """\
import fcntl, os
def main(words, locked):
    with open("../../lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(os.getcwd(), words, locked, "held")
    return 5
"""


def packed(files: dict[str, str]) -> bytes:
    """Return release 1 as it is sent, with these files."""
    sent = io.BytesIO()
    with tarfile.open(fileobj=sent, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"1/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return sent.getvalue()


@pytest.mark.parametrize("cut", ["silent", "in a file", "between files"])
def test_a_copy_that_is_cut_off_ends_and_is_not_installed(tmp_path: Path, cut: str) -> None:
    sent = packed({"deploy/one.py": "#" * 1024, "release.json": "#" * 1024})
    size = {"silent": 700, "in a file": 700, "between files": 1536}[cut]  # a header is 512 bytes
    with subprocess.Popen(
        [sys.executable, "-c", RECEIVE, tmp_path], cwd=TREE, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(sent[:size])
        running.stdin.flush()
        if cut != "silent":
            running.stdin.close()
        said = running.stdout.read().decode()
    found = "nothing came for 1 s" if cut == "silent" else "unexpected end of data"
    assert (running.returncode, said) == (3, f"error: the copy stopped ({found}): run the same command again\n")
    assert not (tmp_path / "incoming/1/release.json").exists()


def test_what_was_received_installs_itself_while_the_lock_is_held(tmp_path: Path) -> None:
    sent = packed({"deploy/pi/__main__.py": INSTALLER, "release.json": ""})
    done = subprocess.run(
        [sys.executable, "-c", RECEIVE, tmp_path], cwd=TREE, input=sent, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout.decode()) == (5, f"{tmp_path}/incoming/1 ['install', '1'] True held\n")


PLACED_INSTALLER = """\
import pathlib, sys
from deploy.pi import __main__ as installer, follow
folder = pathlib.Path(sys.argv[1])
installer.INCOMING, installer.CURRENT = folder / "incoming", folder / "current"
follow.SIGNERS = folder / "signers"
sys.exit(installer.main(sys.argv[2:], locked=True))
"""


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (("follow", "https://kiosk.invalid", f"ssh-ed25519 {'A' * 68}"), 5,
         "[Errno 27] File too large: '{0}/signers', expected a disk with room: look with `df -h` and `df -i`"),
        (("install", "1"), 2, "[Errno 2] No such file or directory: '{0}/incoming/1/release.json', expected what "
                              "`make deploy` leaves there: run it"),
    ],
)  # fmt: skip
def test_the_installer_tells_a_card_without_room_from_a_file_that_is_missing(
    words: tuple[str, ...], code: int, line: str, tmp_path: Path
) -> None:
    (tmp_path / "current").symlink_to("releases/1")
    done = subprocess.run(
        [sys.executable, "-c", PLACED_INSTALLER, tmp_path, *words],
        cwd=TREE, capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (code, f"error: {line.format(tmp_path)}\n"), done.stderr


def test_a_card_that_fills_up_while_a_release_is_built_does_not_condemn_it() -> None:
    for stream in ("stdout", "stderr"):
        full = f"import sys; print(OSError(28, 'No space left on device'), file=sys.{stream}); sys.exit(1)"
        with pytest.raises(UnkeptError, match=r"the release can't make a venv \(.+No space .+\): look with `df -h`, "):
            run([sys.executable, "-c", full], "make a venv")


@pytest.mark.parametrize(
    "pip", [f"echo 'ERROR: {os.strerror(28)}' >&2; exit 1", "echo 'ERROR: no network' >&2; exit 1", "kill -9 $$"]
)
def test_damaged_packages_that_cannot_be_fetched_anew_are_taken_over(
    pip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh, current = make_tree(tmp_path), tmp_path / "current"
    release = plan(fresh, "12", RUNTIMES[0])
    (current / "venv").mkdir(parents=True)
    (current / "venv" / "module.py").touch()
    (current / "release.json").write_text(as_json(release))
    script(tmp_path / "python", f"#!/bin/sh\n{pip}\n")
    for name, path in {"CURRENT": current, "WHEELS": tmp_path / "wheels", "PYTHON": tmp_path / "python"}.items():
        monkeypatch.setattr(f"deploy.pi.build.{name}", path)
    add_venv(fresh, release)
    assert (fresh / "venv" / "module.py").exists()


@pytest.mark.parametrize(
    ("signal", "kind", "compiled", "proven"),
    [
        ("KILL", UnkeptError, r"^the program to compile device/ was killed \(signal 9\): look with `sudo dmesg` ",
         r"^device check of 1 was killed \(signal 9\): look with `sudo dmesg` "),
        ("TERM", UnkeptError, r"^the program to compile device/ was killed \(signal 15\): ",
         r"^device check of 1 was killed \(signal 15\): "),
        *((each, DeployError, r"^the release can't compile device/ \(Fatal Python error: x\)$",
           r"^1 isn't fit for this computer \(device check: Fatal Python error: x\); it wasn't started$")
          for each in ("ILL", "SEGV", "ABRT", "BUS", "FPE")),
    ],
)  # fmt: skip
def test_a_program_that_is_killed_while_a_release_is_built_or_proven_does_not_condemn_it_and_a_crash_does(
    signal: str, kind: type[DeployError], compiled: str, proven: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "1/venv/bin/python"
    python.parent.mkdir(parents=True)
    script(python, f"#!/bin/sh\necho 'Fatal Python error: x' >&2\nulimit -c 0\nkill -{signal} $$\n")
    script(tmp_path / "setpriv", '#!/bin/sh\nwhile [ "${1##*/}" != python ]; do shift; done\nexec "$@"\n')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(kind, match=compiled) as building:
        run([str(python)], "compile device/")
    with pytest.raises(kind, match=proven) as proving:
        prove(tmp_path / "1")
    assert (building.value.code, proving.value.code) == (kind.code, kind.code)


@pytest.mark.skipif(not possible(booted=False), reason="needs root, and leave to mount")
def test_a_card_that_fills_up_while_packages_are_taken_over_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = tmp_path / "card"
    card.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=60", "tmpfs", card], check=True)
    try:
        for place in range(40):
            (card / f"current/venv/{place % 4}").mkdir(parents=True, exist_ok=True)
            (card / f"current/venv/{place % 4}/{place}.py").touch()
        (card / "fresh").mkdir()
        monkeypatch.setattr("deploy.pi.build.CURRENT", card / "current")
        with pytest.raises(UnkeptError, match=r"^the release can't take its packages over \(.*No space .*\): look.*`$"):
            take_over(card / "fresh")
    finally:
        subprocess.run(["umount", "--lazy", card], check=True)


def test_a_card_without_room_for_what_comes_is_named(tmp_path: Path) -> None:
    sent = packed({"models/door.tflite": "#" * 2048})
    done = subprocess.run(
        [sys.executable, "-c", RECEIVE, tmp_path], cwd=TREE, input=sent, capture_output=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )  # fmt: skip
    assert (done.returncode, done.stdout.decode()) == (
        5, "error: [Errno 27] File too large, expected a disk with room: look with `df -h` and `df -i`, and run the "
        "same command again\n"
    )  # fmt: skip


@needs_ssh
@pytest.mark.skipif(platform.machine() == "aarch64", reason="this computer may well be a kiosk")
def test_facts_are_found_on_any_computer() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-"], input=(TREE / "deploy" / "pi" / "facts.py").read_text(), text=True,
        capture_output=True, check=True,
    )  # fmt: skip
    assert refusals(json.loads(done.stdout))[0].startswith("its system is ")


@pytest.mark.parametrize("readable", [True, False])
def test_settings_with_the_mark_that_windows_writes_are_read(
    readable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.pi.facts.CONFIG", tmp_path / "kiosk.toml")
    monkeypatch.setattr("os.access", lambda *_: readable)  # root, as which tests may run, reads everything
    script(tmp_path / "sudo", '#!/bin/sh\nshift; exec "$@"\n')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "kiosk.toml").write_text('[camera]\nsource = "usb:1"\n', encoding="utf-8-sig")
    assert settings() == ({"camera": {"source": "usb:1"}}, "")


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ('camera = "usb:97"', ""),
        ("camera = [1]", ""),
        ("[camera]\nsource = 0", ""),
        ('[[camera]]\nsource = "usb:98"', ""),
        ('[camera]\nsource = "usb:98"', "usb:98"),
    ],
)
def test_settings_of_another_shape_do_not_hide_the_other_facts(
    text: str, missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.pi.facts.CONFIG", tmp_path / "kiosk.toml")
    (tmp_path / "kiosk.toml").write_text(text)
    found = facts()  # what is wrong there `device check` says
    assert (found["settings_wrong"], found["usb_missing"]) == ("", missing)


@pytest.mark.parametrize(("begin", "words"), [(main, ["status", "pi@kiosk"]), (train, ["collect-key"])])
def test_a_user_without_a_home_is_told_what_to_set(
    begin: Callable[[list[str]], int], words: list[str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for name in ("XDG_CONFIG_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 2)  # of nobody, who has no home
    assert begin(words) == 2
    assert capsys.readouterr().err == (
        "error: the user 2147483646 has no home, expected a folder: set HOME= or XDG_CONFIG_HOME=\n"
    )


@pytest.mark.parametrize("plugged_in", [True, False])
def test_room_is_measured_where_releases_lie(
    plugged_in: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "mask-kiosk"
    home.symlink_to("disk")
    if plugged_in:
        (tmp_path / "disk").mkdir()
    monkeypatch.setattr("deploy.pi.facts.HOME", home)
    monkeypatch.setattr("shutil.disk_usage", lambda at: SimpleNamespace(free={home: 7e6, "/opt": 9e6}[at]))
    assert facts()["free_mb"] == (7 if plugged_in else 9)


def test_a_pipe_in_the_place_of_the_settings_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.pi.facts.CONFIG", tmp_path / "kiosk.toml")
    os.mkfifo(tmp_path / "kiosk.toml")
    assert facts()["settings_wrong"] == f"{tmp_path / 'kiosk.toml'}: is no file"


def test_a_release_that_does_not_say_what_it_is_does_not_hide_the_other_facts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.pi.facts.HOME", tmp_path)
    monkeypatch.setattr("deploy.pi.facts.PULLED", tmp_path / "last.json")
    for name, content in (("current", b'{"version": "0.1'), ("former", b'["\xff"]')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "release.json").write_bytes(content)
    (tmp_path / "last.json").write_bytes(b"\xff")
    wheels = tmp_path / "incoming/wheels"
    wheels.mkdir(parents=True)
    (wheels / "gone.whl").symlink_to("removed")  # it is listed, but its size can't be told any more
    found = facts()
    assert [found[name] for name in ("current", "former", "pulled", "wheels")] == [{}, {}, {}, {}]
    (tmp_path / "last.json").unlink()
    (tmp_path / "last.json").mkdir()  # as what can't be read
    assert facts()["pulled"] == {}
    assert found["user"] == pwd.getpwuid(os.geteuid()).pw_name


@pytest.mark.parametrize(
    ("part", "path", "content"),
    [
        ("packages", "lib.py", b"x = 2"),
        ("packages", "lib.py", None),
        ("packages", "lib-1.dist-info/RECORD", b""),
        ("packages", "lib-1.dist-info/RECORD", bytes(80)),
        ("packages", "lib-1.dist-info/RECORD", None),
        ("packages", "__pycache__/lib.cpython-311.pyc", None),
        ("sources", "../../../../deploy/__init__.py", b"changed"),
        ("sources", "../../../../device/__pycache__/settings.cpython-311.pyc", None),
    ],
)
def test_damage_of_a_release_is_told_by_its_part(
    part: str, path: str, content: bytes | None, tmp_path: Path
) -> None:
    release = make_tree(tmp_path)
    (release / "release.json").write_text(as_json(plan(release, "12", RUNTIMES[0])))
    site = release / "venv/lib/python3.11/site-packages"
    (site / "lib-1.dist-info").mkdir(parents=True)
    (site / "lib.py").write_text("x = 1")
    record = "lib.py,sha256=j_Q23vFFEoVZmhsa1wgASTuNyv3ikS4aODRWMwVOTCY,5\nlib-1.dist-info/RECORD,,\n"
    (site / "lib-1.dist-info/RECORD").write_text(record)
    (release / "venv/bin").mkdir()
    (release / "venv/bin/python").symlink_to(sys.executable)
    for folder in (site, release / "device"):
        subprocess.run([sys.executable, "-m", "compileall", "-q", folder], check=True)
    assert is_intact(release, "packages", "sources")
    damaged = site / path
    if damaged.suffix == ".pyc":  # as a card leaves it that was written last
        damaged = next(damaged.parent.glob(f"{damaged.name.partition('.')[0]}.*"))
        damaged.write_bytes(damaged.read_bytes()[:16] + bytes(100))
    elif content is None:
        damaged.unlink()
    else:
        damaged.write_bytes(content)
    assert not is_intact(release, part)
    assert is_intact(release, *({"packages", "sources"} - {part}))


def test_a_file_is_not_written_through_a_link_in_its_place_or_that_of_its_draft(tmp_path: Path) -> None:
    for name in ("kiosk.toml", ".kiosk.toml.new"):
        (tmp_path / name).symlink_to(tmp_path / "victim")
    write(tmp_path / "kiosk.toml", "new")
    assert not (tmp_path / "victim").exists()
    assert not (tmp_path / "kiosk.toml").is_symlink()
    assert (tmp_path / "kiosk.toml").read_text() == "new"


def test_a_kiosk_that_is_removed_is_there_as_a_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, gone = tmp_path / "mask-kiosk", tmp_path / ".mask-kiosk.gone"
    monkeypatch.setattr("deploy.pi.files.HOME", home)
    monkeypatch.setattr("deploy.pi.files.GONE", gone)
    (home / "releases/one/deploy").mkdir(parents=True)
    with monkeypatch.context() as power:
        power.setattr("os.rmdir", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            remove_home()
    assert not home.exists()
    remove_home()
    assert list(tmp_path.iterdir()) == []


def test_kept_faces_have_their_rule_before_a_power_cut_can_end_the_removal_of_the_kiosk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home, faces, rules = tmp_path / "mask-kiosk", tmp_path / "collected", tmp_path / "rules"
    (tmp_path / "systemctl").symlink_to(shutil.which("true") or "")
    monkeypatch.setenv("PATH", str(tmp_path))
    for name, path in {
        "files.HOME": home, "files.GONE": tmp_path / "gone", "service.TRIAL": tmp_path / "trial",
        "faces.FACES": faces, "faces.RULES": rules, "service.RULES": rules,
    }.items():  # fmt: skip
        monkeypatch.setattr(f"deploy.pi.{name}", path)
    monkeypatch.setattr("deploy.pi.service.LINKS", {rules: "mask-kiosk.tmpfiles"})
    monkeypatch.setattr("deploy.pi.service.WANTS", {})
    (home / "current").mkdir(parents=True)
    rules.symlink_to(home / "current" / "mask-kiosk.tmpfiles")
    faces.mkdir()
    (faces / "a.crop").touch()
    with monkeypatch.context() as power:
        power.setattr("os.rmdir", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            undeploy()
    assert (home.exists(), rules.is_symlink(), rules.read_text()) == (False, False, RULE)
    undeploy()
    assert not (tmp_path / "gone").exists()
    assert capsys.readouterr().out.count("sealed faces") == 1


# A host of which a removal has left GONE alone; what it is asked to run it runs below a folder.
HALF_REMOVED = """\
#!/bin/sh
for command; do :; done
case $command in
*python3*) cat >/dev/null; echo '{{"half_removed": true, "released": false}}' ;;
*) echo "$command" | sed 's|sudo -n||; s|/run/|{folder}/run/|g; s|/opt/|{folder}/opt/|g' | sh ;;
esac
"""


@pytest.mark.parametrize("under_way", [True, False])
def test_what_is_left_of_a_kiosk_is_removed_unless_its_removal_is_under_way(under_way: bool, tmp_path: Path) -> None:
    gone, lock = tmp_path / "opt/.mask-kiosk.gone", tmp_path / "run/mask-kiosk-pull/lock"
    (gone / "releases").mkdir(parents=True)
    script(tmp_path / "ssh", HALF_REMOVED.format(folder=tmp_path))
    command = [sys.executable, "-m", "deploy", "undeploy", "pi@kiosk"]
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with ExitStack() as holding:
        if under_way:
            lock.parent.mkdir(parents=True)
            fcntl.flock(holding.enter_context(lock.open("w")), fcntl.LOCK_EX)
        done = subprocess.run(command, cwd=TREE, capture_output=True, text=True, check=False, env=environment)
    said = "error  another deployment runs there: wait until it has ended" if under_way else "ok  removed"
    assert (done.returncode, done.stdout + done.stderr) == (4 if under_way else 0, f"pi@kiosk  {said}\n")
    assert gone.exists() == under_way
    assert under_way or stat.S_IMODE(lock.stat().st_mode) == 0o600


def two_of_three_releases(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Make releases one, two and three, two the current and one the former; return what tells which they are then."""
    for name, path in {"HOME": "", "RELEASES": "releases", "CURRENT": "current", "FORMER": "former"}.items():
        monkeypatch.setattr(f"deploy.pi.files.{name}", folder / path)
    for name in ("one", "two", "three"):
        (folder / "releases" / name).mkdir(parents=True)
    (folder / "former").symlink_to("releases/one")
    (folder / "current").symlink_to("releases/two")
    return lambda: [(folder / name).resolve().name for name in ("current", "former")]


@pytest.mark.parametrize("wished", ["one", "three"])
def test_a_power_cut_while_the_current_release_is_replaced_leaves_a_way_to_go_on(
    wished: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = two_of_three_releases(tmp_path, monkeypatch)
    with monkeypatch.context() as power:
        power.setattr("deploy.pi.files.sync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))  # after one link
        with pytest.raises(KeyboardInterrupt):
            advance(tmp_path / "releases" / wished)
    if wished == "one":
        assert set(links()) == {"one", "two"}  # or `make rollback` would have nowhere to go
    if links()[0] != wished:
        advance(tmp_path / "releases" / wished)
    assert links() == [wished, "two"]


def refuse_exchanges(refusal: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Linux refuse to exchange two names."""

    def renameat2(*_: object) -> int:
        ctypes.set_errno(refusal)
        return -1

    monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: SimpleNamespace(renameat2=renameat2))


@pytest.mark.parametrize("refusal", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EIO])
def test_a_rollback_needs_no_card_that_exchanges_names(
    refusal: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = two_of_three_releases(tmp_path, monkeypatch)
    refuse_exchanges(refusal, monkeypatch)
    with pytest.raises(OSError, match="Input/output error") if refusal == errno.EIO else nullcontext():
        advance(tmp_path / "releases/one")
    assert links() == (["two", "one"] if refusal == errno.EIO else ["one", "two"])


# Finds everything as it was built, but for the release's own files.
FINDS_DAMAGE = '#!/bin/sh\ncase "$*" in *" sources") exit 1 ;; esac\n'


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_damaged_release_is_replaced_whatever_the_card_can_do(
    exchanges: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases = tmp_path / "releases"
    for name, path in {"RELEASES": releases, "CURRENT": tmp_path / "current", "INCOMING": tmp_path}.items():
        monkeypatch.setattr(f"deploy.pi.build.{name}", path)
    if not exchanges:
        refuse_exchanges(errno.EINVAL, monkeypatch)
    tree = make_tree(tmp_path)
    release = plan(tree, "12", RUNTIMES[0])
    sent, damaged = tmp_path / release.version, releases / release.version
    (tree / "release.json").write_text(as_json(release))
    tree.rename(sent)
    shutil.copytree(sent, damaged)
    (damaged / "deploy/errors.py").write_text("damaged")
    (damaged / "venv/bin").mkdir(parents=True)
    script(damaged / "venv/bin/python", FINDS_DAMAGE)
    (tmp_path / "current").symlink_to(damaged)
    assert build(release.version) == damaged
    assert (damaged / "deploy/errors.py").read_text() == (sent / "deploy/errors.py").read_text()
    assert list(releases.iterdir()) == [damaged]


@pytest.mark.parametrize("plugged_in", [True, False])
def test_a_link_to_another_disk_stays_for_the_next_kiosk(
    plugged_in: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, disk = tmp_path / "mask-kiosk", tmp_path / "disk"
    monkeypatch.setattr("deploy.pi.files.HOME", home)
    monkeypatch.setattr("deploy.pi.files.GONE", tmp_path / ".mask-kiosk.gone")
    home.symlink_to("disk")
    if plugged_in:
        (disk / "releases/one/deploy").mkdir(parents=True)
        (disk / "current").symlink_to("releases/one")
    remove_home()
    assert home.is_symlink()
    assert not plugged_in or list(disk.iterdir()) == []


@pytest.mark.skipif(not possible(booted=False), reason="needs root, and leave to mount an overlay")
def test_an_overlay_is_named_where_a_damaged_release_lies_below_it(tmp_path: Path) -> None:
    for name in ("lower/damaged", "upper", "work", "root"):
        (tmp_path / name).mkdir(parents=True)
    options = "lowerdir=lower,upperdir=upper,workdir=work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, "root"], cwd=tmp_path, check=True)
    try:
        (tmp_path / "root/fresh").mkdir()
        with pytest.raises(DeployError, match=r"root/damaged lies below an overlay, expected a card that is written"):
            exchange(tmp_path / "root/fresh", tmp_path / "root/damaged")
    finally:
        subprocess.run(["umount", "--lazy", "root"], cwd=tmp_path, check=True)


def test_status_tells_a_damaged_release_that_runs_from_none(tmp_path: Path) -> None:
    found = {"system": "debian 12", "free_mb": 9, "current": {}, "former": {}, "pulled": {}}
    unit = {"SubState": "running", "NRestarts": "0", "StatusText": "IDLE"}
    lines = {
        True: "a release whose release.json is damaged (run `make deploy`) active (running), 0 restarts: IDLE; "
              "9 MB free",
        False: "no release; debian 12, 9 MB free",
    }  # fmt: skip
    for released, line in lines.items():
        said = json.dumps(found | {"released": released, "unit": unit | {"ActiveState": "active"}})
        script(tmp_path / "ssh", f"#!/bin/sh\ncat >/dev/null\necho '{said}'\n")
        done = subprocess.run(
            [sys.executable, "-m", "deploy", "status", "pi@kiosk"], cwd=TREE, capture_output=True, text=True,
            check=False, env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, f"pi@kiosk  ok  {line}\n"), done.stderr


# Says what it is asked, and of a release that it is whole; writes down each question.
KIOSK = """\
#!/bin/sh
for command; do :; done
cat >/dev/null
case $command in
*current*) echo looks >>'{folder}/asked' ;;
*) echo facts >>'{folder}/asked'; echo '{facts}' ;;
esac
"""


@pytest.mark.parametrize("runs", [True, False])
def test_a_host_is_asked_twice_where_it_runs_the_release_and_a_dry_run_fetches_nothing(
    runs: bool, tmp_path: Path
) -> None:
    tree = make_tree(tmp_path)
    release = plan(tree, "12", RUNTIMES[0])
    current = json.loads(as_json(release)) if runs else {}
    found = FACTS | {"numpy": NUMPY, "time": time.time(), "current": current, "unit": {"ActiveState": "active"}}
    script(tmp_path / "ssh", KIOSK.format(folder=tmp_path, facts=json.dumps(found)))
    done = subprocess.run(
        [sys.executable, "-m", "deploy", "deploy", "pi@kiosk", "--dry-run"], cwd=tree, capture_output=True, text=True,
        check=False, env=os.environ | index_of(tree) | {
            "PATH": f"{tmp_path}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(tmp_path / "cache"),
        },
    )  # fmt: skip
    lines = done.stdout.splitlines()
    if runs:
        assert lines == [f"pi@kiosk  ok  {release.version} runs already"], done.stderr
    else:
        would = rf"pi@kiosk: would send {release.version}: \d+ files, 0\.\d MB, and up to 3 Python packages"
        assert re.fullmatch(would, lines[-2]), done.stderr
        assert "kept in" not in done.stdout
    assert (tmp_path / "asked").read_text().split() == ["facts", "looks"][: 1 + runs]
    assert not (tmp_path / "cache").exists()


def test_a_host_that_hangs_does_not_keep_what_others_say_from_being_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.dumps({"system": "debian 12", "free_mb": 9, "current": {}, "released": False, "unit": {}})
    script(
        tmp_path / "ssh",
        f"#!/bin/sh\ncase $* in *pi@hangs*) exec sleep 1000 ;; esac\ncat >/dev/null\necho '{found}'\n",
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("deploy.remote.ANSWER_SECONDS", 5.0)
    assert main(["status", "pi@hangs", "pi@works"]) == 3
    told = capsys.readouterr()
    assert told.out == "pi@works  ok  no release; debian 12, 9 MB free\n"
    assert told.err == "pi@hangs  error  hasn't answered for 5 s, expected an answer: restart the Pi\n"


def test_a_mistake_about_one_host_does_not_keep_what_became_of_others_from_being_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.dumps({"system": "debian 12", "free_mb": 9, "current": {}, "released": False, "unit": {}})
    odd = "case $* in *pi@odd*) echo {}; exit ;; esac"
    script(tmp_path / "ssh", f"#!/bin/sh\ncat >/dev/null\n{odd}\necho '{found}'\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert main(["status", "pi@odd", "pi@works"]) == 2
    told = capsys.readouterr()
    assert told.out == "pi@works  ok  no release; debian 12, 9 MB free\n"
    assert told.err.count("Traceback") == 1
    assert told.err.endswith("\npi@odd    error  failed: KeyError('unit')\n")


@pytest.mark.parametrize("files", [[], [(TREE / "requirements.lock", "a"), (TREE / "requirements.lock", "b")]])
def test_a_host_that_hangs_while_it_builds_or_takes_files_is_given_up(
    files: list[tuple[Path, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "ssh", "#!/bin/sh\necho begins\nexec sleep 1000\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("deploy.remote.SILENT_SECONDS", 1.0)
    with pytest.raises(UnreachedError, match=r"^has said nothing for 1 s, expected a line: look with `make status`; "):
        Remote("pi@kiosk").follow("", print, files)


def test_a_host_that_greets_whoever_comes_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def kiosk(last: str) -> Remote:
        latin = "printf 'T\\374r\\n'"  # Tür, in Latin-1
        script(tmp_path / "ssh", f"#!/bin/sh\n{latin}\n{latin} >&2\necho Welcome to the door!\n{last}\n")
        return Remote("pi@kiosk.local")

    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert facts_of(kiosk(f"exec {sys.executable} -I -"))["system"]
    with pytest.raises(DeployError, match=r"^says 'Welcome to the door!', expected an answer: make sure that its"):
        facts_of(kiosk("cat > /dev/null"))
    with pytest.raises(DeployError, match=r"^says '12', expected an answer"):
        facts_of(kiosk("cat > /dev/null; echo 12"))


def test_what_keeps_a_hosts_python_from_looking_at_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path / "ssh", '#!/bin/sh\nfor command; do :; done\neval "$command"\n')
    script(tmp_path / "fails", "#!/bin/sh\ncat >/dev/null\necho \"PermissionError: '/opt'\" >&2\nexit 1\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for python, why in (("fails", "PermissionError: '/opt'"), ("none", ".*/none: not found")):
        monkeypatch.setattr("deploy.steps.PYTHON", str(tmp_path / python))
        with pytest.raises(DeployError, match=rf"^has no Python that can look at it \({why}\), expected Raspberry Pi "):
            facts_of(Remote("pi@kiosk.local"))


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
    scripts = sorted(TREE.glob("tests/**/*.sh"))
    assert len(scripts) == 11
    assert (
        subprocess.run(["shellcheck", "-x", *scripts], cwd=TREE, capture_output=True, text=True, check=False).stdout
        == ""
    )


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
@pytest.mark.parametrize(
    "unit",
    ["mask-kiosk.service", "mask-kiosk-screen.service", "mask-kiosk-pull.service", "mask-kiosk-pull.timer"],
)
def test_the_units_are_valid(tmp_path: Path, unit: str) -> None:
    # The venv's Python and the browser stand on the Pi only; `verify` wants to see a program.
    programs = r"/opt/mask-kiosk/current/venv/bin/python|/usr/bin/(cage|chvt)"
    shown = tmp_path / unit
    shown.write_text(re.sub(programs, sys.executable, (TREE / "systemd" / unit).read_text()))
    if unit == "mask-kiosk-pull.timer":
        shutil.copy(TREE / "systemd" / "mask-kiosk-pull.service", tmp_path)
    assert outcome("systemd-analyze", "verify", shown) == (0, [])


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
@pytest.mark.parametrize("unit", EXPOSURES)
def test_units_are_hardened(unit: str) -> None:
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", TREE / "systemd" / unit],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = re.search(r"exposure level for \S+: ([\d.]+)", rated.stdout)
    assert found is not None
    assert float(found[1]) <= EXPOSURES[unit]
