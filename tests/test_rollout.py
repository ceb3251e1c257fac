"""A release goes to twenty doors in batches, over real ssh: what each has afterwards, and what the table says."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from light_box import LightBox
from pi_box import possible, script
from toy_release import NUMPY, TREE, index_of, make_tree, play_installer

from deploy.lock import RUNTIMES
from deploy.release import plan
from deploy.rollout import batches, roll_out

DOORS = [f"door{number:02}" for number in range(1, 21)]
DOOR = "Host {name}\n  HostName 127.0.0.1\n  User pi\n  Include {folder}/ssh_config\n"


def test_batches_are_one_a_tenth_and_the_rest() -> None:
    assert [len(part) for part in batches(DOORS)] == [1, 2, 17]
    assert [batches(DOORS[:count]) for count in (1, 2, 3)] == [
        [["door01"]],
        [["door01"], ["door02"]],
        [["door01"], ["door02"], ["door03"]],
    ]


@pytest.mark.parametrize(
    ("codes", "reached"),
    [
        ({}, 20),
        ({"door01": 3}, 1),  # the first proves nothing
        ({"door02": 3}, 20),
        ({"door02": 3, "door03": 4}, 3),
        ({"door03": 1}, 3),
        ({"door03": 2}, 3),
    ],
)
def test_a_batch_passes_if_a_host_is_done_and_none_failed(codes: dict[str, int], reached: int) -> None:
    results = dict(roll_out(batches(DOORS), lambda name: (codes.get(name, 0), "")))
    assert sorted(results) == DOORS[:reached]
    assert {name: code for name, (code, _) in results.items() if code} == codes


@pytest.mark.skipif(not shutil.which("ssh"), reason="needs ssh")
def test_ctrl_c_ends_what_has_begun_and_begins_nothing(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    (tmp_path / "bin").mkdir()
    script(tmp_path / "bin" / "ssh", f"#!/bin/sh\ntouch {begun}\nexec sleep 1000\n")
    path = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    running = subprocess.Popen(
        [sys.executable, "-m", "deploy", "deploy", *DOORS], cwd=TREE, env=os.environ | path, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    with running:
        while not begun.exists():
            assert running.poll() is None
            time.sleep(0.05)
        os.killpg(running.pid, signal.SIGINT)
        lines, errors = running.communicate(timeout=60)
    assert (running.returncode, lines.splitlines()[1:]) == (130, [f"{name}  waits" for name in DOORS[1:]])
    assert errors.splitlines() == [
        "door01  error  was stopped here; the Pi finishes what it has begun: the same command goes on",
        "0 of 20 hosts are done, 19 weren't begun: the same command goes on from here",
    ]


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[dict[str, LightBox]]:
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):  # their users are others than ours
        parent.chmod(0o755)
    boxes: dict[str, LightBox] = {}
    try:
        for name in DOORS:
            (tmp_path / name).mkdir()
            boxes[name] = LightBox(tmp_path / name, NUMPY)
        with ThreadPoolExecutor() as pool:
            list(pool.map(LightBox.boot, boxes.values()))
        yield boxes
    finally:
        for box in boxes.values():
            box.close()


@pytest.mark.skipif(not possible(booted=False), reason="needs root, ssh, sshd, sudo and overlays")
def test_a_broken_door_stops_its_batch_and_the_same_command_goes_on(
    doors: dict[str, LightBox], tmp_path: Path
) -> None:
    tree = make_tree(tmp_path)
    play_installer(tree)
    version = plan(tree, "12", RUNTIMES[0]).version
    config, file, first = tmp_path / "ssh_config", tmp_path / "doors.txt", doors["door01"]
    config.write_text("".join(DOOR.format(name=name, folder=box.folder) for name, box in doors.items()))
    script(first.folder / "bin/ssh", f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
    file.write_text("\n".join(DOORS))

    def table(*words: str) -> tuple[int, list[str], list[str]]:
        code, lines, errors = first.run(tree, "deploy", str(file), *words, environment=index_of(tree))
        return code, [line for line in lines if line.startswith(("door", "batch")) and ": " not in line[:8]], errors

    def releases() -> list[str]:
        links = {name: box.root / "opt/mask-kiosk/current" for name, box in doors.items()}
        return [name for name, link in links.items() if link.is_symlink() and link.readlink().name == version]

    (doors["door03"].root / "etc/spoils").write_text("1")
    assert table() == (
        1,
        [
            "batch 1 of 3: 1 of 20 hosts",
            "batch 2 of 3: 2 of 20 hosts",
            f"door01  ok  {version} runs",
            f"door02  ok  {version} runs",
            *(f"{name}  waits" for name in DOORS[3:]),
        ],
        [
            f"door03  error  {version} didn't come up (FAULT no camera); nothing runs",
            "2 of 20 hosts are done, 17 weren't begun: the same command goes on from here",
        ],
    )
    assert releases() == ["door01", "door02"]

    (doors["door03"].root / "etc/spoils").unlink()
    doors["door20"].cut_power()
    code, lines, errors = table()
    assert (code, len(errors), errors[0][:31]) == (3, 1, "door20  error  isn't reached (s")
    assert lines[3:] == [
        *(f"{name}  ok  {version} runs already" for name in DOORS[:2]),
        *(f"{name}  ok  {version} runs" for name in DOORS[2:19]),
    ]
    assert releases() == DOORS[:19]

    doors["door20"].boot()
    assert table() == (0, [
        *(f"batch {number} of 3: {size} of 20 hosts" for number, size in ((1, 1), (2, 2), (3, 17))),
        *(f"{name}  ok  {version} runs already" for name in DOORS[:19]), f"door20  ok  {version} runs",
    ], [])  # fmt: skip
    assert releases() == DOORS


