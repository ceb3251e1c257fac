"""Turns settings and a model's card into a table of what the kiosk would do; nothing is opened or switched."""

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from device.cameras.source import shown
from device.doctor.host import CantTellError, Host
from device.doctor.user import kiosks_file
from device.errors import KioskError
from device.levels import levels
from device.limits import Zone
from device.model_card import ModelCard
from device.seal import fingerprint, owners_key
from device.settings import CameraSettings, DecisionSettings, ScreenSettings, Settings, SignalSettings
from device.signals.beeps import beep_lengths
from device.signals.wiring import ACTIVE_HIGH, CONSOLE_PINS, NOT_WIRED, PARTS, active_high
from device.telemetry.counts import counts_path
from device.telemetry.mqtt import client_of, id_of
from device.telemetry.secret import read_secret
from device.telemetry.settings import SYSTEM, MqttSettings, WebhookSettings
from device.telemetry.webhook import key_of, shown_url

WHOLE = CameraSettings().crop


def table(
    host: Host, settings: Settings, card: ModelCard, has_golden: bool, config: Path | None = None
) -> list[str]:
    """Return one line a part: its name, and what it is or does.

    has_golden: golden pictures were there, and right; config: the file that the settings were read from, if any.
    """
    times, signals = settings.decision, settings.signals
    made_of = "PRACTICE: trained on drawn faces, not for a door" if card.practice else "trained on photos"
    threshold, release = levels(settings.model, card)
    first = max(times.sure_seconds, times.notice_seconds)
    parts = {
        "settings": str(config or "the defaults, because no file was named with --config FILE"),
        "model": f"{card.name}, {made_of}; the alarm begins at {threshold:.2f}, ends below {release:.2f}",
        "golden pictures": "judged rightly here" if has_golden else "none beside this model",
        "face finder": settings.faces.finder,
        "camera": shown(settings.camera.source),
        "picture": _picture(settings.camera),
        "zones": _zones(times.zones),
        **{part: _wiring(signals, key) for key, part in PARTS.items()},
        "verdict": f"after {first:g} s, from the scores of the last {times.window_seconds:g} s",
        "who counts": f"whoever was seen for {times.notice_seconds:g} s, until not seen for {times.forget_seconds:g} s",
        "who is judged": _judged(times),
        "same visit": f"if back where they were lost within {times.return_seconds:g} s",
        "poster": f"a face that hasn't moved for {times.background_seconds:g} s",
        "alarm": f"for at least {times.hold_seconds:g} s; {_beeps(signals)}",
        "quiet hours": _quiet_hours(signals),
        "door": _door(signals, card),
        "fault": f"shown for {signals.fault_seconds:g} s before the kiosk ends",
        "screen": _screen(settings.screen),
        "faces kept": _kept(host, settings, threshold, release),
        "metrics": _metrics(settings.screen),
        "mqtt": _mqtt(host, settings.mqtt),
        "webhook": _webhook(host, settings.webhook),
        "counts": _counts(host, settings),
    }
    return [f"{name:<20}{text}" for name, text in parts.items()]


def _picture(camera: CameraSettings) -> str:
    done = [f"turned by {camera.rotation} degrees"] if camera.rotation else []
    done += ["mirrored"] if camera.mirror else []
    left, top, width, height = (f"{share:.0%}" for share in camera.crop)
    done += [f"cut to {width} x {height}, {left} from the left and {top} from the top"] if camera.crop != WHOLE else []
    done += ["exposed for people in front of something bright"] if camera.backlit else []
    done += [f"exposed by {camera.brighter:+g} stops"] if camera.brighter else []
    return ", ".join(done) or "as the camera takes it"


def _zones(zones: tuple[Zone, ...]) -> str:
    if not zones:
        return "none"
    shares = ", ".join(str(list(zone)) for zone in zones)
    return f"{len(zones)}, in which no face counts: {shares} (left, top, width, height)"


def _judged(times: DecisionSettings) -> str:
    move, height = (f"{100 * share:g}%" for share in (times.least_move, times.least_height))
    moved = f"once it moved by {move} of its height" if times.least_move else "though it never moves"
    seen = f"{height} as high as the picture and {times.least_brightness:g} grey levels bright"
    return f"a face at least {seen}, {moved}"


def _wiring(signals: SignalSettings, key: str) -> str:
    pin = getattr(signals, key)
    if pin == NOT_WIRED:
        return "not wired"
    low = key in ACTIVE_HIGH and not active_high(signals, key)
    console = pin in CONSOLE_PINS
    return f"GPIO {pin}{', low when on' if low else ''}{', and the serial console if that is on' if console else ''}"


def _beeps(signals: SignalSettings) -> str:
    if signals.beeps == 0 or signals.buzzer_pin == NOT_WIRED:
        return "no beeps"
    if signals.beeps == 1:
        return f"1 beep of {signals.beep_seconds:g} s"
    first, *_, last = beep_lengths(signals)
    return f"{signals.beeps} beeps of {first:g} to {last:g} s, {signals.pause_seconds:g} s apart"


def _quiet_hours(signals: SignalSettings) -> str:
    if signals.quiet_from == signals.quiet_until:
        return "none"
    return f"{signals.quiet_from} to {signals.quiet_until}, time zone {signals.time_zone}"


def _door(signals: SignalSettings, card: ModelCard) -> str:
    if signals.relay_pin == NOT_WIRED:
        return "no relay"
    if card.practice:
        return "never released, because of the practice model"
    return f"released for at most {signals.release_seconds:g} s when everybody wears a mask"


def _screen(screen: ScreenSettings) -> str:
    if not screen.enabled:
        return "none"
    mirror = "with the camera's picture" if screen.mirror else "no picture"
    setup = "no setup page" if screen.setup == "off" else f"setup page from {_reached(screen, screen.setup)}"
    return f"{screen.host} port {screen.port}, language {screen.language}, {mirror}, {setup}"


def _kept(host: Host, settings: Settings, threshold: float, release: float) -> str:
    collect = settings.collect
    if collect.on:
        try:
            path = kiosks_file(host, collect.public_key)
        except KioskError as error:
            return _without(error, "the kiosk doesn't start")
        settings = replace(settings, collect=replace(collect, public_key=path))
    key = owners_key(settings)
    if key is None:
        return "none"
    return (
        f"scores from {release:.2f} to {threshold:.2f}, at most {collect.most_a_visit} a visit and {collect.most} in "
        f"all, for {collect.days} days, encrypted to key {fingerprint(key)}"
    )


def _metrics(screen: ScreenSettings) -> str:
    if not screen.enabled or screen.metrics == "off":
        return "none"
    return f"at /metrics, from {_reached(screen, screen.metrics)}"


def _reached(screen: ScreenSettings, answered: str) -> str:
    """Return from where a page that is answered from there is reached."""
    here_alone = answered == "lan" and ip_address(screen.host).is_loopback
    return f"{screen.host} alone, because [screen] host says so: set 0.0.0.0 for lan" if here_alone else answered


def _mqtt(host: Host, mqtt: MqttSettings) -> str:
    if not mqtt.enabled:
        return "none"
    try:
        authority = mqtt.ca_path if mqtt.ca_path == SYSTEM else kiosks_file(host, mqtt.ca_path)
        client_of(replace(mqtt, password_path=kiosks_file(host, mqtt.password_path), ca_path=authority), id_of(mqtt))
    except (KioskError, ImportError) as error:
        return _without(error)
    trusted = f"TLS with {'whom this computer trusts' if mqtt.ca_path == SYSTEM else mqtt.ca_path}"
    return (
        f"{mqtt.host} port {mqtt.port} as {mqtt.user}, {trusted if mqtt.tls else 'unencrypted'}; "
        f"this kiosk is {id_of(mqtt)}; at most {mqtt.queue} events wait"
    )


def _webhook(host: Host, webhook: WebhookSettings) -> str:
    if not webhook.enabled:
        return "none"
    try:
        secret = kiosks_file(host, webhook.secret_path)
        key_of(read_secret(secret), secret)
    except KioskError as error:
        return _without(error)
    return f"posts to {shown_url(webhook.url)}, signed; at most {webhook.queue} events wait"


def _without(error: Exception, then: str = "the door goes on without it") -> str:
    if isinstance(error, CantTellError):
        return str(error)
    return f"none; WARNING: {error}; {then}"


def _counts(host: Host, settings: Settings) -> str:
    if not settings.counts.enabled:
        return "none"
    page = settings.screen.today if settings.screen.enabled else "off"
    shown_at = "no page" if page == "off" else f"page at /today, from {_reached(settings.screen, page)}"
    service = host.service.get("StateDirectory")
    path = Path("/var/lib", service, counts_path().name) if service else counts_path()
    return f"in {path}, for the last {settings.counts.keep_days} days with any; {shown_at}"
