"""A home as large as any: 100,000 definitions and 1,000,000 runs of a realistic shape, through the real tables.

Rows are made from the models of the kinds, and written in bulk; nothing is checked or compiled, which takes minutes.
"""

from __future__ import annotations

import random
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, insert, update

from metadata import tables
from metadata.contents import content, content_hash
from metadata.database import Database
from metadata.definitions import (
    LAYOUTS,
    definition,
    reference,
    revision,
    revision_item,
    search_word,
)
from metadata.kinds import SECTIONS, Blueprint, Definition
from metadata.migrations import upgrade
from metadata.reference import Distribution, ModelReference
from metadata.search_index import count_users, summary_of
from metadata.summary import words

NOW = datetime.now(UTC).replace(microsecond=0)
CHUNK = 10_000
AT_ONCE = 1_000
"""Definitions of one revision."""
SUBJECTS = (
    "orders", "customers", "invoices", "payments", "shipments", "returns", "carriers", "flights", "weather",
    "planes", "airports", "tickets", "seats", "baggage", "crew", "fuel", "routes", "delays", "sensors", "meters",
    "alarms", "outages", "contracts", "claims", "policies", "quotes", "agents", "branches", "visits", "sessions",
    "clicks", "carts", "coupons", "reviews", "stores", "shelves", "stock", "suppliers", "batches", "recipes"
)  # fmt: skip
SIDES = (
    "daily", "hourly", "eu", "us", "apac", "retail", "online", "raw", "clean", "joined", "latest", "history",
    "summary", "by_region", "by_day"
)  # fmt: skip
OWNERS = ("ops", "bi", "finance", "logistics", "pricing", "science", "risk", "web")
TAGS = ("pii", "legacy", "hourly", "audited", "external", "gold_standard", "experimental")
REFERENCE = ModelReference(
    features={}, test_features={}, score=Distribution(kind="numeric", slices=()), performance={"roc_auc": 0.7}
).model_dump(mode="json")
STATES = ("succeeded",) * 92 + ("failed",) * 5 + ("cancelled",) * 2 + ("lost",)
Place = tuple[str, str, Definition]


@dataclass(frozen=True)
class Size:
    """How many definitions, and how many runs."""

    definitions: int = 100_000
    runs: int = 1_000_000


@dataclass
class Big:
    """What was made: places by kind, and edges of lineage and references between them."""

    places: dict[str, list[Place]]
    references: list[dict[str, str]]
    edges: list[dict[str, str]]


def fill(database: Database, size: Size, seed: int = 1) -> Big:
    """Make the tables, and fill them."""
    upgrade(database)
    chance = random.Random(seed)
    big = _blueprint(size.definitions, chance)
    with database.write() as connection:
        _write(connection, big)
        _write_state(connection, big, chance)
    with database.rebuild() as connection, _WithoutIndexes(connection, tables.run):
        _bulk(connection, tables.run, _runs(big, size.runs, chance))
    with database.write() as connection:
        connection.execute(update(tables.counter).values(value=size.runs + size.definitions))
    return big


def _blueprint(count: int, chance: random.Random) -> Big:
    big = Big(defaultdict(list), [], [])
    third, models = count // 5, count * 3 // 100

    def uid() -> str:
        return str(uuid.UUID(int=chance.getrandbits(128)))

    def add(kind: str, key: str, /, **body: Any) -> Place:
        tags = chance.sample(TAGS, chance.choice((0, 0, 1, 2)))
        said = {"owner": chance.choice(OWNERS), "tags": tags, "uid": uid(), **body}
        made = Blueprint.model_validate({SECTIONS[kind]: {key: said}}).get(kind, key)
        assert made is not None
        big.places[kind].append((kind, key, made))
        return kind, key, made

    def uses(place: Place, path: str, other: Place) -> None:
        big.references.append({"from_uid": place[2].uid, "path": path, "to_uid": other[2].uid})

    for number in range(max(count // 200, 1)):
        add("connection", f"landing_{number:04}", kind="files", path=f"landing/{number:04}")
    for layer in ("bronze", "silver", "gold"):
        for number in range(third):
            _dataset(add, layer, number, chance)
    bronze, silver, gold = (big.places["dataset"][at * third : (at + 1) * third] for at in range(3))
    for number in range(third):
        hot = bronze[min(int(chance.expovariate(1 / 200)), third - 1)]
        _pipeline(add, uses, big, (bronze[number], hot, silver[number], gold[number]), uid)
    for number in range(models):
        _learning(add, uses, big, number, gold[number], silver[number])
    left = count - sum(map(len, big.places.values()))
    for number, pipeline in enumerate(big.places["pipeline"][:left]):
        schedule = add(
            "schedule", f"nightly.of_{number:05}", pipeline=pipeline[1], cron=f"{number % 60} {number % 24} * * *"
        )
        uses(schedule, "pipeline", pipeline)
    return big


def _dataset(add: Callable[..., Place], layer: str, number: int, chance: random.Random) -> None:
    subject, side = SUBJECTS[number % len(SUBJECTS)], SIDES[number // len(SUBJECTS) % len(SIDES)]
    mode = {"bronze": "append", "silver": "merge", "gold": "overwrite"}[layer]
    add(
        "dataset",
        f"{layer}.{subject}_{side}_{number:05}",
        description=f"{subject} {side.replace('_', ' ')}, number {number} of the {layer} layer",
        layer=layer,
        columns={"id": "long", "at": "timestamp", f"{subject}_amount": "double", "region": "string"},
        storage={"mode": mode, "keys": ["id"] if mode == "merge" else []},
        quality={"known": {"expect": f"{subject}_amount IS NOT NULL", "otherwise": "warn"}},
        fresh_within=chance.choice((None, "1 d", "7 d")),
    )


def _pipeline(
    add: Callable[..., Place],
    uses: Callable[[Place, str, Place], None],
    big: Big,
    datasets: Sequence[Place],
    uid: Callable[[], str],
) -> None:
    raw, hot, clean, summed = datasets
    name = clean[1].removeprefix("silver.")
    tasks = {"clean": uid(), "summarise": uid()}
    join = "" if hot is raw else f" LEFT JOIN {hot[1]} h ON h.id = r.id"
    sql = f"SELECT r.*, upper(r.region) AS region_code FROM {raw[1]} r{join}"
    made = add(
        "pipeline",
        f"build.{name}",
        description=f"builds {name.replace('_', ' ')}",
        tasks={
            "clean": {"kind": "transform", "to": clean[1], "sql": sql, "uid": tasks["clean"]},
            "summarise": {
                "kind": "transform",
                "to": summed[1],
                "sql": f"SELECT region, count(*) AS many FROM {clean[1]} GROUP BY region",
                "uid": tasks["summarise"],
            },
        },
    )
    sources = {"clean": {raw[2].uid: raw, hot[2].uid: hot}, "summarise": {clean[2].uid: clean}}
    for task, target in (("clean", clean), ("summarise", summed)):
        uses(made, f"tasks.{task}.to", target)
        for source in sources[task].values():
            uses(made, f"tasks.{task}.sql", source)
            big.edges.append(_edge(made, source, target, task, tasks[task]))


def _learning(
    add: Callable[..., Place],
    uses: Callable[[Place, str, Place], None],
    big: Big,
    number: int,
    source: Place,
    scores: Place,
) -> None:
    name, pipeline = f"late_{number:05}", big.places["pipeline"][number]
    features = add(
        "feature_set",
        f"about.{name}",
        **{"from": source[1], "entity": ["id"], "event_time": "at", "features": {"region": None, "many": None}},
    )
    model = add(
        "model",
        name,
        predicts={"label": "many > 5", "from": source[1]},
        features=[features[1]],
        estimator={"class": "sklearn.linear_model.LogisticRegression"},
    )
    monitor = add("monitor", f"watch.{name}", model=name, predictions=scores[1], watch={"features": ["psi"]})
    rule = add("decision", f"when.{name}", after=monitor[1], when="alarms > 3", then={"retrain": name})
    for place, path, other in (
        (features, "source", source),
        (model, "predicts.source", source),
        (model, "features", features),
        (monitor, "model", model),
        (monitor, "predictions", scores),
        (rule, "after", monitor),
        (rule, "then.retrain", model),
    ):
        uses(place, path, other)
    for before, after in ((source, features), (features, model), (model, monitor), (monitor, rule)):
        big.edges.append(_edge(pipeline, before, after, "", ""))


def _edge(pipeline: Place, source: Place, target: Place, task: str, task_uid: str) -> dict[str, str]:
    return {
        "pipeline_uid": pipeline[2].uid,
        "task_uid": task_uid,
        "from_kind": source[0],
        "from_uid": source[2].uid,
        "to_kind": target[0],
        "to_uid": target[2].uid,
        "task_key": task,
        "plan_hash": "p",
    }


def _write(connection: Connection, big: Big) -> None:
    every = [place for places in big.places.values() for place in places]
    log = [each // AT_ONCE + 1 for each in range(len(every))]
    changed = [{"number": number, "at": NOW - timedelta(hours=log[-1] - number)} for number in sorted(set(log))]
    _bulk(connection, revision, (_revision(**each) for each in changed))
    _bulk(connection, definition, (_common(*place, at, log[at]) for at, place in enumerate(every)))
    for kind, places in big.places.items():
        rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for _, _, value in places:
            for name, own in LAYOUTS[kind].to_rows(value.uid, value).items():
                rows[name].extend(own)
        for table in LAYOUTS[kind].tables():
            _bulk(connection, table, iter(rows[table.name]))
    _bulk(connection, reference, iter(big.references))
    words_ = ((value.uid, words(key, value)) for _, key, value in every)
    _bulk(
        connection,
        search_word,
        ({"uid": uid, "word": word, "field": field} for uid, said in words_ for word, field in said.items()),
    )
    count_users(connection, {each["to_uid"] for each in big.references})
    _bulk(connection, tables.lineage_edge, iter(big.edges))
    _bulk(connection, revision_item, (_item(*place, at % AT_ONCE, log[at]) for at, place in enumerate(every)))


def _revision(number: int, at: datetime) -> dict[str, Any]:
    said = {"author": "ops", "note": f"part {number}", "previous": "0" * 64, "hash": f"{number:064x}"}
    return {"number": number, "applied_at": at, "deed": "apply", "changed": number, **said}


def _common(kind: str, key: str, value: Definition, position: int, number: int) -> dict[str, Any]:
    return {
        "uid": value.uid,
        "kind": kind,
        "key": key,
        "position": position,
        "description": value.description,
        "owner": value.owner,
        "tags": list(value.tags),
        "hash": content_hash(value),
        "revision_created": number,
        "revision_changed": number,
        "changed": number,
        **summary_of(key, value),
    }


def _item(kind: str, key: str, value: Definition, position: int, number: int) -> dict[str, Any]:
    place = {"revision": number, "position": position, "uid": value.uid, "kind": kind, "key": key, "key_before": None}
    return {**place, "before": None, "after": content(value)}


def _write_state(connection: Connection, big: Big, chance: random.Random) -> None:
    """What most datasets hold, versions of the models, and what their rules decided."""
    written = [place for place in big.places["dataset"] if chance.random() < 0.9]
    _bulk(connection, tables.dataset_state, (_state(place, chance) for place in written))
    _bulk(
        connection, tables.model_version, (_version(place, 1 + at) for place in big.places["model"] for at in range(2))
    )
    aliases = ((place, alias) for place in big.places["model"] for alias in ("challenger", "champion"))
    _bulk(connection, tables.alias_history, (_alias(place, alias) for place, alias in aliases))
    rules = [place for place in big.places["decision"] for _ in range(4)]
    _bulk(connection, tables.decision, (_decision(place, 1 + at, chance) for at, place in enumerate(rules)))


def _state(place: Place, chance: random.Random) -> dict[str, Any]:
    at = NOW - timedelta(minutes=chance.randrange(60 * 24 * 2))
    figures = {"rows": chance.randrange(10_000_000), "version": 7, "sequence": 7, "changed": 1}
    return {
        "dataset_uid": place[2].uid,
        "dataset_key": place[1],
        "columns": [],
        "as_of": at,
        "written_at": at,
        **figures,
    }


def _version(place: Place, version: int) -> dict[str, Any]:
    at = NOW - timedelta(days=30 - version)
    times = dict.fromkeys(("trained_from", "trained_until", "tested_from", "tested_until", "created_at"), at)
    names = {
        "run_id": "r",
        "task_run_id": "t",
        "tracking_run_id": "m",
        "source": "s",
        "digest": "d",
        "metric": "roc_auc",
    }
    figures = {
        "rows_trained": 800,
        "rows_tested": 200,
        "metric_value": 0.7,
        "features": [],
        "reference": REFERENCE,
        "changed": 1,
    }
    return {"model_uid": place[2].uid, "model_key": place[1], "version": version, **times, **names, **figures}


def _alias(place: Place, alias: str) -> dict[str, Any]:
    said = {"author": "ops", "reason": "", "as_of": NOW, "at": NOW, "changed": 1}
    return {"model_uid": place[2].uid, "alias": alias, "version": 1 if alias == "champion" else 2, **said}


def _decision(place: Place, number: int, chance: random.Random) -> dict[str, Any]:
    return {
        "id": str(uuid.UUID(int=number)),
        "number": number,
        "run_id": "r",
        "attempt": number,
        "task_key": "decide",
        "rule_uid": place[2].uid,
        "rule_key": place[1],
        "state": chance.choice(("fired", "quiet", "quiet", "quiet", "undecided")),
        "reason": "alarms is 0, not above 3",
        "expression": "alarms > 3",
        "inputs": {"alarms": 0},
        "actions": {"retrain": place[1].removeprefix("when.")},
        "as_of": NOW,
        "decided_at": NOW,
        "waits": False,
        "changed": number,
    }


def _runs(big: Big, count: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    pipelines = [(value.uid, key) for _, key, value in big.places["pipeline"]]
    scheduled, by_hand = {"trigger": "schedule", "author": "ops"}, {"trigger": "manual", "author": "ada"}
    for number in range(1, count + 1):
        uid, key = pipelines[int(len(pipelines) * chance.random() ** 2)]
        started = NOW - timedelta(seconds=30 * (count - number))
        state = "running" if count - number < 3 else chance.choice(STATES)
        yield {
            "id": f"{number:08x}-0000-4000-8000-{chance.getrandbits(48):012x}",
            "number": number,
            "pipeline_uid": uid,
            "pipeline_key": key,
            "bindings": {},
            "attempt": 1,
            **dict.fromkeys(("as_of", "created_at", "started_at"), started),
            **(by_hand if number % 10 == 0 else scheduled),
            "state": state,
            "state_detail": "task clean failed" if state == "failed" else "",
            "ended_at": None if state == "running" else started + timedelta(seconds=20 + number % 90),
            "heartbeat_at": NOW if state == "running" else None,
            "changed": number,
        }


class _WithoutIndexes:
    """Meanwhile the table has none of its indexes: rows come in faster, and each index is made once."""

    def __init__(self, connection: Connection, table: Table) -> None:
        self._connection, self._table = connection, table

    def __enter__(self) -> None:
        for index in self._table.indexes:
            index.drop(self._connection)

    def __exit__(self, *_: object) -> None:
        for index in self._table.indexes:
            index.create(self._connection)


def _bulk(connection: Connection, table: Table, rows: Iterator[dict[str, Any]]) -> None:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == CHUNK:
            connection.execute(insert(table), batch)
            batch = []
    if batch:
        connection.execute(insert(table), batch)
