"""What the setup page asks for: the picture, the last minute, what other settings would do, saving them, a pin test."""

import dataclasses
import json
from typing import Any

from tornado.web import HTTPError

from device.doorkeeper import Asked, Placed
from device.edit import edit_settings
from device.errors import KioskError, SettingsError
from device.levels import levels
from device.mirror import picture
from device.settings import DecisionSettings, ModelSettings, read_section
from device.what_if import states

LEVELS = ("threshold", "release")


class SetupPage(Placed):
    """The page itself, which holds no secret."""

    def get(self) -> None:
        self.render("setup.html")


class SetupData(Asked):
    """Something that the page asks for."""

    def changes(self) -> dict[str, dict[str, float]]:
        """Return what was posted, checked as a kiosk.toml is: `decision`, and the levels under `model`."""
        try:
            posted = json.loads(self.request.body)
        except ValueError as error:
            raise HTTPError(400) from error
        if not isinstance(posted, dict) or not posted.keys() <= {"decision", "model"}:
            raise HTTPError(400)
        read_section(DecisionSettings, posted.get("decision", {}), "[decision]")
        model = posted.get("model", {})
        read_section(ModelSettings, model, "[model]")
        if not model.keys() <= set(LEVELS):
            raise HTTPError(400)
        return posted

    def tried(self, changes: dict[str, dict[str, float]]) -> list[tuple[float, str]]:
        """Return the last minute's states under these changes. Raises SettingsError."""
        server = self.server
        decision = dataclasses.replace(server.settings.decision, **_floats(changes.get("decision", {})))
        model = dataclasses.replace(server.settings.model, **_floats(changes.get("model", {})))
        return states(server.history, decision, *levels(model, server.card))

    def refuse(self, error: KioskError) -> None:
        """Answer with the line that says what is wrong."""
        self.set_status(400)
        self.finish({"error": str(error)})


class LastMinute(SetupData):
    """Settings, scores and states, as JSON."""

    def get(self) -> None:
        server = self.server
        threshold, release = levels(server.settings.model, server.card)
        scores = [(at, verdict.alarm_score) for at, verdicts in server.history.frames() for verdict in verdicts]
        numbers = {
            key: value for key, value in dataclasses.asdict(server.settings.decision).items() if type(value) is float
        }
        self.finish(
            {
                "decision": numbers, "model": {"threshold": threshold, "release": release},
                "scores": scores, "states": self.tried({}), "config": str(server.config) if server.config else None,
            }
        )  # fmt: skip


class Picture(SetupData):
    """The newest picture, as the camera sees it."""

    def get(self) -> None:
        newest = self.server.mirror.newest
        if newest is None:
            raise HTTPError(404)
        self.set_header("Content-Type", "image/jpeg")
        self.finish(picture(newest[0].luma, newest[1], self.server.threshold, mirrored=False))


class Try(SetupData):
    """Which states the last minute would have had."""

    def post(self) -> None:
        try:
            self.finish({"states": self.tried(self.changes())})
        except SettingsError as error:
            self.refuse(error)


class Save(SetupData):
    """Writes the kiosk.toml; the kiosk reads it when it starts."""

    def post(self) -> None:
        try:
            changes = self.changes()
            self.tried(changes)
            if self.server.config is None:
                raise SettingsError("the kiosk has no kiosk.toml: start it with `--config FILE`")
            edit_settings(self.server.config, changes)
        except SettingsError as error:
            self.refuse(error)
            return
        self.finish({"saved": str(self.server.config)})


class Test(SetupData):
    """Switches each lamp and the buzzer in turn."""

    def post(self) -> None:
        if self.server.self_test:
            self.server.self_test()
        self.finish({})


SETUP_PAGES = {
    r"/setup": SetupPage, r"/setup/minute": LastMinute, r"/setup/picture": Picture, r"/setup/try": Try,
    r"/setup/save": Save, r"/setup/test": Test,
}  # fmt: skip


def _floats(values: dict[str, Any]) -> dict[str, Any]:
    return {key: float(value) if type(value) is int else value for key, value in values.items()}

