"""A change set is reviewed from what it touches: its changes, findings and impact are those of the whole blueprint."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from metadata.changes import Change, ChangeSet, recorded
from metadata.checks import check
from metadata.contents import content
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.documents import read_text
from metadata.edits import Item
from metadata.errors import PilothouseError
from metadata.findings import Finding
from metadata.kinds import SECTIONS, Blueprint
from metadata.revision_log import newest_revision
from metadata.revisions import changes_of, go_back
from metadata.rows import staged
from metadata.rows.edited_since import not_applied_since
from metadata.rows.reviewing import Look, changes_back, load_touched, look_at, look_back, reviewed
from metadata.rows.sizes import sized_impact
from metadata.rows.staged import (
    Staged,
    apply_staged,
    changes_beside,
    changes_of_staged,
    load_nearby,
    load_staged,
    stage,
    stage_removal,
    stage_rename,
    told_of,
    unstage,
)
from metadata.settings import Settings
from metadata.undoing import redo_of, revert_to, undo_of
from metadata.values import AT_ONCE
from tests.metadata.blueprints import orders
from tests.metadata.change_sets import datasets, put
from tests.metadata.test_checks import FLIGHTS, PROVOKED, changed

PREFIXES = ("sklearn.",)
CASES = 8
WAYS = 12
OWNERS = ("data", "ops")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Database]:
    """A home with two blueprints, and others that have nothing to do with them."""
    path = tmp_path_factory.mktemp("touched") / "metadata.db"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    put(database, orders())
    put(database, read_text(FLIGHTS).blueprint)
    put(database, Blueprint.model_validate({"datasets": {f"lonely.d{at}": {"owner": "ops"} for at in range(9)}}))
    yield database
    database.close()


def edited(chosen: random.Random, blueprint: Blueprint) -> Blueprint:
    """A document: what is wrong in some way, or other words of a definition that is there, or a new one."""
    how = chosen.randrange(4)
    if how == 0:
        wrong = chosen.choice(PROVOKED)[1]
        values = [each for each in changed(**wrong) if each[2] != orders().get(*each[:2])]
    elif how == 1:
        values = [("dataset", f"new.d{chosen.randrange(3)}", changed().datasets["bronze.orders"])]
    else:
        kind, key, value = chosen.choice(list(blueprint))
        values = [(kind, key, value.model_copy(update={"owner": chosen.choice(OWNERS)}))]
        columns: dict[str, Any] = getattr(value, "columns", {})
        if how == 2 and columns:
            less = dict(columns)
            less.pop(chosen.choice(list(less)))
            values = [(kind, key, value.model_copy(update={"columns": less}))]
    sections: dict[str, dict[str, Any]] = {}
    for kind, key, value in values:
        sections.setdefault(SECTIONS[kind], {})[key] = content(value)
    return Blueprint.model_validate(sections)


def edit(database: Database, owner: str, chosen: random.Random) -> None:
    """One edit into a change set, or none where it is refused."""
    blueprint = load_touched(database, owner).working.blueprint if chosen.random() < 0.3 else load_blueprint(database)
    every = [value.uid for _, _, value in blueprint] or [""]
    how = chosen.random()
    try:
        if how < 0.1:
            stage_removal(database, owner, chosen.choice(every))
        elif how < 0.2:
            stage_rename(database, owner, chosen.choice(every), f"called.k{chosen.randrange(99)}")
        else:
            stage(database, owner, edited(chosen, load_blueprint(database)))
    except PilothouseError:
        pass


def told(act: Any) -> Any:
    try:
        return act()
    except PilothouseError as error:
        return str(error)


def same_review(database: Database, owner: str, document: Blueprint | None) -> bool:
    """Whether it was read from less than all; what is told of it is that of all of it."""

    def changes(there: Staged) -> ChangeSet:
        return changes_of_staged(database, there) if document is None else changes_beside(database, there, document)

    whole = load_touched(database, owner, document, whole=True)
    mine, theirs = told(lambda: reviewed(database, owner, changes, document)), told(lambda: changes(whole))
    if isinstance(theirs, str):
        assert mine == theirs
        return False
    found, mine = mine
    assert (found.kept, found.items, found.clashes) == (whole.kept, whole.items, whole.clashes)
    assert found.removed == whole.removed
    assert [said(each) for each in mine.changes] == [said(each) for each in theirs.changes]
    assert sized_impact(database, mine) == sized_impact(database, theirs)
    wrong, earlier = map(without_remedies, whole.findings(theirs, PREFIXES))
    assert [without_remedies(some) for some in found.findings(mine, PREFIXES)] == [wrong, earlier]
    before = without_remedies(check(whole.current, estimator_prefixes=PREFIXES))
    after = without_remedies(check(theirs.blueprint, estimator_prefixes=PREFIXES, removed=whole.removed))
    assert set(after) - set(wrong) <= set(before), "what nothing touches was wrong before"
    return len(list(found.current)) < len(list(whole.current))


def without_remedies(findings: Iterable[Finding]) -> list[tuple[object, ...]]:
    """Of names that may have been meant, a remedy tells those that were read."""
    return [(each.code, each.severity, each.kind, each.key, each.path, each.cause) for each in findings]


def said(change: Change) -> tuple[object, ...]:
    """A change without the uids of what is new, which no two have in common."""
    return change.action, change.kind, change.key, change.key_before, change.fields, change.returns


def some_cases(home: Database, seeds: range) -> int:
    """How many of them were read from less than all."""
    fewer = 0
    for seed in seeds:
        chosen, owner = random.Random(seed), f"owner{seed}"
        for _ in range(chosen.randint(0, 4)):
            edit(home, owner, chosen)
        document = edited(chosen, load_blueprint(home)) if chosen.random() < 0.5 else None
        try:
            fewer += same_review(home, owner, document)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error
    return fewer


def test_what_a_change_set_touches_tells_as_much_as_all_of_it(home: Database) -> None:
    assert some_cases(home, range(CASES)) > 2


def same_look(database: Database, look: Callable[[], Look], of_all: Callable[[], ChangeSet]) -> bool:
    """The same of what is in no change set."""
    mine, theirs = told(look), told(of_all)
    if isinstance(theirs, str):
        assert mine == theirs
        return False
    assert [said(each) for each in mine.changes.changes] == [said(each) for each in theirs.changes]
    assert sized_impact(database, mine.changes) == sized_impact(database, theirs)
    assert mine.touched is not None
    after = check(theirs.blueprint, estimator_prefixes=PREFIXES)
    wrong = without_remedies(told_of(after, theirs, mine.touched))
    assert without_remedies(mine.findings(PREFIXES)) == wrong
    before = without_remedies(check(theirs.before, estimator_prefixes=PREFIXES))
    assert set(without_remedies(after)) - set(wrong) <= set(before), "what nothing touches was wrong before"
    return len(list(mine.changes.before)) < len(list(theirs.before))


def whole(database: Database, document: Blueprint) -> ChangeSet:
    return changes_of(database, document)[1]


def test_what_a_document_touches_tells_as_much_as_all_of_it(home: Database) -> None:
    documents = [edited(random.Random(seed), load_blueprint(home)) for seed in range(CASES)]
    fewer = [same_look(home, partial(look_at, home, each), partial(whole, home, each)) for each in documents]
    assert sum(fewer) > CASES // 2
    pruned = look_at(home, documents[0], prune=True)
    assert (pruned.touched, pruned.changes.count("deleted") > 9) == (None, True)


def test_what_a_way_back_touches_tells_as_much_as_all_of_it(database: Database) -> None:
    """After renames, removals and what came back, of any revision."""
    for document in (orders(), read_text(FLIGHTS).blueprint, datasets(**{f"lonely.d{at}": "old" for at in range(9)})):
        put(database, document)
    for seed in range(WAYS):
        edit(database, "ann", random.Random(seed))
        try:
            apply_staged(database, "ann", load_staged(database, "ann"), author="ann", settings=Settings())
        except PilothouseError:
            unstage(database, "ann")
    newest = newest_revision(database)
    assert newest > WAYS // 3
    ways = [undo_of(database), *(revert_to(database, number) for number in range(2, newest))]
    fewer = [same_look(database, *(partial(look, database, way) for look in (look_back, changes_back))) for way in ways]
    assert sum(fewer) > len(ways) // 2
    go_back(database, ways[0], author="ann", settings=Settings())
    redo = redo_of(database)
    assert same_look(database, *(partial(look, database, redo) for look in (look_back, changes_back)))


def taken_alike(home: Database, patch: pytest.MonkeyPatch, seed: int) -> None:
    """Edits are taken into a change set from what they ask for, and into another one from all of it."""
    for word in ("less", "more"):
        chosen, owner = random.Random(seed), f"{word}{seed}"
        with patch.context() as all_of_it:
            if word == "more":
                all_of_it.setattr(staged, "asked_for", lambda *_: None)
            for _ in range(3):
                edit(home, owner, chosen)
    less, more = (load_touched(home, f"{word}{seed}").kept for word in ("less", "more"))
    changes = [
        [said(recorded(each.kind, each.key, "", each.key_before, each.before, each.after)) for each in kept]
        for kept in (less, more)
    ]
    assert changes[0] == changes[1], seed


def test_an_edit_is_taken_in_alike_from_less_than_all(home: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(CASES):
        taken_alike(home, monkeypatch, seed)


def test_what_an_edit_names_newly_is_read_by_the_key_that_others_gave_it_since(home: Database) -> None:
    columns = {"columns": {"id": "long"}}

    def put_datasets(**datasets: dict[str, Any]) -> None:
        put(home, Blueprint.model_validate({"datasets": {f"since.{key}": each for key, each in datasets.items()}}))

    def load(to: str) -> dict[str, Any]:
        return {"kind": "ingest", "from": {"connection": "since", "files": f"{to}-*.csv"}, "to": f"since.{to}"}

    def task(to: str, source: str) -> dict[str, Any]:
        return {"kind": "transform", "to": f"since.{to}", "sql": f"SELECT id FROM since.{source}"}

    def pipelines(**tasks: dict[str, Any]) -> Blueprint:
        return Blueprint.model_validate({"pipelines": {key: {"tasks": each} for key, each in tasks.items()}})

    put_datasets(bought=columns, total={**columns, "storage": {"mode": "overwrite"}}, source=columns)
    put(home, Blueprint.model_validate({"connections": {"since": {"kind": "files", "path": "since"}}}))
    loads = {"first": load("bought"), "second": load("source")}
    put(home, pipelines(since_load=loads, since_later={"sum": task("total", "bought")}))
    stage(home, "eve", pipelines(since_mine={"more": task("bought", "source")}))
    put_datasets(purchases={**columns, "was": "since.bought"})
    mine = [("pipeline", "since_mine")]
    for _ in range(2):
        assert same_review(home, "eve", None)
        found = reviewed(home, "eve", lambda there: changes_of_staged(home, there))
        assert ("pipeline", "since_later") in {(each.kind, each.key) for each in sized_impact(home, found[1])}
        assert "since.purchases" in load_nearby(home, "eve", mine).current.datasets
        put_datasets(bought={"columns": {"other": "string"}})  # the former key is that of something else by now


def test_what_others_have_applied_likewise_is_asked_for_in_statements_of_a_bounded_length(database: Database) -> None:
    many = AT_ONCE + 1
    uids = {
        key: value.uid
        for key, value in put(database, datasets(**{f"d{at}": "old" for at in range(many)})).datasets.items()
    }
    put(database, datasets(d0="new", **{f"d{many - 1}": "new"}))
    kept = [
        Item(uid, "dataset", key, key, {"description": "old"}, {"description": "new"}, 1) for key, uid in uids.items()
    ]
    asked: list[int] = []

    def note(_connection: Any, _cursor: Any, _sql: str, parameters: Sequence[Any], *_rest: Any) -> None:
        asked.append(len(parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    with database.read() as connection:
        left = not_applied_since(connection, kept)
    assert [item.key for item in left] == [f"d{at}" for at in range(1, many - 1)]
    assert max(asked) <= AT_ONCE + 1
