"""Checks of the doctor: whether those who are to be told what happens at the door can be reached."""

import ipaddress
import socket

from device.doctor.finding import Case, Check, Level
from device.doctor.host import Host
from device.errors import SettingsError

ANSWERS = Case(Level.OK, "{place} lets the kiosk in")
NO_BROKER = Case(Level.OK, "none is told: [mqtt] enabled is false")
NOT_LET_OUT = Case(
    Level.WARNING, "the service may not speak with {place}: its IPAddressAllow is {allowed}",
    "`sudo systemctl edit mask-kiosk`, write `[Service]` and `IPAddressAllow={address}`, then `sudo systemctl restart "
    "mask-kiosk`.",
)
SILENT = Case(
    Level.WARNING, "{place}: {trouble}",
    "Compare [mqtt] host, port, user and ca_path in kiosk.toml with the broker's, and see whether it runs; the kiosk "
    "tries it again by itself.",
)
BAD_FILE = Case(Level.WARNING, "{error}", "Correct that file; docs/telemetry.md shows how it is made.")


def broker(host: Host) -> Case:
    """Ask systemd whether the service may reach the broker, and connect as the kiosk does."""
    from device.telemetry.mqtt import try_broker  # here: it needs more than the other checks

    mqtt = host.settings.mqtt
    if not mqtt.enabled:
        return NO_BROKER
    place = f"{mqtt.host} port {mqtt.port}"
    try:
        found = socket.getaddrinfo(mqtt.host, mqtt.port, type=socket.SOCK_STREAM)
        addresses = [str(end[0]) for *_, end in found]  # the kiosk tries one after the other
        allowed = host.unit().get("IPAddressAllow", "")
        networks = [ipaddress.ip_network(word) for word in allowed.split()]
        if networks and not any(ipaddress.ip_address(each) in network for each in addresses for network in networks):
            return NOT_LET_OUT.of(place=place, allowed=allowed, address=addresses[0])
        try_broker(mqtt)
    except SettingsError as error:
        return BAD_FILE.of(error=error)
    except OSError as error:
        return SILENT.of(place=place, trouble=error)
    return ANSWERS.of(place=place)


GOOD_SECRET = Case(Level.OK, "only the kiosk reads {path}")
NO_WEBHOOK = Case(Level.OK, "none is told: [webhook] enabled is false")


def webhook(host: Host) -> Case:
    """Read the secret as the kiosk does; nothing is posted."""
    from device.telemetry.secret import read_secret
    from device.telemetry.webhook import key_of

    path = host.settings.webhook.secret_path
    if not host.settings.webhook.enabled:
        return NO_WEBHOOK
    try:
        key_of(read_secret(path), path)
    except SettingsError as error:
        return BAD_FILE.of(error=error)
    return GOOD_SECRET.of(path=path)


CHECKS = (
    Check("broker", "What waits for a broker that can't be reached is lost when too much waits, or the kiosk ends.",
          broker, (ANSWERS, NO_BROKER, NOT_LET_OUT, SILENT, BAD_FILE)),
    Check("webhook", "A secret that others can read lets them forge what the kiosk posts.",
          webhook, (GOOD_SECRET, NO_WEBHOOK, BAD_FILE)),
)
