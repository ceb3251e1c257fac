"""The whole story on the virtual Pi: from nothing to a judging door, through updates, deaths, power cuts, to nothing.

`make test-pi` runs this on a guest that is up. Named chapters alone go on with a guest that was left so.
"""

import argparse
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from virtual_pi import deaths
from virtual_pi.diary import Diary
from virtual_pi.guest import (
    BUTTON,
    TREE,
    UNIT,
    environment,
    guest,
    levels,
    now,
    power,
    release,
    shine,
    show,
    ssh_for_others,
    unit,
    until,
)

PI = "pi@kiosk.local"
# Of docs/deploy.md; what the story doesn't run, tests/test_deploy_page.py names another test for.
REACH = f"ssh {PI} true"
DEPLOY = f"make deploy HOST={PI}"
DRY_RUN = f"{DEPLOY} DRY_RUN=1"
STATUS, LOGS = f"make status HOST={PI}", f"make logs HOST={PI}"
ROLLBACK, UNDEPLOY = f"make rollback HOST={PI}", f"make undeploy HOST={PI}"
EDIT = f"ssh -t {PI} sudo nano /etc/mask-kiosk/kiosk.toml"
RESTART = f"ssh {PI} sudo systemctl restart mask-kiosk"
COMMANDS = (REACH, DRY_RUN, DEPLOY, EDIT, RESTART, STATUS, LOGS, ROLLBACK, UNDEPLOY)
END_OF_FILE, SAVE, LEAVE = b"\x1b/", b"\x0f\r", b"\x18"  # nano's keys
CHIP = "/sys/devices/platform/gpio-sim/gpiochip0"
PHASES, LATEST_SECONDS = ("sends", "Python packages", "starts"), 20.0  # what a deployment says, and how long after it
# What plays pictures into a v4l2loopback camera has it open as another program would.
FEEDER_OWNS = ["camera", "owner", "taken", "by", "feeder"]
# The Pi has no ribbon camera, and without a network apt can't install picamera2 for one.
SETTINGS = """\
[camera]
source = "usb:10"
[signals]
relay_pin = 16
button_pin = 6
beeps = 20
beep_seconds = 2.0
pause_seconds = 0.05
release_seconds = 30.0
"""


class Story:
    """The chapters, each of which leaves a kiosk that runs."""

    def __init__(self, diary: Diary, folder: Path) -> None:
        self.diary, self.folder = diary, folder
        self._random = random.Random(13)  # noqa: S311
        self._number = time.time_ns()

    def changed(self, line: str = "") -> Path:
        """Return a new version of the tree: one that has another line at the top of device/kiosk.py."""
        self._number += 1
        copy = self.folder / str(self._number)
        for part in ("deploy", "device", "models", "systemd"):
            shutil.copytree(TREE / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        for part in ("Makefile", "pyproject.toml"):
            shutil.copy(TREE / part, copy)
        kiosk = copy / "device" / "kiosk.py"
        kiosk.write_text(f"{line or f'# {self._number}'}\n{kiosk.read_text()}")
        return copy

    def first(self) -> None:
        """The first deployment, without a network and a compiler."""
        guest("mkdir -p /etc/mask-kiosk; cat >/etc/mask-kiosk/kiosk.toml", SETTINGS.encode())
        with self.diary.step("no way out to the network from the Pi, and no compiler there"):
            guest("! timeout 5 bash -c 'exec 3<>/dev/tcp/1.1.1.1/53' && ! type gcc")
        with self.diary.step("reached by its key"):
            self.diary.page(REACH)
        with self.diary.step("a dry run says what would be done, and changes nothing"):
            self.diary.page(DRY_RUN)
            guest("test ! -e /opt/mask-kiosk")
        with self.diary.step("deployed from nothing"):
            self.diary.page(DEPLOY)
            assert unit("ActiveState") == "active"
        with self.diary.step("deployed again: nothing is new, and nothing is restarted"):
            pid = unit("MainPID")
            self.diary.page(DEPLOY)
            assert unit("MainPID") == pid

    def faces(self) -> None:
        """Nobody, a masked and a bare face before the camera, and the button."""
        with self.diary.step("nobody there: all dark"):
            show("empty")
            until(lambda: levels()[-1][1:] == (0, 0, 0, 0), "all dark")
        with self.diary.step("a masked face: green, and the door released") as measured:
            began = now()
            show("masked")
            until(shine(red=0, green=1, relay=1), "green and relay")
            measured.append(f"{levels()[-1].at - began:.1f} s after the picture")
        with self.diary.step("a bare face: red, locked, and it beeps") as measured:
            began = now()
            show("bare")
            until(lambda: levels()[-1][1:] == (1, 0, 1, 0), "red and a beep")
            assert all(each.relay == 0 for each in levels(began)[1:] if each.red)
            measured.append(f"{levels()[-1].at - began:.1f} s after the picture")
        with self.diary.step("the button silences it, and the lamp stays red"):
            pull = f"{CHIP}/sim_gpio{BUTTON}/pull"
            guest(f"echo pull-down >{pull}; sleep 1; echo pull-up >{pull}")
            until(lambda: levels()[-1].buzzer == 0, "silence")
            quiet = now()
            guest("sleep 5")  # two beeps and more
            assert {each[1:] for each in levels(quiet)} == {(1, 0, 0, 0)}
        show("empty")  # which costs the least

    def look(self) -> None:
        """What the workstation is told."""
        with self.diary.step("status, logs and the doctor"):
            (line,) = self.diary.page(STATUS)
            assert f"{release()} active (running)" in line, line
            assert any("with" in line for line in self.diary.page(LOGS))
            found = self.diary.run(f"make doctor HOST={PI}", code=2)
            troubles = [line for line in found if line.startswith("trouble")]
            assert [line.split()[1:6] for line in troubles] == [FEEDER_OWNS], troubles

    def settings(self) -> None:
        """Another setting, typed into an editor on the Pi."""
        with self.diary.step("a setting changed in nano, and the kiosk restarted"):
            self.diary.type(EDIT, b"GNU nano", END_OF_FILE + b"fault_seconds = 1.0\r" + SAVE + LEAVE)
            guest("grep -qx 'fault_seconds = 1.0' /etc/mask-kiosk/kiosk.toml")
            self.diary.page(RESTART)
            self.judges()

    def updates(self) -> None:
        """An update, a broken one, and back."""
        former = release()
        with self.diary.step("updated"):
            self.diary.run(DEPLOY, self.changed())
        updated = release()
        assert updated != former
        with self.diary.step("a broken update was taken back by itself"):
            self.diary.run(DEPLOY, self.changed("raise RuntimeError('broken')"), code=2)
            assert (release(), unit("ActiveState")) == (updated, "active")
        with self.diary.step("rolled back"):
            self.diary.page(ROLLBACK)
            assert (release(), unit("ActiveState")) == (former, "active")

    def deaths(self) -> None:
        """The kiosk killed, blind and hung."""
        deaths.killed(self.diary, "masked")
        deaths.killed(self.diary, "bare")
        deaths.frozen(self.diary)
        deaths.hung(self.diary)

    def reboot(self) -> None:
        """The Pi started again in good order."""
        with self.diary.step("restarted: the door judges again by itself"):
            show("masked")
            boot = guest("cat /proc/sys/kernel/random/boot_id")
            self.diary.run(f"ssh {PI} sudo reboot", code=255)
            until(lambda: guest("cat /proc/sys/kernel/random/boot_id", check=False) not in {"", boot}, "a new boot")
            self.judges()

    def cuts(self) -> None:
        """The power cut in the middle of deployments."""
        for number, phase in enumerate(PHASES, 1):
            with self.diary.step(f"power cut {number}, after a deployment said '{phase}'") as measured:
                old = release()
                with self.started(phase) as running:
                    power("off")
                    running.wait()
                power("on")
                power("wait")
                self.judges()
                measured.append("the former release judges" if release() == old else "the new release judges")

    def connections(self) -> None:
        """Ssh killed in the middle of deployments."""
        for number, phase in enumerate(PHASES, 1):
            with self.diary.step(f"connection {number} killed, after a deployment said '{phase}'") as measured:
                old = release()
                with self.started(phase) as running:
                    subprocess.run(["pkill", "-KILL", "--session", str(running.pid)], check=False)
                guest("while pgrep -f '[d]eploy[.]pi' >/dev/null; do sleep 0.5; done")
                until(lambda: unit("ActiveState") == "active", "a running kiosk")
                measured.append("the former release runs" if release() == old else "the new release runs")

    def undeploy(self) -> None:
        """Back to nothing, from a released door."""
        with self.diary.step("undeployed: every output off, settings kept, no unit left"):
            show("empty")
            until(lambda: levels()[-1][1:] == (0, 0, 0, 0), "all dark")
            show("masked")
            until(shine(red=0, green=1, relay=1), "green and relay")
            self.diary.page(UNDEPLOY)
            assert levels()[-1][1:] == (0, 0, 0, 0)
            assert unit("LoadState") == "not-found"
            guest("test ! -e /opt/mask-kiosk && test -s /etc/mask-kiosk/kiosk.toml")

    def started(self, phase: str) -> "subprocess.Popen[str]":
        """Start deploying a new version, in a session of its own; return a random moment after it came to a phase."""
        running = subprocess.Popen(
            ["bash", "-c", DEPLOY], cwd=self.changed(), env=environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        assert any(phase in line for line in running.stdout or ()), phase
        time.sleep(self._random.uniform(0, LATEST_SECONDS))  # the moment is the input here
        return running

    def judges(self) -> None:
        """Wait until the door judges a masked face."""
        until(lambda: guest(f"systemctl is-active {UNIT}", check=False) == "active", "a running kiosk")
        show("masked")
        until(lambda: levels()[-1][1:3] == (0, 1), "green alone")
        show("empty")


CHAPTERS: dict[str, Callable[[Story], None]] = {
    "first": Story.first,
    "faces": Story.faces,
    "look": Story.look,
    "settings": Story.settings,
    "updates": Story.updates,
    "deaths": Story.deaths,
    "reboot": Story.reboot,
    "cuts": Story.cuts,
    "connections": Story.connections,
    "undeploy": Story.undeploy,
}


def main() -> None:
    """Live the chapters that the command line names, or all."""
    parser = argparse.ArgumentParser("python -m virtual_pi.story", description=__doc__)
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER", help=f"of {', '.join(CHAPTERS)} (default: all)")
    parser.add_argument("--page", type=Path, help="write what held, and what was said, there")
    options = parser.parse_args()
    ssh_for_others()
    diary = Diary(fresh=not options.chapters)
    with tempfile.TemporaryDirectory() as folder:
        story = Story(diary, Path(folder))
        for name in options.chapters or CHAPTERS:
            CHAPTERS[name](story)
            if options.page:
                diary.write(options.page)


if __name__ == "__main__":
    main()
