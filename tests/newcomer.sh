#!/bin/bash
# The README's first command as a newcomer runs it: in a new Debian that holds Python and make, as a plain user, without
# photos. Prints what is said and after how many seconds; ends as the command does. Needs root, mmdebstrap, the network.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$(mktemp -d)
trap 'rm -rf --one-file-system "$root"' EXIT

mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,make,ca-certificates bookworm "$root"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" # whom this computer trusts, behind a proxy too
chroot "$root" useradd --create-home newcomer
mkdir "$root/home/newcomer/mask-kiosk"
git archive HEAD | tar -x -C "$root/home/newcomer/mask-kiosk"
chroot "$root" chown -R newcomer: /home/newcomer

begin=$(date +%s)
# shellcheck disable=SC2016 # it is the inner shell that knows its arguments
unshare --mount --pid --fork sh -c '
    mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc"
    exec chroot --userspec=newcomer "$1" env -i HOME=/home/newcomer PATH=/usr/bin:/bin LANG=C.UTF-8 \
        PIP_CERT=/etc/ssl/certs/ca-certificates.crt REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt \
        sh -c "cd ~/mask-kiosk && python3 --version && make train convert"
' - "$root" 2>&1 | while IFS= read -r line; do
    printf '%4d s  %s\n' $(($(date +%s) - begin)) "$line"
done
