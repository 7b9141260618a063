"""What a dataset's own definition does with its columns: keys, partitions, rules. Pure."""

from __future__ import annotations

from collections import defaultdict

from metadata.kinds import Dataset
from metadata.sql_sources import columns_in


def own_uses(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    """What each column is used for, by its lower-case name."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for what, columns in (("merge key", dataset.storage.keys), ("partition", dataset.storage.partition_by)):
        for column in columns:
            found[column.lower()][what] = None
    for name, rule in dataset.quality.items():
        for column in (*rule.unique, *(columns_in(rule.expect) if rule.expect else ())):
            found[column.lower()][f"quality rule {name}"] = None
    return {column: tuple(uses) for column, uses in found.items()}
