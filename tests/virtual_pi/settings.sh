# shellcheck shell=bash disable=SC2016,SC2034
# settings.sh, to be sourced: where the virtual Pi lies and what it is made of.
CACHE=${MASK_KIOSK_PI:-${XDG_CACHE_HOME:-$HOME/.cache}/mask-kiosk-pi}
SUITE=bookworm
KERNEL=6.1.0-56-arm64 # its headers, its image and our modules have to be of one version
SOURCE=6.1.192-2
PORT=${PORT:-2222} # on 127.0.0.1, to the guest's ssh
CORES=1 MEGABYTES=2048 CPU=cortex-a76

archive() { # archive PATTERN: the URI of the first suite of apt's sources that matches
    apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
        awk -v wanted="$1" '$2 ~ wanted { print $1; exit }'
}
guest() { ssh -F "$CACHE/ssh_config" root "$@"; } # runs a command in the guest
run_arm64() { # lets this computer run arm64 programs, if it doesn't yet
    if [ "$(uname -m)" != aarch64 ] && [ ! -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ]; then
        mountpoint -q /proc/sys/fs/binfmt_misc || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
        tr -d '\n' </usr/lib/binfmt.d/qemu-aarch64.conf >/proc/sys/fs/binfmt_misc/register
    fi
}
