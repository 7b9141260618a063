"""Compiling pipelines of 1,000 and of 5,000 tasks: CPU seconds, and how they grow.

Run: python -m tests.benchmarks.bench_compile

Alternates the two sizes and takes the best of each, so that a busy machine counts less. The SQL was read before, as it
was when the blueprint was applied; reading and checking it the first time is shown beside. What was there before is
kept from the garbage collector, whose work would otherwise be counted with ours.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

from metadata.checks import check
from metadata.compiler import compile_plan
from metadata.kinds import Blueprint

ROUNDS = 5


def blueprint(size: int) -> Blueprint:
    """A pipeline of `size` tasks: layers of transforms that each read two of the layer before, and models on them."""
    width = 50
    datasets: dict[str, Any] = {}
    tasks: dict[str, Any] = {"ingest": {"kind": "ingest", "from": {"connection": "in", "files": "a-*.csv"}, "to": "d0"}}
    sets: dict[str, Any] = {}
    models: dict[str, Any] = {}
    for number in range(size):
        key = f"d{number}"
        datasets[key] = {"columns": {"k": "long", "t": "timestamp", "x": "double"}}
        datasets[key]["storage"] = {"mode": "merge", "keys": ["k"]}
        if number % 10 == 9:
            sets[key] = {"from": f"d{number - 1}", "entity": ["k"], "event_time": "t", "features": {"x": {}}}
            tasks[f"t{number}"] = {"kind": "features", "set": key, "to": key}
            models[key] = {
                "predicts": {"label": "x > 1", "from": f"d{number - 1}"},
                "features": [key],
                "estimator": {"class": "sklearn.linear_model.LogisticRegression"},
            }
            tasks[f"m{number}"] = {"kind": "train", "model": key}
        elif number:
            left, right = max(0, number - width), max(0, number - width // 2)
            sql = f"SELECT a.k, a.t, a.x + {number} AS x FROM d{left} AS a LEFT JOIN d{right} AS b ON a.k = b.k"
            tasks[f"t{number}"] = {"kind": "transform", "to": key, "sql": sql}
        if len(tasks) >= size:
            break
    return Blueprint.model_validate(
        {
            "connections": {"in": {"kind": "files", "path": "in"}},
            "datasets": datasets,
            "feature_sets": sets,
            "models": models,
            "pipelines": {"p": {"tasks": tasks}},
        }
    )


def seconds(work: Callable[[], object]) -> float:
    """How long it takes, in CPU seconds."""
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    """Print the figures."""
    small, large = blueprint(1_000), blueprint(5_000)
    first = seconds(lambda: check(large))
    again = seconds(lambda: check(large))
    gc.collect()
    gc.freeze()
    best = {"small": float("inf"), "large": float("inf")}
    for _ in range(ROUNDS):
        best["small"] = min(best["small"], seconds(lambda: compile_plan(small, "p")))
        best["large"] = min(best["large"], seconds(lambda: compile_plan(large, "p")))
    hashing = seconds(lambda: compile_plan(large, "p").hash)
    print(f"check 5,000 tasks    {first:7.2f} s the first time, {again:.2f} s again")
    print(f"compile 1,000 tasks  {best['small']:7.3f} s")
    print(f"compile 5,000 tasks  {best['large']:7.3f} s  (at most 1 s), {hashing:.2f} s with its hash")
    print(f"growth               {best['large'] / best['small']:7.2f}    (5 is linear)")


if __name__ == "__main__":
    main()
