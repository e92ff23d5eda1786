"""Somebody who looks at whole pages over an organisation's read models: the application in process, without socket."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from api.auth.grants import Grant
from api.bootstrap import ReadSide, build_services, migrate
from api.http.app import create_app
from api.http.context import EXTENSION
from api.http.cookies import SESSION
from api.settings import Settings
from benchmarks import practice
from domain.clinic import OpenClinic
from projections.directory import BlindIndexes
from projections.engine.database import ViewsDatabase
from projections.engine.engine import ProjectionEngine

PAGES = ("clinics", "utilization", "outcomes", "safety", "funnel", "boosters", "today")
AT_A_MOMENT = frozenset({"boosters", "today"})


class Visitor:
    """An owner with a session. The clinics are opened in a log of their own, so that pages can name them."""

    def __init__(
        self, settings: Settings, database: ViewsDatabase, engine: ProjectionEngine, clinics: Sequence[str],
        end: datetime, busy: datetime,
    ) -> None:  # fmt: skip
        migrate(settings)
        self._services = build_services(settings)
        self._end, self._busy = end, busy
        for number, clinic in enumerate(clinics, 1):
            practice.send(
                self._services, UUID(clinic), UUID(clinic), practice.OWNER, OpenClinic, fictional=True,
                clinic_name=f"Clinic {number} (fictional)", timezone="America/New_York",
            )  # fmt: skip
        read_side = ReadSide(database=database, engine=engine, indexes=BlindIndexes(settings.secret()))
        app = create_app(settings, services=self._services, read_side=read_side)
        wired = app.extensions[EXTENSION]
        user_id = wired.keys.create_user("Bench owner (fictional)")
        wired.identity.grants.set(user_id, [Grant(role="owner", clinics=None)])
        self._browser = app.test_client()
        self._browser.set_cookie(SESSION, wired.identity.sessions.start(user_id, "owner", method="password"))

    def look(self, page: str, days: int) -> float:
        """Milliseconds until the page's last byte is there: every clinic, the last `days` or the moment."""
        began = time.perf_counter()
        answer = self._browser.get(f"/{page}", query_string=self._question(page, days))
        assert answer.status_code == 200, (page, answer.status)
        return (time.perf_counter() - began) * 1000

    def _question(self, page: str, days: int) -> dict[str, str]:
        if page in AT_A_MOMENT:
            return {"as_of": (self._busy if page == "today" else self._end).isoformat()}
        last = self._end.date()
        return {"as_of": self._end.isoformat(), "from": str(last - timedelta(days=days - 1)), "to": str(last)}

    def close(self) -> None:
        """Closes the log; the read models are whose they were."""
        self._services.close()
