"""What the setup page asks for: the picture, the last minute, what other settings would do, saving them, tests."""

import json
import os
import signal
from typing import Any

from tornado.web import HTTPError

from device.errors import KioskError, SettingsError, WiringError
from device.levels import levels
from device.web.changes import CHANGES, changed, read_changes
from device.web.doorkeeper import Placed, WithToken
from device.web.languages import AUTO
from device.web.mirror import left_out, picture
from device.web.what_if import Minute, states


class SetupPage(Placed):
    """The page itself, which holds no secret."""

    def get(self) -> None:
        self.render("setup.html")

    head = get


class SetupData(WithToken):
    """Something that the page asks for."""

    gone = False  # who asked: the connection is closed

    def on_connection_close(self) -> None:
        self.gone = True

    def changes(self) -> dict[str, dict[str, Any]]:
        """Return what was posted, checked as a kiosk.toml is. Raises SettingsError."""
        try:
            changes = read_changes(json.loads(self.request.body))
        except SettingsError:  # a ValueError too
            raise
        except (ValueError, RecursionError) as error:
            raise HTTPError(400) from error
        if changes is None:
            raise HTTPError(400)
        return changes

    async def tried(self, minute: Minute, changes: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """Return levels and a minute's states under these changes, once nobody else's are looked for.

        Raises SettingsError.
        """
        server, settings = self.server, changed(self.server.settings, changes)
        tried_levels = levels(settings.model, server.card)
        async with server.trying:  # a page that gives up asks again, and they would become more and more
            in_use = server.settings.decision
            shown = await states(minute, in_use, settings.decision, tried_levels, lambda: not self.gone)
        return {"model": tried_levels._asdict(), "states": shown}

    def refuse(self, error: KioskError) -> None:
        """Answer with the line that says what is wrong."""
        self.set_status(400)
        self.finish({"error": str(error)})


class LastMinute(SetupData):
    """Settings, scores and states, as JSON."""

    async def get(self) -> None:
        server = self.server
        minute = server.history.minute()  # once: the door goes on meanwhile
        in_use = await self.tried(minute, {})  # first: the rest is as it is when it has come
        _, verdicts, judged = server.mirror.newest or (None, [], [])
        scores = [(at, verdict.alarm_score) for at, seen in minute.last for verdict in seen]
        sections = {
            name: {
                **{key: getattr(getattr(server.settings, name), key) for key in at_once},
                **{key: getattr(getattr(server.saved, name), key) for key in later},
            }
            for name, (_, at_once, later) in CHANGES.items()
        }
        self.finish(
            {
                **sections, **in_use,
                "grey": left_out(verdicts, judged, server.settings.decision),
                "scores": scores, "config": str(server.config) if server.config else None,
                "version": server.version, "languages": [AUTO, *server.languages],
                "waiting": server.waiting, "restarts": restarts(),
            }
        )  # fmt: skip


class Picture(SetupData):
    """The newest picture, as the camera sees it."""

    def get(self) -> None:
        newest = self.server.mirror.newest
        if newest is None:
            raise HTTPError(404)
        self.set_header("Content-Type", "image/jpeg")
        self.finish(picture(*newest, self.server.mirror.threshold, mirrored=False))


class Try(SetupData):
    """Which states the last minute would have had."""

    async def post(self) -> None:
        try:
            self.finish(await self.tried(self.server.history.minute(), self.changes()))
        except SettingsError as error:
            self.refuse(error)


class Save(SetupData):
    """Writes the kiosk.toml, and lets hold at once what can."""

    async def post(self) -> None:
        try:
            await self.server.save(self.changes())
        except SettingsError as error:
            self.refuse(error)
            return
        self.finish({"saved": str(self.server.config), "waiting": self.server.waiting})


class Restart(SetupData):
    """Ends the kiosk as `systemctl stop` does, which systemd then starts again."""

    def post(self) -> None:
        if not restarts():
            raise HTTPError(404)
        os.kill(os.getpid(), signal.SIGTERM)
        self.finish({})


def restarts() -> bool:
    """Tell whether the kiosk is started again when it ends: its unit says so, and nothing else does."""
    return "NOTIFY_SOCKET" in os.environ


class Test(SetupData):
    """Switches each lamp and the buzzer in turn, and says which there are."""

    def post(self) -> None:
        try:
            shown = self.server.self_test() if self.server.self_test else ""
        except WiringError as error:
            self.refuse(error)
            return
        self.finish({"shown": shown})


SETUP_PAGES = {
    r"/setup": SetupPage, r"/setup/minute": LastMinute, r"/setup/picture": Picture, r"/setup/try": Try,
    r"/setup/save": Save, r"/setup/test": Test, r"/setup/restart": Restart,
}  # fmt: skip
