"""The audit screen: all that was done, the history of one definition, and what was changed by hand."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import update

from console.app import PilothouseApp
from metadata import tables
from metadata.commented import comments_of
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.documents import read_text
from metadata.kinds import Blueprint
from metadata.revision_log import newest_revision
from tests.console.looking import screen_name, until, until_seen
from tests.metadata.audits import operate, put

MakeApp = Callable[[], PilothouseApp]


def renamed(database: Database) -> None:
    """`bronze.orders` is another key now, and something else was changed since."""
    put(
        database,
        Blueprint.model_validate({"datasets": {"bronze.sales": {"was": "bronze.orders"}}}),
        note="by [b]ann[/b]",
    )
    put(database, Blueprint.model_validate({"datasets": {"silver.orders": {"owner": "ops"}}}))


async def test_what_was_done_is_read_filtered_followed_and_verified(
    empty_database: Database, make_app: MakeApp
) -> None:
    operate(empty_database)
    renamed(empty_database)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*":audit", "enter")
        await until_seen(pilot, "not verified yet: v", "1–9 of 9, newest first", "decide", "2 drifted")
        await until_seen(pilot, "11 more")
        await pilot.press("v")
        await until_seen(pilot, "✓ 9 entries verified", "5 revisions, 1 run and 2 decisions are what was")
        await pilot.press("/", *"deed:launch", "enter")
        await until_seen(pilot, "audit ▸ deed:launch", "1 orders")
        await pilot.press("tab")
        await until_seen(pilot, "who        anna@10.0.0.7", "ops1 (ssh 10.0.0.7)", "signed with the key of this home")
        await pilot.press("tab", "enter")
        await until_seen(pilot, "Runs ▸ orders ▸ #1", "0 of 10")
        await pilot.press("escape")
        await until_seen(pilot, "audit ▸ deed:launch")
        await pilot.press("escape")
        await until_seen(pilot, "1–9 of 9")
        await pilot.press("k", "enter")
        await until(pilot, lambda: screen_name(app) == "decisions")
        await until_seen(pilot, "drifted")


async def test_A_shows_the_history_of_a_definition_whatever_it_was_called(  # noqa: N802 - it is the key
    empty_database: Database, make_app: MakeApp
) -> None:
    put(empty_database, Blueprint.model_validate({"connections": {"files": {"kind": "files", "path": "landing"}}}))
    operate(empty_database)
    renamed(empty_database)
    assert "bronze.sales" in load_blueprint(empty_database).datasets
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press("3")
        await until_seen(pilot, "bronze.sales")
        await pilot.press("A")
        await until_seen(pilot, "audit ▸ kind:revision key:bronze.sales", "1–2 of 2", "by [b]ann[/b]", "the first")
        await pilot.press("enter")
        await until_seen(pilot, "history ▸ number:", "was bronze.orders")
        await pilot.press("A")
        await until_seen(pilot, f"audit ▸ kind:revision of:{newest_revision(empty_database) - 1}", "1–1 of 1")


def forge(database: Database, number: int, **said: str) -> None:
    """Somebody changes an entry by hand."""
    with database.write() as connection:
        connection.execute(update(tables.audit).where(tables.audit.c.number == number).values(**said))


async def test_an_entry_changed_by_hand_is_named_and_shown(empty_database: Database, make_app: MakeApp) -> None:
    operate(empty_database)
    forge(empty_database, 3, actor="nobody")
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press(*":audit", "enter")
        await until_seen(pilot, "✗3")
        await pilot.press("v")
        await until_seen(pilot, "✗ PH360 audit entry 3", "what it says is not what its hash was made of")
        await until_seen(pilot, "#3 apply", "who        nobody")


async def test_comments_that_came_together_have_one_row_and_enter_leads_to_each(
    empty_database: Database, make_app: MakeApp
) -> None:
    document = read_text("datasets:\n" + "".join(f"  d{n}:  # why {n}\n    owner: ops\n" for n in range(10, 40)))
    put(empty_database, document.blueprint, comments=comments_of(document))
    put(empty_database, Blueprint.model_validate({"datasets": {"d10": {"owner": "bi"}}}))
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press(*":audit", "enter")
        await until_seen(pilot, "1–4 of 4", "d39 and 29 more")
        await pilot.press("j", "enter")
        await until_seen(pilot, "audit ▸ deed:comment number:>=3 number:<=32", "1–30 of 30", "dataset: + # why 39")


async def test_a_comment_changed_by_hand_in_the_audit_is_shown_though_another_stood_for_it(
    empty_database: Database, make_app: MakeApp
) -> None:
    document = read_text("datasets:\n" + "".join(f"  d{n}:  # why {n}\n    owner: ops\n" for n in range(5)))
    put(empty_database, document.blueprint, comments=comments_of(document))
    forge(empty_database, 3, note="forged")
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press(*":audit", "enter")
        await until_seen(pilot, "d4 and 4 more")
        await pilot.press("v")
        await until_seen(pilot, "✗ PH360 audit entry 3", "✗3", "#3 comment definition d0")
