"""Unsure faces that a door keeps: what lies on the disk, who can read it, how much, how long, and who is told."""

import base64
import dataclasses
import logging
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from gpiozero import Device
from places import TREE
from ports import free_port
from screens import TOKEN
from test_kiosk import BARE, NO_SCREEN, SquareFinder, histories
from test_setup import SavingFinder

from device import collect
from device.classifier import Classifier
from device.collect import Collector, open_collector
from device.crop import crop_face
from device.crop_store import CropStore, crops_folder
from device.decision import Judged
from device.errors import SettingsError, WiringError
from device.faces import Box, Luma
from device.kiosk import run
from device.seal import SealError, owners_key, unseal
from device.settings import CameraSettings, CollectSettings, ModelSettings, ScreenSettings, Settings, SignalSettings
from trainer.collect_key import PRIVATE, PUBLIC, make_pair, public_pem, read_private_key

COLLECT = 24  # the LED's pin
DAY = 86400.0
NOW = 1_800_000_000.0  # seconds since 1970
GREY = 128  # the toy model's score is 0.5, between its release, 0.4, and its threshold, 0.6
PICTURE_STARTS = (b"\x89PNG", b"IHDR", b"IDAT", b"\xff\xd8\xff", b"JFIF")


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> X25519PrivateKey:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    make_pair(tmp_path / "keys")
    return read_private_key(tmp_path / "keys" / PRIVATE)


@pytest.fixture
def door(tmp_path: Path, toy: Path, key: X25519PrivateKey, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A door at which somebody stands for four seconds of whom the model isn't sure."""
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setattr("device.signals.signals.LATE_SECONDS", 60.0)
    (tmp_path / "visit").mkdir()
    for place in range(50):
        picture = np.zeros((120, 160), np.uint8)
        if 5 <= place < 45:
            picture[20:100, 40:120] = GREY + place % 3
        cv2.imwrite(str(tmp_path / "visit" / f"{place:03}.png"), picture)
    return Settings(
        model=ModelSettings(str(toy)), camera=CameraSettings(str(tmp_path / "visit")), screen=NO_SCREEN,
        signals=SignalSettings(collect_pin=COLLECT, fault_seconds=0.01),
        collect=CollectSettings(str(tmp_path / "keys" / "collect-public.pem")),
    )  # fmt: skip


def kept() -> list[Path]:
    folder = crops_folder()
    return sorted(folder.iterdir()) if folder.exists() else []


def opened(path: Path, key: X25519PrivateKey) -> Luma:
    picture = cv2.imdecode(np.frombuffer(unseal(path.read_bytes(), key), np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return np.asarray(picture, np.uint8)


def noise(seed: int = 0) -> Luma:
    return np.random.default_rng(seed).integers(0, 256, (120, 160), np.uint8)


def face(score: float = 0.5, visit: int = 1) -> Judged:
    return Judged(visit, Box(40, 20, 80, 80), score)


def store_for(key: X25519PrivateKey, **limits: float) -> CropStore:
    settings = dataclasses.replace(CollectSettings("a key"), **limits)  # type: ignore[arg-type]
    return CropStore(crops_folder(), settings, key.public_key())


def test_a_door_keeps_a_few_unsure_faces_that_only_the_key_opens(door: Settings, key: X25519PrivateKey) -> None:
    assert run(door, SquareFinder(), pins="mock") == 0
    files = kept()
    assert len(files) == 3  # most_a_visit
    for file in files:
        content = file.read_bytes()
        assert [start for start in PICTURE_STARTS if start in content] == []
        assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) is None
        crop = opened(file, key)
        assert crop.shape == (16, 16)  # what the model saw, and no more
        assert set(crop.flat) <= {GREY, GREY + 1, GREY + 2}
        for other in (content[:-1], content[1:], content[:40] + bytes([content[40] ^ 1]) + content[41:], b""):
            with pytest.raises(SealError, match="is incomplete, or was encrypted to another key"):
                unseal(other, key)
        with pytest.raises(SealError):
            unseal(content, X25519PrivateKey.generate())
    assert crops_folder().stat().st_mode & 0o077 == 0
    pin = Device.pin_factory.pin(COLLECT)
    assert [change.state for change in pin.states] == [False, True, False]


def test_without_gpio_nothing_is_kept_unless_a_page_tells_of_it(
    door: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "none-such")
    nowhere = ScreenSettings(host="192.0.2.7", port=free_port(), open_browser=False)  # which no computer has
    for screen in (door.screen, nowhere):
        with pytest.raises(WiringError, match="without GPIO no LED tells that faces are kept, expected a page that"):
            run(dataclasses.replace(door, screen=screen), SquareFinder())
        assert kept() == []
    page = ScreenSettings(port=free_port(), open_browser=False)
    assert run(dataclasses.replace(door, screen=page), SquareFinder()) == 0
    assert len(kept()) == 3


def test_a_door_that_keeps_nothing_asks_for_no_folder(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 2)  # of nobody, who has no home
    with open_collector(Settings(model=ModelSettings(str(toy))), Classifier(str(toy)).card) as collector:
        collector.take(noise(), [face()], 0.0)
    assert (collector.kept, collector.lost) == (0, 0)


def test_a_door_that_is_sure_or_was_told_nothing_keeps_nothing(door: Settings, toy: Path) -> None:
    off = dataclasses.replace(door, collect=CollectSettings())
    sure = dataclasses.replace(door, model=ModelSettings(str(toy), threshold=0.45, release=0.4))
    assert run(off, SquareFinder(), pins="mock") == 0
    assert [change.state for change in Device.pin_factory.pin(COLLECT).states] == [False]
    assert not crops_folder().exists()
    assert run(sure, SquareFinder(), pins="mock") == 0
    assert kept() == []


def test_levels_that_leave_no_face_unsure_are_told(
    door: Settings, toy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    card, lines = Classifier(str(toy)).card, []
    for release in (0.0, 0.45):
        open_collector(dataclasses.replace(door, model=ModelSettings(str(toy), 0.45, release)), card)
        lines.append([record.message for record in caplog.records if record.levelname == "WARNING"])
    line = "collect: no face is kept, because threshold and release are both 0.45: set them apart"
    assert lines == [[], [line]]


def test_levels_that_are_saved_hold_at_once_for_what_is_kept(
    door: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config, screen = tmp_path / "kiosk.toml", ScreenSettings(port=free_port(), token=TOKEN)
    config.write_text("")
    finder = SavingFinder(screen.port, {"model": {"threshold": 0.45, "release": 0.45}})
    assert run(dataclasses.replace(door, screen=screen), finder, "mock", config) == 0
    assert len(kept()) == 1  # of three, a second apart: the model is sure from then on
    line = "collect: no face is kept, because threshold and release are both 0.45: set them apart"
    assert line in [record.message for record in caplog.records]


def test_a_crop_that_is_fetched_meanwhile_costs_no_other(key: X25519PrivateKey) -> None:
    store = store_for(key)
    (crops_folder() / f"{int(NOW)}-00000000.crop").symlink_to("gone")  # is listed, and isn't there when it is looked at
    assert store.keep(b"a picture", NOW)
    assert [unseal(path.read_bytes(), key) for path in kept() if path.exists()] == [b"a picture"]


def test_only_scores_between_the_levels_are_kept_and_few_of_each_visit(
    door: Settings, key: X25519PrivateKey, toy: Path
) -> None:
    card = Classifier(str(toy)).card
    frames = [noise(place) for place in range(20)]
    with Collector(door, card, store_for(key), lambda: NOW) as collector:
        for place, score in enumerate((0.39, 0.6, 0.1, 0.9)):
            collector.take(frames[place], [face(score)], float(place))
        for place, at in enumerate((10.0, 10.5, 10.9, 11.0, 12.5, 13.5, 14.5)):
            collector.take(frames[4 + place], [face(0.4), face(0.599, visit=2)] if place == 4 else [face(0.5)], at)
    crops = {opened(file, key).tobytes() for file in kept()}
    wanted = (4, 7, 8)  # a second apart at least, three of the first visit; and one of the second, with the same box
    assert crops == {crop_face(frames[place], face().box, card.crop_margin, card.input_size).tobytes()
                     for place in wanted}  # fmt: skip
    assert (len(kept()), collector.kept, collector.lost) == (4, 4, 0)


def test_crops_go_after_their_days_and_others_files_stay(key: X25519PrivateKey) -> None:
    store = store_for(key, days=3)
    (crops_folder() / "notes.txt").write_text("mine")
    for day in range(5):
        assert store.keep(noise(day).tobytes(), NOW + day * DAY)
    assert [int(file.name.split("-")[0]) for file in kept()[:-1]] == [NOW + day * DAY for day in (2, 3, 4)]
    store.prune(NOW + 7 * DAY - 1)
    assert len(kept()) == 2
    store.prune(NOW + 7 * DAY)
    assert [file.name for file in kept()] == ["notes.txt"]


def test_crops_of_days_to_come_go_with_the_clock_that_was_ahead(key: X25519PrivateKey) -> None:
    store = store_for(key, days=3)
    store.keep(b"a year ahead", NOW + 365 * DAY)
    store.prune(NOW + 365 * DAY)
    store.keep(b"an hour ahead", NOW + 3600)
    assert [int(file.name.split("-")[0]) for file in kept()] == [NOW + 3600]
    store.prune(NOW)
    assert len(kept()) == 1


def test_a_waiting_door_prunes_too(door: Settings, key: X25519PrivateKey, toy: Path, monkeypatch: pytest.MonkeyPatch
                                   ) -> None:  # fmt: skip
    monkeypatch.setattr(collect, "PRUNE_SECONDS", 0.01)
    store = store_for(key)
    store.keep(b"old", NOW)
    store.keep(b"young", NOW + 10 * DAY)
    with Collector(door, Classifier(str(toy)).card, store, lambda: NOW + 15 * DAY):
        while len(kept()) > 1:
            pass
    assert [int(file.name.split("-")[0]) for file in kept()] == [NOW + 10 * DAY]


def test_no_more_are_kept_than_may_be_in_number_and_bytes(
    door: Settings, key: X25519PrivateKey, toy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    many = store_for(key, most=5)
    assert [many.keep(bytes(100), NOW) for _ in range(8)] == [True] * 5 + [False] * 3
    assert len(kept()) == 5
    large = store_for(key, most_megabytes=0.1)  # 24 blocks of 4096 bytes
    assert [large.keep(bytes(9000), NOW) for _ in range(8)] == [True] * 6 + [False] * 2
    assert sum(-(-file.stat().st_size // 4096) * 4096 for file in kept()) <= 100_000
    with Collector(door, Classifier(str(toy)).card, many, lambda: NOW) as collector:
        for visit in (1, 2):
            collector.take(noise(), [face(visit=visit)], 1.0)
    assert (collector.kept, collector.lost) == (0, 2)
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "collect: crops are lost, the door goes on: as many are kept as may be: `make collect` fetches them"
    ]


def test_a_disk_that_fails_stops_no_door(door: Settings, key: X25519PrivateKey, toy: Path,
                                         caplog: pytest.LogCaptureFixture) -> None:  # fmt: skip
    store = store_for(key)
    shutil.rmtree(crops_folder())
    with Collector(door, Classifier(str(toy)).card, store) as collector:
        for visit in range(3):
            collector.take(noise(), [face(visit=visit)], 1.0)
    assert (collector.kept, collector.lost) == (0, 3)
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "collect: faces kept for too long can't be removed (No such file or directory): remove them by hand",
        "collect: crops are lost, the door goes on: they can't be written (No such file or directory)",
    ]


@pytest.mark.parametrize("name", ["1800000000-00000000.crop", "1800000000-00000000.new"])
def test_what_cannot_be_removed_keeps_nothing_else_that_is_too_old(key: X25519PrivateKey, name: str) -> None:
    store = store_for(key, days=3)
    (crops_folder() / name).mkdir()  # which is removed as little as a file whose blocks the card can't write
    for number in range(1, 6):
        (crops_folder() / f"1800000000-0000000{number}.crop").write_bytes(b"old")
        (crops_folder() / f"1800000000-0000000{number}.new").write_bytes(b"half")
    with pytest.raises(OSError, match=name):
        store.prune(NOW + 3 * DAY)
    assert [path.name for path in kept()] == [name]


@pytest.mark.parametrize("name", ["1700000000-00000000.crop", "1800000000-00000000.new"])
def test_a_door_that_cannot_remove_what_is_too_old_keeps_nothing_new_and_goes_on(
    door: Settings, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    (crops_folder() / name).mkdir(parents=True)  # which is removed as little as a file of a disk that is read-only
    assert run(door, SquareFinder(), pins="mock") == 0
    assert [path.name for path in kept()] == [name]
    removed, lost = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert removed.startswith("collect: faces kept for too long can't be removed (")
    assert lost.startswith("collect: crops are lost, the door goes on: they can't be written (")


@pytest.mark.parametrize(
    ("act", "red", "green"),
    [("SIGTERM", [False, True, False], [False]), ("fail", [False, True], [False, True])],  # FAULT is red and green
)
def test_lamp_and_buzzer_are_let_go_before_whoever_takes_time_to_end(
    door: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, act: str, red: list[bool],
    green: list[bool],
) -> None:
    for path in Path(door.camera.source).iterdir():
        picture = np.zeros((120, 160), np.uint8)
        picture[20:100, 40:120] = BARE
        cv2.imwrite(str(path), picture)
    at_end: list[dict[str, list[bool]]] = []
    told = logging.Handler()
    monkeypatch.setattr(told, "emit", lambda _: at_end.append(histories()))
    monkeypatch.setattr(collect.log, "handlers", [told])
    caplog.set_level(logging.INFO)
    with nullcontext() if act == "SIGTERM" else pytest.raises(ZeroDivisionError):
        run(door, SquareFinder(act), pins="mock")
    shown = at_end[-1]  # when the collector had ended
    assert [shown[name] for name in ("buzzer", "red", "green")] == [[False, True, False], red, green]


def test_a_crop_that_cannot_be_encoded_ends_neither_keeping_nor_pruning(
    door: Settings, key: X25519PrivateKey, toy: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(collect, "PRUNE_SECONDS", 0.01)
    errors, encode = [cv2.error("in two\nlines"), None, MemoryError()], cv2.imencode
    monkeypatch.setattr(cv2, "imencode", lambda *words: failed(errors.pop()) if errors else encode(*words))
    now = [NOW]
    with Collector(door, Classifier(str(toy)).card, store_for(key), lambda: now[-1]) as collector:
        for visit in range(4):
            collector.take(noise(), [face(visit=visit)], 1.0)
        while not collector.kept:
            assert collector._thread.is_alive()
        now.append(NOW + 15 * DAY)
        while kept():
            assert collector._thread.is_alive()
    assert (collector.kept, collector.lost) == (1, 3)
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "collect: crops are lost, the door goes on: they can't be written (MemoryError())"
    ]


def failed(error: Exception | None) -> tuple[bool, np.ndarray]:
    if error:
        raise error
    return False, np.empty(0, np.uint8)


def test_the_door_never_waits_for_a_slow_disk(door: Settings, key: X25519PrivateKey, toy: Path) -> None:
    collector = Collector(door, Classifier(str(toy)).card, store_for(key))  # its thread hasn't begun to write
    for visit in range(1000):
        collector.take(noise(), [face(visit=visit)], 1.0)
    assert collector.lost == 1000 - collect.MOST_WAITING
    assert len(collector._visits) == collect.KNOWN_VISITS
    with collector:
        pass
    assert len(kept()) == collector.kept == collect.MOST_WAITING


def test_what_a_power_cut_left_is_removed(key: X25519PrivateKey) -> None:
    store = store_for(key)
    (crops_folder() / "1800000000-00000000.new").write_bytes(b"half")
    store.prune(NOW)
    assert kept() == []


def unheard_of(pem: bytes) -> bytes:
    """Return a key in PEM as one of a kind that nobody knows."""
    first, *lines, last = pem.split(b"\n")[:-1]
    content = base64.b64decode(b"".join(lines)).replace(bytes.fromhex("2b656e"), bytes.fromhex("2b5570"))
    return b"\n".join([first, base64.b64encode(content), last, b""])


def test_it_is_refused_without_a_light_or_a_key(door: Settings, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"collect_pin is 0, expected an LED that is lit while faces are kept"):
        owners_key(dataclasses.replace(door, signals=SignalSettings()))
    wrong = tmp_path / "wrong.pem"
    for content, line in (
        (None, "can't be read (No such file or directory)"), (b"", "is no public key in PEM"),
        ((tmp_path / "keys" / PRIVATE).read_bytes(), "is no public key in PEM"),
        (unheard_of((tmp_path / "keys" / PUBLIC).read_bytes()), "is no public key in PEM"),
        ("a pipe", "can't be read (a pipe or device, expected a plain file)"),
    ):  # fmt: skip
        if content == "a pipe":
            wrong.unlink()
            os.mkfifo(wrong)  # nobody ever writes into it
        elif isinstance(content, bytes):
            wrong.write_bytes(content)
        with pytest.raises(SettingsError) as refused:
            owners_key(dataclasses.replace(door, collect=CollectSettings(str(wrong))))
        assert str(refused.value).startswith(
            f"{wrong}: {line}, expected the public key that `make collect-key` made"
        )


def test_an_error_that_names_no_file_names_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "trainer", "collect-key", "--to", str(tmp_path)]
    with Path("/dev/full").open("wb", 0) as full:
        told = subprocess.run(command, cwd=TREE, env=os.environ | {"PYTHONUNBUFFERED": "1"}, stdout=full,
                              stderr=subprocess.PIPE, text=True, check=False)  # fmt: skip
    assert (told.returncode, told.stderr) == (2, "error: collect-key: No space left on device\n")


def test_a_pair_of_keys_is_for_its_owner_and_never_replaced(tmp_path: Path) -> None:
    from trainer.__main__ import main

    folder = tmp_path / "a folder"
    assert main(["collect-key", "--to", str(folder)]) == 0
    private, public = folder / PRIVATE, folder / "collect-public.pem"
    secret = private.read_bytes()
    assert private.stat().st_mode & 0o777 == 0o600
    assert public.read_bytes() == public_pem(read_private_key(private).public_key())
    assert main(["collect-key", "--to", str(folder)]) == 2
    public.unlink()
    assert main(["collect-key", "--to", str(folder)]) == 0  # of the private key that was there
    assert private.read_bytes() == secret
    assert public.read_bytes() == public_pem(read_private_key(private).public_key())
    assert sorted(path.name for path in folder.iterdir()) == [PRIVATE, "collect-public.pem"]
    private.write_bytes(unheard_of(secret))
    with pytest.raises(ValueError, match=r"is no private key in PEM, expected the private key"):
        read_private_key(private)
    private.chmod(0o640)
    with pytest.raises(ValueError, match=r"others may read it \(mode 640\), expected 600"):
        read_private_key(private)
