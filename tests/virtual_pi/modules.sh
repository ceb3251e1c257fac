#!/bin/bash
# modules.sh: cross-builds what Debian's kernel leaves out: gpio-sim (pins whose level is read from outside of any
# process) and v4l2loopback (a camera that plays what is written to it).
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=tests/virtual_pi/settings.sh
. ./settings.sh
built=$CACHE/modules/$KERNEL
[ -e "$built/gpio-sim.ko" ] && [ -e "$built/v4l2loopback.ko" ] && exit
mkdir -p "$CACHE/kernel" "$built"
cd "$CACHE/kernel"

abi=${KERNEL%-arm64} main=$(archive '^[a-z]+$') security=$(archive security)
host=$(dpkg --print-architecture)
fetch() { [ -s "${1##*/}" ] || curl -fsS --output "${1##*/}" "$1"; }
for package in linux-headers-"$KERNEL"_"$SOURCE"_arm64 linux-headers-"$abi"-common_"$SOURCE"_all \
    linux-kbuild-6.1_"$SOURCE"_"$host" linux-source-6.1_"$SOURCE"_all; do
    fetch "${security}pool/updates/main/l/linux/$package.deb"
    case $package in linux-source*) ;; *) dpkg -x "$package.deb" headers ;; esac
done
fetch "${main}pool/main/v/v4l2loopback/v4l2loopback-source_0.12.7-2_all.deb"

rm -rf work
mkdir work
dpkg --fsys-tarfile linux-source-6.1_"$SOURCE"_all.deb | tar -xO ./usr/src/linux-source-6.1.tar.xz |
    tar -xJ -C work --strip-components=1 --wildcards \
        '*/drivers/gpio/gpio-sim.c' '*/drivers/gpio/gpiolib.h' '*/kernel/irq/irq_sim.c'
dpkg --fsys-tarfile v4l2loopback-source_0.12.7-2_all.deb | tar -xO ./usr/src/v4l2loopback.tar.bz2 | tar -xj -C work
# One module of both files: it exports nothing, and irq_to_desc() is closed to modules.
sed -e '/^EXPORT_SYMBOL_GPL/d' -e 's/handle_simple_irq(irq_to_desc(irqnum))/generic_handle_irq(irqnum)/' \
    work/kernel/irq/irq_sim.c >work/irq_sim.c
# Like Raspberry Pi's own driver, an output keeps its level when the process that held it is gone.
sed '/^static void gpio_sim_free/,/^}/{/__assign_bit/d}' work/drivers/gpio/gpio-sim.c >work/pins.c
mv work/drivers/gpio/gpiolib.h work/
find work/modules -name 'v4l2loopback*.[ch]' -exec mv {} work/ \;
printf '%s\n' 'obj-m := gpio-sim.o v4l2loopback.o' 'gpio-sim-y := pins.o irq_sim.o' >work/Makefile
headers=$PWD/headers/usr/src/linux-headers-$KERNEL
# The headers name their common half by an absolute path.
echo "include $PWD/headers/usr/src/linux-headers-$abi-common/Makefile" >"$headers/Makefile"
nice -n 15 make -C "$headers" M="$PWD/work" ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- \
    CC=aarch64-linux-gnu-gcc-12 modules
for module in gpio-sim v4l2loopback; do
    aarch64-linux-gnu-strip --strip-debug -o "$built/$module.ko" "work/$module.ko"
done
rm -rf work
