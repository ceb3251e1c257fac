"""Lets in requests that mean this server, from pages that it served, and tells browsers what those pages may do."""

import base64
import hashlib
import hmac
import ipaddress
import logging
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tornado.web import HTTPError, RequestHandler, StaticFileHandler

from device.web.attempts import Attempts

if TYPE_CHECKING:
    from device.web.server import Server

# Within the screen's page, because a file may not have come: a page that misses one loads anew once the kiosk answers.
# Not one that is still loading, or a slow one would begin again for ever.
ANEW = (
    'setInterval(() => document.readyState !== "complete" || '
    '(window.listen && getComputedStyle(document.body).getPropertyValue("--paper")) || '
    'fetch("/").then(() => location.reload(), () => {}), 15000);'
)
ANEW_HASH = base64.b64encode(hashlib.sha256(ANEW.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src 'self' 'sha256-{ANEW_HASH}'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'{sockets}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}

# What a browser shows to who took another port of their own, as ssh -L does.
MISDIRECTED = "Ask for this computer by its own name or address, and for the kiosk's own port, through a tunnel too.\n"

log = logging.getLogger(__name__)


def allowed_hosts(address: str, port: int) -> Callable[[str], bool]:
    """Return a check of Host headers, as "127.0.0.1:6275", for a server at an address.

    Another site that points its own name at this computer is refused: only addresses and this computer's own names
    will do, and of those only loopback's where nothing else is served.
    """
    names = {"localhost"}
    here = ipaddress.ip_address(address).is_loopback
    if not here:
        full = socket.gethostname().lower()  # some have their domain in it
        short = full.partition(".")[0]
        names |= {full, short, f"{short}.local"}

    def allowed(host: str) -> bool:
        name, _, given = host.lower().rpartition(":")
        if given != str(port):
            return False
        if name in names:
            return True
        try:
            found = ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return found.is_loopback or not here

    return allowed


class Guarded(RequestHandler):
    """Answers nothing to the wrong Host, and carries the headers; by itself it answers 404."""

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        host = self._host() or "127.0.0.1"
        # For browsers whose 'self' is without sockets; no address of IPv6 is one that a policy may name.
        sockets = "" if host.startswith("[") else f" ws://{host}"
        for name, value in HEADERS.items():
            self.set_header(name, value.replace("{sockets}", sockets))

    def prepare(self) -> None:
        if self._host() is None:
            raise HTTPError(421)
        if type(self) is Guarded:
            raise HTTPError(404)

    def require_origin(self) -> None:
        """Refuse what no page of this server has sent."""
        if self.request.headers.get("Origin") != f"{self.request.protocol}://{self._host()}":
            raise HTTPError(403)

    def require_token(self, token: str, attempts: Attempts) -> None:
        """Refuse who doesn't know the token, and everybody for a while after a few who didn't."""
        now = time.monotonic()
        if attempts.too_many(now):
            raise HTTPError(429)
        given = self.request.headers.get("Authorization", "").encode()
        if not given:  # any page that is open in a browser can ask without one
            raise HTTPError(401)
        if not hmac.compare_digest(given, f"Bearer {token}".encode()):
            attempts.failed(now, given)
            raise HTTPError(401)

    def write_error(self, status_code: int, **_: Any) -> None:  # noqa: ANN401
        self.set_header("Content-Type", "text/plain")
        self.finish(f"{status_code} {self._reason}\n{MISDIRECTED if status_code == 421 else ''}")

    def log_exception(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Log each kind of failure once; refusals are the business of who was refused."""
        told = self.settings.setdefault("told", set())
        if not isinstance(error, HTTPError) and repr(error) not in told:
            told.add(repr(error))
            log.warning("screen: %s failed (%r); the door goes on", self.request.path, error)

    def _host(self) -> str | None:
        host = self.request.headers.get("Host", "")
        return host if self.settings["hosts"](host) else None


class Placed(Guarded):
    """Answered only from where the owner wants it."""

    def initialize(self, server: "Server", answered: str, token: str) -> None:
        """Take from where it is answered, loopback or lan, and the token that data is told for."""
        self.server, self._answered, self._token = server, answered, token

    def prepare(self) -> None:
        super().prepare()
        if self._answered == "loopback" and not self.server.address.is_here(self.request.remote_ip or ""):
            raise HTTPError(403)


class WithToken(Placed):
    """Something that is told to who knows the token only."""

    def prepare(self) -> None:
        super().prepare()
        if self.request.method != "GET":
            self.require_origin()
        self.require_token(self._token, self.server.attempts[self._token])


class Static(Guarded, StaticFileHandler):
    """A file of the page."""

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Cache-Control", "no-store")
