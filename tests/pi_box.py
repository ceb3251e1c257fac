"""A computer to deploy to: systemd, sshd and sudo of this one, or of a Debian in a folder, booted in a container.

What it writes lies in a folder of the test. It says of itself that it is arm64; apt and the system's numpy, lgpio and
picamera2 are small stand-ins, because they belong to the world outside.
"""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ports import free_port

WANTED = ("ssh", "sshd", "ssh-keygen", "sudo", "mount")
REASON = "needs root, ssh, sshd, sudo and systemd-nspawn"
HANG_SECONDS = 600.0  # after which something is taken to hang; a busy computer may take long
SSHD = """\
Port {port}
ListenAddress 127.0.0.1
HostKey /etc/box/host_key
AuthorizedKeysFile /etc/box/authorized_keys
UsePAM no
StrictModes no
PasswordAuthentication no
"""
SSH = """\
Host *
  Port {port}
  IdentityFile {folder}/key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
"""
SSH_UNIT = """\
[Unit]
Description=ssh
[Service]
RuntimeDirectory=sshd
ExecStart=/usr/sbin/sshd -D -e -f /etc/box/sshd_config
KillMode=mixed
"""
APT = """\
#!/bin/sh
echo "$*" >>/var/log/apt-calls
if [ -e /etc/box/apt-is-locked ]; then
    echo 'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 842 (unattended-upgr)' >&2
    exit 100
fi
case $* in *python3-lgpio*) touch /usr/lib/python3/dist-packages/lgpio.py ;; esac
"""


# The unit has a Pi's times. On a computer that other tests keep busy they ended ExecStopPost= before it had begun.
PATIENCE = """\
[Service]
TimeoutStartSec=300
TimeoutStopSec=300
WatchdogSec=300
"""
NSPAWN = ("systemd-nspawn", "--quiet", "--register=no", "--keep-unit")


def possible(*, booted: bool) -> bool:
    """Tell whether a box can be made here: an overlay mounted, and where it is to be booted, `true` run in a container.

    Not every container may nest another.
    """
    path = f"{os.environ['PATH']}:/usr/sbin"
    needed = (*WANTED, "systemd-nspawn") if booted else WANTED
    if os.geteuid() != 0 or not all(shutil.which(name, path=path) for name in needed):
        return False
    with tempfile.TemporaryDirectory() as folder:
        root = overlay(Path(folder))
        if root is None:
            return False
        try:
            return not booted or subprocess.run(
                [*NSPAWN, "--machine", "probe", "--directory", root, "/bin/true"],
                stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60,
            ).returncode == 0  # fmt: skip
        except subprocess.TimeoutExpired:
            return False
        finally:
            subprocess.run(["umount", "--lazy", root], check=True)


def overlay(folder: Path, system: Path = Path("/")) -> Path | None:
    """Mount a system's files below a folder, where changes stay; return where, or None if it may not be."""
    for name in ("upper", "work", "root"):
        (folder / name).mkdir()
    options = f"lowerdir={system},upperdir={folder}/upper,workdir={folder}/work"
    mounted = subprocess.run(
        ["mount", "-t", "overlay", "overlay", "-o", options, folder / "root"], capture_output=True, check=False
    )
    return None if mounted.returncode else folder / "root"


class Box:
    """One such computer; `root` is its file system, seen from outside."""

    def __init__(self, folder: Path, numpy: str = "", system: Path = Path("/")) -> None:
        """Furnish it from a system's files; `numpy` is the version of its stand-in, if the system has none itself."""
        self.folder, self.root = folder, folder / "root"
        self.port = free_port()
        (folder / "bin").mkdir()
        assert overlay(folder, system) == self.root
        self._furnish(numpy)
        self._container: subprocess.Popen[bytes] | None = None

    def _furnish(self, numpy: str) -> None:
        etc = self.root / "etc"
        for ours in (
            "etc/systemd/system",
            "lib/systemd/system/multi-user.target.wants",
            "opt/mask-kiosk",
            "etc/mask-kiosk",
            "root/.config/pip",
            "root/.pip",
        ):
            shutil.rmtree(self.root / ours, ignore_errors=True)
        box, wants = etc / "box", etc / "systemd/system/multi-user.target.wants"
        for new in (box, wants):
            new.mkdir(parents=True)
        (wants.parent / "box-ssh.service").write_text(SSH_UNIT)
        (wants / "box-ssh.service").symlink_to("../box-ssh.service")
        patience = self.root / "lib/systemd/system/mask-kiosk.service.d/patience.conf"
        patience.parent.mkdir()
        patience.write_text(PATIENCE)
        (etc / "os-release").unlink()
        (etc / "os-release").write_text('ID=debian\nVERSION_ID="12"\n')
        (etc / "hostname").write_text("kiosk\n")
        (etc / "hosts").write_text("127.0.0.1 localhost kiosk\n")
        (etc / "machine-id").unlink()
        (etc / "machine-id").write_text(f"{self.port:032x}\n")
        with (
            (etc / "passwd").open("a") as users,
            (etc / "shadow").open("a") as shadow,
            (etc / "group").open("a") as groups,
        ):
            users.write("pi:x:7777:7777::/tmp:/bin/bash\n")
            shadow.write("pi:*:20000:0:99999:7:::\n")
            groups.write("pi:x:7777:\ngpio:x:7778:\n")
            if "\nrender:" not in (etc / "group").read_text():
                groups.write("render:x:7779:\n")
        for name in ("key", "host_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name], check=True)
        (box / "sshd_config").write_text(SSHD.format(port=self.port))
        shutil.copy(self.folder / "host_key", box)
        shutil.copy(self.folder / "key.pub", box / "authorized_keys")
        host_key = " ".join((self.folder / "host_key.pub").read_text().split()[:2])
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {host_key}\n")
        (self.folder / "ssh_config").write_text(SSH.format(port=self.port, folder=self.folder))
        (etc / "sudoers.d/pi").write_text("pi ALL=(ALL) NOPASSWD:ALL\n")
        (etc / "sudoers.d/pi").chmod(0o440)
        script(self.root / "usr/local/bin/dpkg", "#!/bin/sh\necho arm64\n")
        script(self.root / "usr/local/bin/apt-get", APT)
        # Any ssh of a command under test is this one's.
        script(self.folder / "bin/ssh", f'#!/bin/sh\nexec {shutil.which("ssh")} -F {self.folder}/ssh_config "$@"\n')
        modules = self.root / "usr/lib/python3/dist-packages"
        for name in ("lgpio", "picamera2", *(["numpy"] if numpy else [])):
            (modules / f"{name}.py").write_text("")
        if numpy:
            (modules / f"numpy-{numpy}.dist-info").mkdir()
            (modules / f"numpy-{numpy}.dist-info/METADATA").write_text(
                f"Metadata-Version: 2.1\nName: numpy\nVersion: {numpy}\n"
            )

    def _command(self) -> list[str | Path]:
        return [
            *NSPAWN, "--machine", f"box{self.port}", "--directory", self.root, "--boot",
            "systemd.unit=multi-user.target", "systemd.show_status=no",
        ]  # fmt: skip

    def boot(self) -> None:
        """Start it; return when it answers."""
        with (self.folder / "console").open("ab") as log:
            self._container = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + HANG_SECONDS
        while self.ssh("true").returncode:
            assert time.monotonic() < deadline, (self.folder / "console").read_text(errors="replace")
            time.sleep(0.1)

    def cut_power(self) -> None:
        """Kill everything in it at once: with its first process, the others of its namespace die too."""
        if self._container is not None:
            pid = self._container.pid
            for first in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                os.kill(int(first), signal.SIGKILL)
            self._container.wait(timeout=60)
            self._container = None

    def close(self) -> None:
        """End it and take its file system away."""
        self.cut_power()
        subprocess.run(["umount", "--lazy", self.root], check=True)

    def ssh(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it."""
        return subprocess.run(
            [self.folder / "bin/ssh", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "root@127.0.0.1", command],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=HANG_SECONDS,
        )  # fmt: skip

    def start(self, tree: Path, *words: str, environment: dict[str, str] | None = None) -> "subprocess.Popen[str]":
        """Start `python -m deploy WORDS` of a tree, to which pi@127.0.0.1 is this computer."""
        path = {"PATH": f"{self.folder}/bin:{os.environ['PATH']}", "XDG_CACHE_HOME": str(self.folder / "cache")}
        return subprocess.Popen(
            [sys.executable, "-m", "deploy", *words], cwd=tree, env=os.environ | path | (environment or {}),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def run(
        self, tree: Path, *words: str, environment: dict[str, str] | None = None
    ) -> tuple[int, list[str], list[str]]:
        """Run `python -m deploy WORDS`; return its exit code, and its lines on stdout and stderr."""
        with self.start(tree, *words, environment=environment) as running:
            out, err = running.communicate(timeout=HANG_SECONDS)
        return running.returncode, out.splitlines(), err.splitlines()


def script(path: Path, text: str) -> None:
    """Write a program."""
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
