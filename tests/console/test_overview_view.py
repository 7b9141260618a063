"""The first screen as it is drawn: what a person needs fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from console.app import PilothouseApp
from console.overview_view import ATTENTION
from metadata.database import Database
from metadata.kinds import Blueprint
from metadata.revisions import apply
from metadata.rows.attention import Remedy
from metadata.settings import settings
from tests.console.looking import seen, until, until_seen


def test_every_remedy_fits_beside_its_key() -> None:
    keys = {"see why": "enter"}
    told = [f"{keys.get(remedy, 'r')} {remedy}" for remedy in get_args(Remedy)]
    assert [words for words in told if len(words) > ATTENTION[-1].width] == []


async def test_what_is_not_shown_is_counted_and_found(
    database: Database, make_app: Callable[[], PilothouseApp]
) -> None:
    task = {"tasks": {"t": {"kind": "transform", "to": "silver.more", "sql": "SELECT * FROM bronze.flights"}}}
    more = {
        "datasets": {"silver.more": {"storage": {"mode": "overwrite"}}},
        "pipelines": {f"p{at:03}": task for at in range(70)},
    }
    apply(database, Blueprint.model_validate(more), author="tests", note="", settings=settings())
    app = make_app()
    async with app.run_test(size=(100, 90)) as pilot:
        await until_seen(pilot, "PIPELINES 50 of 73", "ATTENTION 4", "weather", "backfill_2012", "p000")
        assert "p069" not in seen(app)
        await pilot.press("slash", *"p069", "enter")
        await until_seen(pilot, "PIPELINES 1", "p069", "never", "Nothing matches 'p069'")
        await until(pilot, lambda: "weather" not in seen(app))
