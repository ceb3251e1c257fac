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
        self._address = address
        name = f"[{address}]" if address.version == 6 else str(address)
        self.url = f"http://{socket.gethostname() if address.is_unspecified else name}:{self.port}/"

    def is_here(self, caller: str) -> bool:
        """Tell whether a caller's IP address is this computer's: the page's own is nobody else's either."""
        address = ipaddress.ip_address(caller)
        return address.is_loopback or address == self._address

    def of(self, page: str, answered: str, token: str) -> str | None:
        """Return a page's address, or None where it is `answered` "off"; a token, unless it is "", is part of it."""
        if answered == "off":
            return None
        everywhere = self._address.is_unspecified and answered == "loopback"
        start = f"http://localhost:{self.port}/" if everywhere else self.url
        return f"{start}{page}#{token}" if token else f"{start}{page}"
