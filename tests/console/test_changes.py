"""The change set: edits are kept, shown, taken out, decided and applied together; the keys that make one."""

from __future__ import annotations

import contextlib
import getpass
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from console.app import PilothouseApp
from console.drafts import begin, kept
from console.edit import review
from console.places import Place
from console.screens.form import FormScreen
from console.store import Answered
from console.widgets.rows import Rows
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.kinds import Blueprint
from metadata.parts import QualityRule
from metadata.revision_log import edits_of, newest_revision
from metadata.revisions import apply
from metadata.rows.staged import apply_staged, load_staged, stage, stage_removal, stage_rename
from metadata.settings import settings
from tests.console.looking import reads_held_up, screen_name, seen, until, until_seen
from tests.console.pty_terminal import Terminal
from tests.console.test_editing import SED, Editor, drafts, open_editor
from tests.console.test_forms import go_to
from tests.console.test_late import held_up

MakeApp = Callable[[], PilothouseApp]
SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
KEY = "bronze.flights"
ME = getpass.getuser()


def described(database: Database, words: str) -> Blueprint:
    dataset = load_blueprint(database).datasets[KEY].model_copy(update={"description": words})
    return Blueprint(datasets={KEY: dataset})


def description(database: Database) -> str:
    return load_blueprint(database).datasets[KEY].description


@SIZES
async def test_edits_that_wait_are_shown_taken_out_and_applied_with_a_note(
    database: Database, make_app: MakeApp, size: tuple[int, int]
) -> None:
    stage(database, ME, described(database, "other words"))
    stage(database, ME, Blueprint.model_validate({"datasets": {"x.y": {"owner": "the new one"}}}))
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await until_seen(pilot, "Blueprint ±2")
        await pilot.press("3")
        await until_seen(pilot, "bronze.flights")
        await pilot.press("j", "enter")
        await until_seen(pilot, "an edit of it waits: P shows it")
        await pilot.press("escape", "P")
        await until_seen(pilot, "change set of", "2 edits", "dataset bronze.flights", "dataset x.y")
        await pilot.press("enter")
        await until_seen(pilot, "other words")
        await pilot.press("escape", "G", "enter")
        await until_seen(pilot, "created dataset x.y", "owner: the new one")
        await pilot.press("escape", "d")
        await until_seen(pilot, "Take the edit of dataset x.y out of the change set?")
        await pilot.press("y")
        await until_seen(pilot, "1 edit", "Blueprint ±1")
        await pilot.press("a")
        await until_seen(pilot, "Apply the change set: 1 definition", "y apply")
        await pilot.press("y")
        await until_seen(pilot, "Why? It stands in the history.")
        await pilot.press(*"because", "enter")
        await until_seen(pilot, "revision 3 is applied", "Nothing waits.")
    assert description(database) == "other words"
    assert edits_of(database, 3)[0].revision.note == "because"


async def test_an_edit_that_was_changed_elsewhere_while_one_is_asked_is_not_taken_out_unseen(
    database: Database, make_app: MakeApp
) -> None:
    stage(database, ME, described(database, "other words"))
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("changes"))
        await until_seen(pilot, "1 edit")
        await pilot.press("d")
        await until_seen(pilot, "Take the edit of dataset bronze.flights out")
        stage(database, ME, described(database, "better words"))
        await pilot.press("y")
        await until_seen(pilot, "PH303", "look at it as it is now, then take it out", "d take out")
        await pilot.press("escape", "enter")
        await until_seen(pilot, "better words")
        await pilot.press("escape", "d")
        await until_seen(pilot, "Take the edit of dataset bronze.flights out")
        await pilot.press("y")
        await until_seen(pilot, "taken out", "Nothing waits.")


async def test_f_goes_to_the_field_that_a_finding_names(database: Database, make_app: MakeApp) -> None:
    document = described(database, "other words")
    odd = document.datasets[KEY].model_copy(update={"quality": {"odd": QualityRule(expect="nope > 1")}})
    stage(database, ME, Blueprint(datasets={KEY: odd}))
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("changes"))
        await until_seen(pilot, "1 edit")
        await pilot.press("a")
        await until_seen(pilot, "Apply the change set")
        while "f go to its field" not in seen(app):
            await pilot.press("j")
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await until_seen(pilot, "PH124", "expect  A Spark SQL predicate")
        await pilot.press("escape")
        await until_seen(pilot, "left: nothing to apply")
    assert newest_revision(database) == 2


async def test_f_goes_to_the_field_of_a_definition_that_is_not_in_the_change_set(
    database: Database, make_app: MakeApp
) -> None:
    stage_removal(database, ME, load_blueprint(database).datasets["bronze.weather"].uid)
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.go(Place("changes"))
        await until_seen(pilot, "1 edit")
        await pilot.press("a")
        await until_seen(pilot, "Apply the change set", "▸ error PH110", "f go to its field")
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await until_seen(pilot, "PH110 there is no dataset bronze.weather", "to  Dataset that is written.")
        await pilot.press("escape")
        await until_seen(pilot, "left: nothing to apply", "1 edit")
    assert newest_revision(database) == 2


@pytest.mark.parametrize(("was", "codes"), [("silver.flihgts", [("PH350", "warning", 3)]), ("silver.flights", [])])
def test_what_says_that_it_was_what_is_not_there_is_told_so(
    database: Database, was: str, codes: list[tuple[str, str, int]]
) -> None:
    text = f"datasets:\n  x.y:\n    was: {was}\n"
    found = review(database, settings(), begin(settings(), "dataset", "x.y", text, new=True), text, ME)
    told = [each for each in found.findings if each.path == ("was",)]
    assert [(each.code, each.severity, each.line) for each in told] == codes
    assert all("did you mean silver.flights?" in each.remedy for each in told)


@pytest.mark.parametrize(("was", "lines"), [("flights/cleen", [5]), ("flights/clean", [])])
def test_a_task_that_says_that_it_was_one_that_is_not_there_is_told_so(
    database: Database, was: str, lines: list[int]
) -> None:
    text = f"pipelines:\n  x:\n    tasks:\n      t:\n        was: {was}\n"
    text += "        kind: transform\n        sql: SELECT 1 AS a\n        to: silver.flights\n"
    found = review(database, settings(), begin(settings(), "pipeline", "x", text, new=True), text, ME)
    told = [each for each in found.findings if each.code == "PH350"]
    assert [each.line for each in told] == lines
    assert all(each.remedy == "did you mean flights/clean? Else leave was: out" for each in told)


def test_what_is_wrong_with_another_edit_has_no_line_in_this_text(database: Database) -> None:
    odd = load_blueprint(database).datasets[KEY].model_copy(update={"quality": {"odd": QualityRule(expect="nope > 1")}})
    stage(database, ME, Blueprint(datasets={KEY: odd}))
    text = "datasets:\n  x.y: {owner: ada}\n"
    found = review(database, settings(), begin(settings(), "dataset", "x.y", text, new=True), text, ME)
    earlier = [(each.code, each.key, each.line) for each in found.earlier if each.severity == "error"]
    assert earlier == [("PH124", KEY, 0)]
    assert not found.errors and not found.wants_the_editor


async def test_no_form_is_opened_while_an_edit_is_taken_in(database: Database, make_app: MakeApp) -> None:
    odd = load_blueprint(database).datasets[KEY].model_copy(update={"quality": {"odd": QualityRule(expect="nope > 1")}})
    stage(database, ME, Blueprint(datasets={KEY: odd}))
    stage(database, ME, Blueprint.model_validate({"datasets": {"x.y": {"owner": "ada"}}}))
    app, gate = make_app(), threading.Event()
    async with app.run_test(size=(120, 40)) as pilot:
        app.go(Place("changes"))
        await until_seen(pilot, "2 edits")
        app.session.store.act(app, gate.wait, lambda value, _fault: Answered("gate", value))
        try:
            await pilot.press("G", "f")
            await until(pilot, lambda: isinstance(app.screen, FormScreen))
            await go_to(pilot, "owner")
            await pilot.press("enter", "end", "2", "enter", "ctrl+s")
            await until_seen(pilot, "owner: ada → ada2", "s keep in the change set")
            await pilot.press("s", "a")
            await until_seen(pilot, "Apply the change set", "f go to its field")
            await pilot.press("f")
            await until_seen(pilot, "the last edit is being checked")
            assert not isinstance(app.screen, FormScreen)
        finally:
            gate.set()
        await until_seen(pilot, "kept in the change set")
    assert load_staged(database, ME).working.blueprint.datasets["x.y"].owner == "ada2"


async def test_how_many_edits_there_are_is_not_said_before_it_is_known(database: Database, make_app: MakeApp) -> None:
    stage(database, ME, described(database, "other words"))
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "Blueprint ±1")
        with reads_held_up(app):
            app.go(Place("changes"))
            await until_seen(pilot, "change set of")
            assert "0 edits" not in seen(app)
        await until_seen(pilot, "1 edit")


async def test_esc_leaves_each_step_and_nothing_is_applied(database: Database, make_app: MakeApp) -> None:
    stage(database, ME, described(database, "other words"))
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.go(Place("changes"))
        for keys, shown in ((["a"], "y apply"), (["a", "y"], "Why?")):
            await until_seen(pilot, "1 edit")
            for key in keys:
                await pilot.press(key)
                await until_seen(pilot, "y apply" if key == "a" else shown)
            await pilot.press("escape")
            await until_seen(pilot, "left: the change set stays")
        await pilot.press("escape")
        await until(pilot, lambda: screen_name(app) == "overview")
    assert newest_revision(database) == 2
    assert len(load_staged(database, ME).items) == 1


async def test_u_takes_back_nothing_that_is_applied_where_edits_wait_and_says_which_key_does(
    database: Database, make_app: MakeApp
) -> None:
    stage(database, ME, described(database, "other words"))
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("changes"))
        await until_seen(pilot, "1 edit", "H history")
        assert "u undo" not in seen(app)
        for key in ("u", "ctrl+r"):
            await pilot.press("j", key)
            await until_seen(pilot, "d takes an edit out; H, u undoes what was applied")
        await pilot.press("H")
        await until(pilot, lambda: screen_name(app) == "history")


async def test_what_others_applied_likewise_meanwhile_is_no_edit_any_more_once_it_is_looked_at(
    database: Database, make_app: MakeApp
) -> None:
    stage(database, ME, described(database, "other words"))
    stage(database, ME, Blueprint.model_validate({"datasets": {"x.y": {"owner": "ada"}}}))
    apply(database, described(database, "other words"), author="bea", settings=settings())
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("changes"))
        await until_seen(pilot, "1 edit", "dataset x.y", "Blueprint ±1")


async def test_a_key_that_the_change_set_gives_is_taken_and_one_that_it_frees_is_not(
    database: Database, make_app: MakeApp
) -> None:
    stage(database, ME, Blueprint.model_validate({"datasets": {"x.y": {"owner": "ada"}}}))
    stage_removal(database, ME, load_blueprint(database).datasets["gold.delay_by_hour"].uid)
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.go(Place("blueprint", f"dataset {KEY}"))
        await until_seen(pilot, "Flights as landed")
        await pilot.press("R", *"x.y", "enter")
        await until_seen(pilot, "there is a dataset x.y already", "The new key of")
        await pilot.press("ctrl+u", *"gold.delay_by_hour", "enter")
        await until_seen(pilot, "renamed to gold.delay_by_hour in the change set")
    now = load_staged(database, ME).working.blueprint.datasets
    assert (now["x.y"].owner, now["gold.delay_by_hour"].uid) == ("ada", load_blueprint(database).datasets[KEY].uid)


@pytest.mark.parametrize(("answer", "stands"), [("m", "mine"), ("t", "theirs")])
async def test_a_clash_shows_all_three_sides_and_is_decided_before_it_is_applied(
    database: Database, make_app: MakeApp, answer: str, stands: str
) -> None:
    stage(database, ME, described(database, "mine"))
    apply(database, described(database, "theirs"), author="ada", settings=settings())
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.go(Place("changes"))
        await until_seen(pilot, "clashes", "clash description", "one file a month", "mine", "theirs")
        await pilot.press("a")
        await until_seen(pilot, "decide first which stands (c)")
        await pilot.press("c", answer)
        await until_seen(pilot, "decided")
        await until(pilot, lambda: "clashes" not in seen(app))
    assert load_staged(database, ME).working.blueprint.datasets[KEY].description == stands


async def test_where_others_have_removed_what_an_edit_changes_both_sides_are_shown_and_nothing_is_dropped_unasked(
    database: Database, make_app: MakeApp
) -> None:
    there = load_blueprint(database)
    schedule = there.schedules["flights_monthly"].model_copy(update={"description": "mine", "tags": ("a", "b")})
    stage(database, ME, Blueprint(schedules={"flights_monthly": schedule}))
    left = {key: value for key, value in there.schedules.items() if key != "flights_monthly"}
    apply(database, there.model_copy(update={"schedules": left}), author="ada", prune=True, settings=settings())
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.go(Place("changes"))
        await until_seen(pilot, "clashes")
        await pilot.press("c")
        await until_seen(
            pilot, "clash the whole definition", "theirs   removed", "before   pipeline: flights", "mine stands"
        )
        await pilot.press("G")
        await until_seen(pilot, "mine     description: mine", "tags: [a, b]")
        assert "{'" not in seen(app)
        assert "theirs stands: it stays removed, and your edit is dropped" in seen(app)
        await pilot.press("t")
        await until_seen(pilot, "Drop your edit of schedule flights_monthly? Somebody else has")
        await pilot.press("escape")
        await until_seen(pilot, "1 edit", "clashes")
        assert len(load_staged(database, ME).items) == 1
        await pilot.press("c", "t")
        await until_seen(pilot, "Drop your edit of")
        await pilot.press("y")
        await until_seen(pilot, "decided", "Nothing waits.")
    assert "flights_monthly" not in load_staged(database, ME).working.blueprint.schedules


async def test_a_definition_whose_key_is_another_ones_since_that_stays_after_all_is_given_another_one(
    database: Database, make_app: MakeApp
) -> None:
    uids = {key: value.uid for key, value in load_blueprint(database).datasets.items()}
    stage_removal(database, ME, uids["gold.delay_by_hour"])
    stage(database, ME, Blueprint.model_validate({"datasets": {"x.y": {"owner": "ada"}}}))
    stage_rename(database, ME, load_staged(database, ME).working.blueprint.datasets["x.y"].uid, "gold.delay_by_hour")
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.go(Place("changes"))
        await until_seen(pilot, "2 edits")
        row = app.screen.query_one("#list", Rows).row
        assert row is not None and row.key == uids["gold.delay_by_hour"]
        await pilot.press("d")
        await until_seen(pilot, "Take the edit of dataset gold.delay_by_hour out")
        await pilot.press("y")
        await until_seen(pilot, "1 edit", "clashes")
        await pilot.press("c")
        await until_seen(pilot, "Another definition has the key of dataset gold.delay_by_hour. Another key:")
        await pilot.press("end", "2", "enter")
        await until_seen(pilot, "decided", "dataset gold.delay_by_hour2")
        await until(pilot, lambda: "clashes" not in seen(app))
    assert load_staged(database, ME).working.blueprint.datasets["gold.delay_by_hour2"].owner == "ada"


async def asked_why(pilot: Pilot[None], app: PilothouseApp) -> None:
    """The change set of one edit is going to be applied."""
    app.go(Place("changes"))
    await until_seen(pilot, "1 edit")
    await pilot.press("a")
    await until_seen(pilot, "y apply")
    await pilot.press("y")
    await until_seen(pilot, "Why?")


async def test_the_note_is_kept_when_somebody_else_applied_meanwhile(database: Database, make_app: MakeApp) -> None:
    stage(database, ME, described(database, "other words"))
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await asked_why(pilot, app)
        apply(database, Blueprint.model_validate({"datasets": {"x.y": {}}}), author="ada", settings=settings())
        await pilot.press(*"because", "enter")
        await until_seen(pilot, "PH303")
        await pilot.press("escape", "a")
        await until_seen(pilot, "y apply")
        await pilot.press("y")
        await until_seen(pilot, "Why?", "because")
        await pilot.press("enter")
        await until_seen(pilot, "revision 4 is applied")
    assert edits_of(database, 4)[0].revision.note == "because"


async def test_a_note_that_was_not_given_yet_when_the_console_was_gone_stands_there_again(
    database: Database, make_app: MakeApp
) -> None:
    stage(database, ME, described(database, "other words"))
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await asked_why(pilot, app)
        await pilot.press(*"what was sa")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await asked_why(pilot, app)
        await until_seen(pilot, "what was sa")
        await pilot.press("end", *"id", "enter")
        await until_seen(pilot, "revision 3 is applied")
    assert edits_of(database, 3)[0].revision.note == "what was said"
    stage(database, ME, described(database, "more words"))
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await asked_why(pilot, app)
        assert "what was said" not in seen(app)
        await pilot.press(*"no", "escape")
        await until_seen(pilot, "left: the change set stays")
    assert [*(settings().home / "drafts").iterdir()] == []


async def test_a_note_that_was_typed_for_what_was_applied_elsewhere_is_not_that_of_the_next_edit(
    database: Database, make_app: MakeApp
) -> None:
    for words in ("one", "two"):
        stage(database, ME, described(database, words))
        app = make_app()
        async with app.run_test(size=(80, 24)) as pilot:
            await asked_why(pilot, app)
            assert "because" not in seen(app)
            await pilot.press(*"because")
        apply_staged(database, ME, load_staged(database, ME), author=ME, note="", settings=settings())


async def test_a_definition_whose_key_was_taken_is_given_another_one(database: Database, make_app: MakeApp) -> None:
    stage(database, ME, Blueprint.model_validate({"datasets": {"x.y": {"description": "mine"}}}))
    theirs = Blueprint.model_validate({"datasets": {"x.y": {"description": "theirs"}}})
    apply(database, theirs, author="ada", settings=settings())
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.go(Place("changes"))
        await until_seen(pilot, "dataset x.y", "clashes")
        await pilot.press("e")
        await until_seen(pilot, "another definition has its key: choose another one first (c)")
        await pilot.press("c")
        await until_seen(pilot, "Another definition has the key of dataset x.y. Another key:")
        await pilot.press("end", "2", "enter")
        await until_seen(pilot, "decided", "dataset x.y2")
    now = load_staged(database, ME).working.blueprint.datasets
    assert (now["x.y"].description, now["x.y2"].description) == ("theirs", "mine")


async def test_a_rename_to_a_key_that_others_have_taken_is_given_another_one(
    database: Database, make_app: MakeApp
) -> None:
    uid = load_blueprint(database).datasets["gold.delay_by_hour"].uid
    stage_rename(database, ME, uid, "gold.hours")
    apply(database, Blueprint.model_validate({"datasets": {"gold.hours": {}}}), author="ada", settings=settings())
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.go(Place("changes"))
        await until_seen(pilot, "dataset gold.hours", "clashes")
        await pilot.press("e")
        await until_seen(pilot, "another definition has its key: choose another one first (c)")
        await pilot.press("c")
        await until_seen(pilot, "Another definition has the key of dataset gold.hours. Another key:")
        await pilot.press("end", "2", "enter")
        await until_seen(pilot, "decided", "dataset gold.hours2")
        await until(pilot, lambda: "clashes" not in seen(app))
    assert load_staged(database, ME).working.blueprint.datasets["gold.hours2"].uid == uid


@pytest.mark.parametrize(
    ("pressed", "words"),
    [("R", "The new key of dataset"), ("c", "The key of the new dataset like"), ("d", "Remove dataset")],
)
async def test_a_key_pressed_before_the_definition_was_read_is_done_as_soon_as_it_is(
    database: Database, make_app: MakeApp, pressed: str, words: str
) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("3")
        await until_seen(pilot, "Flights as landed")
        with reads_held_up(app):
            await pilot.press("j", pressed)
            await pilot.pause(0.2)
            assert "there is no definition under the cursor" not in seen(app)
            key = app.screen.query_one("#list", Rows).row.key  # type: ignore[union-attr]
        await until_seen(pilot, f"{words} {key}")


async def test_a_screen_that_is_left_while_its_edit_is_taken_in_lets_go_of_the_text(
    database: Database, make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage(database, ME, described(database, "Flights as landed, one file a month, in all."))
    edits = Editor(tmp_path)
    edits.does(f"{SED} $1")
    for name, value in edits.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(PilothouseApp, "suspend", lambda _app: contextlib.nullcontext())
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.go(Place("changes"))
        await until_seen(pilot, "1 edit")
        await pilot.press("e")
        await until_seen(pilot, "a file every month", "s keep in the change set")
        with held_up(app):
            await pilot.press("s")
            app.go(Place("overview"))
            await until(pilot, lambda: screen_name(app) == "overview")
        await until_seen(pilot, "done: the edit is kept in the change set")
        assert not kept(settings())
        app.go(Place("changes"))
        await until_seen(pilot, "1 edit")
        edits.does("sed -i 's/in all/in sum/' $1")
        with held_up(app):
            await pilot.press("e")
            await until_seen(pilot, "checking …")
            await pilot.press("escape")
            await until_seen(pilot, "left: nothing was applied; the text is kept")
            assert screen_name(app) == "changes" and len(kept(settings())) == 1
    assert "in sum" in kept(settings())[0].path.read_text(encoding="utf-8")


async def test_what_the_checks_refuse_cannot_be_applied(database: Database, make_app: MakeApp) -> None:
    stage_removal(database, ME, load_blueprint(database).datasets[KEY].uid)
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.go(Place("changes"))
        await until_seen(pilot, "1 edit")
        await pilot.press("a")
        await until_seen(pilot, "It deletes 1 definition", "error PH110", "esc leave")
        await pilot.press("y")
        assert "y apply" not in seen(app)
    assert newest_revision(database) == 2


async def test_a_definition_is_renamed_and_removed_by_keys(database: Database, make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.go(Place("blueprint", "dataset gold.delay_by_hour"))
        await until_seen(pilot, "owner: bi")
        await pilot.press("R")
        await until_seen(pilot, "The new key of dataset gold.delay_by_hour")
        await pilot.press("end", "2", "enter")
        await until_seen(pilot, "renamed to gold.delay_by_hour2 in the change set; 1 definition follows; P shows", "±2")
        working = load_staged(database, ME).working.blueprint
        assert "gold.delay_by_hour2" in working.datasets
        assert working.pipelines["flights"].tasks["summarise"].to == "gold.delay_by_hour2"  # type: ignore[attr-defined]
        await pilot.press("R")
        await until_seen(pilot, "The new key of")
        await pilot.press("end", "!", "enter")
        await until_seen(pilot, "is no key: write lower-case letters")
        await pilot.press("escape", "R")
        await until_seen(pilot, "The new key of")
        await pilot.press(*"silver.flights", "enter")
        await until_seen(pilot, "there is a dataset silver.flights already", "The new key of")
        await pilot.press("escape")
        assert load_staged(database, ME).working.blueprint == working
        app.go(Place("changes", "dataset gold.delay_by_hour2"))
        await until_seen(pilot, "2 edits", "renamed dataset gold.delay_by_hour2")
        await pilot.press("d")
        await until_seen(pilot, "Take the edit of", "What follows a new", "names the old one again.")
        await pilot.press("escape")
        app.go(Place("blueprint", "schedule flights_monthly"))
        await until_seen(pilot, "cron: 0 6 2 * *")
        await pilot.press("d")
        await until_seen(pilot, "Remove schedule flights_monthly? It goes when the change set is applied (P).")
        await pilot.press("y")
        await until_seen(pilot, "±3")
        await pilot.press("e")
        await until_seen(pilot, "your change set removes it (P)")
    assert "flights_monthly" in load_blueprint(database).schedules


def test_an_edit_in_the_editor_is_kept_and_gone_on_with(database: Database, tmp_path: Path) -> None:
    edits = Editor(tmp_path)
    edits.does(f"{SED} $1")
    with Terminal(size=(160, 40), env=edits.environ) as shown:
        open_editor(shown)
        shown.until("y apply", "s keep in the change set")
        shown.send("s")
        shown.until("kept in the change set", "±1", "an edit of it waits")
        assert description(database) == "Flights as landed, one file a month."
        edits.does("sed -i 's/a file every month/each month a file/' $1")
        shown.send("e")
        shown.until("each month a file", "s keep in the change set")
        assert "y apply" not in shown.text
        shown.send("s")
        shown.until("kept in the change set")
    assert drafts() == []
    assert "each month a file" in load_staged(database, ME).working.blueprint.datasets[KEY].description


def test_new_definitions_go_on_and_cloned_ones_begin_in_the_editor(database: Database, tmp_path: Path) -> None:
    edits = Editor(tmp_path)
    edits.does("sed -i 's/One row a …/One row a fare./' $1")
    with Terminal(size=(160, 40), env=edits.environ) as shown:
        shown.until("q quit", "ATTENTION")
        shown.send("3")
        shown.until("Flights as landed")
        shown.send("n")
        shown.until("The key of the new dataset:")
        shown.send("bronze.fares")
        shown.send("enter")
        shown.until("ctrl+e editor")
        shown.send("ctrl+e")
        shown.until("created dataset bronze.fares")
        assert "since you opened it" not in shown.text
        shown.send("s")
        shown.until("kept in the change set")
        shown.send("n")
        shown.until("The key of the new dataset:")
        shown.send(KEY, "enter")
        shown.until(f"there is a dataset {KEY} already")
        edits.does("true")
        shown.send("escape")
        shown.until("q quit")
        shown.send("c")
        shown.until("The key of the new dataset like bronze.flights")
        shown.send("bronze.flights_daily")
        shown.send("enter")
        shown.until("created dataset bronze.flights_daily")
        shown.send("s")
        shown.until("±2")
    working = load_staged(database, ME).working.blueprint
    assert working.datasets["bronze.fares"].description == "One row a fare."
    assert working.datasets["bronze.flights_daily"].description == description(database)
    assert working.datasets["bronze.flights_daily"].columns == working.datasets[KEY].columns
