"""Takes the port that the kiosk's pages are served at, and says under which addresses people reach them."""

import ipaddress
import socket


class PageAddress:
    """A port that is taken."""

    def __init__(self, host: str, port: int) -> None:
        """Take a port, 0 for any that is free, of an IP address of this computer. Raises OSError."""
        address = ipaddress.ip_address(host)
        family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        self.socket = socket.create_server((host, port), family=family)
        self.socket.setblocking(False)
        self.port = int(self.socket.getsockname()[1])
        self._loopback = address.is_loopback
        name = f"[{address}]" if address.version == 6 else str(address)
        self.url = f"http://{socket.gethostname() if address.is_unspecified else name}:{self.port}/"

    def of(self, page: str, answered: str, token: str) -> str | None:
        """Return a page's address, or None where it is `answered` "off"; a token, unless it is "", is part of it."""
        if answered == "off":
            return None
        reached = self._loopback or answered == "lan"
        start = self.url if reached else f"http://localhost:{self.port}/"
        return f"{start}{page}#{token}" if token else f"{start}{page}"
