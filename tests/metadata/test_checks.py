"""Integrity checks: each code provoked by a small change to a blueprint that passes all of them."""

from __future__ import annotations

from importlib import resources
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metadata.checks import Finding, check
from metadata.checks.catalogue import codes
from metadata.checks.view import View
from metadata.documents import read_text
from metadata.kinds import SECTIONS, Blueprint, Definition
from tests.metadata.blueprints import ORDERS, REMOVED, definitions, orders

FLIGHTS = resources.files("metadata.blueprints").joinpath("flights.yaml").read_text(encoding="utf-8")
TASKS = "pipelines/orders/tasks"


def changed(**changes: Any) -> Blueprint:
    """The orders blueprint with values by path, steps joined by `/`."""
    return orders(changes, "/")


def found(**changes: Any) -> list[Finding]:
    return check(changed(**changes), estimator_prefixes=["sklearn."])


def test_columns_are_followed_through_however_many_datasets_in_a_row() -> None:
    many = 350
    datasets = {"d0": {"columns": {"x": "long"}}, **{f"d{n}": {} for n in range(1, many)}}
    tasks = {f"t{n}": {"kind": "transform", "to": f"d{n}", "sql": f"SELECT * FROM d{n - 1}"} for n in range(1, many)}
    body = {"datasets": datasets, "pipelines": {"p": {"tasks": tasks}}}
    known = View.of(Blueprint.model_validate(body)).known(f"d{many - 1}")
    assert known is not None and known.columns == ("x",)


@pytest.mark.parametrize(
    "path",
    ["sklearn.ensemble.HistGradientBoostingClassifier", "sklearn.linear_model._logistic.LogisticRegression",
     "sklearn.tree._tree.Tree", "sklearn.model_selection.HalvingGridSearchCV", "not_installed.here.Model"],
)  # fmt: skip
def test_an_estimator_that_is_there_or_of_which_nobody_can_tell_passes(path: str) -> None:
    body = changed(**{"models/returns/estimator/class": path})
    assert check(body, estimator_prefixes=["sklearn.", "not_installed."]) == []


@pytest.mark.parametrize(
    "when",
    ["alarms / (rows - alarms) > 0.5", "size(psi) == 3 || worst(psi) > 0.25", "rows > 1000000000",
     "psi.filter(name, psi[name] > 0.2).size() > 1 && psi.map(name, psi[name])[0] < 9",
     "champion == null || champion.roc_auc - performance.roc_auc > 0.02", "psi.amount == null || psi.amount > 0.1",
     "1 / (performance.roc_auc - 0.5) > 0", "(rows > 5 ? 'many' : 'few') == 'many'"],
)  # fmt: skip
def test_a_rule_that_can_decide_passes_though_it_seldom_does(when: str) -> None:
    assert found(**{"decisions/retrain/when": when}) == []


@pytest.mark.parametrize(
    "when",
    ["params.on && int(params.text) > 3", "params.day > '2026-01-01' || params.as_of < '2026-01-01'",
     "params.n > 7 || double(params.text) > 0.5", "params.text.startsWith('x')",
     'decisions["retrain"] && tasks["retrain returns"].trained == 1'],
)  # fmt: skip
def test_a_guard_that_can_decide_passes(when: str) -> None:
    types = {"on": "boolean", "text": "string", "day": "date", "n": "int"}
    parameters = {name: {"type": type_} for name, type_ in types.items()}
    findings = found(**{f"{TASKS}/train/when": when, "pipelines/orders/parameters": parameters})
    assert {each.code for each in findings} == {"PH122"}, "a schedule gives them no value"


def test_what_is_given_to_an_estimator_and_the_case_of_words_are_its_own() -> None:
    layers = {"models/returns/estimator/params": {"hidden_layer_sizes": [8, 8], "of": {"these": ["a", "a"]}}}
    assert found(**layers, **{"connections/landing/nulls": ["na", "NA"], "models/returns/tags": ["a", "A"]}) == []


@pytest.mark.parametrize(
    ("path", "entries", "severity"),
    [("datasets/silver.orders/storage/keys", ["order_id", "order_id"], "error"),
     ("datasets/silver.orders/storage/partition_by", ["customer", "CUSTOMER"], "error"),
     ("datasets/silver.orders/quality", {"one": {"unique": ["order_id", "order_id"]}}, "error"),
     ("feature_sets/order_context/entity", ["order_id", "order_id"], "error"),
     ("feature_sets/order_context/features/mean_30d/by", ["customer", "customer"], "error"),
     ("datasets/silver.orders/tags", ["a", "a"], "warning"),
     ("connections/landing/nulls", ["-", "-"], "warning"),
     ("monitors/returns_watch/watch/performance", ["roc_auc", "roc_auc"], "warning"),
     (f"{TASKS}/decide/decisions", ["retrain", "retrain"], "warning"),
     (f"{TASKS}/clean/after", ["ingest", "ingest"], "warning")],
)  # fmt: skip
def test_a_repeat_is_an_error_among_columns_alone(path: str, entries: Any, severity: str) -> None:
    assert {each.severity for each in found(**{path: entries}) if each.code == "PH119"} == {severity}


@pytest.mark.parametrize(
    ("entry", "told"),
    [("password=hunter2abc", "password=•••password••• is there twice"), ("  \n", "an empty text is there twice"),
     ("two\nlines", "two lines is there twice"), ("x" * 500, "x" * 57 + "… is there twice")],
)  # fmt: skip
def test_what_is_listed_twice_is_told_in_a_line_without_secrets(entry: str, told: str) -> None:
    (finding,) = (each for each in found(**{"datasets/silver.orders/tags": [entry, entry]}) if each.code == "PH119")
    assert finding.cause == told


def test_rules_that_differ_in_the_case_of_a_text_are_two() -> None:
    rules = {"big": {"expect": "customer <> 'A'"}, "small": {"expect": "customer <> 'a'"}}
    assert found(**{"datasets/bronze.orders/quality": rules}) == []


def test_nothing_is_wrong_with_blueprints_that_are_right() -> None:
    assert check(orders(), estimator_prefixes=["sklearn."]) == []
    document = read_text(FLIGHTS)
    assert check(document.blueprint, estimator_prefixes=["sklearn."], locations=document.locations) == []


def transform(sql: str, to: str = "silver.orders", **more: Any) -> dict[str, Any]:
    return {"kind": "transform", "to": to, "sql": sql, "reads": {"bronze.orders": "new"}, **more}


CLEAN = "SELECT order_id, customer, ordered_at, amount, returned FROM bronze.orders"
ALL_OFF = {f"{TASKS}/{task}/enabled": False for task in ORDERS["pipelines"]["orders"]["tasks"]}
ONLY_WATCHED = ALL_OFF | {f"{TASKS}/{task}/enabled": True for task in ("watch", "decide")}
STORED = {"storage": {"mode": "merge", "keys": ["order_id"]}}

PROVOKED: list[tuple[str, dict[str, Any], str, str]] = [
    ("PH110", {f"{TASKS}/clean/to": "silver.order"}, "no dataset silver.order", "did you mean silver.orders?"),
    ("PH110", {f"{TASKS}/clean/sql": "SELECT order_id FROM bronze.ordes"}, "bronze.ordes", "bronze.orders"),
    ("PH110", {"schedules/orders_daily/pipeline": "ordres"}, "no pipeline ordres", "did you mean orders?"),
    ("PH110", {"models/returns/features": ["order_contxt"]}, "no feature set", "did you mean order_context?"),
    ("PH111", {f"{TASKS}/ingest/from/connection": "crm"}, "crm is a database", "name a table"),
    ("PH111", {f"{TASKS}/ingest/from": {"connection": "landing", "table": "t"}}, "landing is a folder", "name files"),
    ("PH112", {f"{TASKS}/ingest/after": ["clean"]}, "clean → ingest|ingest → clean", "dependencies"),
    ("PH112", {f"{TASKS}/ingest/after": ["ingest"]}, "ingest → ingest", "dependencies"),
    ("PH113", {f"{TASKS}/clean/after": ["ingst"]}, "the task ingst", "did you mean ingest?"),
    ("PH113", {f"{TASKS}/ingest": REMOVED}, "reads bronze.orders, which no other task writes", "let a task write"),
    ("PH114", {"datasets/features.orders/was": "x", "datasets/silver.orders/was": "x"}, "it was x", "keep one"),
    ("PH114", {f"{TASKS}/clean/was": "x", f"{TASKS}/train/was": "x"}, "it was x", "keep one"),
    (
        "PH114",
        {f"{TASKS}/clean/was": "x", "pipelines/b/tasks/t": transform(CLEAN, was="orders/x")},
        "was orders/x, and so does clean of pipeline orders",
        "keep one",
    ),
    ("PH115", {f"{TASKS}/My Task": transform(CLEAN, after=["clean"])}, "'My Task' is no key", "lower-case"),
    ("PH115", {f"{TASKS}/again\n": transform(CLEAN, after=["clean"])}, "'again\\n' is no key", "lower-case"),
    ("PH116", {f"{TASKS}/decide2": {"kind": "decide", "decisions": ["retrain"]}}, "retrain returns", "decide"),
    ("PH117", {f"{TASKS}/clean/reads": {"bronze.orders": "new", "silver.orders": "new"}}, "reads names", "bronze"),
    ("PH118", {"datasets/bronze.orders/owner": "depot\0north"}, "holds a NUL character", "another value"),
    ("PH118", {"models/returns/estimator/seed": 2**70}, "more than 64 bits", "another value"),
    ("PH118", {f"datasets/{'k' * 300}": {}}, "a name of 300 characters, 255 at most", "another value"),
    ("PH119", {"datasets/silver.orders/storage/keys": ["order_id", "Order_ID"]},
     "Order_ID is there twice (as order_id)", "keep one"),
    ("PH119", {"datasets/bronze.orders/tags": ["a", "b", "a", "a"]}, "a is there 3 times", "keep one of them"),
    ("PH119", {"connections/landing/nulls": ["", "-", ""]}, "an empty text is there twice", "what was meant"),
    ("PH119", {"monitors/returns_watch/watch/features": ["psi", "psi"]}, "psi is there twice", "keep one of them"),
    ("PH119", {f"{TASKS}/clean/after": ["ingest", "ingest"]}, "ingest is there twice", "keep one of them"),
    ("PH120", {f"{TASKS}/clean/sql": "SELECT * FROM text.`/etc/passwd`"}, "names a path", "one SELECT"),
    ("PH120", {f"{TASKS}/clean/sql": "SELECT 1;\nDROP TABLE x"}, "semicolon", "one query"),
    ("PH121", {f"{TASKS}/clean/sql": CLEAN.replace("amount", "amont")}, "no column amont", "did you mean amount?"),
    ("PH122", {f"{TASKS}/clean/sql": f"{CLEAN} WHERE ordered_at > :sinc"}, ":sinc", "did you mean since?"),
    ("PH122", {"pipelines/orders/parameters/since/default": "soon"}, "to be a date", "mend"),
    ("PH122", {"pipelines/orders/parameters/as_of": {"type": "date"}}, "as_of", "another name"),
    ("PH122", {"schedules/orders_daily/parameters": {"sinc": "2024-01-01"}}, "no parameter sinc", "since?"),
    ("PH122", {"pipelines/orders/parameters/n": {"type": "int"}}, "parameter n has no value", "give one"),
    ("PH122", {f"{TASKS}/train/when": "params.sinc == '1'"}, "params.sinc", "since?"),
    ("PH123", {"datasets/bronze.orders/quality/q": {"expect": "x IN (SELECT 1)"}}, "holds a query", "transform"),
    ("PH123", {"datasets/bronze.orders/quality/has_id/expect": "(Amount)"}, "(Amount) is a double, neither", "compare"),
    ("PH123", {"datasets/bronze.orders/quality/has_id/expect": "amount + 1"}, "amount + 1 is neither", "compare"),
    ("PH123", {"datasets/bronze.orders/quality/has_id/expect": "'amount > 1'"}, "1' is neither", "compare"),
    ("PH123", {"models/returns/predicts/label": "reflect('a', 'b')"}, "function reflect", "leave it out"),
    ("PH123", {"models/returns/predicts/label": "max(returned)"}, "more than its own row", "transform"),
    ("PH123", {"models/returns/predicts/label": "(Ordered_at)"}, "is a timestamp, and a label is a number", "compare"),
    ("PH160", {"feature_sets/order_context/features/ordered_at": {},
               "feature_sets/order_context/event_time": "order_id"}, "it is a timestamp, and a feature", "hour("),
    ("PH160", {"feature_sets/order_context/features/hour/expr": "ordered_at"}, "it is a timestamp, and a", "hour("),
    ("PH160", {"feature_sets/order_context/features/amount/default": "abc"}, "its default is a text", "a number"),
    ("PH123", {"feature_sets/order_context/features/hour/expr": "hour("}, "no Spark SQL", "one Spark SQL"),
    ("PH123", {"datasets/bronze.orders/quality/has_id/expect": "amount < 3 * avg(amount)"}, "more than its own", ""),
    ("PH123", {"datasets/bronze.orders/quality/has_id/expect": "lag(amount) OVER (ORDER BY order_id) < 1"}, "more than",
     "transform"),
    ("PH123", {"datasets/bronze.orders/quality/has_id/expect": "json_tuple(customer, 'a') = 'b'"}, "more than", ""),
    ("PH124", {"datasets/silver.orders/storage/keys": ["order_idd"]}, "no column order_idd", "order_id?"),
    ("PH124", {"datasets/silver.orders/storage/partition_by": ["day"]}, "no column day", "there are"),
    ("PH124", {"datasets/bronze.orders/quality/q": {"expect": "amout > 0"}}, "no column amout", "amount?"),
    ("PH124", {"datasets/bronze.orders/quality/q": {"unique": ["ordr_id"]}}, "no column ordr_id", "order_id?"),
    ("PH124", {"feature_sets/order_context/entity": ["id"]}, "no column id", ""),
    ("PH124", {"feature_sets/order_context/event_time": "ordered"}, "no column ordered", "ordered_at?"),
    ("PH124", {"feature_sets/order_context/features/hour/expr": "hour(orderd_at)"}, "orderd_at", "ordered_at?"),
    ("PH124", {"feature_sets/order_context/features/amounts": {}}, "no column amounts", "amount?"),
    ("PH124", {"models/returns/predicts/label": "retuned"}, "no column retuned", "returned?"),
    ("PH124", {"datasets/features.orders/storage/keys": ["order_key"]}, "no column order_key", "order_id?"),
    ("PH124", {"datasets/predictions.returns/storage/keys": ["ordr_id"]}, "no column ordr_id", "order_id?"),
    ("PH125", {"datasets/bronze.orders/columns/_batch": "long"}, "_batch begins with _", "another name"),
    ("PH125", {"datasets/bronze.orders/columns/Amount": "long"}, "there twice", "keep one"),
    ("PH125", {"datasets/bronze.orders/columns/a b": "long"}, "no column name", "letters"),
    ("PH125", {f"{TASKS}/clean/sql": CLEAN.replace("amount", "amount, 1 AS _x")}, "column _x", "another name"),
    ("PH126", {f"{TASKS}/clean/sql": CLEAN.replace(", returned", "")}, "does not give the column returned", ""),
    ("PH126", {f"{TASKS}/clean/sql": CLEAN.replace("returned", "returned, 1 AS one")}, "the column one", "declare"),
    ("PH127", {"datasets/bronze.orders/columns/amount": "decimal(50,2)"}, "amount is decimal(50,2)", "p from 1 to 38"),
    ("PH127", {"datasets/bronze.orders/columns/amount": {"type": "decimal(39, 0)"}}, "decimal(39, 0)", "to 38"),
    ("PH127", {"datasets/bronze.orders/columns/amount": "decimal(2,5)"}, "decimal(2,5)", "s no more than p"),
    ("PH127", {"datasets/bronze.orders/columns/amount": "decimal(0,0)"}, "decimal(0,0)", "p from 1"),
    ("PH130", {"datasets/features.orders/storage/keys": []}, "no keys", "add keys"),
    ("PH131", {"datasets/silver.orders/storage": {}, f"{TASKS}/clean/reads": {}}, "appended", "read new batches"),
    ("PH131", {"datasets/silver.orders/storage": {},
               f"{TASKS}/clean/reads": {"bronze.orders": {"batches": "new", "again": 1}}}, "read again", "merge"),
    ("PH131", {f"{TASKS}/ingest/from": {"connection": "crm", "table": "t"}}, "whole table", "add a watermark"),
    ("PH131", {f"{TASKS}/ingest/from": {"connection": "crm", "table": "t",
               "watermark": {"column": "u", "lookback": "2 d"}}}, "lookback reads rows again", "merge by keys"),
    ("PH132", {"datasets/silver.orders/storage": {"mode": "overwrite"}}, "only new batches", "append or merge"),
    ("PH133", {"datasets/bronze.orders/quality/same": {"expect": "order_id  is not null"}}, "the same", "keep one"),
    ("PH134", {f"{TASKS}/again": transform(CLEAN)}, "silver.orders is written by clean too", "after: [clean]"),
    ("PH135", {"datasets/predictions.returns/storage": {"mode": "overwrite"}}, "replace all others", "[order_id]"),
    ("PH135", {"datasets/predictions.returns/storage/keys": ["score"]}, "lack order_id", "keys: [order_id]"),
    ("PH135", {"datasets/predictions.returns/storage": {}, "models/other": ORDERS["models"]["returns"],
               f"{TASKS}/guess": {"kind": "infer", "model": "other", "to": "predictions.returns",
               "after": ["predict"]}},
     "of returns too", "dataset of its own"),
    ("PH136", {f"{TASKS}/ingest/from": {"connection": "crm", "table": "t", "watermark": {"column": "ordered_at"}}},
     "never read", "a lookback"),
    ("PH150", {"connections/crm/url": "postgresql://u:hunter22@db/x"}, "url is to be a reference", "env:NAME"),
    ("PH150", {"connections/crm/url": "env:"}, "url is to be a reference", "env:NAME"),
    ("PH150", {"connections/landing/path": "s3a://AKIAIOSFODNN7EXAMPLE:abc/x"}, "credential", "env:NAME"),
    ("PH150", {"models/returns/estimator/params": {"password": "hunter22"}}, "credential", "env:NAME"),
    ("PH150", {"datasets/bronze.orders/description": "ask with password=hunter2222"}, "credential", "change"),
    ("PH150", {"datasets/bronze.orders/owner": "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8"}, "credential", "change"),
    ("PH150", {"datasets/bronze.orders/owner": "q7Zk3Lw9Xv2Nf8Rt4Yb6Hs1Mc5Jd0PgUaE"}, "credential", "change"),
    ("PH122", {"pipelines/orders/parameters/n": {"type": "int", "default": float("inf")}}, "to be a int, not inf", ""),
    ("PH122", {"pipelines/orders/parameters/n": {"type": "int", "default": 1e30}}, "to be a int, not 1e+30", ""),
    ("PH151", {"connections/landing/path": "../secrets"}, "leads out", "below the data root"),
    ("PH151", {"connections/landing/path": "/etc"}, "leads out", "below the data root"),
    ("PH151", {"connections/landing/path": "file:///etc"}, "no object store", "there are"),
    ("PH151", {"connections/landing/path": "s3a://b/../c"}, "leads out", "below the data root"),
    ("PH151", {f"{TASKS}/ingest/from/files": "../*.csv"}, "leads out of its folder", "pattern of names"),
    ("PH152", {f"{TASKS}/ingest/from/files": "orders-*"}, "what kind of file", "csv, json or parquet"),
    ("PH153", {"schedules/orders_daily/cron": "0 6 * *"}, "has 4 fields", "0 6 2 * *"),
    ("PH153", {"schedules/orders_daily/cron": "0 66 * * *"}, "is no cron", "0 6 2 * *"),
    ("PH153", {"schedules/orders_daily/cron": "0 6 31 2 *"}, "'0 6 31 2 *'", "0 6 2 * *"),
    ("PH153", {"schedules/orders_daily/cron": "0 6 LW * *"}, "does not know", "0 6 2 * *"),
    ("PH153", {"schedules/orders_daily/cron": "0 6 * * 5L"}, "does not know", "0 6 2 * *"),
    ("PH153", {"schedules/orders_daily/cron": "0 6 * * 1,5#2"}, "does not know", "0 6 2 * *"),
    ("PH154", {"schedules/orders_daily/timezone": "Europe/Berln"}, "Europe/Berln", "Europe/Berlin?"),
    ("PH154", {"pipelines/orders/timezone": "../etc/passwd"}, "no time zone", ""),
    *(
        ("PH154", {"pipelines/orders/timezone": name}, f"no time zone {name}", "")
        for name in ("posixrules", "localtime", "Factory", "right/UTC")
    ),
    ("PH155", {"datasets/silver.orders/fresh_within": "0 d"}, "0 d is no length of time", "leave it out"),
    ("PH155", {"models/returns/trained_on": {"window": "0 months"}}, "0 months is no length", "leave it out"),
    ("PH155", {f"{TASKS}/clean/timeout": "0.0000001 s"}, "0.0000001 s is no length", "leave it out"),
    ("PH160", {"feature_sets/order_context/features/mean_30d": {"expr": "avg(amount)", "by": ["customer"]}},
     "by and known_after belong to a window", "over: 30 d"),
    ("PH160", {"feature_sets/order_context/features/mean": {"expr": "avg(amount)"}}, "it aggregates", "over"),
    ("PH160", {"feature_sets/order_context/features/m": {"expr": "amount", "over": "3 d", "by": ["customer"],
               "known_after": "1 d"}}, "needs an aggregate", "avg(m)"),
    ("PH160", {"feature_sets/order_context/features/mean_30d/known_after": None}, "not be known yet", "known_after"),
    ("PH160", {"feature_sets/order_context/features/mean_30d/by": []}, "rows of everybody", "by"),
    ("PH160", {"feature_sets/order_context/features/mean_30d/over": "0 d"}, "shorter than a second", "over: 30 d"),
    ("PH160", {"feature_sets/order_context/features/mean_30d/over": "0 months"}, "shorter than a second", "over"),
    ("PH161", {"models/returns/estimator/class": "os.system"}, "os.system", "sklearn."),
    ("PH161", {"models/returns/estimator/class": "sklearn.linear_model.LogisticRegresion"},
     "sklearn.linear_model has no LogisticRegresion", "did you mean LogisticRegression?"),
    ("PH161", {"models/returns/estimator/class": "sklearn.linear_modle.Ridge"}, "no module", "mean linear_model?"),
    ("PH161", {"models/returns/estimator/class": "sklearn./etc/passwd.x"}, "is no import path", "package.module"),
    ("PH162", {"models/returns/metric": "rmse"}, "no metric of a binary model", "predicts.kind: regression"),
    ("PH162", {"monitors/returns_watch/watch/performance": ["roc_auk"]}, "roc_auk", "roc_auc?"),
    ("PH162", {"monitors/returns_watch/watch": {}}, "watches nothing", "performance"),
    ("PH162", {"monitors/returns_watch/window": "0 d"}, "shorter than a second", "day, week, month"),
    ("PH162", {"monitors/returns_watch/window": "0 months"}, "shorter than a second", "day, week, month"),
    ("PH162", {"monitors/returns_watch/window": "0.0000001 s"}, "shorter than a second", "day, week, month"),
    ("PH164", {"monitors/returns_watch/predictions": "silver.orders"}, "no infer task", "name predictions.returns"),
    ("PH165", {f"{TASKS}/train": REMOVED}, "trains returns", "kind: train"),
    ("PH166", {"decisions/retrain/then": {"hold": "publsh"}}, "no task publsh", "there are"),
    ("PH166", {"decisions/retrain/then": {"hold": "ingest"}}, "ingest reads no dataset", "reads one"),
    ("PH167", {f"{TASKS}/features": REMOVED}, "no task materialises", "kind: features"),
    ("PH168", {f"{TASKS}/decide": REMOVED}, "no decide task asks it", "decide"),
    ("PH168", {f"{TASKS}/watch": REMOVED}, "no monitor task measures it", "monitor"),
    ("PH169", {"decisions/retrain/then": {"hold": "train"}}, "as bad in its cooldown", "rule of its own"),
    ("PH172", {"decisions/retrain/then": {"retrain": "returns", "promote": "returns"}}, "only what it", "leave"),
    ("PH173", {f"{TASKS}/join": {"kind": "transform", "to": "gold.totals", "reads": {"bronze.orders": "new",
               "silver.orders": "new"}, "sql": "SELECT * FROM bronze.orders AS a NATURAL JOIN silver.orders AS b"},
               "datasets/gold.totals": {"storage": {"mode": "append"}}}, "never meet", "read all of one"),
    ("PH170", {"decisions/retrain/when": "performance.roc_auc <"}, "no CEL", "mend"),
    ("PH170", {"decisions/retrain/when": "perf.roc_auc < 1"}, "no input perf", "performance"),
    ("PH170", {"decisions/retrain/when": "'yes'"}, "names no input, and it gives 'yes', not true or false", "compare"),
    ("PH170", {f"{TASKS}/train/when": "1"}, "it gives 1.0, not true or false", "compare an input"),
    ("PH170", {"decisions/retrain/when": "psi.exists(x, psi.all(y, y > x))"}, "another macro", "worst"),
    ("PH170", {f"{TASKS}/train/when": "champ == null"}, "no input champ", "champion"),
    ("PH170", {"decisions/retrain/when": 'performance.roc_auc < "x"'}, "never decide: it cannot be eval", "figures"),
    ("PH170", {"decisions/retrain/when": "performance[0] > 1"}, "nothing is found under '0'", "figures"),
    ("PH170", {"decisions/retrain/when": 'rows > "5"'}, "not defined for the given operand types", "figures"),
    ("PH170", {"decisions/retrain/when": "rows + 1"}, "not true or false", "compare"),
    ("PH170", {"decisions/retrain/when": "rows.all > 1"}, "rows.all is missing", "compare"),
    ("PH170", {"decisions/retrain/when": "psi.amount && true"}, "never decide", "compare"),
    ("PH170", {f"{TASKS}/train/when": "tasks.clean.rows"}, "it gives 0.5, not true or false", "compare"),
    ("PH170", {f"{TASKS}/train/when": 'decisions["retrain"] > 0.5'}, "not defined for", "compare"),
    ("PH170", {f"{TASKS}/train/when": "params.as_of > 5"}, "not defined for", "compare"),
    ("PH171", {"decisions/retrain/when": "performance.rmse < 1"}, "nobody measures performance.rmse", ""),
    ("PH171", {"decisions/retrain/when": "worst(null_rate) > 1"}, "does not watch null_rate", "watch"),
    ("PH171", {"decisions/retrain/when": "psi.amonut > 1"}, "psi.amonut", "amount?"),
    ("PH171", {f"{TASKS}/train/when": 'decisions["retrian"]'}, "decisions.retrian", "retrain?"),
    ("PH171", {f"{TASKS}/train/when": "tasks.claen.rows > 0"}, "tasks.claen", "clean?"),
    ("PH171", {f"{TASKS}/train/when": "'claen' in tasks"}, "tasks.claen", "clean?"),
    ("PH168", {f"{TASKS}/watch/enabled": False}, "task orders/watch, which measures it, is off", "enable task watch"),
    ("PH168", {f"{TASKS}/decide/enabled": False}, "task orders/decide, which asks it, is off", "enable task decide"),
    ("PH174", {f"{TASKS}/ingest/enabled": False}, "reads bronze.orders as task ingest wrote", "enable task ingest"),
    ("PH174", {f"{TASKS}/features/enabled": False}, "reads features.orders as task features", "enable task features"),
    ("PH174", {f"{TASKS}/train/enabled": False}, "train, which trains returns, is off", "this rule too"),
    ("PH174", {"monitors/returns_watch/enabled": False}, "it is not asked", "enable returns_watch"),
    ("PH174", ALL_OFF, "none of its tasks is on", "disable this pipeline"),
    ("PH174", ONLY_WATCHED | {"monitors/returns_watch/enabled": False}, "anything to look at", "what it looks at"),
    ("PH174", {"decisions/retrain/then": {"hold": "clean"}, f"{TASKS}/clean/enabled": False}, "nothing", "`hold` out"),
    ("PH175", {"connections/landing/enabled": False}, "needs connection landing, which is off", "this task too"),
    ("PH175", {"datasets/silver.orders/enabled": False}, "needs dataset silver.orders", "disable this feature set"),
    (
        "PH175",
        {"datasets/features.orders/enabled": False, f"{TASKS}/features/enabled": False},
        "dataset features.orders, which is off: feature set order_context is",
        "enable features.orders, or disable this model too",
    ),
    ("PH175", {"models/returns/enabled": False}, "needs model returns", "disable this decision"),
    ("PH175", {f"{TASKS}/train/when": "decisions['retrain']", "decisions/retrain/enabled": False}, "is off", "guard"),
    ("PH175", {f"{TASKS}/train/when": "tasks.clean.rows > 0", f"{TASKS}/clean/enabled": False}, "clean is off", "too"),
]  # fmt: skip


HELD = {
    "decisions/retrain/then": {"hold": "publish"},
    "decisions/retrain/cooldown": REMOVED,
    "datasets/gold.totals": {"storage": {"mode": "overwrite"}},
    "datasets/gold.report": {"storage": {"mode": "overwrite"}},
    "datasets/gold.published": {"storage": {"mode": "merge", "keys": ["order_id"]}},
    f"{TASKS}/sum": {"kind": "transform", "to": "gold.totals", "sql": "SELECT count(*) AS n FROM bronze.orders"},
}


@pytest.mark.parametrize(
    ("source", "read", "beside", "refused"),
    [
        ("bronze.orders", "all", "", False),
        ("bronze.orders", "new", "", False),
        ("predictions.returns", "new", "", False),
        ("predictions.returns", "all", "", False),
        ("predictions.returns", "new", "silver.orders", False),
        ("silver.orders", "new", "", True),
        ("silver.orders", "all", "", True),
        ("silver.orders", "new", "bronze.orders", True),
        ("gold.totals", "all", "", True),
    ],
)
def test_only_what_hides_nothing_while_it_waits_can_be_held(source: str, read: str, beside: str, refused: bool) -> None:
    sql = f"SELECT a.* FROM {source} AS a" + (f" CROSS JOIN {beside} AS b" if beside else "")
    to = "gold.published" if read == "new" else "gold.report"
    publish = {"kind": "transform", "to": to, "sql": sql, "reads": {source: read}}
    findings = found(**HELD, **{f"{TASKS}/publish": publish})
    assert [(each.code, f"reads {source}, " in each.cause) for each in findings] == [("PH166", True)] * refused


@pytest.mark.parametrize(("code", "changes", "cause", "remedy"), PROVOKED)
def test_each_check_finds_what_it_is_for(code: str, changes: dict[str, Any], cause: str, remedy: str) -> None:
    findings = found(**changes)
    matching = [
        each
        for each in findings
        if each.code == code and any(word in each.cause for word in cause.split("|")) and remedy in each.remedy
    ]
    assert matching, [str(each) for each in findings]


def test_every_code_of_a_check_is_documented_and_provoked() -> None:
    assert {code for code, *_ in PROVOKED} == {code for code in codes() if code >= "PH110"}


@pytest.mark.parametrize("kind", ["decimal(38,38)", "decimal(38, 0)", "decimal(1,0)", "decimal(01,1)"])
def test_decimals_that_spark_knows_are_taken(kind: str) -> None:
    assert found(**{"datasets/bronze.orders/columns/amount": kind}) == []


def test_a_decimal_that_spark_does_not_know_is_found_at_its_line() -> None:
    text = "datasets:\n  a:\n    columns:\n      x: int\n      y: 'decimal(50,2)'\n      z: {type: 'decimal(2,5)'}\n"
    document = read_text(text, "f.yaml")
    findings = check(document.blueprint, locations=document.locations)
    assert [(each.code, each.file, each.line) for each in findings] == [("PH127", "f.yaml", 5), ("PH127", "f.yaml", 6)]


@pytest.mark.parametrize(
    "text", ["exists(array(1, amount), x -> x > 0)", "aggregate(array(1, 2), 0, (a, b) -> a + b) > 1"]
)
def test_functions_of_arrays_are_no_aggregates(text: str) -> None:
    assert found(**{"datasets/bronze.orders/quality/has_id/expect": text}) == []


def test_predictions_may_be_appended_or_have_more_keys() -> None:
    storage = "datasets/predictions.returns/storage"
    assert found(**{storage: {"mode": "append"}}) == []
    assert found(**{storage: {"mode": "merge", "keys": ["ordered_at", "ORDER_ID"]}}) == []


def test_a_secret_is_not_repeated() -> None:
    findings = found(**{"connections/crm/url": "postgresql://u:hunter22@db/x"})
    assert findings and not any("hunter22" in str(each) for each in findings)


@pytest.mark.parametrize(
    "text",
    ["sklearn.ensemble.HistGradientBoostingClassifier", "see https://example.org/a/very/long/path/to/some/page-of-docs",
     "SELECT customer_identification_number_of_order", "env:PASSWORD", "The password is asked for at launch."],
)  # fmt: skip
def test_what_only_looks_a_little_like_a_secret_passes(text: str) -> None:
    assert found(**{"datasets/bronze.orders/description": text}) == []


def test_columns_that_may_still_come_are_warnings() -> None:
    severities = {
        finding.severity
        for finding in found(
            **{"datasets/bronze.orders/schema_drift": "evolve", f"{TASKS}/clean/sql": CLEAN.replace("amount", "amont")}
        )
        if finding.code == "PH121"
    }
    assert severities == {"warning"}


def test_an_alias_is_not_the_column_that_was_renamed() -> None:
    columns = {"order_id": "long", "customer": "string", "ordered_at": "timestamp", "amount": "double"}
    findings = found(
        **{
            "datasets/bronze.orders/columns/amount": REMOVED,
            "datasets/bronze.orders/columns/sum": "double",
            "datasets/silver.orders/columns": columns,
            f"{TASKS}/clean/sql": CLEAN.replace("amount, returned", "2 * amount AS amount"),
            "models/returns/predicts/label": "amount > 1",
        }
    )
    assert [(each.code, each.cause) for each in findings] == [("PH121", "there is no column amount")]


def test_columns_are_known_through_transforms_that_declare_none() -> None:
    findings = found(
        **{
            "datasets/gold.a": {"storage": {"mode": "overwrite"}},
            "datasets/gold.b": {"storage": {"mode": "overwrite"}},
            f"{TASKS}/a": {"kind": "transform", "to": "gold.a", "sql": "SELECT customer AS who FROM silver.orders"},
            f"{TASKS}/b": {"kind": "transform", "to": "gold.b", "sql": "SELECT whom FROM gold.a"},
        }
    )
    assert [(each.code, each.remedy) for each in findings] == [("PH121", "did you mean who?")]


def test_findings_carry_file_and_line() -> None:
    text = FLIGHTS.replace("FROM silver.flights\n", "FROM silver.fligths\n")
    document = read_text(text, "flights.yaml")
    (finding,) = check(document.blueprint, locations=document.locations)
    assert finding.file == "flights.yaml"
    assert "sql: |" in text.splitlines()[finding.line - 1]
    assert finding.thing == "pipeline flights tasks.summarise.sql"


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from("abcdef"), definitions(), min_size=1, max_size=5))
def test_any_blueprint_is_answered(named: dict[str, tuple[str, Definition]]) -> None:
    sections: dict[str, dict[str, Definition]] = {}
    for key, (kind, value) in named.items():
        sections.setdefault(SECTIONS[kind], {})[key] = value
    findings = check(Blueprint().model_copy(update=sections), estimator_prefixes=["sklearn."])
    assert all(finding.code in codes() and finding.cause and finding.remedy for finding in findings)
    severities = [finding.severity for finding in findings]
    assert severities == sorted(severities)


@pytest.mark.parametrize(
    "off",
    [
        {f"{TASKS}/clean/sql": "SELECT nothing FROM nowhere WHERE (", f"{TASKS}/clean/enabled": False},
        {f"{TASKS}/decide/enabled": False, "decisions/retrain/when": "perf <", "decisions/retrain/enabled": False},
        {"pipelines/orders/enabled": False, f"{TASKS}/ingest/after": ["clean"]},
        {"schedules/orders_daily/enabled": False},
        {"monitors/returns_watch/enabled": False, "monitors/returns_watch/watch": {}},
    ],
)
def test_what_is_off_is_in_nobodys_way(off: dict[str, Any]) -> None:
    assert [str(each) for each in found(**off) if each.severity == "error"] == []


def test_a_task_whose_set_is_off_is_not_said_to_read_what_it_does_not_read() -> None:
    off = {"feature_sets/order_context/enabled": False, f"{TASKS}/features/reads": {"silver.orders": "all"}}
    codes = {each.code for each in found(**off)}
    assert "PH175" in codes and "PH117" not in codes


def test_names_and_secrets_are_looked_at_whether_it_is_off_or_not() -> None:
    off = found(**{f"{TASKS}/clean/to": "silver.order", f"{TASKS}/clean/enabled": False})
    assert "PH110" in {each.code for each in off}
    pasted = {"description": "ask with password=hunter2222", "enabled": False}
    assert "PH150" in {each.code for each in found(**{"datasets/mine": pasted})}
