"""Whatever a document says by `was:`, and whatever was before: what it lost by a prune comes back as it was."""

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
