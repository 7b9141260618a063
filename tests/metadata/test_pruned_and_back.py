"""Whatever a document says by `was:`, and whatever was before: what a prune or a rename took comes back as it was."""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.errors import PilothouseError
from metadata.kinds import Blueprint
from metadata.revisions import apply
from metadata.settings import Settings

KEYS = "abcd"
HOMES = {"a": "one", "b": "one", "c": "two", "d": "two"}
Said = dict[str, str | None]
"""By key what a dataset, and the task that fills it, was."""
SAID = st.dictionaries(st.sampled_from(KEYS), st.sampled_from([None, *KEYS]), min_size=1)


def document(said: Said) -> Blueprint:
    """Datasets, and a task for each: those of a and b in one pipeline, those of c and d in another."""
    pipelines: dict[str, dict[str, dict[str, object]]] = {}
    for key, was in said.items():
        home = HOMES[key]
        place = was if was is None or HOMES[was] == home else f"{HOMES[was]}/{was}"
        task = {"kind": "transform", "sql": "SELECT 1 AS a", "to": key, "was": place}
        pipelines.setdefault(home, {"tasks": {}})["tasks"][key] = task
    datasets = {key: {"storage": {"mode": "overwrite"}, "was": was} for key, was in said.items()}
    return Blueprint.model_validate({"datasets": datasets, "pipelines": pipelines})


def put(database: Database, said: Said, prune: bool = True) -> Blueprint:
    apply(database, document(said), author="ada", prune=prune, settings=Settings())
    return load_blueprint(database)


def uids(blueprint: Blueprint) -> dict[str, str]:
    found = {f"{kind} {key}": value.uid for kind, key, value in blueprint}
    tasks = {f"task {key}": task.uid for one in blueprint.pipelines.values() for key, task in one.tasks.items()}
    return {**found, **tasks}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(SAID, st.booleans()), max_size=4),
    SAID,
    st.booleans(),
    st.sets(st.sampled_from(KEYS)),
    st.randoms(use_true_random=False),
)
@example([({"a": None, "c": None}, True)], {"a": "c"}, False, {"d"}, random.Random(0))
@example([({"a": None, "b": None}, True)], {"a": "b"}, False, set(), random.Random(0))
def test_what_a_prune_took_comes_back_as_it_was(
    tmp_path: Path,
    sqlite_template: Path,
    earlier: list[tuple[Said, bool]],
    said: Said,
    prune: bool,
    kept: set[str],
    order: random.Random,
) -> None:
    """The document `said` may be one that prunes, or not: then other things went with its own."""
    shutil.copy(sqlite_template, tmp_path / "metadata.db")
    database = Database(f"sqlite:///{tmp_path / 'metadata.db'}")
    try:
        for one, pruned in earlier:
            with suppress(PilothouseError):
                put(database, one, pruned)
        try:
            before = uids(put(database, said, prune))
            put(database, {key: was for key, was in said.items() if key in kept})
        except PilothouseError:
            assume(False)
        shuffled = list(said.items())
        order.shuffle(shuffled)
        after = uids(put(database, dict(shuffled), prune))
        named = [name for name in before if prune or name.split()[1] in (*said, *(HOMES[key] for key in said))]
        assert {name: after[name] for name in named} == {name: before[name] for name in named}
    finally:
        database.close()
        for path in tmp_path.iterdir():
            path.unlink()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(SAID, min_size=1, max_size=3), st.lists(SAID, min_size=1, max_size=2))
@example([{"b": None}], [{"c": "b"}])
@example([{"a": None}, {"d": None}, {"b": "a"}], [{"c": "b"}])
def test_what_was_exported_before_leads_back(
    tmp_path: Path, sqlite_template: Path, earlier: list[Said], then: list[Said]
) -> None:
    """As after `git revert`, as long as it is there; a key that is there stays what it is, though."""
    shutil.copy(sqlite_template, tmp_path / "metadata.db")
    database = Database(f"sqlite:///{tmp_path / 'metadata.db'}")

    def state(said: Said) -> dict[str, str]:
        with suppress(PilothouseError):
            put(database, said)
        return uids(load_blueprint(database))

    try:
        before = [state(one) for one in earlier][-1]
        meanwhile = [state(one) for one in then]
        exported: Said = {key: None for key in KEYS if f"dataset {key}" in before}
        after = uids(put(database, exported)) if exported else {}
        for name, uid in before.items():
            kept = all(each.get(name, uid) == uid for each in meanwhile)
            others = {key for each in meanwhile for key, other in each.items() if other == uid and key != name}
            gone = others and uid not in meanwhile[-1].values()
            if exported and kept and not gone and not others & before.keys():
                assert after[name] == uid, name
    finally:
        database.close()
        for path in tmp_path.iterdir():
            path.unlink()
