"""From the key that launches a pipeline to its first task running.

Run: python -m tests.benchmarks.bench_launch [--times 20]

Measured between rows: a run's `created_at`, which `flows.client.launch` writes first, and the `started_at` of its first
task. Each launch waits until the run before has ended. `PILOTHOUSE_TEST_IVY` names a folder that keeps the downloaded
Delta jars.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np

from tests.flows.house import House, fresh_house_with_spark

BLUEPRINT = """
connections:
  quay: {kind: files, path: quay}
datasets:
  bronze.crates: {columns: {id: long, amount: double}}
pipelines:
  crates:
    tasks:
      ingest: {kind: ingest, from: {connection: quay, files: "*.csv"}, to: bronze.crates}
"""


def latencies(house: House, times: int) -> list[float]:
    """Seconds of each launch."""
    house.apply(BLUEPRINT)
    house.land("quay", "first.csv", "id,amount\n1,2.5\n")
    found = []
    for _ in range(times):
        run = house.ended(house.launch("crates"))
        first = min(task.started_at for task in house.tasks(run).values() if task.started_at is not None)
        found.append((first - run.created_at).total_seconds())
    return found


def main() -> None:
    """Print the median and the 95th percentile."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--times", type=int, default=20)
    times = options.parse_args().times
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        jars = Path(os.environ.get("PILOTHOUSE_TEST_IVY") or Path(folder) / "jars")
        with fresh_house_with_spark(Path(folder) / "home", jars) as house:
            found = latencies(house, times)
    print(f"key press to first task, {times} launches")
    print(f"median  {np.median(found):5.2f} s")
    print(f"p95     {np.quantile(found, 0.95):5.2f} s")


if __name__ == "__main__":
    main()
