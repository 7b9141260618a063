"""Migrations: what they make is what the tables say; an embedded database is backed up, a shared one is asked for."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import delete, event, inspect, select, text

from metadata import definitions, migrations, tables
from metadata.compiler import compile_plan
from metadata.database import Database, installation, next_change
from metadata.errors import PilothouseError
from metadata.migrations import EARLIER_TABLE, VERSION_TABLE, VERSIONS, configuration, ensure, upgrade
from metadata.rows.runs import create_run, known_flow_runs
from tests.metadata import rows
from tests.metadata.earlier import up_to


def set_version(database: Database, version: str) -> None:
    with database.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = :version"), {"version": version})


def test_migrations_make_exactly_the_tables_that_the_program_works_with(empty_database: Database) -> None:
    assert upgrade(empty_database)
    with empty_database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "version_table": VERSION_TABLE})
        assert compare_metadata(context, definitions.definition.metadata) == []


def test_no_sqlite_is_asked_for_what_only_newer_ones_know(empty_database: Database) -> None:
    if not empty_database.url.startswith("sqlite"):
        pytest.skip("DROP COLUMN came to SQLite in 3.35")
    said: list[str] = []
    event.listen(empty_database.engine, "before_cursor_execute", lambda _one, _two, sql, *_rest: said.append(sql))
    assert upgrade(empty_database)
    assert not [sql for sql in said if "DROP COLUMN" in sql]
    with empty_database.read() as connection:
        (link,) = inspect(connection).get_foreign_keys("schedule")
        assert (link["referred_table"], link["options"]) == ("definition", {"ondelete": "CASCADE"})


def test_a_new_database_starts_to_count_at_zero(empty_database: Database) -> None:
    upgrade(empty_database)
    with empty_database.write() as connection:
        assert connection.execute(select(tables.counter.c.value)).scalars().all() == [0]
        assert next_change(connection) == 1


def test_each_database_has_a_uid_of_its_own(empty_database: Database, tmp_path: Path) -> None:
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    for one in (empty_database, other):
        upgrade(one)
    assert installation(empty_database) == installation(Database(empty_database.url)) != installation(other)


def test_upgrading_twice_does_nothing(empty_database: Database) -> None:
    assert upgrade(empty_database)
    assert not upgrade(empty_database)


def test_the_versions_that_the_program_names_are_those_of_the_scripts() -> None:
    scripts = ScriptDirectory.from_config(configuration())
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == VERSIONS


def test_a_version_of_a_newer_program_is_refused(database: Database) -> None:
    set_version(database, "9999")
    for act in (ensure, upgrade):
        with pytest.raises(PilothouseError, match=r"PH302.*9999"):
            act(database)


def keep_as_the_first_programs_did(database: Database) -> None:
    up_to(database, VERSIONS[0])
    with database.write() as connection:
        connection.execute(text(f"DROP TABLE {VERSION_TABLE}"))
        connection.execute(text(f"CREATE TABLE {EARLIER_TABLE} (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text(f"INSERT INTO {EARLIER_TABLE} VALUES (:first)"), {"first": VERSIONS[0]})


def versions(database: Database, table: str) -> list[str] | None:
    with database.read() as connection:
        there = inspect(connection).has_table(table)
        return list(connection.execute(text(f"SELECT version_num FROM {table}")).scalars()) if there else None


def test_a_version_that_stands_where_the_first_programs_kept_it_moves(empty_database: Database) -> None:
    keep_as_the_first_programs_did(empty_database)
    with empty_database.write() as connection:
        next_change(connection)
    if not empty_database.url.startswith("sqlite"):
        with pytest.raises(PilothouseError, match=r"PH302.*early version 0001.*pilothouse db upgrade"):
            ensure(empty_database)
    assert upgrade(empty_database)
    assert not upgrade(empty_database)
    assert versions(empty_database, EARLIER_TABLE) is None
    assert versions(empty_database, VERSION_TABLE) == [VERSIONS[-1]]
    with empty_database.read() as connection:
        assert connection.execute(select(tables.counter.c.value)).scalars().all() == [1]


def contents(database: Database) -> dict[str, int]:
    with database.read() as connection:
        names = inspect(connection).get_table_names()
        return {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in names}


REBUILDING = """
from alembic import op

revision, down_revision, branch_labels, depends_on = "9999", "{newest}", None, None


def upgrade():
    for name in {names}:
        with op.batch_alter_table(name, recreate="always"):
            pass
"""


def test_tables_that_are_made_anew_keep_what_refers_to_them(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not database.url.startswith("sqlite"):
        pytest.skip("only SQLite makes tables anew")
    blueprint = rows.applied(database)
    plan = compile_plan(blueprint, "orders")
    create_run(database, plan, revision=1, bindings={}, as_of=rows.NOW, trigger="manual", author="ada")
    before = contents(database)
    newest, folder = VERSIONS[-1], tmp_path / "migrations"
    shutil.copytree(Path(migrations.__file__).parent, folder)
    script = REBUILDING.format(newest=newest, names=sorted(definitions.definition.metadata.tables))
    (folder / "versions" / "v9999.py").write_text(script)
    config = configuration()
    config.set_main_option("script_location", str(folder))
    monkeypatch.setattr(migrations, "configuration", lambda: config)
    monkeypatch.setattr(migrations, "VERSIONS", (*VERSIONS, "9999"))
    assert upgrade(database)
    assert min(before[name] for name in ("pipeline", "task", "run", "task_run")) > 0
    assert contents(database) == before


def test_a_change_that_would_leave_references_to_nothing_is_not_made(database: Database) -> None:
    if not database.url.startswith("sqlite"):
        pytest.skip("other databases enforce references all the time")
    run = rows.add_run(database, "p-1", "orders", "succeeded")[1]
    rows.add(
        database,
        tables.task_run,
        id="t-1",
        run_id=run,
        attempt=1,
        task_key="a",
        task_uid="u-1",
        kind="ingest",
        position=0,
        upstream=[],
        state="succeeded",
    )
    with pytest.raises(PilothouseError, match="PH338.*rows of task_run"), database.rebuild() as connection:
        connection.execute(delete(tables.run))
    assert contents(database)["run"] == 1
    with pytest.raises(PilothouseError, match="PH334"), database.write() as connection:
        connection.execute(delete(tables.run))


def test_a_run_that_a_schedule_fired_keeps_its_flow_run_when_it_gets_a_column_of_its_own(
    empty_database: Database,
) -> None:
    up_to(empty_database, "0002")
    columns = "id, number, pipeline_uid, pipeline_key, bindings, as_of, author, state, created_at, changed"
    row = "'p-1', 'p', '{}', '2024-01-01 00:00:00', 'a', 'failed', '2024-01-01 00:00:00', 1"
    with empty_database.write() as connection:
        for number, trigger, attempt in ((1, "schedule", 1), (2, "schedule", 2), (3, "manual", 1)):
            connection.execute(
                text(
                    f"INSERT INTO run ({columns}, trigger, attempt, flow_run_id) VALUES"
                    f" ('r-{number}', {number}, {row}, '{trigger}', {attempt}, 'f-{number}')"
                )
            )
    assert upgrade(empty_database)
    assert known_flow_runs(empty_database, ["f-1", "f-2", "f-3"]) == {"f-1"}


def test_the_tables_of_another_program_stay_as_they_are(empty_database: Database) -> None:
    with empty_database.write() as connection:
        for statement in (
            f"CREATE TABLE {EARLIER_TABLE} (version_num VARCHAR(32) NOT NULL)",
            f"INSERT INTO {EARLIER_TABLE} VALUES ('1b49d398cd23')",
            "CREATE TABLE experiments (experiment_id INTEGER)",
        ):
            connection.execute(text(statement))
    assert upgrade(empty_database)
    assert not upgrade(empty_database)
    assert versions(empty_database, EARLIER_TABLE) == ["1b49d398cd23"]
    assert versions(empty_database, VERSION_TABLE) == [VERSIONS[-1]]


def test_a_database_in_which_another_program_has_tables_called_as_ours_is_refused(empty_database: Database) -> None:
    with empty_database.write() as connection:
        connection.execute(text("CREATE TABLE task_run (id INTEGER)"))
        connection.execute(text(f"CREATE TABLE {EARLIER_TABLE} (version_num VARCHAR(32) NOT NULL)"))
    with pytest.raises(PilothouseError, match=r"PH337.*called as ours: task_run"):
        upgrade(empty_database)
    with empty_database.read() as connection:
        assert set(inspect(connection).get_table_names()) == {"task_run", EARLIER_TABLE}


def test_a_schema_of_its_own_keeps_us_apart_from_another_program(empty_database: Database) -> None:
    if empty_database.url.startswith("sqlite"):
        pytest.skip("SQLite has no schemas")
    with empty_database.write() as connection:
        connection.execute(text("CREATE TABLE task_run (id INTEGER)"))
        connection.execute(text("CREATE SCHEMA pilothouse"))
    apart = Database(f"{empty_database.url}&options=-csearch_path%3Dpilothouse")
    assert upgrade(apart)
    assert not upgrade(apart)
    apart.close()
    with empty_database.read() as connection:
        assert inspect(connection).get_table_names() == ["task_run"]
        assert "run" in inspect(connection).get_table_names("pilothouse")


def test_ensure_makes_an_embedded_database_and_refuses_a_shared_one(empty_database: Database) -> None:
    if empty_database.url.startswith("sqlite"):
        ensure(empty_database)
        with empty_database.read() as connection:
            assert inspect(connection).has_table("run")
    else:
        with pytest.raises(PilothouseError, match=r"PH302.*pilothouse db upgrade"):
            ensure(empty_database)
        with empty_database.read() as connection:
            assert inspect(connection).get_table_names() == []


def test_an_embedded_database_is_backed_up_before_it_is_upgraded(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not database.url.startswith("sqlite"):
        pytest.skip("a shared database is backed up by who runs it")
    with database.write() as connection:
        for _ in range(3):
            next_change(connection)
    monkeypatch.setattr(migrations, "VERSIONS", (*VERSIONS, "9999"))  # a program that is one version ahead
    upgrade(database)
    (backup,) = tmp_path.glob("*.backup")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    with sqlite3.connect(backup) as copy:
        assert copy.execute("SELECT value FROM counter").fetchall() == [(3,)]
        assert copy.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall() == [(VERSIONS[-1],)]


def test_a_file_that_is_no_database_is_told_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "metadata.db"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(PilothouseError, match="PH335"):
        ensure(Database(f"sqlite:///{path}"))
    assert path.read_bytes() == b"not a database" * 1000


def test_without_a_backup_nothing_is_upgraded(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not database.url.startswith("sqlite"):
        pytest.skip("a shared database is backed up by who runs it")
    monkeypatch.setattr(migrations, "VERSIONS", (*VERSIONS, "9999"))

    def with_no_space_left() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # bytes that a file may have
        try:
            upgrade(Database(database.url))
        except PilothouseError as error:
            os._exit(0 if error.fault.code == "PH336" else 1)
        os._exit(2)

    process = multiprocessing.get_context("fork").Process(target=with_no_space_left)
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert list(tmp_path.glob("*.backup")) == []


def test_many_that_start_at_once_upgrade_once(empty_database: Database) -> None:
    done: list[bool] = []
    threads = [threading.Thread(target=lambda: done.append(upgrade(Database(empty_database.url)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(done) == 4
    with empty_database.read() as connection:
        assert connection.execute(select(tables.counter.c.value)).scalars().all() == [0]


def test_looking_whether_the_schema_fits_does_not_load_alembic(database: Database) -> None:
    code = (
        "import sys; from metadata.database import Database; from metadata.migrations import ensure;"
        f"ensure(Database({database.url!r})); assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
