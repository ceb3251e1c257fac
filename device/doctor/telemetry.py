"""Checks of the doctor: whether those who are to be told what happens at the door can be reached."""

import ipaddress
import socket
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from device.doctor.finding import Case, Check, Level
from device.doctor.host import Host, Network
from device.doctor.user import HINDRANCES, hindrance, kiosks_path
from device.errors import SettingsError
from device.limits import is_address
from device.telemetry.secret import read_secret
from device.telemetry.settings import SYSTEM

ANSWERS = Case(Level.OK, "{place} lets the kiosk in")
NO_BROKER = Case(Level.OK, "none is told: [mqtt] enabled is false")
NOT_LET_OUT = Case(
    Level.WARNING, "the service may not speak with {place}: its IPAddressAllow is {allowed}",
    "Open the service's own settings: `sudo systemctl edit mask-kiosk`.\n"
    "Write two lines there: `[Service]` and `IPAddressAllow={address}`.\n"
    "Restart the kiosk: `sudo systemctl restart mask-kiosk`.",
)
NO_NAMES = Case(
    Level.WARNING, "the service may not ask the name server {server} for the address of {name}: its IPAddressAllow is "
    "{allowed}",
    "Open the service's own settings: `sudo systemctl edit mask-kiosk`.\n"
    "Write two lines there: `[Service]` and `IPAddressAllow={server}`. Or change nothing there, and write the address "
    "into kiosk.toml in place of the name.\n"
    "Restart the kiosk: `sudo systemctl restart mask-kiosk`.",
)
SILENT = Case(
    Level.WARNING, "the kiosk can't connect with the broker at {place}: {trouble}",
    "See whether the broker runs.\n"
    "Compare `host`, `port`, `user` and `ca_path` in `[mqtt]` of kiosk.toml with the broker's. After a change, restart "
    "the kiosk: `sudo systemctl restart mask-kiosk`.\n"
    "Otherwise wait: the kiosk tries again by itself.",
)
BAD_FILE = Case(
    Level.WARNING, "a file that is needed can't be used: {error}",
    "Correct that file: docs/telemetry.md shows how it is made.\n"
    "Restart the kiosk: `sudo systemctl restart mask-kiosk`.",
)
HINDERED = tuple(replace(case, level=Level.WARNING) for case in HINDRANCES)  # the door goes on without


def broker(host: Host) -> Case:
    """Ask systemd whether the service may reach the broker, and connect as the kiosk does."""
    from device.telemetry.mqtt import try_broker  # here: it needs more than the other checks

    mqtt = host.settings.mqtt
    if not mqtt.enabled:
        return NO_BROKER
    place = f"{mqtt.host} port {mqtt.port}"
    password = str(kiosks_path(host, mqtt.password_path))
    authority = SYSTEM if mqtt.ca_path == SYSTEM else str(kiosks_path(host, mqtt.ca_path))
    try:
        if hindered := hindrance(host, *(Path(file) for file in (password, authority) if file != SYSTEM)):
            return replace(hindered, level=Level.WARNING)
        read_secret(password)
        if barred := _barred(host, place, mqtt.host):
            return barred
        try_broker(replace(mqtt, password_path=password, ca_path=authority))
    except SettingsError as error:
        return BAD_FILE.of(error=error)
    except OSError as error:
        return SILENT.of(place=place, trouble=error)
    return ANSWERS.of(place=place)


def _barred(host: Host, place: str, name: str) -> Case | None:
    """Return the case of a service that may speak with no address of a name, or may not ask for it.

    Raises OSError where it has none.
    """
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    addresses = [str(end[0]) for *_, end in found]  # the kiosk tries one after the other
    allowed = host.allowed()
    said = " ".join(map(str, allowed))
    if not _among(addresses, allowed):
        return NOT_LET_OUT.of(place=place, allowed=said, address=addresses[0])
    servers = _name_servers(host, name, addresses)
    return None if _among(servers, allowed) else NO_NAMES.of(server=servers[0], name=name, allowed=said)


def _among(addresses: list[str], allowed: list[Network]) -> bool:
    """Tell whether one of these addresses is in one of the networks; also where there is none."""
    return not addresses or any(ipaddress.ip_address(each) in network for each in addresses for network in allowed)


def _name_servers(host: Host, name: str, addresses: list[str]) -> list[str]:
    """Return the servers that this computer asks for a name; none where it knows it itself, or asks all (mDNS)."""
    known = (host.text("etc/hosts") or "").split()
    if name in {*addresses, *known} or name.endswith(".local"):
        return []
    rows = [line.split() for line in (host.text("etc/resolv.conf") or "").splitlines()]
    # The resolver leaves out what is no address too.
    return [row[1] for row in rows if len(row) > 1 and row[0] == "nameserver" and is_address(row[1])]


GOOD_SECRET = Case(Level.OK, "only the kiosk reads {path}")
NO_WEBHOOK = Case(Level.OK, "none is told: [webhook] enabled is false")
NOT_FOUND = Case(
    Level.WARNING, "the server's name in {place} can't be found: {trouble}",
    "Compare `url` in `[webhook]` of kiosk.toml with the server's name. After a change, restart the kiosk: `sudo "
    "systemctl restart mask-kiosk`.\n"
    "See whether this computer finds other names. If it doesn't, mend its network: the kiosk tries again by itself.",
)


def webhook(host: Host) -> Case:
    """Read the secret as the kiosk does, and ask systemd whether the service may reach the server; post nothing."""
    from device.telemetry.webhook import key_of, shown_url

    settings = host.settings.webhook
    if not settings.enabled:
        return NO_WEBHOOK
    place, secret = shown_url(settings.url), kiosks_path(host, settings.secret_path)
    try:
        if hindered := hindrance(host, secret):
            return replace(hindered, level=Level.WARNING)
        key_of(read_secret(str(secret)), str(secret))
        if barred := _barred(host, place, urlsplit(settings.url).hostname or ""):
            return barred
    except SettingsError as error:
        return BAD_FILE.of(error=error)
    except OSError as error:
        return NOT_FOUND.of(place=place, trouble=error.strerror)
    return GOOD_SECRET.of(path=settings.secret_path)


CHECKS = (
    Check("broker", "Messages wait for an MQTT broker that can't be reached. They are lost if too many wait, or if the "
          "kiosk ends.", broker, (ANSWERS, NO_BROKER, NOT_LET_OUT, NO_NAMES, SILENT, *HINDERED, BAD_FILE)),
    Check("webhook", "Messages wait for a server that can't be reached. They are lost if too many wait, or if the "
          "kiosk ends. Whoever can read the secret can forge messages.",
          webhook, (GOOD_SECRET, NO_WEBHOOK, NOT_LET_OUT, NO_NAMES, NOT_FOUND, *HINDERED, BAD_FILE)),
)
