"""What is read of one definition tells as much of it as the whole blueprint does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from metadata.checks import check
from metadata.compiler import compile_plan
from metadata.database import Database
from metadata.definitions import load_blueprint, read_blueprint
from metadata.documents import DocumentError, dump_one, read_text
from metadata.findings import Finding
from metadata.form_names import names_for
from metadata.forms import Subject, examine, subject_of
from metadata.kinds import SECTIONS, Blueprint
from metadata.rows import forming, paging
from metadata.rows.forming import choices, findings_in, keys_of, names_in
from metadata.rows.nearby import nearby
from metadata.rows.staged import load_around, load_staged, stage, stage_removals, stage_rename
from tests.metadata.blueprints import orders
from tests.metadata.change_sets import datasets, put
from tests.metadata.test_checks import FLIGHTS, PROVOKED, changed

PREFIXES = ("sklearn.",)


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Database]:
    """A home with two blueprints, and somebody's change set on them."""
    path = tmp_path_factory.mktemp("nearby") / "metadata.db"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    put(database, orders())
    put(database, read_text(FLIGHTS).blueprint)
    there = put(database, datasets(lonely="nobody names it"))
    stage(database, "ada", changed(**{"datasets/new.one": {"columns": {"a": "long"}}}))
    stage_rename(database, "ada", there.datasets["features.orders"].uid, "features.of_orders")
    stage_removals(database, "ada", [there.datasets["lonely"].uid])
    yield database
    database.close()


def in_all(whole: Blueprint, subject: Subject) -> Blueprint:
    """The whole blueprint with the definition of a form in it."""
    made, _ = examine(subject)
    section = SECTIONS[subject.kind]
    return whole.model_copy(update={section: {**getattr(whole, section), subject.key: made}}) if made else whole


def found_in_all(whole: Blueprint, subject: Subject) -> tuple[Finding, ...]:
    found = check(in_all(whole, subject), estimator_prefixes=PREFIXES)
    return tuple(each for each in found if (each.kind, each.key) == (subject.kind, subject.key))


def test_a_definition_is_found_as_wrong_as_among_all(lived_in: Database) -> None:
    whole, base, codes = load_staged(lived_in, "ada").working.blueprint, orders(), set[str]()
    for _, changes, _, _ in PROVOKED:
        for kind, key, value in changed(**changes):
            if value == base.get(kind, key):
                continue
            try:
                subject = subject_of(dump_one(kind, key, value))
            except DocumentError:
                continue
            found = findings_in(lived_in, "ada", subject, PREFIXES)
            told, wanted = (
                [(each.code, each.severity, each.path, each.cause) for each in findings]
                for findings in (found, found_in_all(whole, subject) if examine(subject)[0] else ())
            )
            assert told == wanted, (kind, key)
            codes |= {each.code for each in found}
    assert len(codes) > 30


def test_names_for_a_text_are_those_of_all(lived_in: Database) -> None:
    paths = {
        "pipeline": [("tasks", name, at) for name in ("clean", "train", "bronze", "silver") for at in ("sql", "when")],
        "model": [("predicts", "label")],
        "decision": [("when",)],
        "dataset": [("quality", "has_id", "expect")],
    }
    whole = load_staged(lived_in, "ada").working.blueprint
    for kind, key, value in whole:
        subject = subject_of(dump_one(kind, key, value))
        for path in paths.get(kind, []):
            if subject.at(path[:-1]):
                wanted = names_for(subject, path, in_all(whole, subject))
                assert names_in(lived_in, "ada", subject, path) == wanted, (kind, key, path)


def test_a_pipeline_is_compiled_from_what_is_near_it(lived_in: Database) -> None:
    whole = load_blueprint(lived_in)
    for key, pipeline in whole.pipelines.items():
        with lived_in.read() as connection:
            near = nearby(connection, {pipeline.uid})
            assert compile_plan(read_blueprint(connection, near), key).hash == compile_plan(whole, key).hash
            lonely = whole.datasets["lonely"].uid
            assert lonely not in near
            assert nearby(connection, {lonely}) == {lonely}


def test_a_change_set_reads_no_more_than_what_it_edits(lived_in: Database) -> None:
    whole, found = load_staged(lived_in, "ada"), load_around(lived_in, "ada")
    assert found.items == whole.items
    assert found.clashes == whole.clashes
    assert all(found.text_of(item.uid) == whole.text_of(item.uid) for item in whole.items)
    assert list(load_around(lived_in, "bea").current) == []
    for kind, section in SECTIONS.items():
        assert set(keys_of(lived_in, kind, "ada")) == set(getattr(whole.working.blueprint, section))


def test_a_name_that_is_not_there_is_told_with_what_is(lived_in: Database) -> None:
    for code, changes, cause, remedy in PROVOKED[:4]:
        value = next(each for each in changed(**changes) if each[2] != orders().get(*each[:2]))
        found = findings_in(lived_in, "bea", subject_of(dump_one(*value)), PREFIXES)
        assert [each for each in found if each.code == code and cause in each.cause and remedy in each.remedy]


def test_what_can_be_chosen_is_not_counted(lived_in: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    every = choices(lived_in, "dataset", "", "bea")
    assert len(every) > 1
    monkeypatch.setattr(forming, "MOST_CHOICES", 1)
    monkeypatch.setattr(paging, "count", lambda *_: pytest.fail("rows are counted"))
    assert choices(lived_in, "dataset", "", "bea") == every[:1]
