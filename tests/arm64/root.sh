# shellcheck shell=bash
# root.sh, to be sourced: what emulated arm64 needs, unpacked below CACHE (~/.cache/mask-kiosk-arm64).

refuse() { echo "$(basename "$0" .sh): $1" >&2; exit 2; }

PYTHON=${PYTHON:-python3.11}
CACHE=${CACHE:-$HOME/.cache/mask-kiosk-arm64}
tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
lock=$tree/deploy/debian-12.lock
root=$CACHE/root

need() { # PROGRAM PACKAGE
    [ -n "$(type -P "$1")" ] || refuse "$1 is missing: as root, apt-get install $2"
}

make_root() { # Debian 12's Python, unpacked and not installed, so that nothing of arm64 runs here before qemu
    [ -d "$root" ] && return
    rm -rf "$root.new" && mkdir -p "$CACHE"
    mmdebstrap --quiet --variant=extract --architectures=arm64 --include=python3,libstdc++6 bookworm "$root.new"
    mv "$root.new" "$root"
}

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
