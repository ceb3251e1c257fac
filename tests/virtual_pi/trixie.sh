#!/bin/bash
# trixie.sh: the Python 3.13 side, without a whole computer: a release for Debian Trixie is unpacked and built in an arm64
# root by the installer's own code, and has to judge its golden pictures as its cards say. As root; qemu runs arm64 here.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=tests/virtual_pi/settings.sh
. ./settings.sh
root=$CACHE/trixie home=/opt/mask-kiosk
mkdir -p "$CACHE"
run_arm64
if [ ! -d "$root" ]; then
    rm -rf "$root.new"
    # Unpacked, not installed, which would take a quarter of an hour: what packages link when they are is linked here.
    mmdebstrap --quiet --variant=extract --architectures=arm64 --include=python3,python3-numpy,libstdc++6 \
        trixie "$root.new"
    for folder in bin sbin lib; do ln -sfn "usr/$folder" "$root.new/$folder"; done
    for library in blas lapack; do ln -sf "$library/lib$library.so.3" "$root.new/usr/lib/aarch64-linux-gnu/"; done
    mkdir -p "$root.new/proc" "$root.new/etc/mask-kiosk"
    mv "$root.new" "$root"
fi
cd ../..
MAKELEVEL=0 make bundle DEBIAN=13
rm -rf "${root:?}$home"
mkdir -p "$root$home/releases"
tar --extract --file dist/mask-kiosk-debian-13.tar --directory "$root$home" --no-same-owner
version=$(basename "$root$home"/incoming/[0-9]*)
python() { # python PROGRAM TREE ARGUMENT…: a Python of the root's, with modules of that tree there
    PYTHONPATH=$2 QEMU_CPU=$CPU chroot "$root" "$1" -B "${@:3}"
}
mount --bind /proc "$root/proc" # cores and memory, as LiteRT asks for them
trap 'umount "$root/proc"' EXIT
python /usr/bin/python3 "$home/incoming/$version" -c "
import os, sys
from deploy.pi.build import build
print(build('$version'), 'with Python', sys.version.split()[0], 'on', os.uname().machine)"
release=$home/releases/$version
python "$release/venv/bin/python" "$release" -m device check
python "$release/venv/bin/python" "$release" -m device judge "$release/models/golden/door"
