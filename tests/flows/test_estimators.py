"""Estimators by import path, on rows at hand: what is refused, and what is done with text and missing values."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_info

from flows import scoring
from flows.estimators import model_pipeline, new_estimator
from flows.model_sql import LABEL
from flows.training import UnfitRowsError, digest, fit, in_order, split_by_time
from metadata.errors import PilothouseError
from metadata.kinds import Model
from metadata.parts import Estimator
from metadata.rows.models import ModelFeature
from tests.flows.learning import MODEL

PREFIXES = ("sklearn.", "lightgbm.")
FEATURES = (
    ModelFeature(name="line", kind="category"),
    ModelFeature(name="temp", kind="number"),
    ModelFeature(name="wind", kind="number", default=3.0),
)


def rows(count: int = 600, lines: int = 4, seed: int = 0) -> pd.DataFrame:
    """Rows in time order whose label follows line and temperature; one in ten values is missing."""
    draw = np.random.default_rng(seed)
    line = draw.integers(0, lines, count)
    temp = draw.normal(0, 1, count)
    label = (line % 2 + temp + draw.normal(0, 0.5, count) > 0.5).astype(float)
    return pd.DataFrame(
        {
            "id": np.arange(count),
            "at": pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(np.arange(count) // 3, unit="h"),
            "line": np.where(draw.random(count) < 0.1, None, np.array([f"line {n}" for n in line], dtype=object)),
            "temp": np.where(draw.random(count) < 0.1, np.nan, temp),
            "wind": np.full(count, np.nan),
            LABEL: label,
        }
    )


def model(**changes: Any) -> Model:
    return Model.model_validate({**MODEL, **changes})


@pytest.mark.parametrize(
    ("estimator", "code", "words"),
    [
        ({"class": "os.system"}, "PH603", "starts with none of"),
        ({"class": "sklearn.ensemble.HistGradientBoosting"}, "PH604", "did you mean"),
        ({"class": "sklearn.nowhere.Thing"}, "PH604", "no module"),
        ({"class": "sklearn.metrics.roc_auc_score"}, "PH605", "no class"),
        ({"class": "sklearn.cluster.KMeans"}, "PH605", "predict_proba"),
        ({"class": "sklearn.linear_model.LogisticRegression", "params": {"max_itre": 9}}, "PH605", "max_iter"),
    ],
)
def test_an_estimator_that_cannot_be_used_is_explained(estimator: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(PilothouseError, match=words) as refused:
        new_estimator(Estimator.model_validate(estimator), PREFIXES, "binary")
    assert refused.value.fault.code == code


def test_parameters_that_an_estimator_refuses_are_explained() -> None:
    estimator = {"class": "sklearn.ensemble.HistGradientBoostingClassifier", "params": {"max_iter": -1}}
    with pytest.raises(PilothouseError, match="max_iter") as refused:
        fit(model(estimator=estimator), rows(), "at", FEATURES, PREFIXES)
    assert refused.value.fault.code == "PH607"


def test_a_model_that_diverged_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "scores", lambda _model, prepared, _kind: np.full(len(prepared), np.inf))
    with pytest.raises(PilothouseError, match="PH607.*infinity"):
        fit(model(), rows(), "at", FEATURES, PREFIXES)


def test_the_seed_is_the_random_state_where_there_is_one() -> None:
    forest = Estimator.model_validate({"class": "sklearn.ensemble.RandomForestClassifier", "seed": 9})
    assert new_estimator(forest, PREFIXES, "binary").random_state == 9
    bayes = Estimator.model_validate({"class": "sklearn.naive_bayes.GaussianNB", "seed": 9})
    assert not hasattr(new_estimator(bayes, PREFIXES, "binary"), "random_state")


@pytest.mark.parametrize(
    "path",
    [
        "sklearn.linear_model.LogisticRegression",
        "sklearn.ensemble.RandomForestClassifier",
        "sklearn.ensemble.GradientBoostingClassifier",
        "sklearn.ensemble.HistGradientBoostingClassifier",
        "sklearn.neighbors.KNeighborsClassifier",
        "sklearn.tree.DecisionTreeClassifier",
    ],
)
@pytest.mark.parametrize("lines", [4, 400])
def test_text_and_missing_values_suit_every_estimator(path: str, lines: int) -> None:
    fitted = fit(model(estimator={"class": path}), rows(2_000, lines), "at", FEATURES, PREFIXES)
    assert fitted.metrics["roc_auc"] > 0.65
    assert np.isfinite(fitted.test_scores).all()
    strange = pd.DataFrame({"line": ["never seen", None], "temp": [np.inf, np.nan], "wind": [1.0, np.nan]})
    inputs = tuple((item.name, item.kind, item.default) for item in FEATURES)
    assert np.isfinite(scoring.scores(fitted.pipeline, scoring.prepare(strange, inputs), "binary")).all()


def test_a_fit_leaves_cores_to_what_runs_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    class Watched(HistGradientBoostingClassifier):  # type: ignore[misc]
        def fit(self, *arguments: Any) -> Any:
            threads.append(max(pool["num_threads"] for pool in threadpool_info()))
            return super().fit(*arguments)

    monkeypatch.setattr("flows.training.new_estimator", lambda *_: Watched())
    fit(model(), rows(), "at", FEATURES, PREFIXES)
    assert threads == [max(1, len(os.sched_getaffinity(0)) // 2)]


def test_a_fit_is_the_same_each_time_and_its_digest_tells_rows_and_definitions_apart() -> None:
    first, again = (fit(model(), rows(), "at", FEATURES, PREFIXES) for _ in range(2))
    assert (first.test_scores == again.test_scores).all()
    known = digest(model(), FEATURES, rows())
    assert known == digest(model(), FEATURES, rows())
    assert known != digest(model(), FEATURES, rows(seed=1))
    assert known != digest(model(estimator={"class": MODEL["estimator"]["class"], "seed": 4}), FEATURES, rows())


@given(
    hours=st.lists(st.integers(0, 20), min_size=1, max_size=60),
    share=st.floats(0.01, 0.99),
)
def test_no_instant_is_on_both_sides_of_the_split(hours: list[int], share: float) -> None:
    frame = pd.DataFrame({"at": pd.Timestamp("2024-01-01") + pd.to_timedelta(sorted(hours), unit="h")})
    train, test = split_by_time(frame, "at", share)
    assert len(train) + len(test) == len(hours)
    assert len(test) >= 1
    if len(train):
        assert train["at"].max() < test["at"].min()


def test_without_a_test_share_all_rows_are_fitted_on() -> None:
    fitted = fit(model(trained_on={"test": 0}), rows(), "at", FEATURES, PREFIXES)
    assert (len(fitted.train), len(fitted.test), fitted.metrics) == (600, 0, {})


def test_a_label_that_is_not_binary_and_rows_that_do_not_suffice() -> None:
    with pytest.raises(PilothouseError, match="true or false") as refused:
        fit(model(), rows().assign(**{LABEL: 2.0}), "at", FEATURES, PREFIXES)
    assert refused.value.fault.code == "PH608"
    with pytest.raises(UnfitRowsError, match="same label"):
        fit(model(), rows().assign(**{LABEL: 1.0}), "at", FEATURES, PREFIXES)
    with pytest.raises(UnfitRowsError, match="too few"):
        fit(model(), rows(2), "at", FEATURES, PREFIXES)


def test_an_entity_that_is_there_twice_is_refused() -> None:
    doubled = pd.concat([rows(5), rows(5).iloc[[2]]], ignore_index=True)
    with pytest.raises(PilothouseError, match="id=2") as refused:
        in_order(doubled, "at", ["id"], "model late")
    assert refused.value.fault.code == "PH606"


def test_defaults_stand_for_no_value_and_only_for_that() -> None:
    frame = pd.DataFrame({"wind": [np.nan, 7.0, np.inf], "line": [None, "A", ""]})
    found = scoring.prepare(frame, [("wind", "number", 3.0), ("line", "category", "none")])
    assert found["wind"].tolist() == [3.0, 7.0, 3.0]
    assert found["line"].tolist() == ["none", "A", ""]
    bare = scoring.prepare(frame, [("line", "category", None), ("wind", "number", None)])
    assert list(bare.columns) == ["line", "wind"]
    assert bare["line"].tolist() == [None, "A", ""]
    assert np.isnan(bare["wind"].to_numpy()[[0, 2]]).all()


def test_an_unseen_category_is_no_seen_one() -> None:
    frame = rows(400)
    inputs = [("line", "category", "none")]
    prepared = scoring.prepare(frame, inputs)
    pipeline = model_pipeline(new_estimator(Estimator.model_validate(MODEL["estimator"]), PREFIXES, "binary"), inputs)
    pipeline.fit(prepared, frame[LABEL].astype(int))
    columns = pipeline.named_steps["columns"]
    seen = set(columns.transform(prepared)[:, 0])
    unseen = columns.transform(scoring.prepare(pd.DataFrame({"line": ["never seen"]}), inputs))[0, 0]
    assert unseen not in seen


def test_scoring_runs_where_pilothouse_is_not_installed(tmp_path: Path) -> None:
    from pyspark import cloudpickle

    scoring.travel_by_value()
    fitted = pickle.dumps(DummyClassifier().fit([[0], [1]], [0, 1]))
    sent = tmp_path / "function"
    sent.write_bytes(cloudpickle.dumps(scoring.batch_scorer(fitted, (("x", "number", None),), "binary", ("id",))))
    executor = """
import pickle, sys
sys.modules.update(flows=None, metadata=None)
import pyarrow
score = pickle.load(open(sys.argv[1], "rb"))
batch = pyarrow.RecordBatch.from_pydict({"id": ["a", None], "x": [1.0, None]})
print([found.to_pydict() for found in score(iter([batch, batch.slice(0, 0)]))])
"""
    run = subprocess.run([sys.executable, "-c", executor, str(sent)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[{'id': ['a', None], 'score': [0.5, 0.5]}, {'id': [], 'score': []}]"
