#!/bin/bash
# deploy.sh HOST: puts device/ and models/ on a Raspberry Pi, installs what they need, starts the service.
# Run on the workstation, as often as you like. HOST is what ssh takes (pi@kiosk.local, or a name of ~/.ssh/config).
set -euo pipefail
cd "$(dirname "$0")/.."

refuse() { echo "deploy: $1" >&2; exit 2; }

host=${1-}
[[ $host =~ ^([A-Za-z0-9_.][A-Za-z0-9_.-]*@)?[A-Za-z0-9_.][A-Za-z0-9_.-]*$ ]] ||
    refuse "host is '$host', expected USER@NAME: run \`make deploy HOST=pi@kiosk.local\`"
for program in ssh rsync; do
    [ -n "$(type -P $program)" ] || refuse "$program is missing on this computer, expected it on PATH: install it"
done
compgen -G 'models/*.tflite' | grep -Eqv '/(practice|faces)\.' ||
    refuse "models/ has no .tflite made from photos, expected one for the kiosk: run \`make train convert\`"

remote=(ssh -o BatchMode=yes -o ConnectTimeout=10 -o LogLevel=ERROR)
if ! error=$("${remote[@]}" "$host" true 2>&1 </dev/null); then
    error=${error%$'\r'} # ssh ends its own lines with it
    refuse "$host isn't reached (${error##*$'\n'}), expected a login by key: check its name, power and network; with \`ssh-copy-id $host\` it takes your key"
fi
"${remote[@]}" "$host" bash -s <deploy/check.sh

# Only the folders named here are made equal to ours (--delete); venv/ beside them stays.
rsync --rsh="${remote[*]}" --rsync-path='sudo -n rsync' --recursive --times --perms --delete --chmod=D755,F644 \
    --exclude=__pycache__ --exclude='/models/practice.*' \
    --include='/models/*.tflite' --include='/models/*.json' --exclude='/models/*' \
    device models deploy systemd pyproject.toml "$host:/opt/mask-kiosk/"
"${remote[@]}" "$host" sudo -n bash /opt/mask-kiosk/deploy/install.sh
