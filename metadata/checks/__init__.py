"""Integrity checks: what is wrong with a blueprint before it is applied. `catalogue` says what each code means."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from metadata.checks import datasets, keeping, learning, naming, off, outside, pipelines, queries, rules, secrets
from metadata.checks.view import View
from metadata.findings import Finding, Locations
from metadata.kinds import SECTIONS, Blueprint

__all__ = ["Finding", "check"]

_Check = Callable[[View], Iterator[Finding]]
_OF_ALL: tuple[_Check, ...] = (
    naming.check_references,
    naming.check_renames,
    naming.check_keys,
    naming.check_columns,
    naming.check_lists,
    secrets.check_secrets,
    keeping.check_keeping,
    outside.check_paths,
    outside.check_schedules,
    outside.check_parameters,
    outside.check_lengths,
    datasets.check_types,
)
"""What has to be right of a definition that is off, too."""
_OF_WHAT_IS_ON: tuple[_Check, ...] = (
    naming.check_connections,
    datasets.check_storage,
    datasets.check_quality,
    queries.check_queries,
    queries.check_outputs,
    pipelines.check_order,
    pipelines.check_inputs,
    pipelines.check_writers,
    pipelines.check_reading,
    pipelines.check_reach,
    learning.check_feature_sets,
    learning.check_models,
    learning.check_monitors,
    rules.check_decisions,
    rules.check_guards,
    off.check_needs,
    off.check_last_written,
    off.check_idle,
    off.check_not_asked,
)


def check(
    blueprint: Blueprint,
    *,
    estimator_prefixes: Iterable[str] | None = None,
    locations: Locations | None = None,
    removed: Collection[tuple[str, str]] = (),
) -> list[Finding]:
    """Every finding, errors first, then in the order of the blueprint; with file and line where `locations` are given.

    `estimator_prefixes` are those of the settings; None leaves estimators unchecked. `removed` (kind, key) is what
    the change set under examination removes: where that is missed, it is said.
    """
    view = View.of(blueprint, None if estimator_prefixes is None else tuple(estimator_prefixes), removed)
    examined = [(view.written, each) for each in _OF_ALL] + [(view, each) for each in _OF_WHAT_IS_ON]
    found = list(dict.fromkeys(finding for of, examine in examined for finding in examine(of)))
    if locations is not None:
        found = [locations.locate(each, SECTIONS[each.kind]) if each.kind else each for each in found]
    order = {(kind, key): place for place, (kind, key, _) in enumerate(blueprint)}
    return sorted(found, key=lambda each: (each.severity != "error", order.get((each.kind, each.key), -1)))
