"""A computer to deploy to that costs little: sshd and sudo of this one over an overlay of its files, without systemd.

Many of them stand side by side. What systemctl says is played: a kiosk that has a release runs it.
"""

from pathlib import Path

from pi_box import Box, script

START = """\
mount -t proc proc "$0/proc"
mount --rbind /dev "$0/dev"
mount -t tmpfs tmpfs "$0/run"
mkdir -p "$0/run/sshd" "$0/run/systemd/system"
hostname kiosk  # sudo looks it up
exec chroot "$0" /usr/sbin/sshd -D -e -f /etc/box/sshd_config
"""
SYSTEMCTL = "#!/bin/sh\ntest ! -e /opt/mask-kiosk/current || echo ActiveState=active\n"


class LightBox(Box):
    """One such computer; `root` is its file system, seen from outside."""

    def __init__(self, folder: Path, numpy: str) -> None:
        super().__init__(folder, numpy)
        script(self.root / "usr/local/bin/systemctl", SYSTEMCTL)

    def _command(self) -> list[str | Path]:
        return ["unshare", "--mount", "--pid", "--uts", "--fork", "sh", "-c", START, self.root]
