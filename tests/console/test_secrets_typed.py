"""A secret that is typed in the console reaches neither the database nor any file of the home; notes are required."""

from __future__ import annotations

import subprocess

import pytest

from console import drafts
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.revision_log import history_of
from metadata.settings import settings
from tests.console.pty_terminal import Terminal
from tests.console.running import Commands
from tests.console.test_editing import KEY, WIDE, Editor, description, edits, open_editor

__all__ = ["edits"]
GITHUB = "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8"


def kept_in() -> list[str]:
    """Files of the home in which it stands.

    Another process looks: where this one closes a file of SQLite, its connections lose their locks on it.
    """
    return subprocess.run(
        ["grep", "-rlaF", GITHUB, settings().home], capture_output=True, text=True
    ).stdout.splitlines()


def test_a_secret_in_the_editor_and_in_a_note_is_taken_out_and_a_note_is_asked_for(
    database: Database, edits: Editor
) -> None:
    edits.does(
        'cp "$1" "seen$(ls seen* 2>/dev/null | wc -l)"',
        f"[ -e seen1 ] || sed -i 's/one file a month/use {GITHUB}/' $1",
        "sed -i 's/•••GitHub token•••/env:CRM_TOKEN/' $1",
    )
    with Terminal(size=WIDE, env={**edits.environ, "PILOTHOUSE_NOTES": "required"}) as shown:
        open_editor(shown)
        shown.until("changed dataset bronze.flights", "use env:CRM_TOKEN", "y apply")
        second = (edits.folder / "seen1").read_text(encoding="utf-8")
        assert "#! PH150 a credential stood here (GitHub token)" in second and GITHUB not in second
        assert kept_in() == []
        shown.send("y")
        shown.until("Why? It stands in the history.")
        shown.send("enter")
        shown.until("say why, in at least 5 characters")
        shown.send(f"for {GITHUB}")
        shown.send("enter")
        shown.until("it holds what looks like a credential (GitHub token): say it without")
        shown.send("\x15", "they asked")
        shown.send("enter")
        shown.until("revision 3 is applied")
    assert description(database) == "Flights as landed, use env:CRM_TOKEN."
    assert history_of(database, load_blueprint(database).datasets[KEY].uid)[0].revision.note == "they asked"
    assert kept_in() == [] and drafts.kept(settings()) == []


def test_a_draft_that_a_killed_console_left_is_cleaned_as_soon_as_it_is_looked_at(home: object) -> None:
    draft = drafts.begin(settings(), "dataset", KEY, "datasets:\n  bronze.flights: {}\n")
    draft.path.write_text(f"datasets:\n  bronze.flights: {{description: {GITHUB}}}\n", encoding="utf-8")
    assert drafts.release(draft)
    assert "•••GitHub token•••" in draft.path.read_text(encoding="utf-8")
    assert kept_in() == [] and draft.path.stat().st_mode & 0o777 == 0o600


def test_no_command_repeats_a_secret_of_a_document_or_keeps_it(
    database: Database, run: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = settings().home.parent / "secret.yaml"
    document.write_text(f"datasets:\n  bronze.flights:\n    description: use {GITHUB}\n", encoding="utf-8")
    for words in (("diff", document, "--json"), ("apply", document, "-m", "why not")):
        done = run("blueprint", *words)
        said = done.out + done.err
        assert (done.code, GITHUB in said, "PH150" in said) == (1, False, True), said
        assert "secret.yaml:3" in said
    document.write_text("datasets:\n  bronze.flights:\n    description: fine\n", encoding="utf-8")
    monkeypatch.setenv("PILOTHOUSE_NOTES", "required")
    settings.cache_clear()
    refused = run("blueprint", "apply", document)
    assert refused.code == 2 and "PH841 note" in refused.err
    assert kept_in() == []
