"""For developers: `python -m metadata.migrations "what changes"` drafts the next migration from the tables."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from metadata.database import Database
from metadata.migrations import VERSIONS, configuration


def draft(message: str) -> Path:
    """Write the migration from the newest version to today's tables. Read it, and add its number to `VERSIONS`."""
    from alembic import command

    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/draft.db")
        config = configuration()
        with database.write() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            script = command.revision(config, message, autogenerate=True, rev_id=f"{len(VERSIONS) + 1:04}")
        database.close()
    return Path(str(getattr(script, "path", "")))


if __name__ == "__main__":
    print(draft(sys.argv[1]))
