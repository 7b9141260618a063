"""One process, once after a start of the local Spark server: does what the first run would wait 15 s for."""

from __future__ import annotations

from flows import registry, spark_server
from flows.services import records
from metadata.settings import settings


def main() -> None:
    """Warm up the server that the home's record names, and have the embedded model registry ready."""
    record = records.load(settings().state, records.SPARK)
    if record is not None:
        spark_server.warm_up(settings(), record.url)
    registry.prepare(settings())


if __name__ == "__main__":
    main()
