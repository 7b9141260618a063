"""The main job on real data: four months of it, against pandas and scikit-learn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from metadata.settings import settings
from tests.flows import demo_checks
from tests.flows.homes import fresh_home
from tests.flows.spark_servers import SparkAddress

MONTHS = "4"


@pytest.mark.slow
@pytest.mark.timeout(1_500)
def test_four_months_of_flights(tmp_path: Path, spark_server: SparkAddress) -> None:
    command = [sys.executable, "-m", "console", "demo", "--no-console", "--months", MONTHS]
    with fresh_home(tmp_path, SPARK_REMOTE=spark_server.remote):
        settings()
        first = subprocess.run(command, capture_output=True, text=True, check=False)
        assert first.returncode == 0, first.stdout + first.stderr
        demo_checks.check(int(MONTHS))
        second = subprocess.run(command, capture_output=True, text=True, check=False)
        assert second.returncode == 0, second.stdout + second.stderr
        assert second.stdout.count("is there already") == int(MONTHS)
