"""Champion beside challenger: what each comparison of a model has found, as charts and tables read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from metadata.database import Database
from metadata.rows.outcomes import all_figures
from metadata.tasks.compare import CHALLENGER_VERSION

VALUES = ("champion", "challenger", "difference", "difference_low", "difference_high", "better", "rows")


@dataclass(frozen=True)
class Comparison:
    """Both versions on the same rows: the metric of each, how much better the challenger is (95 % interval), if at all.

    `version` is that of the challenger; None where it was compared before that was recorded.
    """

    as_of: datetime
    version: int | None
    champion: float
    challenger: float
    difference: float
    low: float
    high: float
    better: bool
    rows: int


def comparisons(database: Database, model_uid: str) -> list[Comparison]:
    """The comparisons of a model, oldest first; a run that could not compare is left out."""
    by_run: dict[tuple[str, datetime], dict[str, float]] = {}
    for figure in all_figures(database, model_uid, (*VALUES, CHALLENGER_VERSION)):
        if figure.value is not None:
            by_run.setdefault((figure.run_id, figure.as_of), {})[figure.name] = figure.value
    return [
        Comparison(
            as_of=as_of,
            version=int(found[CHALLENGER_VERSION]) if CHALLENGER_VERSION in found else None,
            champion=found["champion"],
            challenger=found["challenger"],
            difference=found["difference"],
            low=found["difference_low"],
            high=found["difference_high"],
            better=bool(found["better"]),
            rows=int(found["rows"]),
        )
        for (_, as_of), found in by_run.items()
        if all(name in found for name in VALUES)
    ]
