"""What a new definition begins with, by kind: a text that is to be filled in, with what it needs in its first lines."""

from __future__ import annotations

from metadata.kinds import SECTIONS

_BODIES: dict[str, str] = {
    "connection": """\
    description: Where it comes from.
    kind: files          # or: kind: sql, url: env:NAME_OF_A_VARIABLE
    path: folder         # below the data of this home
""",
    "dataset": """\
    description: One row a …
    layer: bronze        # bronze, silver or gold
    # columns: {id: long, at: timestamp, name: string}
    # storage: {mode: merge, keys: [id]}
    # quality:
    #   has_id: {expect: id IS NOT NULL, otherwise: quarantine}
""",
    "feature_set": """\
    description: What is known when …
    from: a.dataset
    entity: [id]
    event_time: at
    features:
      name: {}
      # mean_30d: {expr: avg(amount), by: [customer], over: 30 d, known_after: 1 d}
""",
    "model": """\
    description: Will it … ?
    predicts: {label: late > 0, from: a.dataset, known_after: 1 d}
    features: [a_feature_set]
    estimator: {class: sklearn.ensemble.HistGradientBoostingClassifier}
    trained_on: {window: 90 d}
""",
    "monitor": """\
    description: Inputs, predictions and what became of them.
    model: a_model
    predictions: a.dataset
    watch: {features: [psi, null_rate], prediction: [psi]}
""",
    "decision": """\
    description: What is done when …
    after: a_monitor
    when: worst(psi) > 0.3
    then: {alert: warning}
""",
    "pipeline": """\
    description: From … to …
    tasks:
      load: {kind: ingest, from: {connection: a_connection, files: "*.csv"}, to: a.dataset}
      # clean:
      #   kind: transform
      #   to: another.dataset
      #   sql: |
      #     SELECT * FROM a.dataset
""",
    "schedule": """\
    description: When the data of … are there.
    pipeline: a_pipeline
    cron: 0 6 * * *
    timezone: UTC
""",
}


def skeleton(kind: str, key: str) -> str:
    """A document with one new definition."""
    return f"{SECTIONS[kind]}:\n  {key}:\n{_BODIES[kind]}"
