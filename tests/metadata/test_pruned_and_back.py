"""Whatever a document says by `was:`, and whatever was before: what it lost by a prune comes back as it was."""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, assume, given, settings
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


def put(database: Database, said: Said) -> Blueprint:
    apply(database, document(said), author="ada", prune=True, settings=Settings())
    return load_blueprint(database)


def uids(blueprint: Blueprint) -> dict[str, str]:
    found = {f"{kind} {key}": value.uid for kind, key, value in blueprint}
    tasks = {f"task {key}": task.uid for one in blueprint.pipelines.values() for key, task in one.tasks.items()}
    return {**found, **tasks}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(SAID, max_size=4), SAID, st.sets(st.sampled_from(KEYS)), st.randoms(use_true_random=False))
def test_what_a_prune_took_comes_back_as_it_was(
    tmp_path: Path, sqlite_template: Path, earlier: list[Said], said: Said, kept: set[str], order: random.Random
) -> None:
    shutil.copy(sqlite_template, tmp_path / "metadata.db")
    database = Database(f"sqlite:///{tmp_path / 'metadata.db'}")
    try:
        for one in earlier:
            with suppress(PilothouseError):
                put(database, one)
        try:
            before = put(database, said)
            put(database, {key: was for key, was in said.items() if key in kept})
            shuffled = list(said.items())
            order.shuffle(shuffled)
            after = put(database, dict(shuffled))
        except PilothouseError:
            assume(False)
        assert uids(after) == uids(before)
    finally:
        database.close()
        for path in tmp_path.iterdir():
            path.unlink()
