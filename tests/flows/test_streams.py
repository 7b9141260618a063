"""A stream whose story is known, run as people run it: poisoned labels, quiet weeks, a break at a known row.

Labels are known a week after their row. From row `POISON` to `HEALED` they are turned round: where the challenger is
trained, but not where it is tested. From row `BREAK` on they are turned round for good. All other weeks are alike.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from flows import client
from metadata.definitions import load_blueprint
from metadata.rows.decisions import decisions_of_run
from metadata.rows.models import champion, versions
from metadata.rows.outcomes import figures_of_run
from metadata.rows.runs import Run
from metadata.states import DecisionState, State
from tests.flows.house import House

pytestmark = pytest.mark.slow

START = datetime(2024, 1, 1, tzinfo=UTC)
PER_WEEK = 1_000
POISON, HEALED, BREAK = 4_000, 4_750, 6_040

BLUEPRINT = """
connections:
  bench: {kind: files, path: bench, nulls: [NA], delimiter: ";"}
datasets:
  lab.trials: {columns: {id: long, at: timestamp, x: double, kind: string, happened: boolean}}
  lab.trial_features: {storage: {mode: merge, keys: [id]}}
  lab.scores: {storage: {mode: merge, keys: [id]}}
feature_sets:
  trial: {from: lab.trials, entity: [id], event_time: at, features: {x: {default: 0}, kind: {}}}
models:
  outcome:
    predicts: {label: happened, from: lab.trials, known_after: 7 d}
    features: [trial]
    estimator: {class: sklearn.linear_model.LogisticRegression, params: {max_iter: 500}}
    trained_on: {window: 1 week, test: 25 %}
monitors:
  outcome_watch:
    model: outcome
    predictions: lab.scores
    window: week
    watch: {features: [psi, null_rate], performance: [roc_auc]}
    threshold: {kind: calibrated, min_rows: 500}
decisions:
  retrain: {after: outcome_watch, when: performance.roc_auc < champion.roc_auc - 0.15, then: {retrain: outcome}}
pipelines:
  lab:
    tasks:
      ingest: {kind: ingest, from: {connection: bench, files: "week *.csv"}, to: lab.trials}
      features: {kind: features, set: trial, to: lab.trial_features, reads: {lab.trials: new}}
      train: {kind: train, model: outcome, when: champion == null}
      score: {kind: infer, model: outcome, to: lab.scores}
      watch: {kind: monitor, monitor: outcome_watch}
      decide: {kind: decide, decisions: [retrain]}
"""


def trials(weeks: int) -> pd.DataFrame:
    """The stream, row by row; a week is `PER_WEEK` rows, evenly spaced."""
    draw, count = np.random.default_rng(11), weeks * PER_WEEK
    row = np.arange(count)
    x, kind = draw.normal(size=count), draw.choice(np.array(["a", "b", "it's; c"]), count)
    happened = draw.random(count) < 1 / (1 + np.exp(-2.5 * x - (kind == "a")))
    return pd.DataFrame(
        {
            "id": row,
            "at": [(START + timedelta(weeks=1) / PER_WEEK * int(number)).isoformat() for number in row],
            "x": np.where(draw.random(count) < 0.05, np.nan, x),
            "kind": kind,
            "happened": happened ^ ((row >= POISON) & (row < HEALED)) ^ (row >= BREAK),
        }
    )


class Lab:
    """The house in which the weeks pass."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.stream = trials(10)
        house.apply(BLUEPRINT)
        self.model = load_blueprint(house.database).models["outcome"].uid

    def week(self, *numbers: int) -> Run:
        """Let the rows of these weeks arrive, and run the pipeline at the end of the last."""
        for number in numbers:
            rows = self.stream.iloc[number * PER_WEEK : (number + 1) * PER_WEEK]
            self.house.land("bench", f"week {number}.csv", rows.to_csv(index=False, sep=";", na_rep="NA"))
        end = START + timedelta(weeks=numbers[-1] + 1)
        run = self.house.ended(client.launch("lab", {}, end, "test"))
        assert run.state == State.SUCCEEDED, run.fault
        return run

    def rule(self, run: Run) -> DecisionState:
        """What became of the rule."""
        return decisions_of_run(self.house.database, run.id)[0].state

    def models(self) -> tuple[int, int]:
        """How many versions there are, and which serves."""
        serving = champion(self.house.database, self.model)
        assert serving is not None
        return len(versions(self.house.database, self.model)), serving.version


def test_a_stream_is_retrained_where_it_breaks_and_a_worse_challenger_is_refused(house: House) -> None:
    lab = Lab(house)
    runs = [lab.week(0, 1, 2, 3, 4)]
    assert lab.models() == (1, 1)

    runs.append(lab.week(5))
    assert (lab.rule(runs[-1]), lab.models()) == (DecisionState.FIRED, (2, 1))
    found = {figure.name: figure for figure in figures_of_run(house.database, runs[-1].id, "compare outcome")}
    assert found["difference"].value is not None and found["difference"].value < -0.5
    assert "version 2 is not better than version 1" in found["better"].text
    assert house.states(runs[-1])["promote outcome"] == State.SKIPPED

    runs.append(lab.week(6))
    assert (lab.rule(runs[-1]), lab.models()) == (DecisionState.QUIET, (2, 1))
    runs.append(lab.week(7))
    assert (lab.rule(runs[-1]), lab.models()) == (DecisionState.FIRED, (3, 3))
    runs.append(lab.week(8))  # the labels that become known now are of rows that the version before has scored
    assert (lab.rule(runs[-1]), lab.models()) == (DecisionState.UNDECIDED, (3, 3))
    runs.append(lab.week(9))
    assert (lab.rule(runs[-1]), lab.models()) == (DecisionState.QUIET, (3, 3))

    figures = [figure for run in runs for figure in figures_of_run(house.database, run.id, "watch")]
    assert [figure.text for figure in figures if figure.name == "alarm" and figure.value] == []
    unseen = 3_001 + versions(house.database, lab.model)[-1].rows_trained
    scored = house.ask("SELECT model_version, count(*), min(id), max(id) FROM lab.scores GROUP BY ALL")
    assert sorted(scored) == [(1, 8_000 - unseen, unseen, 7_999), (3, 2_000, 8_000, 9_999)]
