"""Blueprints for tests: one of every kind that passes all checks, and arbitrary definitions."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from metadata.kinds import KIND_MODELS, Blueprint, Definition

ORDERS: dict[str, Any] = {
    "connections": {
        "landing": {"kind": "files", "path": "landing", "nulls": ["NA", ""]},
        "crm": {"kind": "sql", "url": "env:CRM_URL"},
    },
    "datasets": {
        "bronze.orders": {
            "layer": "bronze",
            "columns": {
                "order_id": "long",
                "customer": "string",
                "ordered_at": "timestamp",
                "amount": {"type": "double", "unit": "euro"},
                "returned": "boolean",
            },
            "quality": {"has_id": {"expect": "order_id IS NOT NULL", "otherwise": "quarantine", "at_most": "5 %"}},
        },
        "silver.orders": {
            "description": "One row an order.",
            "owner": "ops",
            "tags": ["daily", "geprüft"],
            "layer": "silver",
            "columns": {
                "order_id": "long",
                "customer": "string",
                "ordered_at": "timestamp",
                "amount": "double",
                "returned": "boolean",
            },
            "storage": {"mode": "merge", "keys": ["order_id"]},
            "fresh_within": "2 d",
        },
        "features.orders": {"layer": "gold", "storage": {"mode": "merge", "keys": ["order_id"]}},
        "predictions.returns": {"layer": "gold", "storage": {"mode": "merge", "keys": ["order_id"]}},
    },
    "feature_sets": {
        "order_context": {
            "from": "silver.orders",
            "entity": ["order_id"],
            "event_time": "ordered_at",
            "features": {
                "amount": {"default": 0},
                "hour": {"expr": "hour(ordered_at)"},
                "mean_30d": {"expr": "avg(amount)", "by": ["customer"], "over": "30 d", "known_after": "1 d"},
            },
        }
    },
    "models": {
        "returns": {
            "predicts": {"label": "returned", "from": "silver.orders", "known_after": "14 d"},
            "features": ["order_context"],
            "estimator": {"class": "sklearn.linear_model.LogisticRegression", "params": {"max_iter": 200}},
        }
    },
    "monitors": {
        "returns_watch": {
            "model": "returns",
            "predictions": "predictions.returns",
            "watch": {"features": ["psi"], "performance": ["roc_auc"]},
        }
    },
    "decisions": {
        "retrain": {
            "after": "returns_watch",
            "when": "performance.roc_auc < champion.roc_auc - 0.02",
            "then": {"retrain": "returns"},
            "cooldown": "30 d",
        }
    },
    "pipelines": {
        "orders": {
            "parameters": {"since": {"type": "date", "default": "2024-01-01"}},
            "tasks": {
                "ingest": {
                    "kind": "ingest",
                    "from": {"connection": "landing", "files": "orders-*.csv"},
                    "to": "bronze.orders",
                },
                "clean": {
                    "kind": "transform",
                    "to": "silver.orders",
                    "sql": "SELECT order_id, customer, ordered_at, amount, returned FROM bronze.orders",
                    "reads": {"bronze.orders": "new"},
                    "retries": 2,
                },
                "features": {"kind": "features", "set": "order_context", "to": "features.orders"},
                "train": {"kind": "train", "model": "returns", "when": "champion == null"},
                "predict": {"kind": "infer", "model": "returns", "to": "predictions.returns"},
                "watch": {"kind": "monitor", "monitor": "returns_watch"},
                "decide": {"kind": "decide", "decisions": ["retrain"]},
            },
        }
    },
    "schedules": {"orders_daily": {"pipeline": "orders", "cron": "0 6 * * *", "timezone": "Europe/Berlin"}},
}


REMOVED = object()


def orders(edits: Mapping[str, Any] = MappingProxyType({}), apart: str = " ") -> Blueprint:
    """A blueprint of every kind, with edits: values by path, steps `apart` by spaces or so; `REMOVED` takes out."""
    return Blueprint.model_validate(orders_document(edits, apart))


def orders_document(edits: Mapping[str, Any] = MappingProxyType({}), apart: str = " ") -> dict[str, Any]:
    """As `orders`, as a document."""
    document: dict[str, Any] = copy.deepcopy(ORDERS)
    for path, value in edits.items():
        *steps, last = path.split(apart)
        place = document
        for step in steps:
            place = place.setdefault(step, {})
        if value is REMOVED:
            place.pop(last, None)
        else:
            place[last] = value
    return document


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.text("\t\n a:#", max_size=6)
_WORD = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
_WORDS = st.lists(_WORD, max_size=3, unique=True)
_DURATION = st.sampled_from(["30 d", "2 h", "3 months", "90 s", "1 year"])
_NUMBER = st.floats(allow_nan=False, allow_infinity=False, width=32)
_SHARE = st.floats(0, 1)
_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _NUMBER | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORD, inner, max_size=3),
    max_leaves=6,
)
_COMMON = {"description": _TEXT, "owner": _TEXT, "tags": st.lists(_TEXT, max_size=3), "enabled": st.booleans()}


def _some(required: dict[str, SearchStrategy[Any]], **optional: SearchStrategy[Any]) -> SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


_FILES = _some(
    {"kind": st.just("files"), "path": _TEXT},
    nulls=st.lists(_TEXT, max_size=3),
    delimiter=st.sampled_from([",", ";", "\t"]),
    header=st.booleans(),
    **_COMMON,
)
_SQL = _some({"kind": st.just("sql"), "url": _TEXT}, **_COMMON)
_COLUMN = _some({"type": st.sampled_from(["int", "decimal(9,2)", "timestamp"])}, unit=_TEXT, description=_TEXT)
_RULE = _some(
    {"expect": _TEXT}, otherwise=st.sampled_from(["warn", "drop"]), at_most=_SHARE, enabled=st.booleans()
) | _some({"unique": st.lists(_WORD, min_size=1, max_size=2)})
_DATASET = _some(
    {},
    layer=st.sampled_from(["bronze", "silver", "gold", None]),
    columns=st.dictionaries(_WORD, _COLUMN, max_size=4),
    storage=_some({}, mode=st.sampled_from(["append", "merge"]), keys=_WORDS, partition_by=_WORDS),
    quality=st.dictionaries(_WORD, _RULE, max_size=3),
    fresh_within=_DURATION,
    **_COMMON,
)
_FEATURE = _some({}, expr=_TEXT, default=_NUMBER | _TEXT, by=_WORDS, over=_DURATION, known_after=_DURATION)
_FEATURE_SET = _some(
    {
        "from": _WORD,
        "entity": st.lists(_WORD, min_size=1, max_size=2),
        "event_time": _WORD,
        "features": st.dictionaries(_WORD, _FEATURE, min_size=1, max_size=5),
    },
    **_COMMON,
)
_MODEL = _some(
    {
        "predicts": _some({"label": _TEXT, "from": _WORD}, kind=st.sampled_from(["binary", "regression"])),
        "features": st.lists(_WORD, min_size=1, max_size=2),
        "estimator": _some({"class": _WORD}, params=st.dictionaries(_WORD, _PLAIN, max_size=4), seed=st.integers(0, 9)),
    },
    trained_on=_some({}, window=_DURATION, min_history=_DURATION, test=_SHARE),
    promote_when=_some({}, better_than_champion_by=_NUMBER, at_least=_NUMBER),
    **_COMMON,
)
_MONITOR = _some(
    {"model": _WORD, "predictions": _WORD, "watch": _some({}, features=st.just(["psi"]), performance=_WORDS)},
    window=st.sampled_from(["day", "month", "10 d"]),
    threshold=_some({"kind": st.just("calibrated")}, sigmas=st.floats(0.5, 5), chunks=st.integers(10, 40))
    | _some({"kind": st.just("fixed"), "limits": st.dictionaries(_WORD, _NUMBER, max_size=2)}),
    **_COMMON,
)
_DECISION = _some(
    {"after": _WORD, "when": _TEXT, "then": _some({"alert": st.just("critical")}, retrain=_WORD, hold=_WORD)},
    cooldown=_DURATION,
    **_COMMON,
)
_AFTER = {"after": _WORDS, "retries": st.integers(0, 20), "timeout": _DURATION, "when": _TEXT, "description": _TEXT}
_AFTER |= {"enabled": st.booleans()}
_READS = st.dictionaries(_WORD, st.sampled_from(["all", "new", {"batches": "new", "again": 2}]), max_size=2)
_TASK = st.one_of(
    _some(
        {"kind": st.just("ingest"), "to": _WORD, "from": _some({"connection": _WORD, "files": _TEXT})},
        **_AFTER,
    ),
    _some(
        {
            "kind": st.just("ingest"),
            "to": _WORD,
            "from": _some(
                {"connection": _WORD, "table": _WORD}, watermark=_some({"column": _WORD}, lookback=_DURATION)
            ),
        },
        **_AFTER,
    ),
    _some({"kind": st.just("transform"), "to": _WORD, "sql": _TEXT}, reads=_READS, **_AFTER),
    _some({"kind": st.just("features"), "set": _WORD, "to": _WORD}, reads=_READS, **_AFTER),
    _some({"kind": st.just("train"), "model": _WORD}, **_AFTER),
    _some({"kind": st.just("decide"), "decisions": st.lists(_WORD, min_size=1, max_size=3)}, **_AFTER),
)
_PIPELINE = _some(
    {"tasks": st.dictionaries(_WORD, _TASK, min_size=1, max_size=5)},
    timezone=st.just("Europe/Berlin"),
    parameters=st.dictionaries(
        _WORD, _some({"type": st.sampled_from(["string", "int"])}, default=_TEXT | st.integers(-9, 9) | st.booleans())
    ),
    **_COMMON,
)
_SCHEDULE = _some(
    {"pipeline": _WORD, "cron": st.just("0 6 * * *")},
    overlap=st.sampled_from(["queue", "skip"]),
    parameters=st.dictionaries(_WORD, _TEXT | st.integers(-9, 9) | st.booleans() | _NUMBER, max_size=3),
    **_COMMON,
)
_ANY: dict[str, SearchStrategy[dict[str, Any]]] = {
    "connection": _FILES | _SQL,
    "dataset": _DATASET,
    "feature_set": _FEATURE_SET,
    "model": _MODEL,
    "monitor": _MONITOR,
    "decision": _DECISION,
    "pipeline": _PIPELINE,
    "schedule": _SCHEDULE,
}


def definitions(*kinds: str) -> SearchStrategy[tuple[str, Definition]]:
    """Any definition of any kind, or of `kinds`, as (kind, definition) with a uid; what it names need not be there."""

    def of(kind: str) -> SearchStrategy[tuple[str, Definition]]:
        return _ANY[kind].map(lambda body: (kind, _model(kind, body)))

    return st.sampled_from(kinds or list(KIND_MODELS)).flatmap(of)


def _model(kind: str, body: dict[str, Any]) -> Definition:
    models = KIND_MODELS[kind]
    chosen = next(
        (
            model
            for model in models
            if model.model_fields.get("kind") and model.model_fields["kind"].default == body.get("kind")
        ),
        models[0],
    )
    return chosen.model_validate({**body, "uid": f"uid-{kind}"})
