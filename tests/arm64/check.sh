#!/bin/bash
# check.sh MODEL.tflite PICTURES.npy: runs a model on emulated arm64, with both runtimes as deploy/debian-12.lock pins
# them, and compares the scores with this computer's. Pictures: uint8 (n, size, size). Slow; by hand, not in CI.
# Needs an x86-64 Debian with Python 3.11, mmdebstrap, and qemu-user 10 (in bookworm-backports; 7.2 crashes in
# ai-edge-litert 2.3): QEMU=path where it isn't on PATH. Leaves about 613 MB in CACHE (~/.cache/mask-kiosk-arm64).
set -euo pipefail

QEMU=${QEMU:-qemu-aarch64}
model=${1-} pictures=${2-}
# shellcheck source=tests/arm64/root.sh
source "$(dirname "$0")/root.sh"
[[ -f $model && -f $pictures ]] || refuse "found '$model' '$pictures', expected MODEL.tflite PICTURES.npy"
found=$("$QEMU" --version 2>/dev/null | grep -oP '(?<=version )\d+' || true)
[ "${found:-0}" -ge 10 ] || refuse "$QEMU is version '$found', expected 10 or later: install it, or set QEMU"
need mmdebstrap mmdebstrap
need "$PYTHON" python3

make_root
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
