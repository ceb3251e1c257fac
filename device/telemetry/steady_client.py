"""paho's MQTT client, kept going where its thread would end; imported where a broker is asked for."""

from contextlib import suppress

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode


class SteadyClient(Client):
    """A client that a broker can't end."""

    def loop_forever(self, timeout: float = 1.0, retry_first_connection: bool = False) -> MQTTErrorCode:
        """Serve the connection, made again whenever it is lost, until `disconnect`."""
        while True:
            with suppress(OSError):  # of a broker that asks for an older protocol, and then can't be reached
                return super().loop_forever(timeout, retry_first_connection)
