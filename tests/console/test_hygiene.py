"""Opening the console loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "pyspark",
    "mlflow",
    "prefect",
    "pandas",
    "sklearn",
    "numpy",
    "sqlglot",
    "alembic",
    "httpx",
    "plotext",
    "cel",
    "sqlalchemy",
)


def test_importing_the_app_loads_none_of_the_heavy_libraries() -> None:
    script = (
        f"import sys, console.app, console.screens.overview;print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
