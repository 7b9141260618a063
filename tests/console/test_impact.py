"""What a change touches, in the review: what it needs, how many rows that is, and why; after the changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from console import drafts
from console.app import PilothouseApp
from console.edit import Review, review
from console.impact import MOST_SHOWN, told, untold
from console.screens.review import ReviewScreen, review_lines
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.documents import dump_one
from metadata.rows.sizes import Sized
from metadata.settings import settings
from tests.console.looking import seen, until_seen

MakeApp = Callable[[], PilothouseApp]


def reviewed(database: Database, kind: str, key: str, old: str, new: str) -> Review:
    """What an edit would do."""
    value = load_blueprint(database).get(kind, key)
    assert value is not None
    text = dump_one(kind, key, value)
    assert old in text
    return review(database, settings(), drafts.begin(settings(), kind, key, text), text.replace(old, new), "me")


async def test_the_review_shows_the_impact_after_the_changes_and_before_the_findings(
    database: Database, make_app: MakeApp
) -> None:
    found = reviewed(database, "dataset", "bronze.flights", "distance: {type: double", "distance: {type: float")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "ATTENTION")
        app.push_screen(ReviewScreen(found))
        await until_seen(pilot, "changed dataset bronze.flights", "Impact", "y apply")
        shown = seen(app)
        lines = [line.split("│")[1].strip(" ▁▂▃▄▅▆▇█") for line in shown.splitlines() if line.count("│") > 1]
        at = lines.index("backfill  dataset bronze.flights")
        assert lines[at + 1].startswith("about 287,960 rows, as of 20")
        assert lines[at + 2] == "its columns.distance.type"
        assert shown.index("columns.distance.type: ") < shown.index("Impact")
        await pilot.press("G")
        await until_seen(pilot, "schedule flights_monthly", "it runs pipeline flights", "b 2 that were there before")
        await pilot.press("b")
        await until_seen(pilot, "Were there before", "warning PH134", "b fold")


def test_a_review_of_words_alone_has_no_impact(database: Database) -> None:
    found = reviewed(database, "dataset", "bronze.flights", "one file a month", "a file a month")
    assert found.impact == ()
    assert not [line for line in review_lines(found) if "Impact" in line.plain]


def test_reasons_are_wrapped_and_what_is_beyond_many_is_counted() -> None:
    why = "sql of task orders/clean_what_was_landed, through silver.orders_of_all_customers"
    one = Sized("dataset", "a", "u", "backfill", why, 1_000, datetime(2013, 12, 2, tzinfo=UTC))
    (first,) = told([one], 60)
    assert first.below[0] == "about 1,000 rows, as of 2013-12-02"
    assert " ".join(first.below[1:]) == why
    assert max(map(len, first.below)) <= 50
    assert untold([one] * MOST_SHOWN) == ""
    many = [one] * (MOST_SHOWN + 1_234)
    assert len(list(told(many, 60))) == MOST_SHOWN
    assert untold(many).startswith("and 1,234 more")
    shown = [line.plain for line in review_lines(Review(None, 1, None, (), tuple(many)))]
    assert shown[-1].strip() == untold(many)


def test_a_long_reason_is_told_once_where_things_below_one_another_have_the_same() -> None:
    root = "columns.sched_dep, columns.carrier and 5 more of dataset silver.flights, read by task flights/summarise"
    reasons = (root, root, f"{root}, through a.b", f"{root}, through c", root, "sql of task p/t", "sql of task p/t")
    every = [" ".join(one.below) for one in told([Sized("dataset", "a", "u", None, why) for why in reasons], 60)]
    assert every == [
        root,
        "as above",
        "as above, through a.b",
        "as above, through c",
        root,
        "sql of task p/t",
        "sql of task p/t",
    ]


def test_what_is_touched_drives_no_terminal() -> None:
    one = Sized("dataset", "a\x1b[2J", "u", None, "its columns.\x1b[2J[b]x")
    text = "\n".join(line.plain for line in review_lines(Review(None, 1, None, (), (one,))))
    assert "\x1b" not in text
    assert "[b]x" in text
