"""Takes the port that the kiosk's pages are served at, and says under which addresses people reach them."""

import ipaddress
import socket
from contextlib import ExitStack, suppress

HERE = ""  # the network of this computer itself
IP_FREEBIND = 15  # Linux's, which Python doesn't name: an address may be bound before the computer has it


class PageAddress:
    """A port that is taken."""

    def __init__(self, host: str, port: int) -> None:
        """Take a port, 0 for any that is free, of an IP address that this computer has or may come to have by DHCP.

        Raises OSError.
        """
        address = ipaddress.ip_address(host)
        with ExitStack() as failing:
            self.socket = failing.enter_context(socket.socket(_family(host)))
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if address.version == 6:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            with suppress(OSError):  # it isn't Linux
                self.socket.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
            self.socket.bind((host, port))
            self.socket.listen()
            failing.pop_all()
        self.socket.setblocking(False)
        self.port = int(self.socket.getsockname()[1])
        self._address = address
        name = f"[{address}]" if address.version == 6 else str(address)
        self.url = f"http://{socket.gethostname() if address.is_unspecified else name}:{self.port}/"

    def is_here(self, caller: str) -> bool:
        """Tell whether a caller's IP address is this computer's: the page's own is nobody else's either."""
        address = ipaddress.ip_address(caller)
        return address.is_loopback or address == self._address

    def network_of(self, caller: str) -> str:
        """Return what a caller's IP address is counted as: HERE, itself, or of IPv6 its network of 64 bits."""
        if self.is_here(caller):
            return HERE
        return str(ipaddress.ip_network((caller, 64), strict=False)) if ":" in caller else caller

    def of(self, page: str, answered: str, token: str) -> str | None:
        """Return a page's address, or None where it is `answered` "off"; a token, unless it is "", is part of it."""
        if answered == "off":
            return None
        everywhere = self._address.is_unspecified and answered == "loopback"
        start = f"http://localhost:{self.port}/" if everywhere else self.url
        return f"{start}{page}#{token}" if token else f"{start}{page}"


def is_there(host: str) -> bool:
    """Tell whether this computer has an IP address now."""
    try:
        socket.create_server((host, 0), family=_family(host)).close()
    except OSError:
        return False
    return True


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
