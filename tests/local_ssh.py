"""Writes a program that stands for ssh to a kiosk: its commands run here, on a folder instead of the kiosk's."""

from pathlib import Path

from pi_box import script

# CUT: after so many bytes the connection breaks. REFUSED: commands with this word fail.
SSH = """\
#!/bin/sh
for command; do :; done
command=$(printf %s "$command" | sed 's,/var/lib/mask-kiosk,"{state}",g; s,sudo -n -u mask-kiosk ,,')
case "$command" in
*"$REFUSED"*) [ -z "$REFUSED" ] || exit 1 ;;
esac
[ -z "$CUT" ] && exec sh -c "$command"
case "$command" in
*xargs*) exec sh -c "$command" ;;
esac
sh -c "$command" | head -c "$CUT"
echo "Connection to kiosk closed by remote host." >&2
exit 255
"""


def local_ssh(folder: Path, state: Path) -> dict[str, str]:
    """Write it into a new folder; return the changes of the environment with which it is the ssh that is found."""
    folder.mkdir()
    script(folder / "ssh", SSH.format(state=state))
    return {"PATH": f"{folder}:/usr/local/bin:/usr/bin:/bin", "CUT": "", "REFUSED": ""}
