"""One process, once after a start of the local Spark server: has it do what the first run would wait 10 s for."""

from __future__ import annotations

from flows import spark_server
from flows.services import records
from metadata.settings import settings


def main() -> None:
    """Warm up the server that the home's record names."""
    record = records.load(settings().state, records.SPARK)
    if record is not None:
        spark_server.warm_up(settings(), record.url)


if __name__ == "__main__":
    main()
