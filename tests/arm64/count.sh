#!/bin/bash
# count.sh MODEL|empty|face...: prints how many arm64 instructions an inference takes, counted under emulation, or a frame
# of the whole loop before an empty door or a face, and estimates from those what a Pi needs. MODEL is a .tflite, or the
# name of one in models/. The count is that of a long run less that of a short one, over the runs between: what starting
# costs falls out, and it repeats to about a hundredth. Minutes for each; by hand, not in CI.
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
models=() scenes=()
for model in "$@"; do
    [[ $model == empty || $model == face ]] && { scenes+=("$model"); continue; }
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

counted() { # SCRIPT ARGUMENTS
    PYTHONPATH=$arm:$tree PYTHONHOME=$root/usr PYTHONHASHSEED=0 OPENBLAS_NUM_THREADS=1 "$QEMU" -cpu "$CPU" -L "$root" \
        -plugin "$scratch/icount.so" -d plugin -D "$scratch/count" \
        "$root/usr/bin/python3.11" -B "$tree/tests/arm64/$1" "$RUNTIME" "${@:2}" 2>"$scratch/said" ||
        { cat "$scratch/said" >&2; echo "count: $RUNTIME fails on $2 with exit code $?" >&2; exit 1; }
    cat "$scratch/count"
}

say() { # WHAT INSTRUCTIONS OF
    printf '%s: %d.%d million arm64 instructions %s (%s, %s)\n' "$1" \
        $(($2 / 1000000)) $(($2 / 100000 % 10)) "$3" "$RUNTIME" "$CPU"
}

estimate() { # INSTRUCTIONS: milliseconds by each board's clock, in GHz, and instructions a cycle, a guess of its core's
    local board clock few many
    while read -r clock few many board; do
        awk -v "n=$1" -v "clock=$clock" -v "few=$few" -v "many=$many" -v "board=$board" 'BEGIN {
            printf "    an estimate for a Pi %s: %.0f to %.0f ms\n", board, n / clock / many / 1e6, n / clock / few / 1e6 }'
    done <<<$'1.0 0.6 1.2 Zero 2 W\n1.4 0.6 1.2 3 B+\n1.8 1 2 4\n2.4 1.5 3 5'
}

for model in "${models[@]}"; do
    three=$(counted invoke.py "$model" 3)
    one=$(counted invoke.py "$model" 1)
    say "$(basename "$model")" $(((three - one) / 2)) "an inference"
done
for scene in "${scenes[@]}"; do
    long=$(counted frames.py "$scene" 60)
    short=$(counted frames.py "$scene" 40)
    say "$scene" $(((long - short) / 20)) "a frame of the loop"
    estimate $(((long - short) / 20))
done
