"""Commands on the blueprint: what they print, what they ask, and the exit code that a script reads."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from console.cli import blueprint as blueprint_commands
from console.cli import bulk
from console.cli.changes import show_findings
from console.watch import glance
from metadata import revisions
from metadata.database import Database
from metadata.definitions import definition, load_blueprint
from metadata.documents import dump, read
from metadata.findings import Finding
from metadata.kinds import Blueprint
from metadata.revisions import apply
from metadata.settings import settings
from metadata.values import utc_now
from tests.console.running import Commands


def test_an_apply_that_is_refused_tells_of_no_impact(database: Database, tmp_path: Path, run: Commands) -> None:
    text = dump(load_blueprint(database)).replace("cron: 0 6 2 * *", "cron: never")
    (tmp_path / "wrong.yaml").write_text(text, encoding="utf-8")
    refused = run("blueprint", "apply", tmp_path / "wrong.yaml", "--yes")
    assert (refused.code, refused.out) == (1, "")
    assert "error PH153 schedule flights_monthly cron" in refused.err


def test_a_task_that_is_added_is_shown_as_it_is_written(database: Database, tmp_path: Path, run: Commands) -> None:
    more = tmp_path / "more.yaml"
    task = "{kind: ingest, from: {connection: landing, files: 'x-*.csv'}, to: bronze.weather, after: [ingest_weather]}"
    pipeline = load_blueprint(database).pipelines["weather"]
    text = dump(Blueprint(pipelines={"weather": pipeline})).rstrip("\n") + f"\n      again: {task}\n"
    more.write_text(text, encoding="utf-8")
    shown = run("blueprint", "diff", more).out
    assert "    + tasks.again:\n    +   kind: ingest\n    +   from: {connection: landing, files: x-*.csv}" in shown
    assert "'" not in shown
    assert run("blueprint", "apply", more).code == 0
    assert "+ tasks.again:\n    +   kind: ingest\n" in run("blueprint", "log", "3").out


def test_the_log_says_what_a_revision_did(database: Database, run: Commands) -> None:
    listed = run("blueprint", "log")
    assert [line.split()[0] for line in listed.out.splitlines()] == ["REVISION", "2", "1"]
    assert run("blueprint", "log", "2").out.startswith("+ schedule ")
    beyond = run("blueprint", "log", "9")
    assert (beyond.code, beyond.err.splitlines()[0]) == (2, "PH333 revision 9")


def test_a_change_is_undone_done_again_and_reverted_after_a_yes(database: Database, run: Commands) -> None:
    whole = load_blueprint(database)
    undone = run("blueprint", "undo", given=b"n\n")
    assert (undone.code, load_blueprint(database)) == (1, whole)
    assert "Undo revision 2 of " in undone.out
    assert "Nothing was done." in undone.out
    assert "Revision 3 is applied." in run("blueprint", "undo", given=b"y\n").out
    assert load_blueprint(database) != whole
    assert run("blueprint", "redo", "--yes", "--note", "a mistake").code == 0
    assert load_blueprint(database) == whole
    nothing = run("blueprint", "redo", "--yes")
    assert (nothing.code, nothing.out) == (2, "")
    assert "PH347" in nothing.err
    assert "Nothing to change: the blueprint is what revision 4 left." in run("blueprint", "revert", "4").out
    assert run("blueprint", "revert", "1", "--yes").code == 0
    assert load_blueprint(database) == load_blueprint(database, 1)
    assert run("blueprint", "revert", "99", "--yes").code == 2
    log = run.told("blueprint", "log", "--filter", "deed:redo,revert")
    assert [(each["number"], each["deed"], each["of"], each["note"]) for each in log] == [
        (5, "revert", 1, ""),
        (4, "redo", 2, "a mistake"),
    ]


def test_two_revisions_are_compared_and_differences_are_told_by_the_exit_code(
    database: Database, run: Commands
) -> None:
    between = run("blueprint", "diff", "--from", "1", "--to", "2", "--json")
    assert between.code == 3
    changed = json.loads(between.out)
    assert changed["changes"] == json.loads(run("blueprint", "log", "2", "--json").out)
    assert (changed["impact"], changed["findings"]) == ([], [])
    assert run("blueprint", "diff", "--from", "1").code == 3
    same = run("blueprint", "diff", "--from", "2")
    assert (same.code, same.out) == (0, "No differences.\n")
    for wrong in ([], ["--to", "2"], ["some.yaml", "--from", "1"], ["some.yaml", "--to", "1"], ["--from", "9"]):
        assert run("blueprint", "diff", *wrong).code == 2


def test_errors_of_others_that_stand_are_told_where_something_else_is_applied(
    database: Database, tmp_path: Path, run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = tmp_path / "one.yaml"
    text = run("blueprint", "export", "retrain_when_worse", "late_arrival_watch").out
    with monkeypatch.context() as older:
        older.setattr(revisions, "check", lambda *_, **__: [])
        document.write_text(text.replace("champion.roc_auc - 0.02", "'x'"), encoding="utf-8")
        written = read(document).blueprint
        assert apply(database, written, author="older", settings=settings()) is not None
    text = run("blueprint", "export", "late_arrival_watch").out
    document.write_text(
        text.replace("  late_arrival_watch:\n", "  late_arrival_watch:\n    owner: ops\n"), encoding="utf-8"
    )
    checked = run("blueprint", "check", document)
    assert checked.code == 0
    assert "error PH170 decision retrain_when_worse" in checked.out
    assert "1 error of what these do not name" in checked.err
    stands = "(1 error; "
    assert stands in run("blueprint", "diff", document).out
    applied = run("blueprint", "apply", document)
    assert (applied.code, applied.err) == (0, "")
    assert f"1 finding was there before {stands}check tells all)." in applied.out
    document.write_text(run("blueprint", "export").out, encoding="utf-8")
    assert run("blueprint", "check", document).code == 1


def with_sql(database: Database, folder: Path) -> Path:
    """A document in which silver.flights has another weather, and the delays by hour are merged."""
    text = dump(load_blueprint(database)).replace("AND w.time_hour = f.time_hour", "AND w.time_hour < f.time_hour", 1)
    path = folder / "with_sql.yaml"
    path.write_text(text.replace("mode: overwrite", "mode: merge, keys: [carrier, hour]"), encoding="utf-8")
    return path


def test_what_a_change_touches_is_told_with_what_it_needs_and_how_many_rows_that_is(
    database: Database, tmp_path: Path, run: Commands
) -> None:
    document = with_sql(database, tmp_path)
    shown = run("blueprint", "diff", document)
    assert shown.code == 3, shown.err
    touched, findings = shown.out.split("\nImpact")[1].split("\nFindings\n")
    assert all(len(line) <= 80 for line in touched.splitlines())
    assert findings == "2 findings were there before (--json tells all).\n"
    day = utc_now() - timedelta(minutes=3)
    rebuilt = f"""
  rebuilt   dataset silver.flights
            about 287,650 rows, as of {day:%Y-%m-%d}
            sql of task flights/clean
"""
    assert rebuilt in touched
    assert "\n  retrain   model late_arrival\n            about 64,310 rows, as of " in touched
    assert touched.endswith("\n  touched   schedule flights_monthly\n            it runs pipeline flights\n")
    whole = json.loads(run("blueprint", "diff", document, "--json").out)
    assert set(whole) == {"changes", "impact", "findings"}
    backfill = whole["impact"][0]
    assert set(backfill) == {"kind", "key", "uid", "needs", "why", "rows", "written_at"}
    assert (backfill["key"], backfill["needs"], backfill["rows"]) == ("gold.delay_by_hour", "backfill", 6_112)
    assert backfill["why"] == "its storage.mode, storage.keys"
    assert [each["needs"] for each in whole["impact"]][:4] == ["backfill", "rebuilt", "rebuilt", "retrain"]


def test_the_page_that_is_named_is_that_of_the_first_finding_that_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    warning = Finding("PH134", "warning", "dataset", "x", (), "bad", "mend")
    show_findings([warning, Finding("PH110", "error", "dataset", "x", (), "bad", "mend")], as_json=False)
    assert "pilothouse explain PH110 says more" in capsys.readouterr().err


def test_the_impact_is_told_before_anybody_is_asked_and_not_where_there_is_none(
    database: Database, tmp_path: Path, run: Commands
) -> None:
    applied = run("blueprint", "apply", with_sql(database, tmp_path)).out
    assert applied.index("\nImpact\n  backfill  dataset gold.delay_by_hour\n") < applied.index("Revision 3 is applied.")
    undone = run("blueprint", "undo", given=b"n\n").out
    assert undone.index("sql of task flights/clean") < undone.index("Undo revision 3 of ")
    described = tmp_path / "described.yaml"
    text = dump(load_blueprint(database)).replace("one file a month", "a file a month")
    described.write_text(text, encoding="utf-8")
    shown = run("blueprint", "diff", described)
    assert (shown.code, "Impact" in shown.out) == (3, False)
    assert json.loads(run("blueprint", "diff", described, "--json").out)["impact"] == []
    same = tmp_path / "same.yaml"
    same.write_text(dump(load_blueprint(database)), encoding="utf-8")
    nothing = run("blueprint", "diff", same, "--json")
    assert (nothing.code, json.loads(nothing.out)) == (0, {"changes": [], "impact": [], "findings": []})


def test_a_definition_changed_by_hand_in_the_database_is_named(database: Database, run: Commands) -> None:
    assert run("blueprint", "verify").out == "2 revisions, and the definitions are what they left.\n"
    with database.write() as connection:
        connection.execute(update(definition).where(definition.c.key == "bronze.flights").values(owner="eve"))
    found = run("blueprint", "verify")
    assert found.code == 1
    assert "PH305 dataset bronze.flights" in found.err


def test_hidden_files_and_folders_are_no_part_of_a_blueprint(database: Database, tmp_path: Path, run: Commands) -> None:
    folder = tmp_path / ".kept" / "blueprint"
    for name in ("one.yaml", ".two.yaml", ".git/three.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("datasets:\n  bronze.one: {}\n", encoding="utf-8")
    changes = run("blueprint", "diff", folder, "--json")
    assert changes.code == 3, changes.err
    assert [change["key"] for change in json.loads(changes.out)["changes"]] == ["bronze.one"]


def test_the_names_of_a_foreign_document_drive_no_terminal(database: Database, tmp_path: Path, run: Commands) -> None:
    foreign, whole = tmp_path / "foreign.yaml", dump(load_blueprint(database))
    foreign.write_text(whole.replace("    columns:\n", '    columns:\n      "\\e[2Jone": long\n', 1), encoding="utf-8")
    shown = run("blueprint", "diff", foreign)
    assert "[2Jone" in shown.out, shown.err
    assert "\x1b" not in shown.out


def test_a_huge_text_is_cut_at_what_differs_and_json_has_all_of_it(
    empty_database: Database, tmp_path: Path, run: Commands
) -> None:
    path, huge = tmp_path / "huge.yaml", "word " * 50_000
    path.write_text("datasets:\n  a: {}\n", encoding="utf-8")
    run("blueprint", "apply", path)
    path.write_text(f'datasets:\n  a: {{description: "{huge}here"}}\n', encoding="utf-8")
    added = run("blueprint", "apply", "--yes", path).out
    assert "more characters)" in added
    path.write_text(f'datasets:\n  a: {{description: "{huge}there, {huge}"}}\n', encoding="utf-8")
    changed = run("blueprint", "diff", path).out
    for said in (added, changed):
        assert max(map(len, said.splitlines())) < 1_200
    assert "word here → (249,960 characters) … word" in changed
    assert "word there, word" in changed
    assert huge in run("blueprint", "diff", path, "--json").out


def test_an_apply_that_changes_nothing_writes_nothing(database: Database, tmp_path: Path, run: Commands) -> None:
    path = tmp_path / "same.yaml"
    path.write_text(dump(load_blueprint(database)), encoding="utf-8")
    before = glance(database).change
    assert run("blueprint", "apply", "--yes", path).out == "Nothing to change.\n"
    assert glance(database).change == before


def test_no_to_a_question_changes_nothing_and_is_told(database: Database, tmp_path: Path, run: Commands) -> None:
    before, little = load_blueprint(database), tmp_path / "little.yaml"
    little.write_text("datasets:\n  bronze.one: {}\n", encoding="utf-8")
    refused = run("blueprint", "apply", little, "--prune", given=b"n\n")
    assert refused.code == 1
    assert refused.out.endswith("Nothing was done.\n")
    assert load_blueprint(database) == before


@pytest.mark.parametrize("command", ["set", "apply"])
def test_what_somebody_else_applies_meanwhile_is_looked_at_and_both_stand(
    database: Database, tmp_path: Path, run: Commands, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    module, name = {"set": (bulk, "look_at_many"), "apply": (blueprint_commands, "look_at")}[command]
    look, looks = getattr(module, name), list[int]()

    def overtaken(*words: Any) -> Any:
        found = look(*words)
        looks.append(1)
        if len(looks) <= 2:
            owners = {"datasets": {"bronze.weather": {**weather, "owner": f"ada{len(looks)}"}}}
            apply(database, Blueprint.model_validate(owners), author="ada", settings=settings())
        return found

    weather = load_blueprint(database).datasets["bronze.weather"].model_dump(mode="json", exclude_unset=True)
    document = tmp_path / "one.yaml"
    document.write_text("datasets: {made.one: {owner: eve}}", encoding="utf-8")
    words = ("set", "owner=eve", "--kind", "dataset", "--filter", "key:bronze.flights")
    monkeypatch.setattr(module, name, overtaken)
    done = run("blueprint", *(words if command == "set" else ("apply", document)), "--yes")
    assert (done.code, len(looks), done.err.count("meanwhile")) == (0, 3, 2)
    now = load_blueprint(database).datasets
    assert now["bronze.weather"].owner == "ada2"
    assert now["bronze.flights" if command == "set" else "made.one"].owner == "eve"


def test_who_was_asked_is_asked_again_where_the_changes_are_others_by_now(
    database: Database, tmp_path: Path, run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load_blueprint(database)
    less = whole.model_copy(update={"schedules": {}})
    mine = Blueprint.model_validate({"datasets": {"made.one": {}}})
    document = tmp_path / "less.yaml"
    document.write_text(dump(less.model_copy(update={"datasets": {**whole.datasets, **mine.datasets}})), "utf-8")
    look, looks = blueprint_commands.look_at, list[int]()

    def overtaken(*words: Any) -> Any:
        found = look(*words)
        looks.append(1)
        if len(looks) == 1:
            apply(database, less, author="ada", prune=True, settings=settings())
        return found

    monkeypatch.setattr(blueprint_commands, "look_at", overtaken)
    asked = run("blueprint", "apply", document, "--prune", given=b"y\nn\n")
    assert (asked.code, len(looks)) == (1, 2)
    assert asked.out.index("Remove 2 definitions?") < asked.out.index("Apply that?")
    assert "made.one" not in load_blueprint(database).datasets


def test_a_question_that_nobody_can_answer_says_how_it_is_answered(database: Database, run: Commands) -> None:
    before = load_blueprint(database)
    asked = run("blueprint", "apply", "-", "--prune", given=b"datasets:\n  bronze.one: {}\n")
    assert (asked.code, asked.err.splitlines()[0]) == (2, "PH356 the question")
    assert "--yes" in asked.err
    assert load_blueprint(database) == before
