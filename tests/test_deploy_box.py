"""Deployments to a whole computer, a container with systemd, sshd and sudo of its own: what runs there afterwards."""

import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import ANY

import pytest
from fleet import Server
from pi_box import HANG_SECONDS, REASON, Box, possible, script
from toy_release import NUMPY, TREE, behave, index_of, make_tree

from deploy.lock import RUNTIMES
from deploy.release import as_json, plan
from device.seal import seal
from device.settings import Settings
from trainer.collect_key import PRIVATE, make_pair, read_private_key

pytestmark = pytest.mark.skipif(not possible(booted=True), reason=REASON)
PI = "pi@127.0.0.1"
UNIT = "mask-kiosk.service"
FACES, RULES = "/var/lib/mask-kiosk/collected", "/etc/tmpfiles.d/mask-kiosk.conf"
KEPT = "/opt/mask-kiosk /etc/mask-kiosk /etc/systemd /usr/local/lib/systemd /run/systemd/system"
CUTS, POWER_CUTS = 10, 3  # moments


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("box")
    for parent in (path, path.parent, path.parent.parent):  # its users are others than ours
        parent.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def tree(folder: Path) -> Path:
    return make_tree(folder)


@pytest.fixture(scope="module")
def box(folder: Path, tree: Path) -> Iterator[Box]:
    """A computer to which the tree was deployed once."""
    box = Box(folder, NUMPY)
    try:
        box.boot()
        (box.root / "usr/lib/python3/dist-packages/lgpio.py").unlink()
        code, lines, errors = deploy(box, tree)
        assert (code, errors) == (0, []), lines
        yield box
    finally:
        box.close()


@pytest.fixture(autouse=True)
def _works_again(tree: Path) -> Iterator[None]:
    yield
    behave(tree, "works")


def deploy(box: Box, tree: Path, *words: str) -> tuple[int, list[str], list[str]]:
    return box.run(tree, "deploy", PI, *words, environment=index_of(tree))


def running(box: Box, first: str = "true") -> tuple[str, str]:
    """The state of the unit, and the release whose process runs, once another command has ended there."""
    asked = box.ssh(
        f"{first}; systemctl show --property=ActiveState --value {UNIT}; readlink /opt/mask-kiosk/current; "
        f"tr '\\0' ' ' </proc/$(systemctl show --property=MainPID --value {UNIT})/cmdline"
    )
    state, current, command = (*asked.stdout.splitlines(), "", "", "")[:3]
    release = re.search(r"/releases/([^/]+)/", command.replace("/opt/mask-kiosk/current", current))
    return state, release[1] if release else ""


def everything(box: Box) -> str:
    """All that a deployment could change, and which process runs."""
    shown = box.ssh(
        f"find {KEPT} -printf '%p %s %l %i\\n' | sort; systemctl show --property=MainPID {UNIT}"
    )
    assert shown.stdout
    return shown.stdout


def test_the_first_deployment_says_its_steps_and_installs_what_apt_has(box: Box) -> None:
    calls = (box.root / "var/log/apt-calls").read_text().splitlines()
    assert calls == [
        "-q update", "-q install -y --no-install-recommends -o DPkg::Lock::Timeout=60 python3-lgpio",
    ]  # fmt: skip
    assert running(box)[0] == "active"
    assert (box.root / "etc/mask-kiosk/kiosk.toml").read_text().startswith("#")


def test_an_unchanged_tree_sends_nothing_and_starts_nothing(box: Box, tree: Path) -> None:
    _, version = running(box)
    before = everything(box)
    assert deploy(box, tree) == (0, [f"{PI}  ok  {version} runs already"], [])
    assert everything(box) == before


def test_a_dry_run_says_what_would_be_sent_and_changes_nothing(box: Box, tree: Path) -> None:
    before = everything(box)
    behave(tree, "works better")
    code, lines, errors = deploy(box, tree, "--dry-run")
    assert (code, errors) == (0, [])
    assert re.fullmatch(rf"{PI}: would send 0\.1\.0-[0-9a-f]{{12}}: \d+ files, 0\.\d MB", lines[1])
    assert everything(box) == before


@pytest.mark.parametrize(
    "damage",
    [
        "printf x >>models/door.tflite",
        "printf '#' >>venv/lib/python3.11/site-packages/cv2.py",
        "rm venv/lib/python3.11/site-packages/ai_edge_litert/interpreter.py",
        "rm venv/bin/python",
        "echo [ >release.json",
        ": >venv/lib/python3.11/site-packages/gpiozero-2.0.1.dist-info/RECORD",
        "truncate --size 30 device/__pycache__/settings.*.pyc",
    ],
)
def test_a_release_that_was_damaged_on_the_card_is_built_anew(box: Box, tree: Path, damage: str) -> None:
    files = "find . -path ./venv/lib64 -prune -o ! -name '*.pyc' ! -type d -print0 | sort -z"
    hashes = f"cd /opt/mask-kiosk/current && {files} | xargs -0 sha256sum"
    before = box.ssh(hashes).stdout, running(box), box.ssh("readlink /opt/mask-kiosk/former").stdout
    assert box.ssh(f"cd /opt/mask-kiosk/current && {damage}").returncode == 0
    code, lines, errors = deploy(box, tree)
    assert (code, errors) == (0, []), lines
    assert (box.ssh(hashes).stdout, running(box), box.ssh("readlink /opt/mask-kiosk/former").stdout) == before
    assert box.ssh("cd /opt/mask-kiosk/current && venv/bin/python -B -c 'import device.settings'").returncode == 0
    packages = any("Python packages: as before" in line for line in lines)
    assert packages == damage.startswith(("printf x >>models", "truncate --size 30 device")), lines
    assert [path.name for path in (box.root / "opt/mask-kiosk/releases").glob(".*")] == []
    assert deploy(box, tree)[1] == [f"{PI}  ok  {before[1][1]} runs already"]


def test_a_package_in_a_users_own_folder_is_not_taken_for_damage(box: Box, tree: Path) -> None:
    _, version = running(box)
    own = "$(/usr/bin/python3 -m site --user-site)"
    with in_box(box, f"su pi -c 'mkdir -p {own} && touch {own}/numpy.py'", "rm -r /tmp/.local"):
        assert deploy(box, tree) == (0, [f"{PI}  ok  {version} runs already"], [])


def test_damaged_packages_do_not_keep_a_release_out_that_brings_none(box: Box, tree: Path) -> None:
    behave(tree, "works, without wheels")
    release = plan(tree, "12", RUNTIMES[0])
    sent = f"/opt/mask-kiosk/incoming/{release.version}"
    shutil.copytree(tree, box.root / sent[1:])  # as an agent does that looks at the lock alone
    (box.root / sent[1:] / "release.json").write_text(as_json(release))
    assert box.ssh("printf '#' >>/opt/mask-kiosk/current/venv/lib/python3.11/site-packages/cv2.py").returncode == 0
    done = box.ssh(f"cd {sent} && PIP_NO_INDEX=1 /usr/bin/python3 -B -m deploy.pi install {release.version}")
    assert (done.returncode, running(box)) == (0, ("active", release.version)), done.stdout
    assert re.search(r"^Python packages: as before, though damaged on the card \(.+\): `make deploy` mends them$",
                     done.stdout, re.MULTILINE)  # fmt: skip
    lines = deploy(box, tree)[1]
    assert lines[0] == f"{PI}: {release.version} isn't what was built: its packages are installed anew"
    assert deploy(box, tree)[1] == [f"{PI}  ok  {release.version} runs already"]


def test_root_creates_no_file_where_a_kiosk_has_put_a_link_in_its_settings_place(box: Box, tree: Path) -> None:
    before = running(box)
    behave(tree, "works, after an attack")
    in_its_place = "mv kiosk.toml was && ln -s /etc/victim kiosk.toml"
    with in_box(box, f"su -s /bin/sh mask-kiosk -c 'cd /etc/mask-kiosk && {in_its_place}'",
                "cd /etc/mask-kiosk && mv was kiosk.toml"):  # fmt: skip
        deploy(box, tree)
        assert box.ssh("ls /etc/victim").stdout == ""
        assert (box.root / "etc/mask-kiosk/kiosk.toml").is_symlink()
    assert running(box)[0] == before[0] == "active"


def test_a_user_of_the_kiosk_holds_no_deployment_up_and_has_no_file_emptied_by_its_lock(box: Box, tree: Path) -> None:
    """Where the lock was, everybody may write; where it is, nobody else may take it."""
    behave(tree, "works, whoever plants links")
    planted = "ln -sf /etc/victim /run/lock/mask-kiosk.lock"
    with in_box(box, f"echo precious >/etc/victim && su pi -c '{planted}'", "rm /run/lock/mask-kiosk.lock"):
        assert deploy(box, tree)[0] == 0
        assert box.ssh("cat /etc/victim").stdout == "precious\n"
    for command in ("flock --nonblock /run/mask-kiosk-pull/lock true", "ln -s x /run/mask-kiosk-pull/y"):
        refused = box.ssh(f"su pi -c '{command}'")
        assert "Permission denied" in refused.stderr, refused


def test_an_update_keeps_settings_and_the_release_before_it_to_go_back_to(box: Box, tree: Path) -> None:
    config = box.root / "etc/mask-kiosk/kiosk.toml"
    config.write_text(config.read_text() + "[signals]\nbeeps = 1\n" * ("[signals]" not in config.read_text()))
    settings, (_, first) = config.read_text(), running(box)
    behave(tree, "works better")
    assert deploy(box, tree)[0] == 0
    state, second = running(box)
    assert (state, second != first) == ("active", True)
    assert sorted(path.name for path in (box.root / "opt/mask-kiosk/releases").iterdir()) == sorted([first, second])
    # The packages are the same, so the second venv is the same files.
    modules = [
        box.root / f"opt/mask-kiosk/releases/{name}/venv/lib/python3.11/site-packages/cv2.py"
        for name in (first, second)
    ]
    assert modules[0].stat().st_ino == modules[1].stat().st_ino

    code, lines, errors = box.run(tree, "rollback", PI)
    assert (code, lines[-1], errors) == (0, f"{PI}  ok  {first} runs", [])
    assert running(box) == ("active", first)
    assert config.read_text() == settings
    assert box.run(tree, "status", PI)[1][0].startswith(
        f"{PI}  ok  {first} active (running), 0 restarts: IDLE  nobody there; "
    )
    folder = f"/opt/mask-kiosk/releases/{first}"
    with in_box(box, f"cd {folder}; cp release.json /srv; echo [ >release.json", f"mv /srv/release.json {folder}"):
        assert box.run(tree, "doctor", PI)[0] == 0  # a damaged one is still one to examine and to leave
        assert box.run(tree, "rollback", PI)[0] == 0
    assert running(box) == ("active", second)


@pytest.mark.parametrize(
    ("behaviour", "code", "reason"),
    [
        ("has no camera", 1, "didn't come up (FAULT no camera); {old} runs again"),
        ("sees black", 1, "didn't come up (FAULT pi: camera covered: nothing but black for 3.0 s: uncover the lens, or "
                          "give it light); {old} runs again"),
        ("dies soon", 1, "didn't come up (it stopped deciding frames soon after the first); {old} runs again"),
        ("misjudges", 2, "isn't fit for this computer (device check: error: door.tflite: its golden pictures are "
                         "wrong); it wasn't started"),
    ],
)  # fmt: skip
def test_a_release_that_does_not_prove_itself_is_taken_back(
    box: Box, tree: Path, behaviour: str, code: int, reason: str
) -> None:
    _, old = running(box)
    before = everything(box).splitlines()
    behave(tree, behaviour)
    found, lines, errors = deploy(box, tree)
    assert (found, len(errors)) == (code, 1)
    assert (f"{PI}: journal: caf\N{REPLACEMENT CHARACTER}: no camera" in lines) == (behaviour == "has no camera")
    assert re.fullmatch(rf"{PI}  error  0\.1\.0-[0-9a-f]{{12}} {re.escape(reason.format(old=old))}", errors[0])
    assert running(box) == ("active", old)
    folders = (
        "/opt/mask-kiosk ",
        "/opt/mask-kiosk/releases ",
        "/run/systemd/system ",
        "MainPID",
    )  # whose times changed
    assert [line for line in everything(box).splitlines() if not line.startswith(folders)] == [
        line for line in before if not line.startswith(folders)
    ]


def test_a_release_that_cannot_be_judged_in_the_dark_is_not_at_fault(box: Box, tree: Path) -> None:
    _, old = running(box)
    behave(tree, "works by day")
    new = plan(tree, "12", RUNTIMES[0]).version
    with in_box(box, "touch /etc/box/night", "rm /etc/box/night"):
        code, _, errors = deploy(box, tree)
    fault = "FAULT pi: camera covered: nothing but black for 3.0 s: uncover the lens, or give it light"
    assert (code, errors) == (6, [
        f"{PI}  error  it is dark in front of the camera, so it can't be seen whether {new} works ({fault}); {old} was "
        "started again and doesn't come up either"
    ])  # fmt: skip
    assert running(box, f"systemctl reset-failed {UNIT}; systemctl start {UNIT}") == ("active", old)
    assert deploy(box, tree)[0] == 0


MUTE = "/usr/local/bin/systemctl"  # found before the real one
MUTE_TEXT = '#!/bin/sh\ncase $* in *Watchdog*) echo no bus >&2; exit 1;; esac; exec /usr/bin/systemctl "$@"\n'


@pytest.mark.parametrize(
    ("begin", "end", "reason"),
    [
        ("mkdir /opt/mask-kiosk/.former.new", "rmdir /opt/mask-kiosk/.former.new",
         r"\[Errno 21\] Is a directory: '/opt/mask-kiosk/.former.new'"),
        ("mkdir /opt/mask-kiosk/.current.new", "rmdir /opt/mask-kiosk/.current.new",
         r"\[Errno 21\] Is a directory: '/opt/mask-kiosk/.current.new'"),
        (f"printf '%b' {shlex.quote(MUTE_TEXT)} >{MUTE}; chmod +x {MUTE}", f"rm {MUTE}",
         "systemd doesn't answer: no bus"),
    ],
)  # fmt: skip
def test_a_release_that_cannot_be_kept_is_taken_back(box: Box, tree: Path, begin: str, end: str, reason: str) -> None:
    before, (_, old) = everything(box), running(box)
    former = box.ssh("realpath --canonicalize-existing /opt/mask-kiosk/former")
    behave(tree, "works, for a while")
    with in_box(box, begin, end):
        code, _, errors = deploy(box, tree)
    assert (code, len(errors)) == (5, 1)
    assert re.fullmatch(rf"{PI}  error  \S+ didn't come up \({reason}\); {re.escape(old)} runs again", errors[0])
    assert running(box) == ("active", old)
    again = box.ssh("realpath --canonicalize-existing /opt/mask-kiosk/former")
    assert (former.returncode, again.returncode, again.stdout) == (0, 0, former.stdout)
    kept = [line.split()[0] for line in before.splitlines()]
    assert [line.split()[0] for line in everything(box).splitlines()][:-1] == kept[:-1]  # without the process


def test_the_doctor_says_what_ails_the_kiosk_and_ends_so(box: Box, tree: Path) -> None:
    def examine(*words: str) -> tuple[int, list[str], list[str]]:
        return box.run(tree, "doctor", PI, *words)

    assert deploy(box, tree)[0] == 0
    assert examine() == (0, [f"{PI}: ok  camera  0", f"{PI}  ok  1 checks: 0 trouble, 1 ok"], [])
    assert examine("--json") == (0, [f'{{"host": "{PI}", "worst": "ok", "findings": []}}'], [])
    with in_box(box, "su pi -c 'mkdir ~/device && echo 1/0 >~/device/__main__.py'", "rm -r ~pi/device"):
        assert examine()[0] == 0
    with in_box(box, "mv /etc/sudoers.d/pi /etc/box/", "mv /etc/box/pi /etc/sudoers.d/"):
        assert examine() == (2, [], [
            f"{PI}  error  its doctor can't run (sudo: a password is required), expected its findings: run `make "
            "deploy` again"
        ])  # fmt: skip
        code, _, errors = box.run(tree, "logs", PI)
        assert (code, errors) == (2, [
            f"{PI}  error  its journal can't be read, expected `sudo` without a password: see the line before"
        ])  # fmt: skip

    behave(tree, "ails")
    assert deploy(box, tree)[0] == 0
    assert examine() == (
        1, [f"{PI}: trouble  camera  0"], [f"{PI}  error  1 checks: 1 trouble, 0 ok"],
    )  # fmt: skip
    assert examine("--json") == (
        1, [f'{{"host": "{PI}", "worst": "trouble", "findings": []}}'],
        [f"{PI}  error  its worst finding is a trouble"],
    )  # fmt: skip

    behave(tree, "works")
    assert deploy(box, tree)[0] == 0


def test_the_screens_browser_is_told_the_page_and_reads_no_settings_or_secrets(box: Box, tree: Path) -> None:
    assert box.ssh("gpasswd --add mask-kiosk-screen mask-kiosk").returncode == 0  # as releases before did
    behave(tree, "works, beside a browser")
    assert deploy(box, tree)[0] == 0
    # The unit, without a display.
    off = ("Condition", "PAMName", "TTY", "Utmp", "StandardInput", "Restart", "ExecStartPre", "ExecStart")
    unit = (tree / "systemd/mask-kiosk-screen.service").read_text().splitlines()
    kept = "\n".join(line for line in unit if not line.startswith(off))
    looks = (
        "cat /run/mask-kiosk-screen/page.json; systemctl is-active mask-kiosk.service; "
        "cat secret /etc/mask-kiosk/kiosk.toml; ls /var/lib/mask-kiosk; true"
    )
    shown = f"[Service]\nType=oneshot\nWorkingDirectory=/srv\nExecStart=/bin/sh -c '{looks}'\n"
    ran = box.ssh(
        "cd /srv && echo hidden >secret && chgrp mask-kiosk secret && chmod 640 secret && "
        f"printf %s {shlex.quote(kept + chr(10) + shown)} >/run/systemd/system/shown.service && "
        "systemctl daemon-reload && systemctl start shown && journalctl --sync && "
        "journalctl --unit shown --output cat; rm secret"
    )
    told = '{"url": "http://127.0.0.1:6275/", "language": "auto", "refused": false}'
    assert f"{told}\nactive\n" in ran.stdout, ran
    for path in ("secret", "/etc/mask-kiosk/kiosk.toml", "/var/lib/mask-kiosk"):
        assert re.search(rf"{path}'?: Permission denied", ran.stdout), ran.stdout


def test_the_screens_browser_is_in_the_kiosks_group_as_the_release_that_is_kept_wants_it(box: Box, tree: Path) -> None:
    sysusers = tree / "systemd/mask-kiosk.sysusers"
    text = sysusers.read_text()

    def groups() -> str:
        return box.ssh("id -nG mask-kiosk-screen").stdout

    sysusers.write_text(f"{text}m mask-kiosk-screen mask-kiosk\n")  # as releases before did
    try:
        assert deploy(box, tree)[0] == 0
    finally:
        sysusers.write_text(text)
    before = groups()
    assert "mask-kiosk" in before.split()
    behave(tree, "dies soon")
    assert deploy(box, tree)[0] == 1
    assert groups() == before
    behave(tree, "works, with a browser that is told")
    assert deploy(box, tree)[0] == 0
    assert set(before.split()) - set(groups().split()) == {"mask-kiosk"}
    assert box.run(tree, "rollback", PI)[::2] == (0, [])
    assert set(groups().split()) == set(before.split())
    assert deploy(box, tree)[0] == 0


@pytest.mark.skipif(not hasattr(Settings(), "screen"), reason="this device serves no page")
def test_a_release_whose_page_does_not_answer_is_taken_back(box: Box, tree: Path) -> None:
    state = running(box)
    behave(tree, "serves no page")
    code, _, errors = deploy(box, tree)
    assert (code, len(errors)) == (1, 1)
    assert "didn't come up (its page at http://127.0.0.1:" in errors[0]
    assert running(box) == state


@contextmanager
def in_box(box: Box, begin: str, end: str) -> Iterator[None]:
    assert box.ssh(begin).returncode == 0
    yield
    assert box.ssh(end).returncode == 0


MODULES = "/usr/lib/python3/dist-packages"
TROUBLES = {
    "32-bit": (
        "sed -i s/arm64/armhf/ /usr/local/bin/dpkg", "sed -i s/armhf/arm64/ /usr/local/bin/dpkg", 2,
        "its system is armhf, expected arm64: use a Pi 3 or later, with the 64-bit Raspberry Pi OS written to its card",
    ),
    "old system": (
        "sed -i s/12/11/ /etc/os-release", "sed -i s/11/12/ /etc/os-release", 2,
        "runs debian 11, expected debian 12 or 13: install Raspberry Pi OS Bookworm or Trixie",
    ),
    "no space": (
        "mount -t tmpfs -o size=50m tmpfs /opt", "umount /opt", 2,
        r"has \d+ MB free under /opt/mask-kiosk, expected 900: remove something, or use a larger card or disk",
    ),
    "sudo asks": (
        "mv /etc/sudoers.d/pi /etc/box/", "mv /etc/box/pi /etc/sudoers.d/", 2,
        "sudo asks pi for a password, expected none: run `sudo visudo -f /etc/sudoers.d/010_pi` there, and write "
        r"`pi ALL=\(ALL\) NOPASSWD: ALL`",
    ),
    "no camera": (
        "cp /etc/mask-kiosk/kiosk.toml /tmp/; echo '[camera]\nsource = \"usb:7\"' >/etc/mask-kiosk/kiosk.toml",
        "cat /tmp/kiosk.toml >/etc/mask-kiosk/kiosk.toml", 2,
        r"has no camera usb:7 \(/dev/video7\), which kiosk.toml names: connect it, or correct \[camera\]",
    ),
    "another deployment": (
        "flock --close /run/mask-kiosk-pull/lock sleep 600 </dev/null >/dev/null 2>&1 &",
        "pkill -f '[/]run/mask-kiosk-pull/lock'", 4,
        "another deployment runs there: wait until it has ended",
    ),
    "apt is locked": (
        f"touch /etc/box/apt-is-locked; mv {MODULES}/lgpio.py /tmp",
        f"rm /etc/box/apt-is-locked; mv /tmp/lgpio.py {MODULES}", 2,
        r"apt can't install python3-lgpio \(E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process "
        r"842 \(unattended-upgr\)\): see its lines, and run the same command again",
    ),
    "another numpy": (
        f"mv {MODULES}/numpy-{NUMPY}.dist-info /tmp; mkdir {MODULES}/numpy-2.4.6.dist-info; "
        f"sed s/{NUMPY}/2.4.6/ /tmp/numpy-{NUMPY}.dist-info/METADATA >{MODULES}/numpy-2.4.6.dist-info/METADATA",
        f"rm -r {MODULES}/numpy-2.4.6.dist-info; mv /tmp/numpy-{NUMPY}.dist-info {MODULES}/", 2,
        r"its numpy is 2.4.6, expected 1.24.2, Debian's own: run `sudo apt install --reinstall python3-numpy` there, "
        "and remove what pip put over it",
    ),
    "wrong key": (
        "mv /etc/box/authorized_keys /tmp", "mv /tmp/authorized_keys /etc/box", 3,
        rf"it doesn't take your key \({PI}: Permission denied \(publickey.*\).\): with `ssh-copy-id {PI}` it does",
    ),
}  # fmt: skip


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_host_that_is_no_kiosk_is_told_so_in_one_line_and_left_as_it_was(box: Box, tree: Path, trouble: str) -> None:
    begin, end, code, line = TROUBLES[trouble]
    before = everything(box)
    behave(tree, "works better")
    if trouble == "wrong key":  # which keeps us out too
        keys = box.root / "etc/box/authorized_keys"
        content = keys.read_text()
        keys.write_text("")
        found, _, errors = deploy(box, tree)
        keys.write_text(content)
    else:
        with in_box(box, begin, end):
            found, _, errors = deploy(box, tree)
    assert (found, len(errors)) == (code, 1), errors
    assert re.fullmatch(f"{PI}  error  {line}", errors[0]), errors[0]
    assert re.sub(r"/etc/mask-kiosk/kiosk.toml .*", "", everything(box)) == re.sub(
        r"/etc/mask-kiosk/kiosk.toml .*", "", before
    )


def test_a_host_key_that_changed_is_told_in_one_line(box: Box, tree: Path) -> None:
    known = box.folder / "known_hosts"
    right = known.read_text()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", box.folder / "other"], check=True)
    other = " ".join((box.folder / "other.pub").read_text().split()[:2])
    try:
        known.write_text(f"[127.0.0.1]:{box.port} {other}\n")
        changed = deploy(box, tree)
        known.write_text("")
        unknown = deploy(box, tree)
    finally:
        known.write_text(right)
    assert changed == (3, [], [
        f"{PI}  error  its host key has changed, expected the one known here: if the Pi was set up anew, "
        "`ssh-keygen -R 127.0.0.1` and log in once; otherwise another computer answers in its place"
    ])  # fmt: skip
    assert unknown == (3, [], [
        f"{PI}  error  its host key isn't known here: log in once with `ssh {PI}` and compare the fingerprint"
    ])  # fmt: skip


def test_several_hosts_end_in_a_table_and_with_the_worst_code(box: Box, tree: Path, tmp_path: Path) -> None:
    file = tmp_path / "doors.txt"
    file.write_text(f"# two doors\n{PI}  # the first\n\nstranger@127.0.0.1\n")
    behave(tree, "works, as one of several")
    assert deploy(box, tree)[0] == 0
    _, version = running(box)
    code, lines, errors = box.run(tree, "deploy", str(file), environment=index_of(tree))
    batches = [f"batch {number} of 2: 1 of 2 hosts" for number in (1, 2)]
    assert (code, lines) == (3, [*batches, f"{PI:18}  ok  {version} runs already"])
    assert [line[:48] for line in errors] == ["stranger@127.0.0.1  error  it doesn't take your key"[:48]]


def test_two_deployments_at_once_do_not_take_each_others_files(box: Box, tree: Path, tmp_path: Path) -> None:
    """The first stands still half-way through its copy while the second is tried."""
    path, incoming = tmp_path / "path", box.root / "opt/mask-kiosk/incoming"
    path.mkdir()
    os.mkfifo(tmp_path / "gate")
    halved = f"{{ head --bytes 100000; cat '{tmp_path}/gate' -; }} | {box.folder}/bin/ssh \"$@\""
    script(path / "ssh", f"#!/bin/sh\ncase $* in *tarfile*) {halved};; *) exec {box.folder}/bin/ssh \"$@\";; esac\n")
    slowly = {"PATH": f"{path}:{os.environ['PATH']}"}
    _, old = running(box)
    next_version(tree, 50)
    first, version = box.start(tree, "deploy", PI, environment=index_of(tree) | slowly), plan(tree, "12", RUNTIMES[0])
    with first:
        try:
            while not list(incoming.glob("*/deploy/*")):
                assert first.poll() is None
                time.sleep(0.05)
            code, _, errors = deploy(box, tree)
            assert (code, errors) == (4, [f"{PI}  error  another deployment runs there: wait until it has ended"])
            undeployed = box.run(tree, "undeploy", PI)
            assert (undeployed[0], undeployed[2]) == (code, errors)
            assert [folder.name for folder in incoming.iterdir()] == [version.version]
            assert running(box) == ("active", old)
            (tmp_path / "gate").write_text("")
            first.communicate(timeout=HANG_SECONDS)
        finally:
            if first.poll() is None:
                os.killpg(first.pid, signal.SIGKILL)
    assert first.returncode == 0
    assert running(box) == ("active", version.version)
    assert not incoming.exists()


def next_version(tree: Path, number: int) -> None:
    behave(tree, f"works, number {number}")


def test_a_deployment_cut_off_at_any_moment_leaves_the_old_or_the_new_release(box: Box, tree: Path) -> None:
    next_version(tree, 0)
    began = time.monotonic()
    assert deploy(box, tree)[0] == 0
    span = time.monotonic() - began
    moments = random.Random(7)  # noqa: S311
    _, now = running(box)
    for number in range(1, CUTS + 1):
        old = now
        next_version(tree, number)
        cut = box.start(tree, "deploy", PI, environment=index_of(tree))
        with cut:
            try:
                cut.wait(timeout=moments.uniform(0, span))
            except subprocess.TimeoutExpired:
                os.killpg(cut.pid, signal.SIGKILL)  # ssh with it
            cut.communicate(timeout=60)
        # What was begun there goes on to its end.
        state, now = running(box, "while pgrep -f '[d]eploy[.]pi' >/dev/null; do sleep 0.1; done")
        assert (state, now in {old, plan(tree, "12", RUNTIMES[0]).version}) == ("active", True)


def test_a_power_cut_in_a_deployment_leaves_a_release_that_starts(box: Box, tree: Path) -> None:
    moments = random.Random(11)  # noqa: S311
    for number in range(100, 100 + POWER_CUTS):
        next_version(tree, number)
        cut = box.start(tree, "deploy", PI, environment=index_of(tree))
        with cut:
            time.sleep(moments.uniform(0.5, 4))  # the moment is the input here, nothing is waited for
            box.cut_power()
            cut.communicate(timeout=120)
        box.boot()
        # `start` waits for the one that the boot has begun.
        assert running(box, f"systemctl start {UNIT}")[0] == "active"
        leftovers = box.ssh("ls -d /opt/mask-kiosk/releases/.new-* /run/systemd/system/mask-kiosk.service").stdout
        assert leftovers == ""


def test_a_killed_kiosk_has_its_outputs_switched_off_and_starts_again(box: Box) -> None:
    assert box.ssh(f"systemctl restart {UNIT}").returncode == 0
    off = box.root / "var/lib/mask-kiosk/switched-off"
    off.unlink(missing_ok=True)
    again = f"until test $(systemctl show --property=NRestarts --value {UNIT}) -ge 1; do sleep 0.1; done"
    killed = box.ssh(f"systemctl kill --kill-whom=main --signal=SIGKILL {UNIT}; {again}; systemctl start {UNIT}")
    assert killed.returncode == 0
    assert off.exists()
    assert running(box)[0] == "active"


def test_faces_that_it_kept_are_fetched_as_its_own_user(box: Box, tmp_path: Path) -> None:
    public = make_pair(tmp_path / "keys")
    key = read_private_key(public.with_name(PRIVATE))
    made = box.ssh("install -d -o mask-kiosk -g mask-kiosk -m 700 /var/lib/mask-kiosk/collected")
    assert made.returncode == 0, made.stderr
    folder = box.root / "var/lib/mask-kiosk/collected"
    for number in range(3):
        (folder / f"180000000{number}-00000000.crop").write_bytes(seal(b"a face", key.public_key()))
    box.ssh("chown mask-kiosk: /var/lib/mask-kiosk/collected/*")
    words = "collect", PI, "--to", str(tmp_path / "faces"), "--key", str(public.with_name(PRIVATE))
    code, lines, errors = box.run(TREE, *words)
    assert (code, errors) == (0, []), lines
    assert lines[-1] == f"{PI}  ok  3 crops fetched and removed there"
    assert [path.read_bytes() for path in (tmp_path / "faces").iterdir()] == [b"a face"] * 3
    assert list(folder.iterdir()) == []


def test_online_the_kiosk_fetches_its_packages_itself(box: Box, tree: Path) -> None:
    index = box.root / "srv" / "index"  # what the kiosk takes for the package index
    shutil.copytree(tree.parent / "index", index)
    (box.root / "etc/pip.conf").write_text("[global]\nno-index = true\nfind-links = /srv/index\n")
    code, lines, errors = deploy(box, tree, "--online", "--runtime", "tflite-runtime")
    assert (code, errors) == (0, []), lines
    assert f"{PI}: Python packages: fetched from the index" in lines
    state, version = running(box)
    packages = box.root / f"opt/mask-kiosk/releases/{version}/venv/lib/python3.11/site-packages"
    assert state == "active"
    assert (packages / "tflite_runtime").exists()
    assert not (packages / "ai_edge_litert").exists()


def test_somebodys_own_unit_is_not_overwritten(box: Box, tree: Path) -> None:
    behave(tree, "works better")
    hiding = box.root / f"etc/systemd/system/{UNIT}"
    hiding.write_text("[Service]\nExecStart=/bin/true\n")
    try:
        code, _, errors = deploy(box, tree)
        assert (code, errors) == (2, [
            f"{PI}  error  /etc/systemd/system/{UNIT} hides the unit that is deployed: keep its changes with "
            "`systemctl edit`, and remove it"
        ])  # fmt: skip
        assert hiding.read_text() == "[Service]\nExecStart=/bin/true\n"
    finally:
        hiding.unlink()


def test_what_was_disabled_by_hand_stays_so_and_a_kiosk_that_was_enabled_is_rolled_back(box: Box, tree: Path) -> None:
    _, old = running(box)
    units = "mask-kiosk mask-kiosk-screen mask-kiosk-pull.timer"
    assert box.ssh(f"systemctl disable {units}").returncode == 0
    behave(tree, "works, until it has no camera")
    assert deploy(box, tree)[0] == 0
    assert box.ssh(f"systemctl is-enabled {units}").stdout == "enabled\ndisabled\ndisabled\n"
    assert box.ssh(f"systemctl enable {units}").returncode == 0
    main = "/opt/mask-kiosk/current/device/__main__.py"
    assert box.ssh(f"sed -i 's/works, until it //' {main} && rm -r $(dirname {main})/__pycache__").returncode == 0
    assert box.run(tree, "rollback", PI)[::2] == (0, [])
    assert running(box) == ("active", old)
    assert box.ssh(f"ls /etc/systemd/system/mask-kiosk*; systemctl is-enabled {units}").stdout == "enabled\n" * 3


def test_settings_that_only_the_former_release_knows_do_not_keep_it_out(box: Box, tree: Path) -> None:
    config, settings = box.root / "etc/mask-kiosk/kiosk.toml", tree / "device/settings.py"
    text, before = settings.read_text(), config.read_text()
    behave(tree, "works, and speaks")
    assert deploy(box, tree)[0] == 0
    _, speaks = running(box)
    settings.write_text(re.sub(r"    speech: bool.*\n", "", text))
    try:
        assert deploy(box, tree)[0] == 0
        config.write_text("[screen]\nspeech = false\n")
        assert box.run(tree, "rollback", PI)[::2] == (0, [])
        assert running(box) == ("active", speaks)
    finally:
        settings.write_text(text)
        config.write_text(before)


def test_a_kiosk_fetches_what_is_published_and_takes_back_what_fails(box: Box, tree: Path, folder: Path) -> None:
    key, www = folder / "keys" / "update", folder / "www"
    publish = ("publish", "--to", str(www), "--key", str(key), "--debian", "12", "--rings", "100@0")
    look = "systemctl start mask-kiosk-pull; code=$?; journalctl --unit mask-kiosk-pull --output cat >&2; exit $code"
    _, old = running(box)
    assert box.run(tree, "keys", "--key", str(key))[0] == 0
    behave(tree, "works, and was fetched")
    assert box.run(tree, *publish, environment=index_of(tree))[0] == 0
    new = plan(tree, "12", RUNTIMES[0]).version
    server = Server(www)
    try:
        assert box.run(tree, "follow", PI, "--from", server.url, "--key", str(key))[1][-1] == f"{PI}  ok  done"
        assert box.ssh("systemctl is-active mask-kiosk-pull.timer").stdout == "active\n"
        # The installer changes groups and makes users, which the agent's unit has to let it.
        looked = box.ssh(f"gpasswd --add mask-kiosk-screen mask-kiosk; {look}")
        assert (looked.returncode, running(box)) == (0, ("active", new)), looked.stderr
        assert "mask-kiosk" not in box.ssh("id -nG mask-kiosk-screen").stdout.split()

        behave(tree, "dies soon")
        bad = plan(tree, "12", RUNTIMES[0]).version
        assert box.run(tree, *publish, environment=index_of(tree))[0] == 0
        assert (box.ssh(f"userdel mask-kiosk-screen; {look}").returncode, running(box)) == (1, ("active", new))
        assert box.ssh("id -un mask-kiosk-screen").returncode == 0
        reason = f"{bad} didn't come up (it stopped deciding frames soon after the first); {new} runs again"
        assert box.run(tree, "status", PI)[1][0].endswith(
            f"; former {old}; looked for a release: {reason}"
        )
        assert box.run(tree, "unfollow", PI)[0] == 0
        assert box.ssh("systemctl is-active mask-kiosk-pull.timer").stdout == "inactive\n"
    finally:
        server.close()


def test_faces_of_an_undeployed_kiosk_go_after_31_days(box: Box, tree: Path) -> None:
    assert box.run(tree, "deploy", PI)[0] == 0
    box.ssh(f"mkdir --parents {FACES}; touch -d '-32 days' {FACES}/old.crop; touch -d '-30 days' {FACES}/young.crop")
    code, lines, _ = box.run(tree, "undeploy", PI)
    assert (code, [line for line in lines if "sealed faces" in line]) == (
        0, [f"{PI}: {FACES}: the sealed faces there still go after 31 days, as {RULES} says"]
    )  # fmt: skip
    assert box.ssh(f"systemd-tmpfiles --create --clean {RULES}; ls {FACES}").stdout == "young.crop\n"
    behave(tree, "has no camera")
    assert deploy(box, tree)[0] == 1
    assert box.ssh(f"cat {RULES}").stdout in (TREE / "systemd/mask-kiosk.tmpfiles").read_text()
    assert box.ssh(f"test -f {RULES} -a ! -h {RULES}").returncode == 0
    behave(tree, "works")
    assert box.run(tree, "deploy", PI)[0] == 0
    assert box.ssh(f"readlink {RULES}").stdout == "/opt/mask-kiosk/current/systemd/mask-kiosk.tmpfiles\n"
    assert box.ssh(f"rm -rf {FACES}").returncode == 0


def test_an_undeployed_kiosk_leaves_its_settings_and_no_unit(box: Box, tree: Path) -> None:
    box.ssh("mkdir --parents /opt/.mask-kiosk.gone/releases")  # as a power cut leaves it
    box.ssh(f"rm -rf {FACES}")
    code, _, errors = box.run(tree, "undeploy", PI)
    assert (code, errors) == (0, [])
    box.ssh("mkdir --parents /opt/.mask-kiosk.gone/releases")
    assert box.run(tree, "undeploy", PI) == (0, [f"{PI}  ok  removed"], [])
    assert list((box.root / "opt").glob("*mask-kiosk*")) == list((box.root / "opt").glob(".mask-kiosk*")) == []
    nothing = [f"{PI}  error  has no release, expected one: run `make deploy`"]
    assert box.run(tree, "doctor", PI) == (2, [], nothing)
    left = box.ssh(
        f"find {KEPT} /var/lib/mask-kiosk -name '*mask-kiosk*' 2>/dev/null; ls /etc/mask-kiosk"
    ).stdout.split()
    assert left == ["/etc/mask-kiosk", "/var/lib/mask-kiosk", "kiosk.toml"]
    assert box.ssh(f"systemctl show --property=LoadState --value {UNIT}").stdout == "not-found\n"


def test_a_first_deployment_that_fails_leaves_nothing(box: Box, tree: Path) -> None:
    behave(tree, "has no camera")
    code, _, errors = deploy(box, tree)
    assert (code, len(errors)) == (1, 1)
    assert errors[0].endswith("didn't come up (FAULT no camera); nothing runs, as before")
    assert not (box.root / "opt/mask-kiosk").exists()
    behave(tree, "works")
    blocked = "/etc/systemd/system.conf.d/.90-mask-kiosk.conf.new"
    with in_box(box, f"mkdir --parents {blocked}", f"rmdir {blocked}"):
        code, _, errors = deploy(box, tree)
    assert (code, len(errors)) == (5, 1)
    assert errors[0].endswith(f"didn't come up ([Errno 21] Is a directory: '{blocked}'); nothing runs, as before")
    assert not (box.root / "opt/mask-kiosk").exists()
    left = box.ssh("find /etc /usr/local/lib /run/systemd/system -name '*mask-kiosk*' ! -path '/etc/mask-kiosk*'")
    assert left.stdout == ""
    assert box.ssh(f"systemctl show --property=LoadState --value {UNIT}").stdout == "not-found\n"


def test_the_first_boot_recipe_ends_as_a_deployment_does(box: Box, tree: Path) -> None:
    assert running(box)[1] == ""
    code, lines, errors = box.run(tree, "bundle", "--debian", "12", environment=index_of(tree))
    assert (code, errors) == (0, [])
    boot = box.root / "boot" / "firmware"
    boot.mkdir(parents=True)
    shutil.copy(lines[-1], boot / "mask-kiosk.tar")
    recipe = (TREE / "deploy" / "first-boot" / "user-data").read_text().partition("runcmd:\n")[2]
    commands = re.findall(r"^  - (.*)$", recipe, re.MULTILINE)
    assert len(commands) == 3
    before = everything(box)
    with in_box(box, "sed -i s/12/13/ /etc/os-release", "sed -i s/13/12/ /etc/os-release"):
        refused = box.ssh("set -e\n" + "\n".join(commands))
    version = plan(tree, "12", RUNTIMES[0]).version
    assert (refused.returncode, refused.stdout) == (
        2, f"error: runs debian 13, expected debian 12, for which {version} was made: for this system `make bundle "
        "DEBIAN=13`\n"
    )  # fmt: skip
    assert everything(box) == before
    ended = box.ssh("set -e\n" + "\n".join(commands))
    assert ended.returncode == 0, ended.stdout
    state, version = running(box)
    assert state == "active"
    assert deploy(box, tree) == (0, [f"{PI}  ok  {version} runs already"], [])


def test_what_was_moved_to_another_disk_is_updated_and_rolled_back_there(box: Box, tree: Path) -> None:
    moved = box.ssh("mv /opt/mask-kiosk /srv/ && ln -s /srv/mask-kiosk /opt/mask-kiosk")
    assert moved.returncode == 0, moved.stderr
    _, old = running(box)
    for number in (1, 2):  # the second has another one to remove
        behave(tree, f"works elsewhere, number {number}")
        new = plan(tree, "12", RUNTIMES[0]).version
        assert deploy(box, tree) == (0, ANY, [])
        assert (running(box), releases(box)) == (("active", new), {old, new})
        assert box.run(tree, "rollback", PI)[::2] == (0, [])
        assert (running(box), releases(box)) == (("active", old), {old, new})
    assert box.ssh("readlink /opt/mask-kiosk/current").stdout == f"/opt/mask-kiosk/releases/{old}\n"
    assert box.run(tree, "undeploy", PI)[::2] == (0, [])
    assert box.ssh("readlink /opt/mask-kiosk && ls -A /srv/mask-kiosk").stdout == "/srv/mask-kiosk\n"


def releases(box: Box) -> set[str]:
    return set(box.ssh("ls -A /opt/mask-kiosk/releases").stdout.split())
