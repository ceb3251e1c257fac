"""The sections of a kiosk.toml that say who is told what happens at the door; nobody is unless asked for."""

from dataclasses import dataclass

from device.limits import A_HOST, A_URL, AN_ID, HOSTNAME, checked, is_host, is_id, is_url, ranged

SYSTEM = "system"


@dataclass(frozen=True)
class MqttSettings:
    """A broker that is told states, counts and events, and through which Home Assistant finds the kiosk."""

    enabled: bool = False
    host: str = checked("localhost", is_host, A_HOST)  # the broker's
    port: int = ranged(8883, 1, 65535)
    tls: bool = True  # false: user, password and messages travel unencrypted
    ca_path: str = SYSTEM  # of the certificate that vouches for the broker; system: those that this computer trusts
    user: str = "mask-kiosk"
    password_path: str = "/etc/mask-kiosk/mqtt-password"  # noqa: S105 - a path; one line that others can't read
    id: str = checked(HOSTNAME, is_id, AN_ID)  # of this kiosk, in topics; hostname: this computer's name
    queue: int = ranged(1000, 10, 65000)  # events kept while the broker can't be reached; any more are lost


@dataclass(frozen=True)
class WebhookSettings:
    """A server to which each event is posted, signed."""

    enabled: bool = False
    url: str = checked("https://localhost/", is_url, A_URL, secret=True)
    secret_path: str = "/etc/mask-kiosk/webhook-secret"  # noqa: S105 - a path; one line that others can't read
    queue: int = ranged(1000, 10, 65000)  # events kept while the server doesn't accept them; any more are lost


@dataclass(frozen=True)
class CountsSettings:
    """A file of counts, hour by hour, in the kiosk's state folder; never a picture."""

    enabled: bool = False
    keep_days: int = ranged(90, 1, 3650)
