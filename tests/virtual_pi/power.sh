#!/bin/bash
# power.sh on|off|wait: the virtual Pi's power. `off` cuts it; `on` starts it as it was left, NEW=1 as it was made.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=tests/virtual_pi/settings.sh
. ./settings.sh
case ${1-} in
    on)
        if [ "${NEW:-}" ] || [ ! -e "$CACHE/card" ]; then
            qemu-img create -q -f qcow2 -F raw -b "$CACHE/disk" "$CACHE/card"
            rm -f "$CACHE/known_hosts"
        fi
        # restrict=on: the guest reaches nothing, and is reached through the one port only.
        qemu-system-aarch64 -M virt -accel tcg -icount shift=0 -cpu "$CPU" -smp "$CORES" -m "$MEGABYTES" \
            -display none -nodefaults -dtb "$CACHE/tree.dtb" -kernel "$CACHE/vmlinuz" -initrd "$CACHE/initrd" \
            -append 'root=/dev/vda rw console=ttyAMA0 net.ifnames=0 quiet' \
            -drive "file=$CACHE/card,if=none,id=card" -device virtio-blk-pci,drive=card \
            -netdev "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:$PORT-:22" \
            -device virtio-net-pci,netdev=net,romfile= -device virtio-rng-pci \
            -serial "file:$CACHE/console" >"$CACHE/qemu.log" 2>&1 </dev/null &
        echo $! >"$CACHE/pid"
        ;;
    off)
        [ -e "$CACHE/pid" ] || exit 0
        kill -KILL "$(cat "$CACHE/pid")" 2>/dev/null || true
        rm -f "$CACHE/pid" "$CACHE/way-in"
        ;;
    wait)
        until guest true 2>/dev/null; do
            kill -0 "$(cat "$CACHE/pid")" || { tail "$CACHE/qemu.log" "$CACHE/console" >&2; exit 1; }
            [ $SECONDS -lt 600 ] || { echo "the virtual Pi doesn't answer after $SECONDS s" >&2; exit 1; }
            sleep 1
        done
        ;;
    *)
        echo "usage: power.sh on|off|wait" >&2
        exit 2
        ;;
esac
