"""The whole story on the virtual Pi: from nothing to a judging door, through updates, deaths, power cuts, to nothing,
and once more from a card's bundle.

`make test-pi` runs this on a guest that is up. Named chapters alone go on with a guest that was left so.
"""

import argparse
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from shlex import quote

from virtual_pi import deaths, releases
from virtual_pi.diary import Diary
from virtual_pi.guest import (
    BUTTON,
    TREE,
    UNIT,
    guest,
    levels,
    now,
    release,
    shine,
    show,
    ssh_for_others,
    unit,
    until,
)
from virtual_pi.page import (
    BUNDLE,
    BUNDLE_TRIXIE,
    COMMANDS,
    DEPLOY,
    DRY_RUN,
    EDIT,
    LOGS,
    PI,
    REACH,
    RESTART,
    STATUS,
    UNDEPLOY,
)

END_OF_FILE, SAVE, LEAVE = b"\x1b/", b"\x0f\r", b"\x18"  # nano's keys
BOOT = "/boot/firmware"
CHIP = "/sys/devices/platform/gpio-sim/gpiochip0"
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

    def first(self) -> None:
        """The first deployment, without a network and a compiler."""
        guest("mkdir -p /etc/mask-kiosk; cat >/etc/mask-kiosk/kiosk.toml", SETTINGS.encode())
        guest(f"mkdir -p {BOOT}; touch {BOOT}/config.txt")
        with self.diary.step("no way out to the network from the Pi, and no compiler there"):
            guest("! timeout 5 bash -c 'exec 3<>/dev/tcp/1.1.1.1/53' && ! type gcc")
        with self.diary.step("reached by its key"):
            self.diary.page(REACH)
        with self.diary.step("a dry run says what would be done, and changes nothing"):
            self.diary.page(DRY_RUN)
            guest("test ! -e /opt/mask-kiosk")
        with self.diary.step("deployed from nothing, and lines offered that hold the outputs off from power-on"):
            said = self.diary.page(DEPLOY)
            assert unit("ActiveState") == "active"
            assert any("gpio=17,27,22,16=op,dl" in line for line in said), said
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
            said = (line.removeprefix(f"{PI}: ") for line in found)
            troubles = [line for line in said if line.startswith("trouble")]
            assert [line.split()[1:6] for line in troubles] == [FEEDER_OWNS], troubles

    def settings(self) -> None:
        """Another setting, typed into an editor on the Pi."""
        with self.diary.step("a setting changed in nano, and the kiosk restarted"):
            self.diary.type(EDIT, b"GNU nano", END_OF_FILE + b"fault_seconds = 2.5\r" + SAVE + LEAVE)
            guest("grep -qx 'fault_seconds = 2.5' /etc/mask-kiosk/kiosk.toml")
            self.diary.page(RESTART)
            self.judges()

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
            self.diary.run(f"ssh {PI} sudo reboot || test $? = 255")  # ssh's own, if it goes down before reboot ends
            until(lambda: guest("cat /proc/sys/kernel/random/boot_id", check=False) not in {"", boot}, "a new boot")
            self.judges()

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

    def card(self) -> None:
        """A card with a bundle and the recipe of its first start."""
        with self.diary.step("a bundle for each Debian"):
            self.diary.page(BUNDLE_TRIXIE)  # which test-trixie installs
            bundle = Path(self.diary.page(BUNDLE)[-1])
        recipe = (TREE / "deploy" / "first-boot" / "user-data").read_text(encoding="utf-8").partition("runcmd:\n")[2]
        with self.diary.step("installed from a bundle on the card, without a workstation: the door judges"):
            guest(f"cat >{BOOT}/mask-kiosk.tar", bundle.read_bytes())
            for command in re.findall(r"^  - (.*)$", recipe, re.MULTILINE):
                self.diary.run(f"ssh {PI} {quote(f'sudo sh -c {quote(command)}')}")
            self.judges()

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
    "updates": releases.updates,
    "deaths": Story.deaths,
    "reboot": Story.reboot,
    "cuts": releases.cuts,
    "connections": releases.connections,
    "undeploy": Story.undeploy,
    "card": Story.card,
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
    if not options.chapters:
        assert [command for command in COMMANDS if f"$ {command}" not in diary.log] == []


if __name__ == "__main__":
    main()
