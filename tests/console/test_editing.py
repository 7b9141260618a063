"""Editing in `$EDITOR` on a real terminal: what is applied, and that no text is ever lost."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from console.edit import draft_file, editor, with_remarks, without_remarks
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.errors import UsageError
from metadata.findings import Finding
from metadata.revisions import apply, history_of
from metadata.settings import settings
from tests.console.pty_terminal import Terminal

WIDE = (200, 30)
KEY = "bronze.flights"
SED = "sed -i 's/one file a month/a file every month/'"


class Editor:
    """A shell script as editor."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script = folder / "editor.sh"
        self.environ = {"EDITOR": f"sh {self.script}", "VISUAL": ""}

    def does(self, *lines: str) -> None:
        """What it does with `$1`."""
        self.script.write_text("\n".join((f"cd '{self.folder}'", *lines)), encoding="utf-8")

    def wait_open(self, shown: Terminal) -> None:
        """Until it has touched the file `opened`."""
        for _ in range(200):
            if (self.folder / "opened").exists():
                return
            shown.read(0.05)
        raise AssertionError(f"the editor was not opened:\n{shown.text}")


@pytest.fixture
def edits(tmp_path: Path) -> Editor:
    return Editor(tmp_path)


def description(database: Database) -> str:
    return load_blueprint(database).datasets[KEY].description


def drafts() -> list[Path]:
    return sorted((settings().home / "drafts").glob("*"))


def describe(database: Database, words: str) -> None:
    """Somebody else changes the description."""
    document = load_blueprint(database)
    dataset = document.datasets[KEY].model_copy(update={"description": words})
    changed = document.model_copy(update={"datasets": {**document.datasets, KEY: dataset}})
    apply(database, changed, author="somebody else", settings=settings())


def open_editor(shown: Terminal) -> None:
    shown.until("q quit", "ATTENTION")
    shown.send("3")
    shown.until("Flights as landed")
    shown.send("e")


def test_what_is_saved_is_shown_and_applied_with_its_author(database: Database, edits: Editor) -> None:
    edits.does(f"{SED} $1")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        shown.until("changed dataset bronze.flights", "a file every month", "y apply")
        assert description(database) == "Flights as landed, one file a month."
        shown.send("y")
        shown.until("revision 3 is applied", "description: Flights as landed, a file every month.")
    uid = load_blueprint(database).datasets[KEY].uid
    newest = history_of(database, uid)[0].revision
    assert (newest.number, newest.author) == (3, getpass.getuser())
    assert drafts() == []


def test_leaving_the_review_keeps_the_text_and_the_next_edit_does_not_overwrite_it(
    database: Database, edits: Editor
) -> None:
    edits.does(f"{SED} $1")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        shown.until("y apply")
        shown.send("escape")
        shown.until("drafts/dataset-bronze.flights.yaml: left, nothing was applied")
        shown.send("e")
        shown.until("y apply")
        assert [path.name for path in drafts()] == ["dataset-bronze.flights-2.yaml", "dataset-bronze.flights.yaml"]
        shown.send("escape")
        shown.until("drafts/dataset-bronze.flights-2.yaml: left")
    assert all("a file every month" in path.read_text(encoding="utf-8") for path in drafts())
    assert {path.stat().st_mode & 0o777 for path in drafts()} == {0o600}
    assert description(database) == "Flights as landed, one file a month."


def test_an_editor_that_fails_applies_nothing_and_keeps_the_text(database: Database, edits: Editor) -> None:
    edits.does(f"{SED} $1", "exit 1")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        shown.until("drafts/dataset-bronze.flights.yaml: the editor ended with 1, nothing was applied")
    assert "a file every month" in drafts()[0].read_text(encoding="utf-8")
    assert description(database) == "Flights as landed, one file a month."


def test_an_unchanged_text_leaves_nothing_behind(database: Database, edits: Editor) -> None:
    edits.does("true")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        shown.until("the text was not changed: nothing to apply")
    assert drafts() == []


def test_errors_come_back_into_the_text_where_they_are_until_they_are_mended(database: Database, edits: Editor) -> None:
    edits.does(
        "if [ -e opened ]; then",
        "  cp $1 seen.yaml",
        f"  sed -i '/layer: nowhere/s/nowhere/bronze/' $1; {SED} $1",
        "else",
        "  cp $1 original.yaml; sed -i 's/layer: bronze/layer: nowhere/' $1; touch opened",
        "fi",
    )
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        shown.until("a file every month", "y apply")
        shown.send("y")
        shown.until("revision 3 is applied")
    seen = (edits.folder / "seen.yaml").read_text(encoding="utf-8")
    original = (edits.folder / "original.yaml").read_text(encoding="utf-8")
    lines = seen.splitlines()
    wrong = next(index for index, line in enumerate(lines) if line.endswith("layer: nowhere"))
    assert lines[wrong - 2].lstrip().startswith("#! PH1")
    assert without_remarks(seen) == original.replace("layer: bronze", "layer: nowhere")
    assert description(database) == "Flights as landed, a file every month."
    assert drafts() == []


def test_errors_that_are_not_mended_end_it_and_keep_the_text_without_remarks(database: Database, edits: Editor) -> None:
    edits.does("[ -e opened ] || sed -i 's/layer: bronze/layer: [/' $1; touch opened")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        shown.until("drafts/dataset-bronze.flights.yaml: nothing was mended")
    kept = drafts()[0].read_text(encoding="utf-8")
    assert "layer: [" in kept
    assert "#!" not in kept


def test_a_revision_between_review_and_apply_is_not_overwritten(database: Database, edits: Editor) -> None:
    edits.does(f"{SED} $1")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        shown.until("y apply")
        describe(database, "Written by somebody else.")
        shown.send("y")
        shown.until("drafts/dataset-bronze.flights.yaml: PH303")
    assert description(database) == "Written by somebody else."
    assert "a file every month" in drafts()[0].read_text(encoding="utf-8")


def test_a_change_made_while_the_editor_was_open_is_pointed_out(database: Database, edits: Editor) -> None:
    edits.does("touch opened; while [ ! -e go ]; do sleep 0.05; done", f"{SED} $1")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        edits.wait_open(shown)
        describe(database, "Written by somebody else.")
        (edits.folder / "go").touch()
        shown.until("it was changed since you opened it", "Written by somebody else.", "y apply")
        shown.send("escape")
        shown.until("left, nothing was applied")
    assert description(database) == "Written by somebody else."


def test_an_editor_that_is_not_there_leaves_the_console_as_it_was(database: Database) -> None:
    with Terminal(size=WIDE, env={"EDITOR": "/nowhere/editor", "VISUAL": ""}) as shown:
        open_editor(shown)
        shown.until("the editor could not be started", "/nowhere/editor")
        shown.send("2")
        shown.until("1–17 of 17")
        shown.send("q")
        assert shown.ended()
    assert drafts() == []


def test_the_editor_is_named_by_the_environment() -> None:
    assert editor({"VISUAL": "code --wait", "EDITOR": "nano"}) == ["code", "--wait"]
    assert editor({"EDITOR": "nano"}) == ["nano"]
    with pytest.raises(UsageError, match="PH810"):
        editor({"EDITOR": "'nano"})


def test_remarks_stand_at_their_lines_and_only_ours_are_taken_out() -> None:
    text = "models:\n  a:\n    #! said by the author\n    metric: nothing\n"
    finding = Finding("PH123", "error", "model", "a", ("metric",), "there is\nno such metric", "write auc", line=4)
    told = with_remarks(text, [finding])
    assert told.splitlines()[3:] == [
        "    #! PH123 there is no such metric",
        "    #!       write auc",
        "    metric: nothing",
    ]
    assert without_remarks(told) == text


def test_a_draft_never_takes_the_file_of_another(home: Path) -> None:
    first, second = (draft_file(settings(), "dataset", "a/b") for _ in range(2))
    assert first != second
    assert first.parent == second.parent == home / "drafts"
