"""What a form offers to choose from: definitions and tasks as they will be, keys before all else."""

from __future__ import annotations

import getpass

from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.forms import Subject
from metadata.rows.forming import choices, tasks_in
from metadata.rows.staged import stage_removal, stage_rename

KEY = "bronze.flights"


def test_choices_are_what_there_will_be(database: Database) -> None:
    owner = getpass.getuser()
    blueprint = load_blueprint(database)
    before = {one.key for one in choices(database, "dataset", "", owner)}
    stage_rename(database, owner, blueprint.datasets[KEY].uid, "bronze.landed")
    there = {one.key for one in choices(database, "dataset", "", owner)}
    assert there == before - {KEY} | {"bronze.landed"}
    assert choices(database, "dataset", "landed", owner)[0].key == "bronze.landed"
    assert [one.key for one in choices(database, "dataset", "", "somebody else")] == sorted(before)
    found = [(one.key, one.about) for one in choices(database, "dataset", "pend", owner)]
    assert found[0][0] == "predictions.pending" and ("bronze.weather", "bronze append") in found[1:]
    found = [(one.key, one.about) for one in choices(database, "dataset", "g", owner)]
    assert [key for key, _ in found][:2] == ["gold.delay_by_hour", "features.flight_context"]
    unused = next(key for kind, key, value in blueprint if kind == "schedule")
    stage_removal(database, owner, blueprint.schedules[unused].uid)
    assert unused not in {one.key for one in choices(database, "schedule", "", owner)}


def test_tasks_are_chosen_from_those_of_the_pipeline_or_of_all(database: Database) -> None:
    pipeline = Subject("pipeline", "flights", {"tasks": {"clean": {"kind": "transform"}, "decide": {}, "publish": {}}})
    after = ("tasks", "publish", "after")
    assert [one.key for one in tasks_in(database, pipeline, after, "")] == ["clean", "decide"]
    assert [one.key for one in tasks_in(database, pipeline, after, "de")] == ["decide"]
    offered = tasks_in(database, Subject("decision", "held", {}), ("then", "hold"), "ingest wea")
    assert [(one.key, one.about) for one in offered] == [
        ("ingest_weather", "ingest of flights"),
        ("ingest_weather", "ingest of weather"),
    ]
