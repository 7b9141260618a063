"""Undo, redo and revert: the exact earlier blueprint, uids included, as a new revision; nothing of the log goes."""

from __future__ import annotations

import tempfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from metadata.changes import differences
from metadata.database import Database
from metadata.definitions import definition, load_blueprint, revision
from metadata.errors import PilothouseError, UsageError
from metadata.kinds import Blueprint
from metadata.migrations import ensure, upgrade
from metadata.revision_log import WayBack, edits_of, newest_revision, verify_chain
from metadata.revisions import apply, go_back
from metadata.rows.history import list_revisions
from metadata.rows.reviewing import changes_back
from metadata.settings import Settings
from metadata.undoing import done_and_undone, redo_of, revert_to, undo_of
from tests.metadata.blueprints import orders
from tests.metadata.earlier import back_to
from tests.metadata.meanwhile import written

SETTINGS = Settings()


def put(database: Database, document: Blueprint, prune: bool = False) -> Blueprint:
    apply(database, document, author="ada", prune=prune, settings=SETTINGS)
    return load_blueprint(database)


def back(database: Database, way: WayBack, author: str = "bea") -> Blueprint:
    assert way.base == newest_revision(database)
    changes_back(database, way)
    go_back(database, way, author=author, settings=SETTINGS)
    verify_chain(database)
    return load_blueprint(database)


def datasets(**descriptions: str) -> Blueprint:
    return Blueprint.model_validate({"datasets": {key: {"description": text} for key, text in descriptions.items()}})


def test_an_undo_brings_back_what_was_there_under_its_uids_and_a_redo_takes_it_away_again(database: Database) -> None:
    whole = put(database, orders())
    less = put(database, Blueprint(), prune=True)
    assert back(database, undo_of(database)) == whole
    assert [each.change.returns for each in edits_of(database, 3)] == [False] * len(list(whole))
    assert back(database, redo_of(database)) == less
    newest = list_revisions(database).items[0]
    assert (newest.number, newest.author, newest.deed, newest.of) == (4, "bea", "redo", 2)
    assert newest.way == "do revision 2 again"
    assert newest.what == f"redo 2: connection landing and {len(list(whole)) - 1} more"


def test_the_history_of_a_key_goes_on_with_the_rename_that_took_it_away(database: Database) -> None:
    put(database, datasets(a="one"))
    put(database, Blueprint.model_validate({"datasets": {"b": {"description": "one", "was": "a"}}}))
    assert [each.number for each in list_revisions(database, "key:a").items] == [2, 1]
    assert [each.number for each in list_revisions(database, "key:b").items] == [2]


def test_what_comes_back_stands_where_it_stood(database: Database) -> None:
    whole = list(put(database, datasets(a="one", b="two", c="three")).datasets)
    put(database, datasets(a="one", c="three", d="new"), prune=True)
    with_e = list(put(database, datasets(e="newer")).datasets)
    for _ in range(2):
        back(database, undo_of(database))
    assert list(load_blueprint(database).datasets) == list(load_blueprint(database, 5).datasets) == whole
    assert list(back(database, revert_to(database, 3)).datasets) == list(load_blueprint(database, 3).datasets) == with_e


def test_where_things_stand_is_asked_of_what_is_created_not_of_all_that_ever_was(database: Database) -> None:
    put(database, datasets(a="one", b="two"))
    with written(database) as said:
        put(database, datasets(c="three"))
    asked = [statement for statement in said if "FROM revision_item" in statement]
    assert asked
    assert all("revision_item.uid IN" in statement for statement in asked)


def test_what_an_earlier_program_put_last_stands_where_it_stood_after_the_upgrade(database: Database) -> None:
    whole = list(put(database, datasets(a="one", b="two", c="three")).datasets)
    put(database, datasets(a="one", c="three", d="new"), prune=True)
    back(database, undo_of(database))
    back_to(database, "0012")
    with database.write() as connection:
        for place, key in enumerate(("a", "c", "b"), start=1):
            put_last = update(definition).where(definition.c.key == key)
            connection.execute(put_last.values(position=place, revision_created=3 if key == "b" else 1))
    upgrade(database)
    assert list(load_blueprint(database).datasets) == list(load_blueprint(database, 3).datasets) == whole


def test_the_first_revision_can_be_undone_and_done_again(database: Database) -> None:
    whole = put(database, orders())
    assert not list(back(database, undo_of(database)))
    with pytest.raises(UsageError, match="PH347 nothing to undo"):
        undo_of(database)
    assert back(database, redo_of(database)) == whole
    with pytest.raises(UsageError, match="PH347 nothing to do again"):
        redo_of(database)


def test_two_undos_in_a_row_go_back_two_changes_and_a_new_change_ends_the_redoing(database: Database) -> None:
    first = put(database, datasets(a="one"))
    second = put(database, datasets(a="two"))
    put(database, datasets(a="three"))
    assert back(database, undo_of(database)) == second
    assert back(database, undo_of(database)) == first
    assert back(database, redo_of(database)) == second
    fourth = put(database, datasets(b="new"))
    with pytest.raises(UsageError, match="PH347"):
        redo_of(database)
    assert back(database, undo_of(database)) == second
    assert back(database, redo_of(database)) == fourth


def test_a_renamed_definition_has_its_former_key_again(database: Database) -> None:
    before = put(database, datasets(a="one"))
    put(database, Blueprint.model_validate({"datasets": {"b": {"was": "a", "description": "one"}}}))
    assert list(load_blueprint(database).datasets) == ["b"]
    assert back(database, undo_of(database)) == before


def test_a_revert_is_a_revision_that_can_itself_be_undone(database: Database) -> None:
    first = put(database, datasets(a="one"))
    put(database, datasets(a="two"))
    third = put(database, datasets(b="x"))
    assert back(database, revert_to(database, 1)) == first
    assert newest_revision(database) == 4
    assert back(database, undo_of(database)) == third


@pytest.mark.parametrize("number", [0, 3, 2**31 - 1])
def test_a_revert_to_what_is_not_there_says_so(database: Database, number: int) -> None:
    put(database, datasets(a="one"))
    put(database, datasets(a="two"))
    with pytest.raises(UsageError, match="PH333"):
        revert_to(database, number)


def test_going_back_to_what_is_there_makes_no_revision(database: Database) -> None:
    put(database, datasets(a="one"))
    assert go_back(database, revert_to(database, 1), author="bea", settings=SETTINGS) is None
    assert newest_revision(database) == 1


def overtaken(database: Database, way: WayBack) -> str:
    """What is said of a way back that somebody else was quicker than, when it is looked at and when it is gone."""
    with pytest.raises(PilothouseError, match="PH303") as gone:
        go_back(database, way, author="cy", settings=SETTINGS)
    with pytest.raises(PilothouseError) as looked_at:
        changes_back(database, way)
    assert looked_at.value.fault == gone.value.fault
    return str(gone.value)


def test_what_somebody_applied_meanwhile_is_not_undone_with_it(database: Database) -> None:
    put(database, datasets(a="one"))
    put(database, datasets(a="two"))
    way = undo_of(database)
    apply(database, datasets(a="three"), author="bea", settings=SETTINGS)
    said = overtaken(database, way)
    assert "revision 3 of bea is the newest by now: the next undo is that of revision 3, not of 2" in said
    assert "going back to revision 1 takes back all that came after it" in said
    assert load_blueprint(database).datasets["a"].description == "three"


def test_who_undid_meanwhile_is_not_followed_by_an_undo_of_what_was_before_that(database: Database) -> None:
    put(database, datasets(a="one"))
    way = undo_of(database)
    back(database, way)
    assert overtaken(database, way).endswith(
        "revision 2 of bea (undo revision 1) is the newest by now. look at what it did (pilothouse blueprint log)"
    )
    put(database, datasets(b="two"))
    put(database, datasets(b="three"))
    way = undo_of(database)
    back(database, way)
    assert "the newest by now: the next undo is that of revision 3, not of 4" in overtaken(database, way)


def test_whoever_goes_back_to_a_revision_hears_whose_goes_with_it(database: Database) -> None:
    put(database, datasets(a="one"))
    put(database, datasets(a="two"))
    way = revert_to(database, 1)
    apply(database, datasets(a="three"), author="bea", settings=SETTINGS)
    assert "revision 3 of bea is the newest by now, and going back to revision 1 takes that back, too" in overtaken(
        database, way
    )


def test_an_undo_asks_whose_revision_it_is(database: Database) -> None:
    put(database, datasets(a="one"))
    assert undo_of(database).asked == "undo revision 1 of ada"
    assert revert_to(database, 1).asked == "go back to revision 1"


def test_something_applied_between_finding_a_redo_and_doing_it_ends_the_redo(database: Database) -> None:
    put(database, datasets(a="one"))
    put(database, datasets(a="two"))
    back(database, undo_of(database))
    way = redo_of(database)
    put(database, datasets(b="new"))
    with pytest.raises(PilothouseError, match="PH303"):
        go_back(database, way, author="bea", settings=SETTINGS)
    assert back(database, undo_of(database)).datasets.keys() == {"a"}


def test_a_way_back_that_would_have_a_table_appended_twice_is_refused(database: Database) -> None:
    def reading(table: str, mode: str) -> Blueprint:
        source = {"connection": "crm", "table": table, "watermark": {"column": "id"}}
        return Blueprint.model_validate(
            {
                "connections": {"crm": {"kind": "sql", "url": "env:CRM_URL"}},
                "datasets": {"raw": {"storage": {"mode": mode, "keys": ["id"] if mode == "merge" else []}}},
                "pipelines": {"one": {"tasks": {"load": {"kind": "ingest", "from": source, "to": "raw"}}}},
            }
        )

    put(database, reading("orders", "append"))
    merged = put(database, reading("old_orders", "merge"))
    with pytest.raises(PilothouseError, match="PH342 pipeline one tasks.load"):
        back(database, undo_of(database))
    assert load_blueprint(database) == merged
    assert newest_revision(database) == 2


def test_how_a_revision_came_to_be_is_part_of_its_hash(database: Database) -> None:
    put(database, datasets(a="one"))
    back(database, undo_of(database))
    with database.write() as connection:
        connection.execute(update(revision).where(revision.c.number == 2).values(deed="apply", of=None))
    with pytest.raises(PilothouseError, match="PH305 revision 2"):
        verify_chain(database)


def test_differences_of_two_blueprints_are_told_by_uids(database: Database) -> None:
    before = put(database, datasets(a="one", b="x"))
    after = put(database, Blueprint.model_validate({"datasets": {"c": {"was": "a", "description": "two"}}}))
    assert [(change.action, change.key) for change in differences(before, after)] == [("renamed", "c")]
    assert [(change.action, change.key) for change in differences(after, Blueprint())] == [
        ("deleted", "c"),
        ("deleted", "b"),
    ]
    assert not differences(after, after)


DEEDS = st.one_of(
    st.tuples(st.just("apply"), st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["", "x", "y"]), max_size=3)),
    st.tuples(st.just("rename"), st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"))),
    st.tuples(st.sampled_from(["undo", "redo"]), st.none()),
    st.tuples(st.just("revert"), st.integers(1, 12)),
)


@settings(deadline=None, max_examples=40)
@given(deeds=st.lists(DEEDS, max_size=12))
def test_any_sequence_of_edits_undos_and_redos_gives_the_states_of_a_list(deeds: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/metadata.db")
        ensure(database)
        states = [load_blueprint(database)]
        """As each revision left it; the first is the empty one."""
        done, undone = [0], list[int]()
        for deed, what in deeds:
            before, number = load_blueprint(database), newest_revision(database)
            if deed == "undo":
                if len(done) == 1:
                    with pytest.raises(UsageError):
                        undo_of(database)
                    continue
                undone.append(done.pop())
                assert back(database, undo_of(database)) == states[done[-1]]
            elif deed == "redo":
                if not undone:
                    with pytest.raises(UsageError):
                        redo_of(database)
                    continue
                done.append(undone.pop())
                assert back(database, redo_of(database)) == states[done[-1]]
            else:
                if deed == "apply":
                    put(database, datasets(**what), prune=True)
                elif deed == "rename" and what[0] in before.datasets and what[1] not in before.datasets:
                    said = {what[1]: {"was": what[0], "description": before.datasets[what[0]].description}}
                    put(database, Blueprint.model_validate({"datasets": said}))
                elif deed == "revert" and what <= number:
                    assert back(database, revert_to(database, what)) == states[what]
                if newest_revision(database) == number:
                    continue
                done.append(number + 1)
                undone.clear()
            states += [load_blueprint(database)] * (newest_revision(database) - number)
            assert len(states) == newest_revision(database) + 1
        database.close()


def test_the_log_tells_what_stands() -> None:
    assert done_and_undone([(1, "apply"), (2, "apply"), (3, "undo"), (4, "undo"), (5, "redo")]) == ([1], [2])
    assert done_and_undone([(1, "apply"), (2, "undo"), (3, "revert")]) == ([3], [])
    assert done_and_undone([(1, "redo"), (2, "apply"), (3, "undo"), (4, "undo")]) == ([], [2])
