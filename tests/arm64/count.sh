#!/bin/bash
# count.sh MODEL...: prints how many arm64 instructions an inference takes, counted under emulation. MODEL is a .tflite,
# or the name of one in models/. The count is that of a run with three inferences less that of a run with one, halved:
# what starting costs falls out, and it repeats to about a hundredth. Minutes for each model; by hand, not in CI.
# CPU is cortex-a72, a Pi 4's, which like a Pi 3's lacks the dot product of bytes; cortex-a76 is a Pi 5's.
# Needs an x86-64 Debian 12 and Python 3.11, and as root: apt-get install gcc mmdebstrap qemu-user
# Debian's qemu 10 won't do: its qemu-user is linked statically and loads no plugin. RUNTIME is tflite_runtime, since
# ai-edge-litert 2.3 crashes in qemu 7.2; a qemu 8 or later with plugins (QEMU=path) may run it.
set -euo pipefail

# shellcheck source=tests/arm64/root.sh
source "$(dirname "$0")/root.sh"
QEMU=${QEMU:-qemu-aarch64}
RUNTIME=${RUNTIME:-tflite_runtime}
CPU=${CPU:-cortex-a72}
[ $# -ge 1 ] || refuse "no model, expected MODEL.tflite: name one or more"
models=()
for model in "$@"; do
    [[ $model == *.tflite ]] || model=$tree/models/$model.tflite
    [ -f "$model" ] || refuse "$model: no such file, expected a .tflite: check the path"
    models+=("$model")
done
need gcc gcc
need mmdebstrap mmdebstrap
need "$PYTHON" python3
need "$QEMU" qemu-user
"$QEMU" --help | grep -q -- -plugin || refuse "$QEMU takes no plugins: install Debian 12's qemu-user, or set QEMU"

make_root
arm=$(packages aarch64)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
gcc -O2 -Wall -shared -fPIC -o "$scratch/icount.so" "$tree/tests/arm64/icount.c"

instructions() { # MODEL INFERENCES
    PYTHONPATH=$arm PYTHONHOME=$root/usr PYTHONHASHSEED=0 OPENBLAS_NUM_THREADS=1 "$QEMU" -cpu "$CPU" -L "$root" \
        -plugin "$scratch/icount.so" -d plugin -D "$scratch/count" \
        "$root/usr/bin/python3.11" "$tree/tests/arm64/invoke.py" "$RUNTIME" "$1" "$2" ||
        { echo "count: $RUNTIME fails on $1 with exit code $?" >&2; exit 1; }
    cat "$scratch/count"
}

for model in "${models[@]}"; do
    three=$(instructions "$model" 3)
    one=$(instructions "$model" 1)
    printf '%s: %d.%d million arm64 instructions an inference (%s, %s)\n' "$(basename "$model")" \
        $(((three - one) / 2000000)) $(((three - one) / 200000 % 10)) "$RUNTIME" "$CPU"
done
