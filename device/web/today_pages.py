"""What the server tells of the counts: the page of today, its plot, and all of them as CSV."""

import asyncio
import csv
import io
from datetime import datetime

from device.signals.quiet_hours import time_zone
from device.telemetry.counts import NAMES, Row, counts_path, rows
from device.web.doorkeeper import Placed, WithToken

SERIES = ("with_mask", "without_mask")  # what the plot shows, side by side in each hour


class TodayPage(Placed):
    """The page itself, which holds no secret."""

    def get(self) -> None:
        server = self.server
        self.render("today.html", language=server.language_of(self), practice=server.card.practice)

    head = get


class Plot(WithToken):
    """Today's plot and table, as a piece of HTML."""

    async def get(self) -> None:
        day = datetime.now(time_zone(self.server.settings.signals.time_zone)).date().isoformat()
        counted = {int(hour): dict(zip(NAMES, found, strict=True)) for _, hour, *found in await self.read(day)}
        most = max([1, *(int(found[name]) for found in counted.values() for name in SERIES)])
        self.render(
            "plot.html", words=self.server.language_of(self).today, day=day,
            counted=counted, names=NAMES, series=SERIES, most=most,
        )  # fmt: skip

    async def read(self, day: str = "") -> list[Row]:
        """Return the rows of a day, or of all: today's as they are now, behind which the file lags, the file's else.

        Raises sqlite3.Error, which the log tells once.
        """
        telemetry = self.server.telemetry
        today = [row for row in (telemetry.counts.rows() if telemetry else []) if day in {"", row[0]}]
        days = {row[0] for row in today}
        kept = await asyncio.to_thread(list, rows(counts_path(), day))  # a card may take its time
        return sorted([*today, *(row for row in kept if row[0] not in days)])


class Export(Plot):
    """All counts, as CSV."""

    async def get(self) -> None:
        text = io.StringIO()
        csv.writer(text).writerows([("day", "hour", *NAMES), *await self.read()])
        self.set_header("Content-Type", "text/csv; charset=utf-8")
        self.set_header("Content-Disposition", 'attachment; filename="counts.csv"')
        self.finish(text.getvalue())


TODAY_PAGES = {r"/today": TodayPage, r"/today/plot": Plot, r"/today/counts.csv": Export}
