"""How services are told: one that is away as a fault, all of them as lines. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from textual.content import Content

from console.mending import START
from console.text import fault_content, glyph, joined, span, styled
from console.widgets.chrome import DOTS, Service
from metadata.errors import Fault
from metadata.values import counted

WHAT = {
    "supervisor": "supervisor (starts the others again)",
    "prefect": "orchestrator (prefect)",
    "spark": "compute (spark)",
    "worker": "worker (executes runs)",
    "projector": "projector (follows runs)",
    "mlflow": "models (mlflow)",
}
NEEDED = ("prefect", "worker", "projector", "supervisor")
"""Services without which a run that is queued does not begin, the first that is away first."""


def cause_of(service: Service) -> str:
    """Why a service is away, in one line."""
    again = f" ({counted(service.ends, 'time')} in a row)" if service.ends > 1 else ""
    return f"{service.detail or 'it does not answer'}{again}"


def fault_of(service: Service, logs: Path, supervised: bool) -> Fault:
    """A service that is away, in the four parts of a fault; `logs` is where the services write.

    `supervised`: the supervisor is there, which starts what has ended again.
    """
    if service.name == "supervisor":
        remedy = f"start it ({START}): until then nothing that ends is started again"
    elif service.detail == "not started" or (not supervised and service.ends in (1, 2)):
        remedy = f"start it ({START})"
    elif service.state == "down" and not service.ends:
        remedy = "it is looked at again and again; look at the host that it runs on"
    elif service.ends > 2:
        remedy = f"it ends again and again: read {logs / f'{service.name}.log'}, mend the cause, start it ({START})"
    else:
        remedy = f"it is started again by itself; if not, start it ({START}); its log is {logs / f'{service.name}.log'}"
    return Fault(code="PH310", thing=WHAT.get(service.name, service.name), cause=cause_of(service), remedy=remedy)


def waits_for(services: Sequence[Service]) -> Service | None:
    """The service that a queued run waits for; None when all are there."""
    away = {one.name: one for one in services if one.state in ("down", "starting")}
    return next((away[name] for name in NEEDED if name in away), None)


def lines(services: Sequence[Service], logs: Path, now: datetime, width: int) -> list[Content]:
    """All services: what each does, how it is and since when; those that are away with what mends it."""
    told: list[Content] = []
    supervised = any(one.name == "supervisor" and one.state == "up" for one in services)
    for one in services:
        dot, tone = DOTS[one.word]
        since = f" for {span((now - one.since).total_seconds())}" if one.since else ""
        name = "metadata database" if one.name == "db" else WHAT.get(one.name, one.name)
        told.append(joined((f"{glyph(dot)} ", tone), (name, "strong"), f"  {one.word}", (since, "quiet")))
        if one.away and one.name != "db":
            told += [fault_content(fault_of(one, logs, supervised), width=width), Content("")]
        elif one.detail:
            again = f"; start it again from this one ({START})" if one.other_program else ""
            told.append(styled(f"    {one.detail}{again}", "quiet"))
    return told
