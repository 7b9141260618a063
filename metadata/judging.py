"""What becomes of a decision rule over what its monitor measured: alike when it is decided and when it is tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from metadata.cel import evaluate
from metadata.kinds import DecisionRule, Monitor
from metadata.rows.models import ModelVersion
from metadata.rows.outcomes import Measured
from metadata.states import DecisionState
from metadata.values import Period


@dataclass(frozen=True)
class Judgement:
    """What a rule says, why, and the inputs that it saw by their path."""

    state: DecisionState
    reason: str
    inputs: Mapping[str, Any]


def judged(
    rule: DecisionRule, monitor: Monitor, measured: Sequence[Measured], champion: ModelVersion | None
) -> Judgement:
    """Ask a rule about the figures of its monitor in one run, and the version that served then."""
    found = rule_inputs(monitor, measured, champion.version if champion else None)
    verdict = evaluate(rule.when, {**found, "champion": metrics_of(champion)})
    reason = verdict.reason
    if verdict.answer == "undecided" and not measured:
        reason = f"{rule.after} measured nothing in this run"
    elif verdict.answer == "undecided" and champion and not found:
        reason = f"{rule.after} measured nothing of the champion, version {champion.version}, in this run"
    elif verdict.answer == "undecided":
        unknown = next((figure.text for figure in measured if figure.value is None and figure.text), None)
        reason = f"{reason}: {unknown}" if unknown else reason
    state = {"yes": DecisionState.FIRED, "no": DecisionState.QUIET}.get(verdict.answer, DecisionState.UNDECIDED)
    return Judgement(state, reason, verdict.inputs)


def resting(cooldown: Period, as_of: datetime, before: datetime | None, after: datetime | None) -> str:
    """Why a rule does not fire again at `as_of`, given when it has fired `before` and `after`; empty when it does.

    Instants, not the clock: a replay decides as the first time. Runs that come out of order keep the distance too.
    """
    if before is not None and as_of < (until := cooldown.after(before)):
        return f"cooldown until {until:%Y-%m-%d %H:%M} UTC"
    if after is not None and after < cooldown.after(as_of):
        return f"cooldown: it has fired for {after:%Y-%m-%d %H:%M} UTC already"
    return ""


def rule_inputs(monitor: Monitor, measured: Sequence[Measured], champion: int | None) -> dict[str, Any]:
    """`performance`, `psi`, `null_rate`, `prediction` and `rows` of a monitor's figures, and `alarms`: how many
    features lie beyond their thresholds, the scores and metrics of the model counting as one more.

    Each is of the newest window in which it has a value; what has none anywhere is left out, and a rule on it is
    undecided. Windows that were measured with another version than the `champion` are left out too: labels that
    become mature after a promotion tell of the version that went, and the one that came must not pay for it.
    """
    versions = {figure.window_end: figure.value for figure in measured if figure.name == "version"}
    groups: dict[str, dict[str, dict[datetime, float]]] = {}
    for figure in measured:
        place = _place(monitor, figure)
        if place is None or figure.value is None or figure.window_end is None:
            continue
        if champion is not None and versions.get(figure.window_end, champion) != champion:
            continue
        group, name = place
        groups.setdefault(group, {}).setdefault(name, {})[figure.window_end] = figure.value
    inputs: dict[str, Any] = {}
    for group, named in groups.items():
        newest = max(end for values in named.values() for end in values)
        inputs[group] = {name: values[newest] for name, values in named.items() if newest in values}
    if "rows" in inputs:
        inputs["rows"] = inputs["rows"]["rows"]
    if "alarms" in inputs:
        inputs["alarms"] = sum(inputs["alarms"].values())
    return inputs


def _place(monitor: Monitor, figure: Measured) -> tuple[str, str] | None:
    """Map and name under which rules see a figure, if they do."""
    if figure.name in ("psi", "null_rate"):
        return figure.name, figure.slice
    if figure.name == "alarm":
        return "alarms", figure.slice
    if figure.slice:
        return None
    if figure.name == "prediction_psi":
        return "prediction", "psi"
    if figure.name == "rows":
        return "rows", "rows"
    return ("performance", figure.name) if figure.name in monitor.watch.performance else None


def metrics_of(version: ModelVersion | None) -> dict[str, float] | None:
    """Metrics on its test rows, by name; None without a version: that is what `champion == null` asks."""
    if version is None:
        return None
    performance = version.reference.get("performance")
    found = {str(name): float(value) for name, value in performance.items()} if isinstance(performance, dict) else {}
    if version.metric_value is not None:
        found.setdefault(version.metric, version.metric_value)
    return found
