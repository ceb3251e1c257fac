"""Measures how much a broker and a server that can't be reached slow the door's loop, side by side with none."""

import tempfile
from pathlib import Path

from ports import free_port

from device.classifier import MODELS
from device.model_card import read_card
from device.settings import Settings
from device.telemetry.settings import MqttSettings, WebhookSettings
from device.telemetry.telemetry import Telemetry
from device.web.screen import Screen

from .report import Slowed
from .viewers import ROUNDS, SECONDS, Door, slowed


def measure(rounds: int = ROUNDS, seconds: float = SECONDS) -> Slowed:
    """Compare a frame's time with both to that without."""
    card, port = read_card(MODELS / "door.tflite")[0], free_port()  # at which nobody listens
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder) / "secret"
        secret.write_text("whsec_" + "A" * 40)
        secret.chmod(0o600)
        mqtt = MqttSettings(True, port=port, user="door", password_path=str(secret))
        telling = Settings(mqtt=mqtt, webhook=WebhookSettings(True, f"http://127.0.0.1:{port}/", str(secret)))
        door = Door(Screen())
        door.run(seconds, Telemetry(Settings(), card))

        def run(tells: bool) -> tuple[float, float]:
            with Telemetry(telling if tells else Settings(), card) as telemetry:
                return door.run(seconds, telemetry)

        return slowed("a broker and a webhook that can't be reached", rounds, run)
