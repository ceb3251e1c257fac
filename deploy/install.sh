#!/bin/bash
# Turns what deploy.sh copied to /opt/mask-kiosk into a running service. As root, on the Pi; again changes only what differs.
set -euo pipefail
cd /opt/mask-kiosk

UNIT=mask-kiosk.service
CONFIG=/etc/mask-kiosk/kiosk.toml
SETTLE_SECONDS=5 # a service that fails right after its first frame has restarted by then

if [ ! -e $CONFIG ]; then
    install -D -m 644 deploy/kiosk.toml $CONFIG
    echo "settings: $CONFIG is new, with the defaults"
fi
camera=$(/usr/bin/python3 - $CONFIG <<'PYTHON'
import sys
from pathlib import Path

sys.dont_write_bytecode = True
from device.errors import KioskError
from device.settings import read_settings

try:
    print(read_settings(Path(sys.argv[1])).camera.source)
except KioskError as error:
    sys.exit(f"install: {error}")
PYTHON
) || exit 2

# Debian's packages, by the Python module each brings: they are tied to the system's Python, kernel and libcamera.
wanted=(ensurepip:python3-venv numpy:python3-numpy lgpio:python3-lgpio)
if [ "$camera" = pi ]; then wanted+=(picamera2:python3-picamera2); fi
packages=()
for pair in "${wanted[@]}"; do
    /usr/bin/python3 -c "import importlib.util as i, sys; sys.exit(i.find_spec('${pair%:*}') is None)" ||
        packages+=("${pair#*:}")
done
if [ ${#packages[@]} -gt 0 ]; then
    echo "apt installs: ${packages[*]}"
    apt-get -q update
    DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${packages[@]}" || {
        echo "install: apt can't install ${packages[*]}, expected Raspberry Pi OS and a network: see its lines above" >&2
        exit 2
    }
fi

# A new venv is made beside the old one, so that a failed download leaves the old one working.
# shellcheck source=/dev/null
lock=deploy/debian-$(. /etc/os-release && echo "$VERSION_ID").lock
stamp="$(sha256sum <"$lock") $(/usr/bin/python3 --version)"
if [ "$(cat venv/lock.sha256 2>/dev/null)" = "$stamp" ]; then
    echo "Python packages: unchanged"
else
    echo "Python packages: a new venv with $lock, which takes a few minutes"
    rm -rf venv.new
    /usr/bin/python3 -m venv --system-site-packages venv.new
    venv.new/bin/python -m pip install --quiet --disable-pip-version-check --no-cache-dir \
        --only-binary :all: --require-hashes --requirement "$lock"
    # A numpy of the venv's own would keep picamera2 from being imported.
    venv.new/bin/python -c 'import cv2, gpiozero, numpy; assert numpy.__file__.startswith("/usr/lib/python3"), numpy'
    echo "$stamp" >venv.new/lock.sha256
    rm -rf venv
    mv venv.new venv # `venv/bin/python -m` works there; only the scripts beside it name the old path
fi

id mask-kiosk >/dev/null 2>&1 ||
    useradd --system --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin mask-kiosk
usermod --append --groups video,render,gpio mask-kiosk
chown --recursive mask-kiosk: "${CONFIG%/*}" # the setup page writes there

install -m 644 systemd/$UNIT /etc/systemd/system/
systemctl daemon-reload
systemctl enable --quiet $UNIT
systemctl reset-failed $UNIT 2>/dev/null || true # else failed starts of a while ago count against this one
started=yes
systemctl restart $UNIT || started=no            # returns when READY=1 has come, or has not
sleep $SETTLE_SECONDS
state=$(systemctl show --property ActiveState,SubState,NRestarts,StatusText $UNIT | paste -sd ' ')
echo "$UNIT: $state"
if [ $started = no ] || [[ $state != *NRestarts=0* ]] || ! systemctl is-active --quiet $UNIT; then
    echo "$UNIT didn't come up; its last lines:" >&2
    journalctl --unit $UNIT --lines 20 --no-pager --output cat >&2
    exit 1
fi
