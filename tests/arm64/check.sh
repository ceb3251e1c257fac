#!/bin/bash
# check.sh MODEL.tflite PICTURES.npy: runs a model on emulated arm64, with both runtimes as deploy/debian-12.lock pins
# them, and compares the scores with this computer's. Pictures: uint8 (n, size, size). Slow; by hand, not in CI.
# Needs an x86-64 Debian with Python 3.11, mmdebstrap, and qemu-user 10 (in bookworm-backports; 7.2 crashes in
# ai-edge-litert 2.3): QEMU=path where it isn't on PATH. Leaves about 613 MB in CACHE (~/.cache/mask-kiosk-arm64).
set -euo pipefail

refuse() { echo "check: $1" >&2; exit 2; }

QEMU=${QEMU:-qemu-aarch64}
PYTHON=${PYTHON:-python3.11}
CACHE=${CACHE:-$HOME/.cache/mask-kiosk-arm64}
model=${1-} pictures=${2-}
tree=$(cd "$(dirname "$0")/../.." && pwd)
lock=$tree/deploy/debian-12.lock
[[ -f $model && -f $pictures ]] || refuse "found '$model' '$pictures', expected MODEL.tflite PICTURES.npy"
found=$("$QEMU" --version 2>/dev/null | grep -oP '(?<=version )\d+' || true)
[ "${found:-0}" -ge 10 ] || refuse "$QEMU is version '$found', expected 10 or later: install it, or set QEMU"
[ -n "$(type -P mmdebstrap)" ] || refuse "mmdebstrap is missing: install it"

# What Debian's Python needs to run is unpacked, not installed, so that nothing of arm64 runs here before qemu.
root=$CACHE/root
if [ ! -d "$root" ]; then
    rm -rf "$root.new" && mkdir -p "$CACHE"
    mmdebstrap --quiet --variant=extract --architectures=arm64 --include=python3,libstdc++6 bookworm "$root.new"
    mv "$root.new" "$root"
fi

packages() { # MACHINE: the lock's wheels for it, unpacked
    local folder platforms=() tag
    folder=$CACHE/$1-$(sha256sum "$lock" | cut -c1-12)
    for tag in manylinux_2_{36,34,31,28,27,26,24,17} manylinux2014; do platforms+=(--platform "${tag}_$1"); done
    if [ ! -d "$folder" ]; then
        rm -rf "$folder.new"
        "$PYTHON" -m pip install -qq --disable-pip-version-check --target "$folder.new" --python-version 3.11 \
            --implementation cp "${platforms[@]}" --only-binary :all: --require-hashes --requirement "$lock" >&2
        mv "$folder.new" "$folder"
    fi
    echo "$folder"
}

scores=$(mktemp -d)
trap 'rm -rf "$scores"' EXIT
x86=$(packages x86_64)
arm=$(packages aarch64)
for runtime in ai_edge_litert tflite_runtime; do
    arguments=("$tree/tests/arm64/scores.py" "$runtime" "$model" "$pictures")
    PYTHONPATH=$x86 "$PYTHON" "${arguments[@]}" "$scores/$runtime-x86_64.npy"
    PYTHONPATH=$arm PYTHONHOME=$root/usr "$QEMU" -L "$root" "$root/usr/bin/python3.11" \
        "${arguments[@]}" "$scores/$runtime-aarch64.npy" ||
        { echo "check: $runtime fails on arm64 with exit code $?" >&2; exit 1; }
done
PYTHONPATH=$x86 "$PYTHON" "$tree/tests/arm64/compare.py" "$scores"
