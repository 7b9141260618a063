"""One field changed on many definitions, and many removed: what comes of it, staged in one go, and the way back."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metadata.bulk import Edited, edited, fields_of, found, removal, said
from metadata.contents import content
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.errors import PilothouseError, UsageError
from metadata.kinds import KIND_MODELS, SECTIONS, Blueprint, Definition
from metadata.revisions import apply, go_back
from metadata.rows.pages import list_definitions, matching
from metadata.rows.staged import load_staged, stage, stage_removals
from metadata.settable import settable
from metadata.undoing import undo_of
from tests.metadata.blueprints import definitions, orders
from tests.metadata.change_sets import SETTINGS, applied, datasets, put

KINDS = list(SECTIONS)


def fields(kind: str) -> list[str]:
    return [each.path for each in settable(KIND_MODELS[kind])]


def uids(blueprint: Blueprint, kind: str = "dataset") -> list[str]:
    return [value.uid for value in getattr(blueprint, SECTIONS[kind]).values()]


def with_uids(**said: dict[str, Any]) -> Blueprint:
    bodies = {key: {"uid": key, **body} for key, body in said.items()}
    return Blueprint.model_validate({"datasets": bodies})


def test_fields_are_those_of_the_kind_and_its_parts_that_one_value_can_be_given_to() -> None:
    by_path = {each.path: each for each in settable(KIND_MODELS["dataset"])}
    assert list(by_path) == [
        *("description", "owner", "tags", "enabled", "layer", "storage.mode", "storage.keys"),
        *("storage.partition_by", "schema_drift", "fresh_within"),
    ]
    assert by_path["layer"].choices == ("bronze", "silver", "gold")
    assert (by_path["layer"].optional, by_path["tags"].many, by_path["owner"].choices) == (True, True, ())
    schedule = {each.path: each for each in settable(KIND_MODELS["schedule"])}
    assert (schedule["enabled"].choices, schedule["pipeline"].refers) == (("true", "false"), "pipeline")
    assert {"predicts.from", "estimator.class", "trained_on.test"} <= set(fields("model"))
    assert fields("connection") == ["description", "owner", "tags", "enabled"], "files and databases share no others"
    assert all({"description", "owner", "tags", "enabled"} <= set(fields(kind)) for kind in KINDS)
    assert not any({"uid", "was", "kind", "columns", "tasks", "parameters"} & set(fields(kind)) for kind in KINDS)


def test_nothing_at_all_is_what_the_model_gives_where_nothing_is_said_but_no_choice_of_some() -> None:
    body = {"uid": "it", "pipeline": "orders", "cron": "0 6 * * *", "timezone": "Europe/Berlin", "enabled": False}
    there = Blueprint.model_validate({"schedules": {"it": body}})
    made = edited(there, "schedule", ["it"], "timezone", "")
    assert made.words == "1 schedule: timezone Europe/Berlin → UTC"
    assert "timezone" not in content(made.document.schedules["it"])
    with pytest.raises(UsageError, match="PH826"):
        edited(there, "schedule", ["it"], "enabled", "")


def test_a_change_is_told_in_a_line() -> None:
    there = with_uids(a={"owner": "ops"}, b={"owner": "ops"}, c={"owner": "data"}, d={})
    made = edited(there, "dataset", [*uids(there), "gone"], "owner", "data")
    assert made.words == "3 datasets: owner ops, nothing → data (1 more has it already, 1 is not there any more)"
    assert list(made.document.datasets) == ["a", "b", "d"]
    assert edited(there, "dataset", ["a"], "layer", "gold").words == "1 dataset: layer nothing → gold"
    assert edited(there, "dataset", ["a"], "tags", '+"-x"').words == '1 dataset: tags +"-x"'
    assert edited(there, "dataset", ["a"], "owner", "").words == "1 dataset: owner ops → nothing"


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        *[("x, y", ("x", "y")), ("+c,+a", ("a", "b", "c")), ("-a", ("b",)), ("+c, -b", ("a", "c")), ("", ())],
        *[("x, x", ("x",)), ('"-y", x', ("-y", "x")), ('+"-y"', ("a", "b", "-y")), ('+ "x, y" , -a', ("b", "x, y"))],
        *[('x"y, z"', ('x"y', 'z"')), ('""', ()), ('-"a"', ("b",))],
    ],
)
def test_a_list_is_given_entries_or_some_are_added_and_taken_out(text: str, tags: tuple[str, ...]) -> None:
    made = edited(with_uids(a={"tags": ["a", "b"]}), "dataset", ["a"], "tags", text)
    assert made.document.datasets["a"].tags == tags


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("laier", "gold", "PH825 laier.*did you mean layer?"),
        ("columns", "x", "PH825 columns"),
        ("columns.x", "string", r"PH825 columns.x: .*did you mean columns\.x\.type\?"),
        ("storage", "append", r"PH825 storage: .*did you mean storage\.mode\?"),
        ("layer", "golden", "PH826 dataset a layer: 'golden' is not what layer can be.*gold"),
        ("fresh_within", "2 fortnights", "PH826 dataset a fresh_within.*is no duration"),
        ("tags", "+a, b", "PH826 tags: 'b' neither adds nor takes out"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(path: str, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        edited(with_uids(a={"columns": {"x": "long"}}), "dataset", ["a"], path, text)


@pytest.mark.parametrize(
    ("kind", "path", "text", "words"),
    [
        ("pipeline", "tasks.clean.enabled", "false", "tasks.clean.enabled true → false"),
        ("pipeline", "tasks.clean.timeout", "2 h", "tasks.clean.timeout nothing → 2 h"),
        ("pipeline", "tasks.clean.after", "+ingest", "tasks.clean.after +ingest"),
        ("pipeline", "tasks.clean.reads.bronze.orders.again", "2", "tasks.clean.reads.bronze.orders.again 0 → 2"),
        ("pipeline", "tasks.ingest.from.files", "*.csv", "tasks.ingest.from.files orders-*.csv → *.csv"),
        ("pipeline", "tasks.features.set", "order_context", ""),
        ("dataset", "quality.has_id.at_most", "1 %", "quality.has_id.at_most 5 % → 1 %"),
        ("feature_set", "features.mean_30d.over", "60 d", "features.mean_30d.over 30 d → 60 d"),
    ],
)
def test_a_field_of_a_task_or_another_entry_is_changed_by_the_path_that_findings_have(
    kind: str, path: str, text: str, words: str
) -> None:
    there = with_uids_of(orders())
    key, value = next((key, value) for one, key, value in there if one == kind)
    made = edited(there, kind, [value.uid], path, text)
    assert made.words.endswith(words) if words else not made.changed
    now = made.document.get(kind, key)
    if now is not None:
        assert edited(made.document, kind, [value.uid], path, text).same == 1
        before, after = content(value), content(now)
        first = path.partition(".")[0]
        assert {name: each for name, each in before.items() if name != first} == {
            name: each for name, each in after.items() if name != first
        }
        assert list(before[first]) == list(after[first])


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("tasks.claen.enabled", "PH825 tasks.claen.enabled: .*did you mean tasks.clean.enabled?"),
        ("tasks.clean", "PH825"),
        ("tasks.clean.kind", "PH825"),
        ("tasks.clean.was", "PH825"),
        ("tasks.clean.uid", "PH825"),
        ("tasks.clean.reads.bronze.orders", "PH825"),
        ("tasks.late.enabled", "PH825 tasks.late.enabled: pipeline orders has no such field"),
    ],
)
def test_an_entry_or_a_field_that_one_of_them_lacks_is_refused(path: str, words: str) -> None:
    there = with_uids_of(orders())
    other = {"uid": "other", "tasks": {"late": {"kind": "decide", "decisions": ["retrain"]}}}
    both = Blueprint.model_validate({"pipelines": {**there.pipelines, "other": other}})
    wanted = ["orders", "other"] if "late" in path else ["orders"]
    with pytest.raises(UsageError, match=words):
        edited(both, "pipeline", wanted, path, "x")
    assert not edited(both, "pipeline", [], "tasks.late.enabled", "false").changed


def with_uids_of(blueprint: Blueprint) -> Blueprint:
    """Its keys for uids."""
    sections = {
        section: {key: value.model_copy(update={"uid": key}) for key, value in getattr(blueprint, section).items()}
        for section in SECTIONS.values()
    }
    return blueprint.model_copy(update=sections)


def text_of(value: Definition, path: str) -> str:
    inner: Any = value.model_dump(mode="json", by_alias=True)
    for step in path.split("."):
        inner = inner[step]
    return ", ".join(inner) if isinstance(inner, list) else "" if inner is None else str(inner)


@settings(deadline=None, max_examples=60)
@given(one=definitions(*KINDS), data=st.data())
def test_the_value_that_something_has_changes_nothing(one: tuple[str, Definition], data: st.DataObject) -> None:
    kind, value = one[0], one[1].model_copy(update={"uid": "it"})
    there = Blueprint.model_validate({SECTIONS[kind]: {"it": value}})
    field = data.draw(st.sampled_from(fields_of([value])))
    text = text_of(value, field.path)
    entries = getattr(value, field.path, ()) if "." not in field.path else None
    if field.many and (
        entries is None
        or len(set(entries)) < len(entries)
        or any(each != each.strip() or not each or each[0] in '+-"' or "," in each for each in entries)
    ):
        return
    if field.optional and not text.strip():
        return
    made = edited(there, kind, ["it"], field.path, text)
    assert (made.changed, made.same) == (0, 1)


CHANGES = st.sampled_from(
    [
        *[("dataset", field, value) for field, value in (("owner", "data"), ("tags", "+x"), ("tags", "-x"))],
        *[("dataset", "fresh_within", "3 d"), ("dataset", "layer", ""), ("pipeline", "description", "y")],
        *[("schedule", "enabled", "false"), ("model", "estimator.seed", "4"), ("monitor", "tags", "a, b")],
        *[("decision", "cooldown", "2 d"), ("connection", "owner", "z"), ("feature_set", "owner", "ö")],
    ]
)


@settings(deadline=None, max_examples=6)
@given(changes=st.lists(CHANGES, min_size=1, max_size=4), staged=st.booleans())
def test_a_change_of_many_is_one_revision_and_going_back_gives_exactly_what_was_there(
    sqlite_template: Path, changes: list[tuple[str, str, str]], staged: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(sqlite_template, f"{folder}/metadata.db")
        database = Database(f"sqlite:///{folder}/metadata.db")
        before = put(database, orders())
        now = before
        for kind, field, value in changes:
            made = edited(now, kind, uids(now, kind), field, value)
            assert made.changed + made.same == len(uids(now, kind))
            if staged:
                stage(database, "ada", made.document)
                now = load_staged(database, "ada").working.blueprint
            else:
                now = now.model_copy(
                    update={SECTIONS[kind]: getattr(now, SECTIONS[kind]) | getattr(made.document, SECTIONS[kind])}
                )
            assert _has(now, made)
        if staged:
            assert applied(database) == now
        else:
            assert put(database, now) == now
        if now != before:
            go_back(database, undo_of(database), author="ada", settings=SETTINGS)
        assert load_blueprint(database) == before
        database.close()


def _has(now: Blueprint, made: Edited) -> bool:
    return all(now.get(made.kind, key) == value for kind, key, value in made.document if kind == made.kind)


def test_only_what_nothing_names_that_stays_is_removed(database: Database) -> None:
    there = put(
        database, orders().model_copy(update={"datasets": {**orders().datasets, **datasets(spare="x").datasets}})
    )
    made = removal(there, "dataset", [*uids(there), "gone"])
    assert list(found(there, "dataset", made.uids)) == ["spare"]
    assert made.kept["bronze.orders"] == "pipeline orders"
    assert made.gone == 1
    assert "4 datasets stay, they are used:" in made.words
    stage_removals(database, "ada", made.uids)
    assert "spare" not in applied(database).datasets


def test_many_are_removed_or_none(database: Database) -> None:
    there = put(database, datasets(a="one", b="two", c="three"))
    with pytest.raises(UsageError, match="PH307"):
        stage_removals(database, "ada", [*uids(there), "gone"])
    found = load_staged(database, "ada")
    assert not found.items
    stage(database, "ada", datasets(a="other"))
    with pytest.raises(PilothouseError, match="PH303"):
        stage_removals(database, "ada", uids(there), found.revision, found.kept)
    found = load_staged(database, "ada")
    stage_removals(database, "ada", uids(there)[:2], found.revision, found.kept)
    assert list(applied(database).datasets) == ["c"]


def test_what_a_filter_matches_is_found_on_every_page(database: Database) -> None:
    there = put(
        database, datasets(**{f"d{number}": {"owner": "odd" if number % 2 else "even"} for number in range(120)})
    )
    assert len(list_definitions(database, "dataset", "owner:odd").items) == 50
    assert matching(database, "dataset", "owner:odd") == {
        there.datasets[f"d{number}"].uid: f"d{number}" for number in range(1, 120, 2)
    }
    assert list(matching(database, "model")) == []


def test_a_schedule_that_is_off_says_so_in_the_list(database: Database) -> None:
    there = put(database, orders())
    schedules = found(there, "schedule", uids(there, "schedule"))
    apply(
        database,
        edited(there, "schedule", uids(there, "schedule"), "enabled", "false").document,
        author="ada",
        settings=SETTINGS,
    )
    assert said(schedules.values(), "enabled") == ("true",)
    assert [row.about.endswith(" (off)") for row in list_definitions(database, "schedule").items] == [True]
