#!/bin/bash
# Says in one line each what keeps this computer from being a kiosk, and exits with 2; changes nothing.
# deploy.sh runs it on the Pi before it copies anything.
set -euo pipefail

failed=0
complain() { echo "$(hostname): $1" >&2; failed=2; }

machine=$(uname -m)
[ "$machine" = aarch64 ] || complain "is $machine, expected aarch64: use a Pi 3 or later with the 64-bit Raspberry Pi OS"

# shellcheck source=/dev/null
release=$(. /etc/os-release && echo "$ID ${VERSION_ID-}")
case $release in
    'debian 12' | 'debian 13') ;;
    *) complain "runs $release, expected debian 12 or 13: install Raspberry Pi OS Bookworm or Trixie" ;;
esac

init=$(cat /proc/1/comm)
[ "$init" = systemd ] || complain "was started by $init, expected systemd: install Raspberry Pi OS, not a container"

sudo -n true 2>/dev/null ||
    complain "asks $(id -un) for a password, expected sudo without one: log in as the user that the Imager made, or add it to sudoers"

[ -n "$(type -P rsync)" ] || complain "has no rsync, expected it: run \`sudo apt install rsync\` there"

for group in video render gpio; do
    getent group $group >/dev/null ||
        complain "has no group $group, expected Raspberry Pi OS, whose camera and pins belong to it"
done
exit $failed
