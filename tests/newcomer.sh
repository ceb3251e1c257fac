#!/bin/bash
# The README's two commands as a newcomer runs them: in a new Debian that holds Python, make and ssh, as a plain user,
# without photos, the second to a computer that stands for a Pi (newcomer_pi.py says what it is). Prints what is said
# and after how many seconds; ends as the first that fails does. CONTRIBUTING.md says what it needs.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/virtual_pi/settings.sh
. tests/virtual_pi/settings.sh
folder=$(mktemp -d)
trap 'rm -rf --one-file-system "$folder"' EXIT
root=$folder/newcomer pi=$folder/pi home=$folder/newcomer/home/newcomer

mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,python3-pip,make,ca-certificates,openssh-client \
    bookworm "$root"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" # whom this computer trusts, behind a proxy too
chroot "$root" useradd --create-home newcomer
mkdir "$home/mask-kiosk"
git archive HEAD | tar -x -C "$home/mask-kiosk"
chroot "$root" chown -R newcomer: /home/newcomer

# What is sent to a Pi are packages for arm64, so its Python is one; all else there is this computer's kind.
run_arm64
mmdebstrap --quiet --variant=minbase --architectures=amd64,arm64 \
    --include=systemd,dbus,openssh-server,sudo,python3:arm64,python3-numpy:arm64,libstdc++6:arm64 bookworm "$pi"

# shellcheck disable=SC2016 # it is the inner shell that knows its arguments
newcomer=(unshare --mount --pid --fork sh -c '
    mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc"
    exec chroot --userspec=newcomer "$1" env -i HOME=/home/newcomer PATH=/usr/bin:/bin LANG=C.UTF-8 \
        PIP_CERT=/etc/ssl/certs/ca-certificates.crt REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt \
        sh -c "cd ~/mask-kiosk && $2"
' - "$root")
timed() { # timed COMMAND…: runs it, with the seconds before each line
    local begin
    begin=$(date +%s)
    "$@" 2>&1 | while IFS= read -r line; do printf '%4d s  %s\n' $(($(date +%s) - begin)) "$line"; done
}
first='make train convert' second='make deploy HOST=pi@kiosk.local'
echo "$ $first"
timed "${newcomer[@]}" "python3 --version && $first"
echo "$ $second"
timed python3 tests/newcomer_pi.py "$pi" "$home" "${newcomer[@]}" "$second"
