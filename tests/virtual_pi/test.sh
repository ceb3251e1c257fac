#!/bin/bash
# test.sh: builds the virtual Pi if there is none, starts it as it was made, and lives the whole story on it.
set -euo pipefail
cd "$(dirname "$0")"
here=$PWD
# shellcheck source=tests/virtual_pi/settings.sh
. ./settings.sh
missing=()
for program in qemu-system-aarch64 qemu-img qemu-aarch64-static mmdebstrap fdtput aarch64-linux-gnu-gcc-12 mkfs.ext4 \
    curl ssh make; do
    [ -n "$(type -P "$program")" ] || missing+=("$program")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "error: ${missing[*]} missing, expected what tests/virtual_pi/README.md names: install it" >&2
    exit 2
fi
[ "$(id -u)" = 0 ] || { echo "error: needs root, to make another computer's disk: run as root" >&2; exit 2; }
mkdir -p "$CACHE"
./modules.sh >"$CACHE/modules.log" 2>&1 || { tail "$CACHE/modules.log" >&2; exit 1; }
./image.sh >"$CACHE/image.log" 2>&1 || { tail "$CACHE/image.log" >&2; exit 1; }
trap '"$here/power.sh" off' EXIT
./power.sh off
[ $# -gt 0 ] || rm -f "$CACHE/card" # named chapters go on with the card as it was left
./power.sh on
./power.sh wait
cd ..
PYTHONPATH=$PWD "${PYTHON:-../.venv/bin/python}" -m virtual_pi.story ${PAGE:+--page "$PAGE"} "$@"
