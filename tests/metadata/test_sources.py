"""Comments stand beside definitions: in no revision, in the same transaction, and on whatever is still there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from metadata.audit_check import verify
from metadata.commented import comments_of, dump_with_comments, with_comments
from metadata.database import Database, next_change
from metadata.definitions import load_blueprint
from metadata.documents import dump, dump_one, read_text
from metadata.errors import PilothouseError
from metadata.kinds import Blueprint, Dataset
from metadata.revision_log import Revision, newest_revision, verify_chain
from metadata.revisions import apply, go_back
from metadata.rows import sources
from metadata.rows.audit_log import list_entries
from metadata.rows.sources import differing, keep_comments, load_sources
from metadata.rows.staged import apply_staged, load_edits, load_staged, stage, stage_removal, stage_rename, unstage
from metadata.secrets import redacted
from metadata.undoing import undo_of
from tests.metadata.change_sets import SETTINGS, put

TEXT = """\
# Not of any definition.
datasets:
    # Orders as they land.
    bronze.orders:
        owner: ops   # asks finance first
        # the shop's own numbers
        columns: {id: long}
    silver.orders: {owner: ops}
"""
OWN = """\
datasets:
  # Orders as they land.
  bronze.orders:
      owner: ops   # asks finance first
      # the shop's own numbers
      columns: {id: long}
"""


def say(database: Database, text: str) -> Revision | None:
    document = read_text(text)
    comments = comments_of(document)
    made = apply(database, document.blueprint, author="ada", settings=SETTINGS, comments=comments)
    if made is None:
        keep_comments(database, comments, "ada")
    return made


def shown(database: Database, key: str = "bronze.orders") -> str:
    value = load_blueprint(database).datasets[key]
    return with_comments(load_sources(database).get(value.uid), "dataset", key, value)


def test_the_text_of_a_definition_is_its_own_lines() -> None:
    assert comments_of(read_text(TEXT)) == {("dataset", "bronze.orders"): OWN, ("dataset", "silver.orders"): None}
    flat = comments_of(read_text("datasets: {a: {owner: b, # whose\n layer: gold}} # all\n"))
    assert flat == {("dataset", "a"): "datasets:\n  a:\n    owner: b  # whose\n    layer: gold\n"}


def test_of_one_definition_alone_all_that_is_said_is_its_own_where_that_is_the_whole() -> None:
    text = "# yaml-language-server: $schema=x\n# why\n\n# which\ndatasets: # all\n  # own\n  a: {owner: ops}\n# end\n"
    own = "datasets:\n  # own\n  a: {owner: ops}\n"
    assert comments_of(read_text(text)) == {("dataset", "a"): own}
    around = "  # why\n  # all\n  # which\n  # end\n"
    assert comments_of(read_text(text), whole=True) == {
        ("dataset", "a"): own.replace("  # own\n", f"{around}  # own\n")
    }
    assert comments_of(read_text(f"{text}  b: {{}}\n"), whole=True)["dataset", "a"] == own


def test_comments_are_applied_and_are_there_whatever_changes_the_rest(database: Database) -> None:
    say(database, TEXT)
    assert shown(database) == OWN
    verify_chain(database)
    put(database, Blueprint(datasets={"bronze.orders": Dataset(owner="bi", layer="bronze")}))
    assert shown(database) == (
        "datasets:\n  # Orders as they land.\n  bronze.orders:\n"
        "      owner: bi   # asks finance first\n      layer: bronze\n"
    )
    go_back(database, undo_of(database), author="ada", settings=SETTINGS)
    assert shown(database) == OWN
    put(database, Blueprint(datasets={"bronze.sales": Dataset(owner="ops", was="bronze.orders")}))
    assert "  # Orders as they land.\n  bronze.sales:\n    owner: ops  # asks finance first\n" in dump_with_comments(
        load_blueprint(database), load_sources(database)
    )


def test_comments_alone_make_no_revision_and_are_what_the_last_text_says(database: Database) -> None:
    say(database, TEXT)
    document = read_text(TEXT.replace("asks finance first", "asks nobody"))
    assert differing(database, comments_of(read_text(TEXT))) == 0
    assert differing(database, comments_of(document)) == 1
    assert say(database, TEXT.replace("asks finance first", "asks nobody")) is None
    assert "# asks nobody" in shown(database)
    assert newest_revision(database) == 1
    entry, first = list_entries(database, "key:bronze.orders deed:comment").items
    assert (entry.actor, entry.what) == ("ada", "definition bronze.orders")
    assert entry.note == "dataset: - # asks finance first, + # asks nobody"
    assert first.note == "dataset: + # Orders as they land., + # the shop's own numbers, + # asks finance first"
    assert say(database, dump(load_blueprint(database))) is None
    assert shown(database) == dump_one("dataset", "bronze.orders", load_blueprint(database).datasets["bronze.orders"])


def test_of_many_comments_at_once_the_audit_tells_without_what_they_were(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_EACH", 1)
    say(database, TEXT.replace("{owner: ops}", "{owner: ops}  # mine"))
    told = list_entries(database, "deed:comment").items
    assert {(entry.key, entry.note) for entry in told} == {
        ("bronze.orders", "dataset: with those of 1 others"),
        ("silver.orders", "dataset: with those of 1 others"),
    }
    verify(database)


def test_comments_that_came_together_are_one_row_of_the_audit_until_each_is_asked_for(database: Database) -> None:
    for said in ("why", "how"):
        lines = (f"  d{number}:  # {said} {number}\n    owner: {said}\n" for number in range(30))
        say(database, "datasets:\n" + "".join(lines))
    say(database, "datasets:\n  d3:  # alone\n    owner: bi\n")

    def told(words: str, **more: Any) -> list[tuple[int, str]]:
        return [(one.number, one.what) for one in list_entries(database, words, **more).items]

    together, last = "definition d29 and 29 more", list_entries(database).items[0].number
    assert told("who:ada !deed:undo") == [
        (last, "definition d3"),
        (last - 1, "revision 3 d3"),
        (last - 2, together),
        (last - 32, "revision 2"),
        (last - 33, together),
        (last - 63, "revision 1"),
    ]
    assert list_entries(database, "who:ada", limit=0).total == 6
    assert told("", limit=2, after=last - 1) == [(last - 2, together), (last - 32, "revision 2")]
    assert [what for _, what in told("key:d3 deed:comment")] == ["definition d3"] * 3
    assert [what for _, what in told('note:"how 7"') + told('"how 7"')] == ["definition d7"] * 2
    assert len(told("deed:comment", limit=99)) == 61
    assert len(told("who:ada", limit=99, folded=False)) == 64
    verify(database)


def test_comments_of_a_change_set_wait_with_it(database: Database) -> None:
    say(database, TEXT)
    document = read_text(OWN.replace("owner: ops   # asks finance first", "owner: bi  # asks the board"))
    stage(database, "ada", document.blueprint, comments=comments_of(document))
    new = read_text("datasets:\n  new:\n    # soon\n    owner: ops\n")
    stage(database, "ada", new.blueprint, comments=comments_of(new))
    uid = load_blueprint(database).datasets["bronze.orders"].uid
    assert shown(database) == OWN
    assert "# asks the board" in load_staged(database, "ada").text_of(uid, load_sources(database, [uid], "ada")[uid])
    stage_rename(database, "ada", uid, "bronze.sales")
    assert "# asks the board" in load_sources(database, [uid], "ada")[uid]
    unstage(database, "ada", {uid})
    assert load_sources(database, [uid], "ada")[uid] == OWN
    stage(database, "ada", document.blueprint, comments=comments_of(document))
    only = read_text(OWN.replace("owner: ops   # asks finance first", "owner: bi  # asks the queen"))
    stage(database, "ada", only.blueprint, comments=comments_of(only))
    assert shown(database) == OWN
    apply_staged(database, "ada", load_staged(database, "ada"), author="ada", settings=SETTINGS)
    assert "owner: bi  # asks the queen" in shown(database)
    assert "    # soon\n" in shown(database, "new")


@pytest.mark.parametrize("looked", [True, False])
def test_what_is_said_of_an_edit_that_others_apply_likewise_is_applied_with_the_rest(
    database: Database, looked: bool
) -> None:
    (uid,) = (value.uid for _, _, value in put(database, read_text("datasets: {a: {owner: x}}").blueprint))
    mine = read_text("datasets:\n  a:\n    owner: y  # since May\n")
    stage(database, "ada", mine.blueprint, comments=comments_of(mine))
    put(database, read_text("datasets: {a: {owner: y}}").blueprint)
    if looked:
        assert load_edits(database, "ada").kept == []
    stage(database, "ada", read_text("datasets: {b: {}}").blueprint)
    assert "# since May" in load_sources(database, [uid], "ada")[uid]
    apply_staged(database, "ada", load_staged(database, "ada"), author="ada", settings=SETTINGS)
    assert "# since May" in load_sources(database)[uid]
    other = read_text("datasets:\n  a:\n    owner: z  # since June\n")
    stage(database, "ada", other.blueprint, comments=comments_of(other))
    assert "# since June" in load_sources(database, [uid], "ada")[uid]
    unstage(database, "ada")
    assert load_sources(database, [uid], "ada") == load_sources(database)


def test_comments_taken_away_in_a_change_set_are_there_until_it_is_applied(database: Database) -> None:
    say(database, TEXT)
    stage(
        database,
        "ada",
        (document := read_text("datasets:\n  bronze.orders: {owner: bi, columns: {id: long}}\n")).blueprint,
        comments=comments_of(document),
    )
    uid = load_blueprint(database).datasets["bronze.orders"].uid
    assert load_sources(database, [uid], "ada") == {}
    assert load_sources(database, [uid]) == {uid: OWN}
    apply_staged(database, "ada", load_staged(database, "ada"), author="ada", settings=SETTINGS)
    assert load_sources(database) == {}


def test_a_kept_text_that_says_nothing_any_more_is_not_shown(database: Database) -> None:
    say(database, TEXT)
    value = load_blueprint(database).datasets["bronze.orders"]
    for broken in ("", "datasets: [", "datasets:\n  a: {laier: b}\n", "datasets:\n  a: {}\n  b: {}\n"):
        assert with_comments(broken, "dataset", "x", value) == dump_one("dataset", "x", value)


@pytest.mark.parametrize("said", ["password=hunter2hunter2", redacted("password=hunter2hunter2")])
def test_a_comment_that_holds_a_credential_or_has_lost_one_is_kept_nowhere(database: Database, said: str) -> None:
    with pytest.raises(PilothouseError, match="PH150 comments") as refused:
        say(database, TEXT.replace("asks finance first", said))
    assert "hunter2" not in str(refused.value)
    assert newest_revision(database) == 0
    assert load_sources(database) == {}


def test_who_keeps_comments_waits_for_whoever_writes(database: Database) -> None:
    """For the counter, as all writers do: those who keep the same ones in another order would wait for each other."""
    say(database, TEXT)
    comments = comments_of(read_text(TEXT.replace("asks finance first", "asks nobody")))
    with database.write() as connection, ThreadPoolExecutor(1) as thread:
        next_change(connection)
        waiting = thread.submit(keep_comments, database, comments, "ada")
        with pytest.raises(TimeoutError):
            waiting.result(0.3)
        connection.commit()
        assert waiting.result(10) == 1


OURS = "datasets:\n  # first\n  x: {owner: ops}\n"


def test_what_was_said_of_it_by_both_is_no_end_of_a_removal(database: Database) -> None:
    say(database, OURS)
    mine = read_text(OURS.replace("# first", "# mine").replace("ops", "data"))
    stage(database, "ann", mine.blueprint, comments=comments_of(mine))
    say(database, OURS.replace("# first", "# theirs"))
    stage_removal(database, "ann", load_blueprint(database).datasets["x"].uid)
    apply_staged(database, "ann", load_staged(database, "ann"), author="ann", settings=SETTINGS)
    assert not load_blueprint(database).datasets
    assert "# theirs" in "".join(load_sources(database).values())


def staged_and_theirs(database: Database, mine: str, theirs: str) -> str:
    """What is applied in the end where one stages, and another applies before that is applied."""
    say(database, OURS)
    document = read_text(mine)
    stage(database, "ann", document.blueprint, comments=comments_of(document))
    say(database, theirs)
    apply_staged(database, "ann", load_staged(database, "ann"), author="ann", settings=SETTINGS)
    return shown(database, "x")


def test_what_others_say_while_an_edit_waits_stays_when_it_is_applied(database: Database) -> None:
    theirs = "datasets:\n  # first\n  # NEVER drop this table\n  x: {owner: ops, description: said}\n"
    shown = staged_and_theirs(database, "datasets:\n  # first\n  x: {owner: data}\n", theirs)
    assert "  # first\n  # NEVER drop this table\n  x:" in shown and "owner: data" in shown and "said" in shown


def test_comments_that_two_have_changed_are_kept_of_both(database: Database) -> None:
    mine = "datasets:\n  # mine\n  x:\n    owner: data  # asks me\n"
    shown = staged_and_theirs(database, mine, "datasets:\n  # first\n  # theirs\n  x:\n    owner: ops  # asks them\n")
    assert shown == "datasets:\n  # theirs\n  # mine\n  x:\n    # asks me\n    owner: data  # asks them\n"
    assert load_sources(database, owner="ann") == load_sources(database)


def test_a_comment_that_is_taken_away_stays_away_and_another_comes(database: Database) -> None:
    mine, theirs = "datasets:\n  x: {owner: data}\n", "datasets:\n  # first\n  x:\n    owner: ops  # whose\n"
    assert staged_and_theirs(database, mine, theirs) == "datasets:\n  x:\n    owner: data  # whose\n"
