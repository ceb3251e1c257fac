"""The pull agent, a publisher, a server, and whoever sits between them: what runs afterwards, and what is said."""

import fcntl
import json
import os
import random
import re
import resource
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fleet import OLD, Handler, Kiosk, Publisher, Server, copy_of
from pi_box import script
from toy_release import TREE, behave

from deploy.errors import DeployError
from deploy.lock import RUNTIMES
from deploy.manifest import NAMESPACE, Bundle, Ring, public_key, signers_file, verified
from deploy.pi import deliver, fetch, pull
from deploy.pi.follow import follow
from deploy.publish import rings
from deploy.release import Release, plan

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("ssh-keygen", "/usr/bin/python3"))), reason="needs ssh-keygen and Debian's Python"
)
DAY = 86400
CUTS = 10  # moments


class Case:
    """One kiosk, its publisher and the server between them; `new` was published, OLD runs."""

    def __init__(self, publisher: Publisher, server: Server, kiosk: Kiosk, new: Bundle) -> None:
        self.publisher, self.server, self.kiosk, self.new = publisher, server, kiosk, new

    def look(self, after_seconds: float = 0.0) -> tuple[int, str]:
        """Let the agent look, so long from now; return its exit code and line."""
        code = pull.main(["--root", str(self.kiosk.root)], time.time() + after_seconds)
        found = self.kiosk.said()
        assert found[0] == code
        return found

    def file(self, suffix: str) -> Path:
        (path,) = self.publisher.www.glob(f"*/{self.new.archive.name if suffix == '.zip' else 'gpiozero*' + suffix}")
        return path


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    publisher = Publisher(tmp_path_factory.mktemp("publisher"))
    publisher.publish()
    shutil.copytree(publisher.www, publisher.www.with_name("good"))
    return publisher


@pytest.fixture
def case(publisher: Publisher, tmp_path: Path) -> Iterator[Case]:
    copy_of(publisher.www.with_name("good"), publisher.www)
    server = Server(publisher.www)
    kiosk = Kiosk(tmp_path / "kiosk", server.url, (public_key(publisher.keys / "update.pub"),))
    try:
        yield Case(publisher, server, kiosk, publisher.manifest.bundles[0])
    finally:
        server.close()


def change(path: Path, how: Callable[[bytes], bytes]) -> None:
    path.write_bytes(how(path.read_bytes()))


def flip(content: bytes) -> bytes:
    return content[:-30] + bytes([content[-30] ^ 1]) + content[-29:]


def describe(case: Case, **changes: Any) -> None:
    """Publish a release whose archive is described otherwise."""
    bundle = replace(case.new, archive=replace(case.new.archive, **changes))
    case.publisher.sign(bundles=(bundle,), serial=case.publisher.manifest.serial + 1)


def sign_otherwise(case: Case, namespace: str = NAMESPACE, how: Callable[[bytes], bytes] = bytes) -> None:
    """Sign the manifest's line with another namespace, or changed."""
    manifest = case.publisher.www / "manifest"
    line = how(manifest.read_bytes().partition(b"\n")[0] + b"\n")
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(case.publisher.keys / "update")]
    manifest.write_bytes(line + subprocess.run(command, input=line, capture_output=True, check=True).stdout)


def newer_believed(case: Case) -> None:
    case.kiosk.state.parent.mkdir(parents=True)
    serial = case.publisher.manifest.serial + 1
    case.kiosk.state.write_text(json.dumps({"serial": serial, "sha256": "0" * 64, "ended": "", "begun": 0}))


def same_serial_believed(case: Case) -> None:
    newer_believed(case)
    change(case.kiosk.state, lambda text: text.replace(str(case.publisher.manifest.serial + 1).encode(),
                                                       str(case.publisher.manifest.serial).encode()))  # fmt: skip


def damaged(case: Case) -> None:
    newer_believed(case)
    change(case.kiosk.state, lambda text: text[:9])


def half_then(handler: Handler, *, wait: bool) -> None:
    """Send half of a file, and wait for ever or break off."""
    content = Path(handler.translate_path(handler.path)).read_bytes()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2])
    handler.wfile.flush()
    if wait:
        handler.server.ending.wait()


def drip(handler: Handler) -> None:
    """Send a header that never ends, a byte at a time."""
    handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Long: ")
    while not handler.server.ending.wait(0.02):
        try:
            handler.wfile.write(b"x")
        except OSError:
            return


def sent_on(handler: Handler) -> None:
    handler.send_response(302)
    handler.send_header("Location", "http://[")
    handler.end_headers()


def trick(suffix: str, how: Callable[[Handler], object]) -> Callable[[Case], None]:
    return lambda case: case.server.tricks.update({suffix: how})


def grown(number: str) -> Callable[[Case], None]:
    """Sign a manifest in which a number, below 0 where its name begins so, has 401 digits."""
    name, sign = number.removeprefix("-").encode(), b"-" if number.startswith("-") else b""
    written = re.compile(rb'("%b": )[0-9.]+' % name)
    return lambda case: sign_otherwise(case, how=lambda line: written.sub(rb"\g<1>%b1%b" % (sign, b"0" * 400), line))


def numbered(serial: str) -> Callable[[Case], None]:
    """Sign a manifest with another serial."""
    written = re.compile(rb'("serial": )\d+')
    return lambda case: sign_otherwise(case, how=lambda line: written.sub(rb"\g<1>" + serial.encode(), line))


UNSIGNED = r"the manifest isn't signed by a key that is trusted here \(.+\)"
# What happens, exit code, line.
ATTACKS: dict[str, tuple[Callable[[Case], object], int, str]] = {
    "a stranger's key": (lambda case: case.publisher.sign("stranger"), 2, UNSIGNED),
    "a key that isn't trusted yet": (lambda case: case.publisher.sign("next"), 2, UNSIGNED),
    "a signature for something else": (lambda case: sign_otherwise(case, "file"), 2, UNSIGNED),
    "an edited manifest": (
        lambda case: change(case.publisher.www / "manifest", lambda text: text.replace(b'"serial": 1', b'"serial": 2')),
        2, UNSIGNED,
    ),
    "half a manifest": (
        lambda case: change(case.publisher.www / "manifest", lambda text: text[: len(text) // 2]), 2, UNSIGNED,
    ),
    "an empty manifest": (lambda case: change(case.publisher.www / "manifest", lambda _: b""), 2, UNSIGNED),
    "an endless manifest": (
        lambda case: change(case.publisher.www / "manifest", lambda text: text + b" " * 10**6), 2,
        r"http://\S+/manifest is larger than 65536 bytes, expected a manifest",
    ),
    "an old manifest": (
        newer_believed, 2, r"the manifest is an old one, of serial \d+, expected \d+ or later",
    ),
    "two manifests of one serial": (
        same_serial_believed, 2, r"the manifest isn't the one of serial \d+ accepted before: publish again",
    ),
    "another product": (
        lambda case: case.publisher.sign(product="toaster"), 2,
        "the manifest is for 'toaster', format 1, expected mask-kiosk, format 1",
    ),
    "another format": (
        lambda case: case.publisher.sign(format=2), 2,
        "the manifest is for 'mask-kiosk', format 2, expected mask-kiosk, format 1",
    ),
    "no object": (
        lambda case: sign_otherwise(case, how=lambda _: b"4\n"), 2,
        "the manifest is for None, format None, expected mask-kiosk, format 1",
    ),
    "another Debian": (
        lambda case: case.publisher.sign(
            bundles=(replace(case.new, release=replace(case.new.release, debian="13")),)
        ), 2, "the manifest has no release for Debian 12, expected one: publish it too",
    ),
    "a file outside its folder": (
        lambda case: sign_otherwise(case, how=lambda line: line.replace(b'"name": "', b'"name": "../../etc/')), 2,
        r"the manifest can't be read \(name is '../../etc/\S+', expected that of a file\), expected what `make .+",
    ),
    "a manifest that trusts nobody": (
        lambda case: sign_otherwise(case, how=lambda line: re.sub(rb'"signers": \[.*?\]', b'"signers": []', line)), 2,
        r"the manifest can't be read \(signers are no public keys, .+",
    ),
    "a manifest without its end": (
        lambda case: sign_otherwise(case, how=lambda line: line[:-3] + b"\n"), 2, r"the manifest can't be read \(.+",
    ),
    "a manifest of another version": (
        lambda case: sign_otherwise(case, how=lambda line: line.replace(b'"rings"', b'"circles"')), 2,
        r"the manifest can't be read \(key 'circles' of the manifest is unknown: it is of another version, .+",
    ),
    **{
        f"{number} beyond all numbers": (
            grown(number), 2, r"the manifest can't be read \(-?10{13,14}… is too large a number\), expected what .+"
        ) for number in ("made", "expires", "-expires", "size", "share")
    },
    **{
        f"a serial of {serial}": (
            numbered(serial), 2, rf"the manifest can't be read \({line}\), expected what `make publish` writes",
        ) for serial, line in {
            "999999999999998": r"serial is 999999999999998, expected \d+ at most", "1e300": ".*serial.*",
            '"4"': ".*serial.*",
        }.items()
    },
    "a release too large": (
        lambda case: describe(case, size=10**12), 2, r"the release has 1000000 MB, expected 500 at most",
    ),
    "a longer release than said": (
        lambda case: change(case.file(".zip"), lambda zipped: zipped + b"x" * 10**6), 2,
        r"http://\S+\.zip is larger than \d+ bytes, expected what the manifest says: copy the whole folder .+",
    ),
    "a truncated release": (
        lambda case: change(case.file(".zip"), lambda zipped: zipped[:-1]), 2,
        r"http://\S+\.zip is \d+ of \d+ bytes, expected what the manifest says: copy the whole folder to the server",
    ),
    "a corrupted release": (
        lambda case: change(case.file(".zip"), flip), 2,
        r"http://\S+\.zip has another SHA-256 than the manifest says: copy the whole folder to the server",
    ),
    "a corrupted wheel": (
        lambda case: change(case.file(".whl"), flip), 2,
        r"http://\S+\.whl has another SHA-256 than the manifest says: copy the whole folder to the server",
    ),
    "no release on the server": (
        lambda case: case.file(".zip").unlink(), 3, r"http://\S+\.zip isn't reached \(HTTP Error 404.+",
    ),
    "a connection that breaks": (
        trick(".zip", lambda handler: half_then(handler, wait=False)), 2, r"http://\S+\.zip is \d+ of \d+ bytes, .+",
    ),
    "a server that stalls": (
        trick(".zip", lambda handler: half_then(handler, wait=True)), 3,
        r"http://\S+\.zip isn't reached \(timed out\), expected it within \d+ s",
    ),
    "a server that drips": (
        trick("/manifest", drip), 3, r"http://\S+/manifest isn't reached \(.*too slow.*\), expected it within \d+ s",
    ),
    "a server that isn't one": (
        trick("/manifest", lambda handler: handler.wfile.write(b"SSH-2.0\r\n\r\n")), 3,
        r"http://\S+/manifest isn't reached \(.+\), expected it within \d+ s",
    ),
    "a server that sends it on to no address": (
        trick("/manifest", sent_on), 3, r"http://\S+/manifest isn't reached \(.+\), expected it within \d+ s",
    ),
    "a damaged memory": (
        damaged, 2,
        r".+/state.json is damaged \(.+\), so an old manifest can't be told from a new one: remove it on the Pi",
    ),
}  # fmt: skip


class Late:
    """A hash at which the time for a download runs out."""

    def update(self, _: bytes) -> None:
        signal.raise_signal(signal.SIGALRM)


def test_a_download_whose_time_runs_out_while_a_piece_is_written_is_tried_again(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(fetch, "sha256", Late)
        code, line = case.look()
    told = re.fullmatch(r"http://\S+ isn't reached \(too slow\), expected .+; nothing has changed", line)
    assert (code, bool(told)) == (3, True), line
    assert case.look()[0] == 0


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_or_accident_changes_nothing_and_then_a_good_release_installs(
    case: Case, attack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "SILENT_SECONDS", 0.3)
    monkeypatch.setattr(fetch, "PATIENCE_SECONDS", 0.6 if attack == "a server that drips" else 60.0)
    happens, code, line = ATTACKS[attack]
    happens(case)
    signers = (case.kiosk.root / "etc/mask-kiosk-pull/signers").read_text()
    found = case.look()
    assert (found[0], bool(re.fullmatch(f"{line}; nothing has changed", found[1]))) == (code, True), found
    assert case.kiosk.runs() == OLD.version
    assert (case.kiosk.root / "etc/mask-kiosk-pull/signers").read_text() == signers
    assert case.kiosk.leftovers() == []

    case.server.tricks.clear()
    case.kiosk.state.unlink(missing_ok=attack != "a damaged memory")
    copy_of(case.publisher.www.with_name("good"), case.publisher.www)
    case.publisher.sign(serial=case.publisher.manifest.serial + 10)
    assert case.look() == (0, f"{case.new.release.version} runs")
    assert case.kiosk.runs() == case.new.release.version


@pytest.mark.parametrize(
    ("after_days", "line"),
    [
        (31, r"the manifest expired on \S+ \S+ UTC, it is \S+ \S+ UTC: publish again"),
        (-2, r"the manifest is of \S+ \S+ UTC, and the clock says \S+ \S+ UTC: let a time server set it"),
    ],
)
def test_a_clock_before_or_after_the_manifests_time_is_told(case: Case, after_days: float, line: str) -> None:
    code, found = case.look(after_days * DAY)
    assert (code, bool(re.fullmatch(f"{line}; nothing has changed", found))) == (2, True), found
    assert case.kiosk.runs() == OLD.version
    assert case.look()[0] == 0


def test_nothing_is_fetched_where_the_card_is_full(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliver, "FREE_MB", {"update": 10**9, "venv": 10**9})
    code, line = case.look()
    assert (code, line[-64:]) == (2, "expected 1000000000: remove something there; nothing has changed")
    # And where it is full by the time that something is written.
    limited = subprocess.run(
        case.kiosk.command, cwd=TREE, capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)),
    )  # fmt: skip
    assert (limited.returncode, case.kiosk.said()[0]) == (5, 5)
    assert case.kiosk.said()[1] == (
        "[Errno 27] File too large, expected a disk with room: look with `df -h` and `df -i`; "
        f"{OLD.version} is the current release"
    )
    assert (case.kiosk.runs(), case.kiosk.leftovers()) == (OLD.version, [])


def test_what_was_fetched_before_takes_no_room_from_what_is_to_come(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = case.kiosk.home / "fetched"
    fetched.mkdir()
    (fetched / "of-another-release.zip").write_bytes(bytes(2_000_000))
    card = 1_000_000  # bytes, which is just what is wanted
    monkeypatch.setattr(deliver, "FREE_MB", {"update": 1, "venv": 1})
    monkeypatch.setattr(
        deliver, "disk_usage", lambda at: SimpleNamespace(free=card - sum(path.stat().st_size for path in at.iterdir()))
    )
    case.server.tricks[".whl"] = lambda handler: half_then(handler, wait=False)
    assert re.fullmatch(r"http://\S+\.whl is \d+ of \d+ bytes, .+", case.look()[1]), case.kiosk.said()
    assert [path.name for path in fetched.iterdir()] == [case.new.archive.name]
    case.server.tricks.clear()
    assert case.look() == (0, f"{case.new.release.version} runs")


def test_a_kiosk_waits_for_its_ring(case: Case) -> None:
    version = case.new.release.version
    case.publisher.sign(rings=(Ring(0.05, 0), Ring(0.5, 24), Ring(1.0, 72)))
    waits = f"{version} waits: this kiosk's place is 0.752, and the first {{}} have their turn"
    assert case.look(3600) == (0, waits.format("0.050"))
    assert case.look(71 * 3600) == (0, waits.format("0.500"))
    assert case.kiosk.runs() == OLD.version
    assert case.look(72 * 3600) == (0, f"{version} runs")
    assert case.look(73 * 3600) == (0, f"{version} runs already")


RINGS = "50@0 100@48"


def test_rings_go_on_where_the_same_release_is_published_again(case: Case) -> None:
    publisher, version = case.publisher, case.new.release.version
    publisher.publish(rings=RINGS)
    began = publisher.manifest.made
    assert publisher.manifest.rings == rings(RINGS)
    publisher.sign(made=began - 47 * 3600)
    publisher.publish(rings=RINGS)
    publisher.publish(rings=RINGS)
    assert publisher.manifest.made >= began
    assert case.look(1800) == (0, f"{version} waits: this kiosk's place is 0.752, and the first 0.500 have their turn")
    assert case.look(2 * 3600) == (0, f"{version} runs")
    publisher.publish(rings="50@24 100@72")
    assert publisher.manifest.rings == rings("50@24 100@72")


def test_rings_begin_anew_where_a_stranger_says_when_they_began_and_for_another_release(case: Case) -> None:
    publisher = case.publisher
    for key, behaviour in (("stranger", "works"), ("update", "works better")):
        publisher.sign(key, rings=rings(RINGS), made=publisher.manifest.made - 30 * 3600)
        publisher.publish(behaviour, rings=RINGS)
        assert publisher.manifest.rings == rings(RINGS)


def test_a_release_before_is_not_installed_again_by_its_old_manifest(case: Case) -> None:
    assert case.look()[0] == 0
    newer = case.publisher.publish("works better").release.version
    assert case.look() == (0, f"{newer} runs")
    copy_of(case.publisher.www.with_name("good"), case.publisher.www)
    code, line = case.look()
    assert (code, line[:29], case.kiosk.runs()) == (2, "the manifest is an old one, o", newer)


def test_a_release_that_is_taken_back_is_tried_once_a_manifest(case: Case) -> None:
    version, spoils = case.new.release.version, case.kiosk.root / "etc/spoils"
    spoils.write_text("1")
    taken_back = f"{version} didn't come up (FAULT no camera); {OLD.version} runs again"
    assert case.look() == (1, taken_back)
    spoils.unlink()
    assert case.look() == (
        2, f"{version} isn't tried again before the next manifest: {taken_back}; nothing has changed"
    )  # fmt: skip
    assert case.kiosk.runs() == OLD.version
    case.publisher.sign(serial=case.publisher.manifest.serial + 1)
    assert case.look() == (0, f"{version} runs")


@pytest.mark.parametrize(
    ("path", "code", "line"),
    [
        ("var/lib/mask-kiosk-pull/ran", 0, r".* waits: this kiosk's place is 0\.752, and the first .+ have their turn"),
        ("etc/mask-kiosk-pull/server", 3, r"��manifest isn't reached \(unknown url type: .*; nothing has changed"),
        ("etc/mask-kiosk-pull/signers", 2, r"the manifest isn't signed by a key that is trusted here \(.*; nothing .+"),
    ],
)  # fmt: skip
def test_a_file_of_the_agents_that_the_card_has_damaged_is_told_in_one_line(
    case: Case, path: str, code: int, line: str
) -> None:
    case.publisher.publish("works later", rings="100@24")
    assert case.look()[0] == 0
    (case.kiosk.root / path).write_bytes(b"\xff\xfe")
    ended, said = case.look()
    assert (ended, bool(re.fullmatch(line, said))) == (code, True), said


@pytest.mark.parametrize(
    ("how", "line"),
    [
        ("5", "{new} didn't come up (FAULT no camera); {old} runs again"),
        ("full", "the release can't make a venv (No space left on device): look with `df -h`; {old} is the current "
                 "release"),
        ("alone", "{new}: its installation was cut off (code -9; its last line: none); {old} is the current release"),
        ("breaks", "{new}: its installation was cut off (code 1; its last line: MemoryError); {old} is the current "
                   "release"),
    ],
)
def test_a_release_that_cannot_be_kept_or_was_cut_off_alone_is_tried_again(case: Case, how: str, line: str) -> None:
    version, spoils = case.new.release.version, case.kiosk.root / "etc/spoils"
    spoils.write_text(how)
    line = line.format(new=version, old=OLD.version)
    assert [case.look(), case.look(), case.kiosk.runs()] == [(5, line), (5, line), OLD.version]
    spoils.unlink()
    assert case.look() == (0, f"{version} runs")


def test_a_release_that_came_in_the_dark_is_tried_until_it_is_light(case: Case) -> None:
    spoils = case.kiosk.root / "etc/spoils"
    spoils.write_text("6")
    assert [case.look()[0] for _ in range(5)] == [6] * 5
    spoils.unlink()
    assert case.look() == (0, f"{case.new.release.version} runs")


def test_what_came_from_a_workstation_stays_until_the_next_manifest(case: Case) -> None:
    assert case.look()[0] == 0
    same = case.publisher.manifest.serial + 1
    case.publisher.sign(serial=same)
    assert case.look() == (0, f"{case.new.release.version} runs already")
    case.kiosk.deploy(OLD)
    assert (case.look()[0], case.kiosk.runs()) == (2, OLD.version)
    case.publisher.sign(serial=same + 1)
    assert (case.look()[0], case.kiosk.runs()) == (0, case.new.release.version)


def test_what_came_from_a_workstation_while_the_kiosk_waits_for_its_ring_stays_until_the_next_manifest(
    case: Case,
) -> None:
    version = case.new.release.version
    case.publisher.sign(rings=(Ring(0.5, 0), Ring(1.0, 24)))
    assert case.look(3600)[1].startswith(f"{version} waits: ")
    case.kiosk.deploy(HOTFIX)
    reason = f"{HOTFIX.version} came by hand; nothing has changed"
    refused = f"{version} isn't tried again before the next manifest: {reason}"
    assert case.look(25 * 3600) == (2, refused)
    case.kiosk.deploy(OLD)
    assert (case.look(26 * 3600), case.kiosk.runs()) == ((2, refused), OLD.version)
    case.publisher.sign(serial=case.publisher.manifest.serial + 1)
    assert case.look(27 * 3600) == (0, f"{version} runs")


HOTFIX = Release("0.1.0-hotfix", "12", "ai-edge-litert", "another lock")
# What is done while the agent fetches, and its exit code and line then, the release's version put in.
MEANWHILE: dict[str, tuple[Callable[[Case], object], int, str]] = {
    "another release is deployed": (
        lambda case: case.kiosk.deploy(HOTFIX), 2,
        f"{{}} isn't tried again before the next manifest: {HOTFIX.version} came by hand; {HOTFIX.version} runs",
    ),
    "the same release is deployed": (
        lambda case: case.kiosk.deploy(case.new.release), 0, "{} runs already",
    ),
    "the kiosk is removed": (
        lambda case: (case.kiosk.home / "current").unlink(), 2,
        "has no release, expected one: run `make deploy`; nothing runs",
    ),
    "it follows no more": (
        lambda case: (case.kiosk.root / "etc/mask-kiosk-pull/server").unlink(), 2,
        "follows no server, expected one: run `make follow`; nothing has changed",
    ),
    "it follows another server": (
        lambda case: (case.kiosk.root / "etc/mask-kiosk-pull/server").write_text(f"{case.server.url}./\n"), 0,
        "{} waits: the kiosk follows another server or key now",
    ),
    "it follows another key": (
        lambda case: (case.kiosk.root / "etc/mask-kiosk-pull/signers").write_text(
            signers_file((public_key(case.publisher.keys / "stranger.pub"),))
        ), 0, "{} waits: the kiosk follows another server or key now",
    ),
    "the kiosk is switched off": (
        lambda case: case.kiosk.enabled.unlink(), 0, "{} waits: the kiosk is switched off here",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", MEANWHILE)
def test_what_is_done_by_hand_while_the_agent_fetches_is_heeded(
    case: Case, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path / "systemctl", "#!/bin/sh\necho ActiveState=inactive\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (does, code, line), after = MEANWHILE[what], set[str]()

    def meanwhile(handler: Handler) -> None:
        does(case)
        after.add(case.kiosk.home.joinpath("current").resolve().name)
        SimpleHTTPRequestHandler.do_GET(handler)

    case.server.tricks[".zip"] = meanwhile
    assert case.look() == (code, line.format(case.new.release.version))
    assert {case.kiosk.home.joinpath("current").resolve().name} == after
    state = json.loads(case.kiosk.state.read_text())
    endings = {"", f"{HOTFIX.version} came by hand", f"{case.new.release.version} ran already"}
    assert (state["begun"], state["ended"] in endings) == (0, True), state
    assert not (case.kiosk.home / "incoming").exists()


@pytest.mark.parametrize("how", ["disabled", "masked"])
def test_a_kiosk_that_its_owner_switched_off_is_left_alone(
    case: Case, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version, masked = case.new.release.version, case.kiosk.root / "etc/systemd/system/mask-kiosk.service"
    script(tmp_path / "systemctl", f"#!/bin/sh\necho ActiveState=$(cat '{tmp_path}/state')\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    if how == "masked":
        masked.symlink_to("/dev/null")
    else:
        case.kiosk.enabled.unlink()
    (tmp_path / "state").write_text("inactive")
    assert case.look() == (0, f"{version} waits: the kiosk is switched off here")
    assert case.kiosk.runs() == OLD.version
    (tmp_path / "state").write_text("active")  # started by hand
    assert case.look() == (0, f"{version} runs")


def test_it_hands_nothing_over_while_a_workstation_sends(case: Case) -> None:
    lock = case.kiosk.root / "run/mask-kiosk-pull/lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert case.look() == (4, "another deployment runs there: wait until it has ended; nothing has changed")
        assert not (case.kiosk.home / "incoming").exists()
    assert case.look() == (0, f"{case.new.release.version} runs")


def test_a_release_whose_own_agent_fetches_nothing_is_not_installed(case: Case) -> None:
    agent = case.publisher.tree / "deploy" / "pi" / "pull.py"
    text = agent.read_text()
    try:
        agent.write_text("raise SystemExit('error: a broken agent')\n")
        case.publisher.publish()
    finally:
        agent.write_text(text)
    code, line = case.look()
    assert (code, line, case.kiosk.runs()) == (1, f"a broken agent; {OLD.version} is the current release", OLD.version)


def test_a_kiosk_cut_off_at_any_moment_runs_the_old_or_the_new_release(case: Case, tmp_path: Path) -> None:
    moments, new = random.Random(5), case.new.release.version  # noqa: S311
    spans: list[float] = []
    for number in range(1 + CUTS):
        case.kiosk = Kiosk(tmp_path / f"kiosk {number}", case.server.url, case.publisher.manifest.signers)
        began = time.monotonic()
        with subprocess.Popen(case.kiosk.command, cwd=TREE, stdout=subprocess.DEVNULL, start_new_session=True) as cut:
            try:
                cut.wait(timeout=moments.uniform(0, spans[0]) if spans else None)
            except subprocess.TimeoutExpired:
                # And whatever it has started, which may hold the lock until it is gone.
                os.killpg(cut.pid, signal.SIGKILL)
                with suppress(FileNotFoundError), (case.kiosk.root / "run/mask-kiosk-pull/lock").open() as held:
                    fcntl.flock(held, fcntl.LOCK_EX)
        spans.append(time.monotonic() - began)
        assert case.kiosk.runs() in {OLD.version, new}
        assert case.look()[0] == 0
        assert (case.kiosk.runs(), case.kiosk.leftovers()) == (new, [])


def test_a_release_that_stops_the_computer_is_tried_three_times(case: Case) -> None:
    (case.kiosk.root / "etc/spoils").write_text("kill")
    for _ in range(3):
        assert subprocess.run(case.kiosk.command, cwd=TREE, check=False, start_new_session=True).returncode < 0
    code, line = case.look()
    assert (code, line.partition(" ")[2]) == (
        2, "isn't tried again before the next manifest: 3 times its installation came to no end; nothing has changed"
    )  # fmt: skip
    assert case.kiosk.runs() == OLD.version


def test_a_state_that_cannot_be_written_after_the_installation_does_not_hide_that_the_release_runs(case: Case) -> None:
    (case.kiosk.root / "etc/spoils").write_text("no state")
    code, line = case.look()
    assert (code, line.startswith("[Errno"), line.rpartition("; ")[2]) == (2, True, f"{case.new.release.version} runs")
    assert case.kiosk.runs() == case.new.release.version
    case.kiosk.state.rmdir()
    assert case.look() == (0, f"{case.new.release.version} runs already")


def test_a_kiosk_whose_debian_was_upgraded_gets_the_release_for_it(case: Case) -> None:
    newer = replace(case.new, release=replace(case.new.release, version="0.1.0-for-13", debian="13"))
    case.publisher.sign(bundles=(case.new, newer))
    (case.kiosk.root / "etc/os-release").write_text('ID=debian\nVERSION_ID="13"\n')
    assert case.look() == (0, "0.1.0-for-13 runs")


def test_the_time_of_a_look_is_noted_by_the_clock_that_nobody_sets(case: Case) -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    case.look(after_seconds=-3 * DAY)
    assert before <= json.loads(case.kiosk.last.read_text())["uptime"] <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_keys_are_replaced_by_a_manifest_that_the_old_one_signed(case: Case) -> None:
    case.publisher.publish(trust="next")
    assert case.look()[0] == 0
    newer = case.publisher.publish("works better", key="next").release.version
    assert case.look() == (0, f"{newer} runs")
    case.publisher.publish("works best", key="update")
    assert (case.look()[0], case.kiosk.runs()) == (2, newer)


def test_the_private_key_is_its_owners_alone_and_is_never_replaced(publisher: Publisher) -> None:
    key = publisher.keys / "update"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_text()
    code, line = publisher.run("keys", "--key", str(key))
    assert (code, line) == (
        2, f"error: {key} exists, and kiosks may trust it, so it is kept: for another key set KEY="
    )  # fmt: skip
    assert key.read_text() == before


def test_a_public_key_that_was_lost_is_made_of_the_private_one(publisher: Publisher, tmp_path: Path) -> None:
    key, public = tmp_path / "update", tmp_path / "update.pub"
    shutil.copy(publisher.keys / "update", key)
    code, refused = publisher.run("publish", "--to", str(tmp_path / "www"), "--key", str(key))
    assert (code, refused.endswith("expected one: run `make keys`")) == (2, True), refused
    assert publisher.run("keys", "--key", str(key)) == (0, f"{public}: made again from {key}")
    assert public.read_text() == (publisher.keys / "update.pub").read_text()
    public.unlink()
    assert publisher.run("keys", "--key", f"{tmp_path}/") == (
        2, f"error: {tmp_path}: is a folder, expected a private key: name a file in it with KEY="
    )  # fmt: skip
    key.write_text("no key\n")
    code, refused = publisher.run("keys", "--key", str(key))
    assert (code, refused.endswith(": try again, or set KEY="), public.exists()) == (2, True, False), refused


def test_a_passphrase_that_was_mistyped_may_be_tried_again(publisher: Publisher, tmp_path: Path) -> None:
    key, public = tmp_path / "update", tmp_path / "update.pub"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "a secret", "-f", str(key)], check=True)
    tried = [publisher.run("publish", "--to", str(tmp_path / "www"), "--key", str(key), "--debian", "12")]
    public.unlink()
    tried.append(publisher.run("keys", "--key", str(key)))
    for code, refused in tried:
        assert (code, "passphrase" in refused.partition(")")[0]) == (2, True), refused
        assert re.search(r"\), expected an? .*private key and its passphrase: try again, or ", refused), refused


def test_a_private_key_that_others_may_read_is_told_with_what_to_do(publisher: Publisher, tmp_path: Path) -> None:
    key = tmp_path / "update"
    shutil.copy(publisher.keys / "update", key)
    key.chmod(0o644)
    refused = 2, f"error: {key}: others may read it (mode 644), expected 600: `chmod 600 '{key}'`"
    assert publisher.run("keys", "--key", str(key)) == refused
    shutil.copy(publisher.keys / "update.pub", tmp_path)
    assert publisher.run("publish", "--to", str(tmp_path / "www"), "--key", str(key), "--debian", "12") == refused


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a key to somebody else")
def test_a_private_key_of_somebody_else_is_used_as_its_group_may_read_it(publisher: Publisher, tmp_path: Path) -> None:
    key, public = tmp_path / "update", tmp_path / "update.pub"
    shutil.copy(publisher.keys / "update", key)
    key.chmod(0o640)
    os.chown(key, 65534, 0)
    assert publisher.run("keys", "--key", str(key)) == (0, f"{public}: made again from {key}")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), r"error: the folder is missing, expected one that a web server shows: make publish TO=~/www"),
        (("--to", "www"), r"error: .*/update.pub: no public key \(.*\), expected one: run `make keys`"),
        *(
            (
                ("--to", "www", "--days", days, "--rings", rings),
                rf"error: days are {days}, expected {least} to 3650, one more than the last ring waits: set DAYS={do}",
            )
            for days, rings, least, do in (
                ("0", "100@0", 1, 30), ("1e-09", "100@0", 1, 30), ("nan", "100@0", 1, 30), ("3.5", "5@0 100@72", 4, 30),
                ("3651", "100@0", 1, 30), ("30", "100@744", 32, 32),
            )
        ),
        (("--to", "www", "--rings", "5"), r"error: rings are '5', expected PERCENT@HOURS, rising up to .+"),
    ],
)
def test_publishing_without_what_it_needs_is_refused_in_one_line(
    publisher: Publisher, words: tuple[str, ...], line: str
) -> None:
    publisher.environment["XDG_CONFIG_HOME"] = str(publisher.www)
    code, printed = publisher.run("publish", *words)
    assert (code, bool(re.fullmatch(line, printed))) == (2, True), printed


def test_a_serial_that_kiosks_would_never_pass_is_not_counted_on_from_whoever_wrote_it(case: Case) -> None:
    manifest = case.publisher.www / "manifest"
    for serial in ("999999999999998", "1e300", "1e999", '"4"', "null"):
        manifest.write_text(f'{{"serial": {serial}}}\nnot signed\n')
        code, printed = case.publisher.run(*case.publisher.publishing())
        assert code == 2
        assert re.fullmatch(
            rf"error: {manifest} has serial \S+, expected a time, less than \d+: remove it, and see who else may .+",
            printed,
        ), printed
    last = int(time.time()) + 3650 * DAY - 9  # some of the largest that are counted on from
    manifest.write_text(f'{{"serial": {last}}}\nnot signed\n')
    for _ in range(2):
        code, printed = case.publisher.run(*case.publisher.publishing())
        assert code == 0, printed
        assert case.look()[0] == 0


def test_what_counts_on_from_no_number_is_refused(case: Case) -> None:
    manifest = case.publisher.www / "manifest"
    for serial in ("1" + "0" * 15, "[" * 30_000):
        manifest.write_text(f'{{"serial": {serial}}}\n')
        code, printed = case.publisher.run(*case.publisher.publishing())
        assert (code, printed) == (
            2, f"error: {manifest} isn't a manifest, expected one or none: choose another folder with TO="
        )  # fmt: skip


def test_a_full_disk_is_named_and_half_a_file_does_not_stay(case: Case) -> None:
    behave(case.publisher.tree, "is published on a full disk")
    before = sorted(case.publisher.www.rglob("*"))
    archive = case.publisher.www / "releases" / f"{plan(case.publisher.tree, '12', RUNTIMES[0]).version}.zip"
    done = subprocess.run(
        case.publisher.command(*case.publisher.publishing()), cwd=case.publisher.tree, env=case.publisher.environment,
        capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        2, f"error: {archive}: can't be written here (File too large), expected a disk with room: look with `df -h`\n"
    )  # fmt: skip
    assert sorted(case.publisher.www.rglob("*")) == before


@pytest.mark.skipif(not shutil.which("setsid"), reason="needs setsid")
def test_a_passphrase_is_asked_for_on_the_terminal_also_where_there_are_windows(case: Case, tmp_path: Path) -> None:
    key, said = tmp_path / "update", b""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "a secret", "-f", key], check=True)
    ours, its = os.openpty()
    with subprocess.Popen(
        ["setsid", "--ctty", "--wait", *case.publisher.command(*case.publisher.publishing(str(key)))],
        cwd=case.publisher.tree, env=case.publisher.environment | {"DISPLAY": ":9"}, stdin=its, stdout=its, stderr=its,
    ) as running:  # fmt: skip
        os.close(its)
        while b"Enter passphrase" not in said:
            said += os.read(ours, 4096)
        os.write(ours, b"a secret\n")
        with suppress(OSError):  # nobody has the other end open any more
            while piece := os.read(ours, 4096):
                said += piece
    os.close(ours)
    assert running.returncode == 0, said.decode()
    (tmp_path / "signers").write_text(signers_file((public_key(key.with_suffix(".pub")),)))
    assert verified((case.publisher.www / "manifest").read_bytes(), tmp_path / "signers").bundles


def test_what_is_published_while_a_passphrase_is_awaited_is_not_replaced(case: Case, tmp_path: Path) -> None:
    manifest = case.publisher.www / "manifest"
    older = manifest.read_bytes()
    case.publisher.sign(serial=int(time.time()) + DAY)
    newer = tmp_path / "newer"
    manifest.rename(newer)
    manifest.write_bytes(older)
    behave(case.publisher.tree, "is published by somebody else too")
    files = sorted(case.publisher.www.rglob("*"))
    another = f"case $* in *sign*) cp '{newer}' '{manifest}' ;; esac"
    script(tmp_path / "ssh-keygen", f'#!/bin/sh\n{another}\nexec {shutil.which("ssh-keygen")} "$@"\n')
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        case.publisher.command(*case.publisher.publishing()), cwd=case.publisher.tree,
        env=case.publisher.environment | path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    refused = f"error: {manifest} was published anew meanwhile, expected the one before: publish again\n"
    assert (done.returncode, done.stderr) == (2, refused)
    assert (manifest.read_bytes(), sorted(case.publisher.www.rglob("*"))) == (newer.read_bytes(), files)


def test_what_is_published_while_files_are_written_is_not_replaced(case: Case, tmp_path: Path) -> None:
    manifest, wheel = case.publisher.www / "manifest", case.file(".whl")
    stops = tmp_path / "stops"  # whoever compares the wheel with this pipe waits for its other end
    os.mkfifo(stops)
    wheel.unlink()
    wheel.hardlink_to(stops)
    behave(case.publisher.tree, "is published by two")
    with subprocess.Popen(
        case.publisher.command(*case.publisher.publishing()), cwd=case.publisher.tree, env=case.publisher.environment,
        stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        with stops.open("wb"):
            case.publisher.sign(serial=int(time.time()) + DAY)
            newer = manifest.read_bytes()
        errors = running.communicate()[1]
    refused = f"error: {manifest} was published anew meanwhile, expected the one before: publish again\n"
    assert (running.returncode, errors, manifest.read_bytes()) == (2, refused, newer)


def test_ctrl_c_ends_publishing_in_one_line(case: Case, tmp_path: Path) -> None:
    begun, manifest = tmp_path / "begun", (case.publisher.www / "manifest").read_bytes()
    script(tmp_path / "ssh-keygen", f"#!/bin/sh\ntouch '{begun}'\nexec sleep 1000\n")
    running = subprocess.Popen(
        case.publisher.command(*case.publisher.publishing()), cwd=case.publisher.tree, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
        env=case.publisher.environment | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )  # fmt: skip
    with running:
        while not begun.exists():
            assert running.poll() is None
            time.sleep(0.05)
        os.killpg(running.pid, signal.SIGINT)
        errors = running.communicate(timeout=60)[1]
    assert (running.returncode, errors) == (130, "error: was stopped here: the same command begins anew\n")
    assert (case.publisher.www / "manifest").read_bytes() == manifest


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), r"error: server is '', expected the manifest's folder: FROM=https://example\.org/kiosks/"),
        (("--from", "example.org/k"), r"error: server is 'example\.org/k', expected the manifest's folder: FROM=.+"),
        (("--from", "https://example.org/k"), r"error: .*/update\.pub: no public key \(.*\), expected one: .+"),
    ],
)
def test_following_without_what_it_needs_is_refused_before_a_host_is_asked(
    publisher: Publisher, words: tuple[str, ...], line: str
) -> None:
    publisher.environment["XDG_CONFIG_HOME"] = str(publisher.www)
    code, printed = publisher.run("follow", "pi@kiosk.invalid", *words)
    assert (code, bool(re.fullmatch(line, printed))) == (2, True), printed


def test_a_kiosk_follows_the_key_that_make_keys_wrote_with_its_comment(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = f"echo \"$* $([ -e '{tmp_path}/signers' ] && echo new)\" >>'{tmp_path}/said'"
    script(tmp_path / "systemctl", f"#!/bin/sh\n{said}\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("deploy.pi.follow.SIGNERS", tmp_path / "signers")
    monkeypatch.setattr("deploy.pi.follow.SERVER", tmp_path / "server")
    key = publisher.keys / "update.pub"
    assert key.read_text().endswith(" mask-kiosk\n")
    follow("https://example.org/kiosks", (key.read_text(),))
    assert (tmp_path / "signers").read_text() == signers_file((public_key(key),))
    assert (tmp_path / "said").read_text().splitlines()[0] == "stop mask-kiosk-pull.service "  # what fetches by the old
    for keys in ((), ("ssh-rsa AAAA",), (key.read_text(), "update.pub")):
        with pytest.raises(DeployError, match="expected ssh-ed25519 …: run `make keys`"):
            follow("https://example.org/kiosks", keys)


def test_what_is_published_can_be_read_by_a_web_server_whatever_the_umask(publisher: Publisher, tmp_path: Path) -> None:
    www = tmp_path / "www" / "kiosks"
    words = ["publish", "--to", str(www), "--key", str(publisher.keys / "update"), "--debian", "12"]
    done = subprocess.run(
        publisher.command(*words), cwd=publisher.tree, env=publisher.environment, capture_output=True, text=True,
        check=False, umask=0o077,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (www.parent, www, *www.iterdir()) if path.is_dir()}
    assert modes == {0o755}
    assert {stat.S_IMODE(path.stat().st_mode) for path in www.rglob("*") if path.is_file()} == {0o644}


def test_folders_that_a_web_server_could_not_read_are_opened_by_the_next_publishing(case: Case) -> None:
    folders = [case.publisher.www / name for name in ("releases", "wheels")]
    folders[0].chmod(0o700)
    folders[1].chmod(0o2775)  # several people publish into it
    case.publisher.publish()
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o755, 0o2775]


def test_a_key_that_cannot_sign_leaves_what_was_published_as_it_was(case: Case, tmp_path: Path) -> None:
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in case.publisher.www.rglob("*") if path.is_file()}

    shutil.copy(case.publisher.keys / "update.pub", tmp_path)
    for path in case.publisher.www.glob("*/*"):
        change(path, lambda content: content + b"x")
    before = files()
    behave(case.publisher.tree, "is published without a key")
    for key in (tmp_path / "update", case.publisher.keys / "update"):
        code, _ = case.publisher.run(*case.publisher.publishing(str(key)))
        assert (code, files() == before) == ((2, True) if key.parent == tmp_path else (0, False))


def test_an_archive_that_was_signed_stays_where_another_computer_packs_the_same_tree_otherwise(case: Case) -> None:
    archive, manifest = case.file(".zip"), case.publisher.manifest
    otherwise = archive.read_bytes() + b"packed otherwise"
    archive.write_bytes(otherwise)
    described = replace(case.new.archive, size=len(otherwise), sha256=sha256(otherwise).hexdigest())
    case.publisher.sign(bundles=(replace(case.new, archive=described),))
    case.publisher.publish()
    assert (archive.read_bytes(), case.publisher.manifest.bundles[0].archive) == (otherwise, described)
    case.publisher.sign("stranger")
    case.publisher.publish()
    assert case.publisher.manifest.bundles == manifest.bundles


def test_what_is_published_again_keeps_its_files_and_counts_on(case: Case) -> None:
    files = {path: path.stat().st_ino for path in case.publisher.www.glob("*/*")}
    serial = case.publisher.manifest.serial
    case.publisher.publish()
    assert {path: path.stat().st_ino for path in case.publisher.www.glob("*/*")} == files
    assert case.publisher.manifest.serial > serial


@pytest.mark.parametrize(
    "text", ["", "5", "5@", "50@0 5@24 100@30", "5@24 100@0", "0@0", "101@0", "nan@0", "100@nan", "100@1e9", "5@0 99@1",
             "5@0 nan@24 100@72", "5@0 25@nan 100@72"]
)
def test_rings_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(DeployError, match=r"rings are '.*', expected PERCENT@HOURS, rising up to 100@…: set RINGS="):
        rings(text)
