"""A pipeline whose Spark job burns for hours, to be cancelled, killed or overtaken."""

from __future__ import annotations

from tests.flows.house import House

SLOW = """
connections:
  grid: {{kind: files, path: {name}}}
datasets:
  bronze.{name}: {{columns: {{n: long}}}}
  gold.{name}: {{storage: {{mode: overwrite}}}}
pipelines:
  {name}:
    tasks:
      ingest: {{kind: ingest, from: {{connection: grid, files: "*.csv"}}, to: bronze.{name}}}
      burn:
        kind: transform
        to: gold.{name}
        timeout: {timeout}
        sql: |
          SELECT sum(sin(a.n * b.n) + c.n) AS burnt
          FROM (SELECT n FROM bronze.{name} DISTRIBUTE BY n) AS a
          CROSS JOIN bronze.{name} AS b CROSS JOIN bronze.{name} AS c
"""
"""Burns for hours. A Spark task is stopped between two rows that it reads; of a file it reads 4,096 at once."""


def slow_pipeline(house: House, name: str, timeout: str = "10 min") -> None:
    """Apply it under this name, its rows landed."""
    house.apply(SLOW.format(name=name, timeout=timeout))
    house.land(name, "n.csv", "n\n" + "\n".join(str(n) for n in range(6_000)))
