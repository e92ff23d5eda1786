"""The pages over PostgreSQL, served as in production but for the demo's data: one way through them."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import serving, sign_in
from tests.browser.support import drawn, follow, watch
from tests.conftest import Database

pytestmark = [pytest.mark.browser, pytest.mark.postgres, pytest.mark.long]


def test_dashboards_over_postgresql(browser: Browser, postgres_database: Database, tmp_path: Path) -> None:
    """Sign in, open Utilization with its charts, go to rows and an event; nothing complains."""
    settings = {"ANODYNE_DATABASE_URL": postgres_database.log_url, "ANODYNE_MIGRATION_URL": postgres_database.admin_url}
    with serving(tmp_path / "home", **settings) as served:
        context = browser.new_context(base_url=served.address, storage_state=sign_in(browser, served, "manager"))
        page = context.new_page()
        watched = watch(page, served.address)
        page.goto("/utilization")
        drawn(page)
        follow(page.locator(".figure-rows a").first)
        follow(page.locator("table tbody th a").first)
        expect(page.get_by_text("Leaf", exact=True)).to_be_visible()
        assert watched.found(page) == []
        context.close()
