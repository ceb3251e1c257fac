#!/bin/bash
# image.sh: makes the disk of the virtual Pi, once: arm64 Debian with systemd and ssh, a user pi as the Imager makes one,
# the packages that the Raspberry Pi archive would give, and a device tree that says Raspberry Pi 5. As root.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=tests/virtual_pi/settings.sh
. ./settings.sh
[ -e "$CACHE/disk.ready" ] && exit
here=$PWD root=$CACHE/root
mkdir -p "$CACHE"
[ -e "$CACHE/id" ] || ssh-keygen -q -t ed25519 -N '' -f "$CACHE/id"
run_arm64

rm -rf "$root"
packages=systemd,systemd-sysv,dbus,udev,kmod,openssh-server,sudo,procps,iproute2,netbase,python3,python3-numpy,nano
packages+=,initramfs-tools,linux-image-$KERNEL
drivers='virtio_pci\nvirtio_blk\nvirtio_net\next4\n'
# The hooks prepare a small initrd before the kernel's package makes one.
# shellcheck disable=SC2016  # $1 is the hook's
nice -n 15 mmdebstrap --architectures=arm64 --variant=apt --mode=root --aptopt='Apt::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --include="$packages" \
    --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"' \
    --essential-hook='printf "MODULES=list\nCOMPRESS=gzip\n" >"$1/etc/initramfs-tools/conf.d/pi"' \
    --essential-hook="printf '$drivers' >\"\$1/usr/share/initramfs-tools/modules.d/pi\"" \
    "$SUITE" "$root" "deb $(archive '^[a-z]+$') $SUITE main" "deb $(archive security) $SUITE-security main"

echo kiosk >"$root/etc/hostname"
echo '127.0.0.1 localhost kiosk' >"$root/etc/hosts"
echo '/dev/root / ext4 noatime 0 1' >"$root/etc/fstab"
: >"$root/etc/machine-id"
printf '[Match]\nName=e*\n[Network]\nDHCP=ipv4\n' >"$root/etc/systemd/network/80-dhcp.network"
wants=$root/etc/systemd/system/multi-user.target.wants
mkdir -p "$wants"
ln -sf /lib/systemd/system/systemd-networkd.service "$wants/"
for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
chroot "$root" sh -c 'groupadd -f -r gpio; useradd -m -s /bin/bash -G sudo,video,gpio pi'
echo 'pi ALL=(ALL) NOPASSWD:ALL' >"$root/etc/sudoers.d/pi"
for home in root home/pi; do install -D -m 600 "$CACHE/id.pub" "$root/$home/.ssh/authorized_keys"; done
chroot "$root" chown -R pi:pi /home/pi
# Raspberry Pi OS's rule for the pins.
echo 'SUBSYSTEM=="gpio", KERNEL=="gpiochip*", GROUP="gpio", MODE="0660"' >"$root/etc/udev/rules.d/60-gpio.rules"
# Stands for Raspberry Pi OS's python3-lgpio, which is no package of Debian's.
python3 -m pip download --quiet --dest "$CACHE/lgpio" --no-deps --only-binary :all: --implementation cp \
    --python-version 3.11 --abi cp311 --platform manylinux_2_34_aarch64 lgpio==0.2.2.0
python3 -m zipfile --extract "$CACHE"/lgpio/lgpio-*.whl "$root/usr/lib/python3/dist-packages"
install -D -m 644 -t "$root/lib/modules/$KERNEL/extra" "$CACHE/modules/$KERNEL"/*.ko
depmod --basedir "$root" "$KERNEL"
for helper in feeder recorder; do
    install -m 755 "$here/$helper.py" "$root/usr/local/bin/$helper"
    install -m 644 "$here/$helper.service" "$root/etc/systemd/system/"
    ln -sf "../$helper.service" "$wants/"
done
echo v4l2loopback >"$root/etc/modules-load.d/camera.conf"
echo 'options v4l2loopback devices=1 video_nr=10 exclusive_caps=1' >"$root/etc/modprobe.d/camera.conf"
cp "$root/boot/vmlinuz-$KERNEL" "$CACHE/vmlinuz"
cp "$root/boot/initrd.img-$KERNEL" "$CACHE/initrd"
rm -f "$CACHE/disk"
nice -n 15 mkfs.ext4 -q -F -d "$root" "$CACHE/disk" 4G
rm -rf "$root"

# qemu's own machine, but for what a program knows a Raspberry Pi by: its names and its bank of pins.
tree=$CACHE/tree.dtb
qemu-system-aarch64 -M "virt,dumpdtb=$tree" -cpu "$CPU" -smp "$CORES" -m "$MEGABYTES" -display none -nic none
put() { fdtput "$tree" "$@"; }
put -t s / model 'Raspberry Pi 5 Model B Rev 1.0'
put -p -c /system
put -t x /system linux,revision 0xc04170
put -t s /pl061@9030000 status disabled # else the simulated bank isn't gpiochip0
put -t s /gpio-keys status disabled
put -p -c /gpio-sim/bank0
put -t s /gpio-sim compatible gpio-simulator
put /gpio-sim/bank0 gpio-controller
put -t i /gpio-sim/bank0 '#gpio-cells' 2
put -t i /gpio-sim/bank0 ngpios 54
put -t s /gpio-sim/bank0 gpio-sim,label pinctrl-rp1
# The story's own way in is kept open; the deployment's is made anew each time, as a user's.
cat >"$CACHE/ssh_config" <<CONFIG
Host root
  User root
  ControlMaster auto
  ControlPath $CACHE/way-in
  ControlPersist yes
Host *
  HostName 127.0.0.1
  Port $PORT
  IdentityFile $CACHE/id
  IdentitiesOnly yes
  UserKnownHostsFile $CACHE/known_hosts
  StrictHostKeyChecking accept-new
  LogLevel ERROR
  ConnectTimeout 30
CONFIG
touch "$CACHE/disk.ready"
