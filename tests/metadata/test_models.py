"""Model versions and aliases: one holder an alias, every change kept, nothing recorded twice."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metadata.database import Database
from metadata.errors import PilothouseError
from metadata.rows.models import (
    Appointment,
    ModelFeature,
    ModelVersion,
    alias_changes,
    challenger,
    champion,
    get_version,
    promote,
    promoted_by,
    record_version,
    versions,
)

UID = "11111111-1111-1111-1111-111111111111"
AT = datetime(2024, 2, 1, tzinfo=UTC)


def made(number: int, **changes: Any) -> ModelVersion:
    values: dict[str, Any] = {
        "model_uid": UID,
        "version": number,
        "model_key": "late",
        "run_id": f"run-{number}",
        "task_run_id": f"task-{number}",
        "tracking_run_id": "t" * 32,
        "source": f"models:/late-1111/{number}",
        "trained_from": AT,
        "trained_until": AT + timedelta(days=20),
        "tested_from": AT + timedelta(days=20, microseconds=1),
        "tested_until": AT + timedelta(days=25),
        "rows_trained": 800,
        "rows_tested": 200,
        "metric": "roc_auc",
        "metric_value": 0.7,
        "digest": "d" * 64,
        "features": (
            ModelFeature(name="line", kind="category"),
            ModelFeature(name="temp", kind="number", default=5.0),
            ModelFeature(name="stop", kind="category", default="none"),
        ),
        "reference": {"performance": {"roc_auc": 0.7}},
        "created_at": AT + timedelta(days=30),
    }
    return ModelVersion(**{**values, **changes})


def by(run: str | None = "run-1", reason: str = "trained") -> Appointment:
    return Appointment(run, "tests", reason, AT)


def test_the_first_that_may_serve_becomes_champion_and_later_ones_challenge(database: Database) -> None:
    assert champion(database, UID) is None
    assert record_version(database, made(1, metric_value=None), by(), serves=False) == "challenger"
    assert champion(database, UID) is None
    assert record_version(database, made(2), by("run-2"), serves=True) == "champion"
    assert challenger(database, UID) is None
    assert record_version(database, made(3), by("run-3"), serves=True) == "challenger"
    assert champion(database, UID) == made(2)
    assert challenger(database, UID) == made(3)
    assert versions(database, UID) == [made(3), made(2), made(1, metric_value=None)]
    assert get_version(database, UID, 1).metric_value is None


def test_recording_again_changes_nothing_and_names_the_same_alias(database: Database) -> None:
    record_version(database, made(1), by(), serves=True)
    record_version(database, made(2), by("run-2"), serves=True)
    before = alias_changes(database, UID)
    assert record_version(database, made(1), by(), serves=True) == "champion"
    assert record_version(database, made(2), by("run-2"), serves=True) == "challenger"
    assert alias_changes(database, UID) == before


def test_another_model_under_a_number_that_is_recorded_is_told(database: Database) -> None:
    record_version(database, made(1), by(), serves=True)
    with pytest.raises(PilothouseError, match="PH612 .*another model under this number"):
        record_version(database, made(1, digest="other"), by("run-2"), serves=True)


def test_a_promotion_moves_the_alias_once_and_says_who_held_it(database: Database) -> None:
    record_version(database, made(1), by(), serves=True)
    record_version(database, made(2), by("run-2"), serves=True)
    assert promoted_by(database, UID, "run-2") is None
    assert promote(database, UID, 2, by("run-2", "better")) is True
    assert promote(database, UID, 2, by("run-2", "better")) is False
    assert champion(database, UID) == made(2)
    assert challenger(database, UID) is None
    newest = alias_changes(database, UID)
    assert [(change.alias, change.version, change.previous) for change in newest[:2]] == [
        ("challenger", None, 2),
        ("champion", 2, 1),
    ]
    assert newest[1].reason == "better" and newest[1].author == "tests"
    assert promoted_by(database, UID, "run-2") == 2
    assert promoted_by(database, UID, "run-1") is None


def test_what_is_not_recorded_cannot_serve(database: Database) -> None:
    with pytest.raises(PilothouseError, match="not recorded") as refused:
        promote(database, UID, 7, by())
    assert refused.value.fault.code == "PH610"
    with pytest.raises(PilothouseError):
        get_version(database, UID, 7)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(["serves", "fails", "promote"]), st.integers(1, 5)), max_size=12))
def test_the_history_replayed_gives_who_holds_what(database: Database, steps: list[tuple[str, int]]) -> None:
    """An own model for each example: its champion is the last that was appointed, and never disappears."""
    model_uid = str(uuid.uuid5(uuid.NAMESPACE_OID, repr(steps)))
    known: list[int] = [version.version for version in versions(database, model_uid)]
    expected = champion(database, model_uid)
    serving = expected.version if expected else None
    for what, number in steps:
        if what == "promote":
            if number in known:
                assert promote(database, model_uid, number, by()) == (serving != number)
                serving = number
            continue
        fresh = number not in known
        record_version(database, made(number, model_uid=model_uid), by(), serves=what == "serves")
        if fresh:
            known.append(number)
            serving = number if what == "serves" and serving is None else serving
        held = champion(database, model_uid)
        assert (held.version if held else None) == serving
    replayed: dict[str, int | None] = {}
    for change in reversed(alias_changes(database, model_uid)):
        assert replayed.get(change.alias) == change.previous
        replayed[change.alias] = change.version
    assert replayed.get("champion") == serving
