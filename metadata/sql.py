"""SQL that names datasets by key: which tables a query reads, and what it must not do."""

from __future__ import annotations


def table_keys(sql: str) -> tuple[str, ...]:
    """Keys of the datasets that `sql` reads, in order of appearance, without its own CTEs; empty if it does not parse."""
    raise NotImplementedError(sql)
