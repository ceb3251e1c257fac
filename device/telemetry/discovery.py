"""Describes the kiosk to Home Assistant, as one device with all its entities.

The fields are those of https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload.
"""

from dataclasses import dataclass
from typing import Any

from device.events import State

STATUS_TOPIC = "homeassistant/status"  # where Home Assistant says online when it has started
ORIGIN = {"name": "Mask Kiosk"}
COUNT = {"platform": "sensor", "state_class": "total_increasing"}  # Home Assistant knows that such a one starts anew
DIAGNOSTIC = {"entity_category": "diagnostic"}
COMPONENTS: dict[str, dict[str, Any]] = {
    "state": {"platform": "sensor", "name": "State", "device_class": "enum", "options": [*State]},
    "occupancy": {"platform": "binary_sensor", "name": "Somebody there", "device_class": "occupancy"},
    "problem": {"platform": "binary_sensor", "name": "Problem", "device_class": "problem"} | DIAGNOSTIC,
    "visits": COUNT | {"name": "Visits today"},
    "with_mask": COUNT | {"name": "With a mask today"},
    "without_mask": COUNT | {"name": "Without a mask today"},
    "put_on": COUNT | {"name": "Masks put on today"},
    "taken_off": COUNT | {"name": "Masks taken off today"},
    "starts": COUNT | {"name": "Starts today"} | DIAGNOSTIC,
    "lost": COUNT | {"name": "Lost events"} | DIAGNOSTIC,
    "model": {"platform": "sensor", "name": "Model"} | DIAGNOSTIC,
    "temperature": {
        "platform": "sensor", "name": "Temperature", "device_class": "temperature", "unit_of_measurement": "°C",
        "state_class": "measurement",
    } | DIAGNOSTIC,
    "undervoltage": {"platform": "binary_sensor", "name": "Undervoltage", "device_class": "problem"} | DIAGNOSTIC,
}  # fmt: skip


@dataclass(frozen=True)
class Discovery:
    """One kiosk, as Home Assistant knows it."""

    id: str  # letters, digits, - and _
    model: str  # the classifier and its version

    @property
    def config_topic(self) -> str:
        """Where Home Assistant looks for devices."""
        return f"homeassistant/device/mask-kiosk-{self.id}/config"

    @property
    def state_topic(self) -> str:
        """Where the present state is, a JSON object with a value for each of COMPONENTS."""
        return f"mask-kiosk/{self.id}/state"

    @property
    def event_topic(self) -> str:
        """Where the events of visits are told, one JSON object each."""
        return f"mask-kiosk/{self.id}/event"

    @property
    def availability_topic(self) -> str:
        """Where it says online or offline; its last will says offline too."""
        return f"mask-kiosk/{self.id}/availability"

    def payload(self) -> dict[str, Any]:
        """Return the message of discovery."""
        return {
            "device": {
                "identifiers": [f"mask-kiosk-{self.id}"], "name": f"Mask Kiosk {self.id}", "manufacturer": "Mask Kiosk",
                "model": "Mask Kiosk", "sw_version": self.model,
            },
            "origin": ORIGIN,
            "components": {
                name: entity | {
                    "unique_id": f"mask-kiosk-{self.id}-{name}", "value_template": f"{{{{ value_json.{name} }}}}",
                }
                for name, entity in COMPONENTS.items()
            },
            "state_topic": self.state_topic,
            "availability": [{"topic": self.availability_topic}],
        }  # fmt: skip
