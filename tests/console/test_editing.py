"""Editing in `$EDITOR` on a real terminal: what is applied, and that no text is ever lost."""

from __future__ import annotations

import errno
import fcntl
import getpass
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from console import drafts as files
from console.app import PilothouseApp
from console.edit import Review, another, editor, review, with_remarks, without_remarks
from console.noting import Notes, of_edits
from console.places import EDIT, Place
from console.widgets.rows import Rows
from metadata.database import Database
from metadata.definitions import load_blueprint
from metadata.documents import dump_one
from metadata.errors import PilothouseError, UsageError
from metadata.findings import Finding
from metadata.kinds import Blueprint
from metadata.rebasing import uids_in
from metadata.revision_log import history_of, newest_revision
from metadata.revisions import apply
from metadata.rows.staged import load_staged, stage
from metadata.settings import settings
from tests.console.faults import fill, small_disk
from tests.console.looking import on_flights, reads_held_up, screen_name, seen, until, until_seen
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
    """Texts in the folder of drafts; beside each lies what it was, and nothing else is there."""
    found = sorted((settings().home / "drafts").glob("*"))
    texts = [path for path in found if path.suffix == ".yaml"]
    assert [path for path in found if path not in texts] == [path.with_suffix(".original") for path in texts]
    return texts


def describe(database: Database, words: str) -> None:
    """Somebody else changes the description."""
    document = load_blueprint(database)
    dataset = document.datasets[KEY].model_copy(update={"description": words})
    changed = document.model_copy(update={"datasets": {**document.datasets, KEY: dataset}})
    apply(database, changed, author="somebody else", settings=settings())


def open_editor(shown: Terminal, seen: str = "Flights as landed") -> None:
    shown.until("q quit", "ATTENTION")
    shown.send("3")
    shown.until(seen)
    shown.send("e")


def test_what_is_saved_is_shown_and_applied_with_its_author(database: Database, edits: Editor) -> None:
    edits.does(f"{SED} $1")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        shown.until("changed dataset bronze.flights", "a file every month", "y apply")
        shown.read(1)
        assert "checking" not in shown.text
        assert description(database) == "Flights as landed, one file a month."
        shown.send("y")
        shown.until("revision 3 is applied", "description: Flights as landed, a file every month.")
    uid = load_blueprint(database).datasets[KEY].uid
    newest = history_of(database, uid)[0].revision
    assert (newest.number, newest.author) == (3, getpass.getuser())
    assert drafts() == []


def test_comments_are_kept_without_a_revision_and_stay_when_the_rest_is_changed(
    database: Database, edits: Editor
) -> None:
    edits.does("sed -i 's/^  bronze.flights:/  # ask ops first\\n&  # raw/' $1")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        shown.until("the comments are kept; nothing else differs", "# ask ops first", "bronze.flights:  # raw")
        assert newest_revision(database) == 2
        assert drafts() == []
        edits.does(f"grep -q 'ask ops first' $1 && {SED} $1")
        shown.send("e")
        shown.until("changed dataset bronze.flights", "y apply")
        shown.send("y")
        shown.until("revision 3 is applied", "# ask ops first", "a file every month.")
        edits.does("sed -i 's/a file every month/one file a month/; s/ask ops/ask ada/' $1")
        shown.send("e")
        shown.until("changed dataset bronze.flights", "s ")
        shown.send("s")
        shown.until("kept in the change set", "# ask ops first")
        edits.does("sed -i '/# ask ada/d; s/  # raw//' $1")
        shown.send("e")
        shown.until("the comments are kept; nothing else differs")
        edits.does("cp $1 seen.yaml")
        shown.send("e")
        shown.until("the text was not changed")
        assert "#" not in (edits.folder / "seen.yaml").read_text(encoding="utf-8")
    assert newest_revision(database) == 3


def test_leaving_the_review_keeps_the_text_and_the_next_edit_does_not_overwrite_it(
    database: Database, edits: Editor
) -> None:
    edits.does(f"{SED} $1")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        shown.until("y apply")
        shown.send("escape")
        shown.until("left: nothing was applied; the text is kept, e goes on with it, or throws it away")
        shown.send("e")
        shown.until("An edit of dataset bronze.flights was not applied", "n  edit what is applied")
        shown.send("n")
        shown.until("y apply")
        assert [path.name for path in drafts()] == ["dataset-bronze.flights.yaml", "dataset-bronze.flights~2.yaml"]
        shown.send("escape")
        shown.until("left: nothing was applied", "drafts/dataset-bronze.flights~2.yaml")
    assert all("a file every month" in path.read_text(encoding="utf-8") for path in drafts())
    assert {path.stat().st_mode & 0o777 for path in drafts()} == {0o600}
    assert description(database) == "Flights as landed, one file a month."


def test_a_kept_text_is_gone_on_with_and_applied(database: Database, edits: Editor) -> None:
    edits.does(f"{SED} $1")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        shown.until("y apply")
        shown.send("escape")
        shown.until("the text is kept")
        edits.does("cp $1 seen.yaml")
        shown.send("e")
        shown.until("An edit of dataset bronze.flights was not applied", "e  go on with the text of")
        shown.send("e")
        shown.until("changed dataset bronze.flights", "a file every month", "y apply")
        shown.send("y")
        shown.until("revision 3 is applied")
    assert "a file every month" in (edits.folder / "seen.yaml").read_text(encoding="utf-8")
    assert description(database) == "Flights as landed, a file every month."
    assert drafts() == []


def test_a_kept_text_is_thrown_away_when_asked(database: Database, edits: Editor) -> None:
    edits.does(f"{SED} $1", "exit 1")
    with Terminal(size=(80, 24), env=edits.environ) as shown:
        open_editor(shown, "7 of 7")
        shown.until("✗ PH810  editor", "cause    it ended with 1", "e goes on with it", "press    e edit")
        shown.send("e")
        shown.until("d  throw the kept text away, after asking")
        shown.send("d")
        shown.until("Throw the kept text of dataset bronze.flights away for good?")
        shown.send("escape")
        shown.until("? keys")
        assert len(drafts()) == 1
        shown.send("e")
        shown.until("d  throw the kept text away, after asking")
        shown.send("d")
        shown.until("for good?")
        shown.send("y")
        shown.until("the kept text is thrown away")
        edits.does("true")
        shown.send("e")
        shown.until("the text was not changed")
    assert drafts() == []


def test_an_edit_in_whose_middle_the_console_was_killed_is_gone_on_with(database: Database, edits: Editor) -> None:
    edits.does(f"{SED} $1; touch opened; while [ ! -e go ]; do sleep 0.05; done")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        edits.wait_open(shown)
        with Terminal(size=WIDE, env=edits.environ) as beside:
            beside.until("q quit", "ATTENTION")
            assert files.kept(settings()) == [], "it is being edited"
        os.kill(shown.pid, signal.SIGKILL)
        assert shown.ended()
    (edits.folder / "go").touch()
    edits.does("true")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        shown.until("An edit of dataset bronze.flights was not applied")
        shown.send("e")
        shown.until("a file every month", "y apply")
        shown.send("y")
        shown.until("revision 3 is applied")
    assert description(database) == "Flights as landed, a file every month."
    assert drafts() == []


@pytest.mark.skipif(shutil.which("vim") is None, reason="vim is not installed here")
def test_what_was_typed_in_vim_and_not_saved_survives_a_cut_line(database: Database) -> None:
    environ = {"EDITOR": "env TERM=vt100 vim -u NONE -N", "VISUAL": ""}
    with Terminal(size=WIDE, env=environ) as shown:
        open_editor(shown)
        shown.until('bronze.flights.yaml" 13L')  # what vim says of it; the text itself stands on the page, too
        shown.send(":%s/one file a month/a file every month/", "enter")
        shown.until("a file every month")
        shown.hang_up()
        assert shown.ended()
    with Terminal(size=WIDE, env=environ) as shown:
        open_editor(shown)
        shown.until("An edit of dataset bronze.flights was not applied")
        shown.send("e")
        shown.until("Found a swap file")
        shown.send("R")
        shown.until("ENTER")
        shown.send("enter")
        shown.until("a file every month")
        shown.send(":wq", "enter")
        shown.until("changed dataset bronze.flights", "y apply")
        shown.send("y")
        shown.until("revision 3 is applied")
    assert drafts() == []


def test_an_editor_that_fails_applies_nothing_and_keeps_the_text(database: Database, edits: Editor) -> None:
    edits.does(f"{SED} $1", "exit 1")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        shown.until("✗ PH810  editor", "it ended with 1", "the text is kept, e goes on with it", "nothing was applied")
    assert "a file every month" in drafts()[0].read_text(encoding="utf-8")
    assert description(database) == "Flights as landed, one file a month."


def test_the_key_that_is_named_leads_to_the_text_of_a_clone_and_not_to_what_is_under_the_cursor(
    database: Database, edits: Editor
) -> None:
    edits.does(f"{SED} $1", "exit 1")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        shown.until("q quit", "ATTENTION")
        shown.send("3")
        shown.until("Flights as landed")
        shown.send("c")
        shown.until("The key of the new dataset like")
        shown.send("bronze.fares", "enter")
        shown.until("✗ PH810  editor", "1 Overview goes on with it", "press    1 Overview")
        assert "e edit" not in shown.text.partition("PH810")[2].partition("──")[0]
        shown.send("1")
        shown.until("ATTENTION", "bronze.fares", "dataset not applied")
        shown.send("/", "fares", "enter", "enter")
        shown.until("There is no dataset bronze.fares in the blueprint", "e  go on with it in $EDITOR")
        edits.does("true")
        shown.send("e")
        shown.until("created dataset bronze.fares")


def test_an_editor_that_takes_the_text_away_leaves_what_it_was_before(database: Database, edits: Editor) -> None:
    edits.does("if [ -e opened ]; then rm $1; else touch opened; sed -i 's/layer: bronze/layer: nowhere/' $1; fi")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        shown.until("✗ PH804", "No such file", "the text is kept, e goes on with it")
    assert "layer: nowhere" in drafts()[0].read_text(encoding="utf-8")


def test_an_unchanged_text_leaves_nothing_behind(database: Database, edits: Editor) -> None:
    edits.does("true")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        shown.until("the text was not changed: nothing to apply")
    assert drafts() == []


ODD_RULE = 'quality: {odd: {expect: "nope > 1"}}'


@pytest.mark.parametrize(
    ("before", "wrong", "mended"),
    [("layer: bronze", "layer: nowhere", "layer: bronze"), ("owner: ops", ODD_RULE, "owner: ops")],
    ids=["no such layer", "no such column"],
)
def test_errors_come_back_into_the_text_where_they_are_until_they_are_mended(
    database: Database, edits: Editor, before: str, wrong: str, mended: str
) -> None:
    edits.does(
        "if [ -e opened ]; then",
        "  cp $1 seen.yaml",
        f"  sed -i 's/{wrong}/{mended}/' $1; {SED} $1",
        "else",
        f"  cp $1 original.yaml; sed -i 's/{before}/{wrong}/' $1; touch opened",
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
    at = next(index for index, line in enumerate(lines) if line.endswith(wrong))
    assert lines[at - 2].lstrip().startswith("#! PH1")
    assert without_remarks(seen) == original.replace(before, wrong)
    assert description(database) == "Flights as landed, a file every month."
    assert drafts() == []


def test_errors_that_are_not_mended_are_shown_and_keep_the_text_without_remarks(
    database: Database, edits: Editor
) -> None:
    edits.does("[ -e opened ] || sed -i 's/layer: bronze/layer: [/' $1; touch opened")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        shown.until("error PH1", "e edit again")
        shown.send("escape")
        shown.until("left: nothing was applied; the text is kept")
    kept = drafts()[0].read_text(encoding="utf-8")
    assert "layer: [" in kept
    assert "#!" not in kept


def test_an_editor_that_mends_nothing_is_opened_again_only_when_asked(database: Database, edits: Editor) -> None:
    edits.does("echo x >> count", "echo ']' >> $1")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        shown.until("error PH1", "e edit again")
        shown.read(0.5)
        assert len((edits.folder / "count").read_text(encoding="utf-8").splitlines()) == 2
        shown.send("escape")
        shown.until("left: nothing was applied; the text is kept")
    assert drafts()[0].read_text(encoding="utf-8").endswith("]\n]\n")


def test_what_is_typed_before_the_editor_has_the_terminal_does_nothing_below(database: Database, edits: Editor) -> None:
    edits.does("touch opened; sleep 0.3")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown, "Flights as landed")
        shown.until("the text was not changed")
        (edits.folder / "opened").unlink()
        shown.send("e d u ", wait=0.5)
        edits.wait_open(shown)
        shown.until("the text was not changed")
        shown.read(0.5)
        assert "Flights as landed" in shown.text
        shown.send("f")
        shown.until("FIELD")
        (edits.folder / "opened").unlink()
        shown.send("\x05 uR", wait=0.5)
        edits.wait_open(shown)
        shown.until("the text was not changed")
        shown.read(0.5)
        assert "±" not in shown.text
        assert "The key of" not in shown.text
    assert not load_staged(database, getpass.getuser()).items


def test_a_revision_between_review_and_apply_is_not_overwritten(database: Database, edits: Editor) -> None:
    edits.does(f"{SED} $1")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        shown.until("y apply")
        describe(database, "Written by somebody else.")
        shown.send("y")
        shown.until("PH303", "the text is kept")
    assert description(database) == "Written by somebody else."
    assert "a file every month" in drafts()[0].read_text(encoding="utf-8")


def test_a_change_that_was_made_elsewhere_in_it_while_the_editor_was_open_is_kept(
    database: Database, edits: Editor
) -> None:
    edits.does("touch opened; while [ ! -e go ]; do sleep 0.05; done", f"{SED} $1")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        edits.wait_open(shown)
        dataset = load_blueprint(database).datasets[KEY].model_copy(update={"owner": "somebody"})
        apply(database, Blueprint(datasets={KEY: dataset}), author="ada", settings=settings())
        (edits.folder / "go").touch()
        shown.until("it was changed since you opened it, elsewhere than you did", "y apply")
        shown.send("y")
        shown.until("revision 4 is applied")
    now = load_blueprint(database).datasets[KEY]
    assert (now.owner, now.description) == ("somebody", "Flights as landed, a file every month.")


def test_a_change_made_while_the_editor_was_open_is_pointed_out(database: Database, edits: Editor) -> None:
    edits.does("touch opened; while [ ! -e go ]; do sleep 0.05; done", f"{SED} $1")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        edits.wait_open(shown)
        describe(database, "Written by somebody else.")
        (edits.folder / "go").touch()
        shown.until(
            "it was changed since you opened it, where you did, too: description",
            "Written by somebody else.",
            "y apply",
        )
        shown.send("escape")
        shown.until("left: nothing was applied")
    assert description(database) == "Written by somebody else."


@pytest.mark.parametrize(("named", "why"), [("/nowhere/editor", "No such file"), ("/etc/passwd", "Permission denied")])
def test_an_editor_that_cannot_be_started_leaves_the_console_as_it_was(
    database: Database, named: str, why: str
) -> None:
    with Terminal(size=WIDE, env={"EDITOR": named, "VISUAL": ""}) as shown:
        open_editor(shown)
        shown.until(f"PH810  editor {named}", f"it could not be started: {why}", "set VISUAL, or EDITOR", "e edit")
        shown.send("2")
        shown.until("1–17 of 17")
        shown.send("q")
        assert shown.ended()
    assert drafts() == []


def test_a_full_disk_is_told_and_the_text_stays_as_the_editor_left_it(
    database: Database, tmp_path: Path, edits: Editor
) -> None:
    edits.does(f"{SED} $1")
    with small_disk(settings().home / "drafts", 1), Terminal(size=(80, 24), env=edits.environ) as shown:
        filler = fill(settings().home / "drafts")
        open_editor(shown, "7 of 7")
        shown.until("✗ PH804  file", "No space left", "free some space, then try again", "press    e edit")
        filler.unlink()
        shown.send("e")
        shown.until("changed dataset bronze.flights", "y apply")
        filler = fill(settings().home / "drafts")
        shown.send("escape")
        shown.until("✗ PH804  file", "No space left", "the text is kept, e goes on with it", "nothing was applied")
        filler.unlink()
        assert "a file every month" in drafts()[0].read_text(encoding="utf-8")


def test_what_is_no_utf_8_is_told_and_kept(database: Database, edits: Editor) -> None:
    edits.does("printf '\\377' >> $1")
    with Terminal(size=WIDE, env=edits.environ) as shown:
        open_editor(shown)
        shown.until("PH804  file", "it is no UTF-8", "save it as UTF-8", "the text is kept, e goes on with it")
    assert drafts()[0].read_bytes().endswith(b"\xff")


async def test_what_is_applied_is_told_so_where_its_text_cannot_be_taken_out(
    database: Database, make_app: Callable[[], PilothouseApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(_path: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    app = make_app()
    async with on_flights(app) as pilot:
        await pilot.press("f")
        await until(pilot, lambda: screen_name(app) == "FormScreen")
        await pilot.press("enter", "end", "z", "enter", "ctrl+s")
        await until_seen(pilot, "changed dataset bronze.flights", "y apply")
        with monkeypatch.context() as patch:
            patch.setattr("console.drafts._remove", read_only)
            await pilot.press("y")
            await until_seen(pilot, "revision 3 is applied")
        await pilot.press("f")
        await until(pilot, lambda: screen_name(app) != "blueprint")


def test_the_editor_is_named_by_the_environment() -> None:
    assert editor({"VISUAL": "code --wait", "EDITOR": "nano"}) == ["code", "--wait"]
    assert editor({"EDITOR": "nano"}) == ["nano"]
    with pytest.raises(UsageError, match="PH810"):
        editor({"EDITOR": "'nano"})


def test_the_editor_that_is_advised_is_there_and_is_not_the_one_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "f edits in a form" in another(["nano"])
    for name in ("nano", "vi"):
        (tmp_path / name).touch(0o755)
    assert another(["nano"]) == "VISUAL=vi pilothouse"
    assert another([str(tmp_path / "vi"), "-n"]) == "VISUAL=nano pilothouse"
    assert editor({}) == ["nano"]


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
    first, second = (files.begin(settings(), "dataset", "a.b", "text") for _ in range(2))
    assert first.path != second.path
    assert files.begin(settings(), "dataset", "a.b-2", "text").path not in (first.path, second.path)
    assert first.path.parent == second.path.parent == home / "drafts"
    assert {path.stat().st_mode & 0o777 for path in (home / "drafts").glob("*")} == {0o600}
    assert (home / "drafts").stat().st_mode & 0o777 == 0o700


def test_of_a_note_that_cannot_be_written_nothing_is_left_beside_the_drafts(home: Path) -> None:
    Notes().typed(of_edits(settings(), ()), "half \udc80")
    assert [*(home / "drafts").iterdir()] == []


def test_a_kept_text_is_told_by_what_was_written_below_it_and_not_by_the_blank_line_before(home: Path) -> None:
    draft = files.begin(settings(), "dataset", "a.b", "datasets:\n  a.b: {}\n")
    draft.path.write_text("datasets:\n  a.b: {}\n\n  # ask the vets\n", encoding="utf-8")
    assert files.release(draft)
    assert [each.gist for each in files.kept(settings())] == ["# ask the vets"]


def test_a_draft_is_kept_when_nobody_edits_it_and_something_was_changed(home: Path) -> None:
    draft = files.begin(settings(), "feature_set", "a.b", "text")
    files.write(draft, "another text")
    assert files.kept(settings()) == [], "it is being edited"
    assert files.release(draft)
    (found,) = files.kept_of(settings(), "feature_set", "a.b")
    assert (found.kind, found.key, found.path) == ("feature_set", "a.b", draft.path)
    again = files.resume(found)
    assert again is not None and again == draft
    assert files.resume(found) is None
    files.discard(again)
    assert files.kept(settings()) == drafts() == []


def test_a_draft_at_which_somebody_looks_just_now_is_offered(home: Path) -> None:
    draft = files.begin(settings(), "dataset", "a.b", "text")
    files.write(draft, "another text")
    looks = threading.Timer(0.03, os.close, [draft.lock])
    looks.start()
    assert [found.path for found in files.kept_of(settings(), "dataset", "a.b")] == [draft.path]
    looks.join()


def test_a_draft_is_kept_however_long_another_console_looks_at_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed_and_looked_at(lock: int) -> None:
        close(lock)
        with suppress(OSError), path.with_suffix(".original").open("r+b") as looked_at:
            fcntl.flock(looked_at, fcntl.LOCK_EX | fcntl.LOCK_NB)

    close = os.close
    for text, is_kept in (("another text", True), ("text", False)):
        draft = files.begin(settings(), "dataset", "a.b", "text")
        path = draft.path
        files.write(draft, text)
        with monkeypatch.context() as patch:
            patch.setattr(os, "close", closed_and_looked_at)
            assert files.release(draft) is is_kept
        assert path.exists() is is_kept


@pytest.mark.parametrize("end", [files.release, files.discard])
def test_a_draft_whose_files_are_gone_ends_without_those_of_another(
    home: Path, end: Callable[[files.Draft], object]
) -> None:
    first = files.begin(settings(), "dataset", "a.b", "text")
    for each in (home / "drafts").iterdir():
        each.unlink()
    second = files.begin(settings(), "dataset", "a.b", "text")
    assert second.path == first.path
    assert not end(first)
    assert second.path.exists()
    files.write(second, "another text")
    assert files.release(second)


def test_what_is_written_after_its_files_were_removed_goes_into_new_ones_not_into_those_of_another(home: Path) -> None:
    def removed(text: str) -> files.Draft:
        draft = files.begin(settings(), "dataset", "a.b", text, uids={"": "u"})
        for each in (draft.path, draft.path.with_suffix(".original")):
            each.unlink()
        return draft

    alone = removed("text")
    files.write(alone, "mine")
    assert files.release(alone)
    (found,) = files.kept_of(settings(), "dataset", "a.b", "u")
    assert (found.path, found.uid) == (alone.path, "u")
    found.path.with_suffix(".original").unlink()
    found.path.unlink()

    mine = removed("text")
    other = files.begin(settings(), "dataset", "a.b", "another text")
    assert other.path == mine.path
    other.path.write_text("password: hunter2hunter2\n", encoding="utf-8")
    with pytest.raises(OSError, match="that of another edit"):
        files.clean(mine)
    files.write(mine, "mine")
    assert other.path.read_text(encoding="utf-8") == "password: hunter2hunter2\n"
    files.clean(mine)
    assert mine.path != other.path
    assert files.release(mine)
    (found,) = files.kept(settings())
    again = files.resume(found)
    assert again is not None
    assert (again.path.read_text(encoding="utf-8"), again.original, again.uids) == ("mine", "text", {"": "u"})
    files.discard(again)
    assert files.release(other)


def test_of_what_was_opened_what_is_no_utf_8_is_replaced_and_no_lock_is_left(home: Path) -> None:
    path = keep("dataset", "a")
    path.with_suffix(".original").write_bytes(b"as it \xff was")
    (found,) = files.kept(settings())
    for _ in range(2):
        again = files.resume(found)
        assert again is not None and again.original == "as it \ufffd was"
        assert files.release(again)


def test_nobody_waits_for_the_text_of_another_definition(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = files.begin(settings(), "dataset", "b.a", "b: 1\n", uids={"": "u"})
    files.write(other, "b: 2\n")
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    assert files.kept_of(settings(), "dataset", "a.b", "v") == []
    assert slept == []
    assert files.kept_of(settings(), "dataset", "a.b", "u") == []
    assert slept


def test_a_kept_text_is_that_of_its_own_key_whatever_the_key(home: Path) -> None:
    for key in ("late", "late-2", "late-flights"):
        draft = files.begin(settings(), "dataset", key, "text")
        files.write(draft, f"text of {key}")
        files.release(draft)
    for key in ("late", "late-2", "late-flights"):
        (found,) = files.kept_of(settings(), "dataset", key)
        assert found.path.read_text(encoding="utf-8") == f"text of {key}"


def test_a_draft_in_which_nothing_was_changed_is_cleared_away(home: Path) -> None:
    assert not files.release(files.begin(settings(), "dataset", "a", "text"))
    assert files.kept(settings()) == drafts() == []
    draft = files.begin(settings(), "dataset", "a", "text")
    draft.path.unlink()
    draft.path.mkdir()
    assert not files.release(draft)
    assert files.kept(settings()) == []


@pytest.mark.parametrize("failing", ["open", "flock"])
def test_a_draft_that_cannot_be_locked_is_no_end_of_those_that_can(
    home: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def refuse(what: Any, *more: Any) -> Any:
        path = what if isinstance(what, Path) else Path(f"/proc/self/fd/{what}").readlink()
        if path == bad.with_suffix(".original"):
            raise OSError(errno.EROFS, "Read-only file system")
        return actual(what, *more)

    good, bad = keep("dataset", "good"), keep("dataset", "bad")
    module = os if failing == "open" else fcntl
    actual = getattr(module, failing)
    monkeypatch.setattr(module, failing, refuse)
    assert [each.path for each in files.kept(settings())] == [good]
    assert files.kept_of(settings(), "dataset", "bad") == []
    monkeypatch.undo()
    assert len(files.kept(settings())) == 2


def test_what_an_editor_saved_when_its_terminal_went_away_is_the_text(home: Path) -> None:
    draft = files.begin(settings(), "dataset", "a", "text")
    Path(f"{draft.path}.save").write_text("typed, not saved", encoding="utf-8")
    assert files.release(draft)
    (found,) = files.kept(settings())
    assert found.path.read_text(encoding="utf-8") == "typed, not saved"
    assert drafts() == [found.path]


def test_a_draft_knows_the_uids_of_what_was_opened_and_one_of_before_goes_on_without(home: Path) -> None:
    uids = {"": "uid of a", "work": "uid of work"}
    draft = files.begin(settings(), "pipeline", "a", "text", uids=uids)
    files.write(draft, "another text")
    assert files.release(draft)
    (found,) = files.kept_of(settings(), "pipeline", "renamed", "uid of a")
    assert files.kept_of(settings(), "pipeline", "a", "uid of another") == [found], "it is reached by its key, too"
    assert files.kept_of(settings(), "pipeline", "b", "uid of another") == []
    again = files.resume(found)
    assert again is not None and (again.original, again.uids) == ("text", uids)
    files.write(again, "text")
    assert not files.release(again), "nothing is changed"
    path = keep("pipeline", "a")
    path.with_suffix(".original").write_text("as it was", encoding="utf-8")
    (found,) = files.kept_of(settings(), "pipeline", "a", "uid of a")
    again = files.resume(found)
    assert again is not None and (again.original, again.uids, found.uid) == ("as it was", {}, "")


def opened(database: Database, key: str = KEY) -> files.Draft:
    """A draft of a dataset as it is now."""
    value = load_blueprint(database).datasets[key]
    return files.begin(settings(), "dataset", key, dump_one("dataset", key, value), uids=uids_in(value))


def reviewed(database: Database, draft: files.Draft) -> Review:
    """What it does that the draft says its owner is ada."""
    text = draft.original.replace("owner: ops", "owner: ada")
    assert text != draft.original
    return review(database, settings(), draft, text, "me")


def put(database: Database, **bodies: dict[str, Any]) -> None:
    """Somebody else applies datasets."""
    wanted = Blueprint.model_validate({"datasets": {key.replace("__", "."): body for key, body in bodies.items()}})
    apply(database, wanted, author="bea", settings=settings())


def test_an_edit_of_what_others_renamed_meanwhile_goes_to_what_it_is_called_now(empty_database: Database) -> None:
    put(empty_database, raw={"owner": "ops"})
    uid = load_blueprint(empty_database).datasets["raw"].uid
    draft = opened(empty_database, "raw")
    put(empty_database, raw2={"was": "raw", "owner": "ops"})
    found = reviewed(empty_database, draft)
    assert found.document is not None and found.changes is not None
    assert [each.cause.partition(";")[0] for each in found.findings] == ["it is called raw2 now"]
    assert [(each.key, each.uid, each.action) for each in found.changes.changes] == [("raw2", uid, "changed")]


def test_what_both_changed_is_named_as_the_field_where_it_stands(empty_database: Database) -> None:
    def said(expr: str) -> Blueprint:
        features = {"a": {}, "litres2": {"expr": expr}}
        sets = {"fs": {"from": "raw", "entity": ["id"], "event_time": "at", "features": features}}
        return Blueprint.model_validate({"datasets": {"raw": {}}, "feature_sets": sets})

    apply(empty_database, said("a + 1"), author="bea", settings=settings())
    value = load_blueprint(empty_database).feature_sets["fs"]
    text = dump_one("feature_set", "fs", value)
    draft = files.begin(settings(), "feature_set", "fs", text, uids=uids_in(value))
    apply(empty_database, said("a + 2"), author="bea", settings=settings())
    found = review(empty_database, settings(), draft, text.replace("a + 1", "a + 3"), "me")
    assert [each.path for each in found.findings if each.code == "PH303"] == [("features", "litres2", "expr")]


def test_an_edit_never_goes_to_another_that_has_taken_the_key(empty_database: Database) -> None:
    put(empty_database, a={"owner": "ops", "description": "A"}, b={"owner": "ops", "description": "B"})
    draft = opened(empty_database, "a")
    both = {"owner": "ops"}
    put(empty_database, old={"was": "a", "description": "A", **both}, a={"was": "b", "description": "B", **both})
    found = reviewed(empty_database, draft)
    assert found.document is not None
    apply(empty_database, found.document, author="ada", settings=settings(), base_revision=found.base)
    now = load_blueprint(empty_database).datasets
    assert {key: (each.description, each.owner) for key, each in now.items()} == {
        "old": ("A", "ada"),
        "a": ("B", "ops"),
    }


def test_a_text_under_another_key_is_told_to_leave_what_was_opened_as_it_is(database: Database) -> None:
    draft = opened(database)
    stays = ("warning", "dataset bronze.fares", "dataset bronze.flights, which you opened, stays as it is", 2)

    def left(text: str) -> list[tuple[object, ...]]:
        found = review(database, settings(), draft, text, "me")
        assert found.changes is not None
        told = [each for each in found.findings if each.code == "PH357"]
        return [(each.severity, each.thing, each.cause, each.line) for each in told]

    under_another = draft.original.replace("  bronze.flights:\n", "  bronze.fares:\n")
    assert left(under_another) == [stays]
    assert left(under_another.replace("bronze.fares:\n", "bronze.fares:\n    was: bronze.flights\n")) == []
    assert left(f"{draft.original}  bronze.fares: {{}}\n") == []
    assert left(draft.original.replace("  bronze.flights:\n", "  bronze.weather:\n"))[0][1] == "dataset bronze.weather"


def test_what_would_replace_another_is_told_and_can_be_neither_applied_nor_kept(database: Database) -> None:
    draft = opened(database)
    unknown = files.Draft(draft.kind, draft.key, draft.path, draft.original, draft.lock, {"": "gone"})
    found = reviewed(database, unknown)
    assert [(each.code, each.severity) for each in found.findings] == [("PH303", "error")]
    assert found.document is None and not found.wants_the_editor


def test_an_edit_that_another_console_took_into_the_change_set_meanwhile_is_not_lost(database: Database) -> None:
    found = reviewed(database, opened(database))
    value = load_blueprint(database).datasets[KEY].model_copy(update={"owner": "another console"})
    stage(database, "me", Blueprint(datasets={KEY: value}))
    assert found.document is not None
    with pytest.raises(PilothouseError, match="PH303"):
        stage(database, "me", found.document, found.base, found.seen)
    assert load_staged(database, "me").working.blueprint.datasets[KEY].owner == "another console"


def keep(kind: str, key: str, text: str = "what it shall be", new: bool = False) -> Path:
    """A draft that somebody left."""
    draft = files.begin(settings(), kind, key, "what it was", new)
    files.write(draft, text)
    assert files.release(draft)
    return draft.path


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
async def test_a_kept_text_needs_a_person_on_the_first_screen_and_in_the_palette(
    database: Database, make_app: Callable[[], PilothouseApp], size: tuple[int, int]
) -> None:
    keep("dataset", "silver.flights")
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await until_seen(pilot, "ATTENTION 5", "silver.flights", "not applied, ", "enter open")
        await pilot.press("j", "j", "j", "j", "enter")
        await until_seen(pilot, "Blueprint ▸ datasets", "7 of 7")
        await until(pilot, lambda: app.screen.query_one("#list", Rows).row.key == "silver.flights")
        await until_seen(pilot, "silver.flights ✎ kept", "e go on")
        await pilot.press("e")
        await until_seen(pilot, "An edit of dataset silver.flights was not applied")
        await pilot.press("escape", "ctrl+p")
        await until_seen(pilot, "kept edit of dataset silver.flights")


async def test_a_kept_text_of_what_is_renamed_stands_under_the_key_of_today(
    database: Database, make_app: Callable[[], PilothouseApp]
) -> None:
    uids = {"": load_blueprint(database).datasets["silver.flights"].uid}
    draft = files.begin(settings(), "dataset", "silver.legs", "what it was", uids=uids)
    files.write(draft, "what it shall be")
    assert files.release(draft)
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        await until_seen(pilot, "ATTENTION 5", "silver.flights", "dataset not applied, ")
        assert "silver.legs" not in seen(app)
        await pilot.press("j", "j", "j", "j", "e")
        await until_seen(pilot, "An edit of dataset silver.flights was not applied", "go on with the text")


async def test_a_kept_text_that_could_not_be_opened_at_once_is_not_opened_later(
    database: Database, make_app: Callable[[], PilothouseApp]
) -> None:
    keep("dataset", "silver.flights")
    app = make_app()
    async with app.run_test(size=(120, 30)) as pilot:
        await until_seen(pilot, "ATTENTION 5", "not applied, ", "db●")
        await pilot.press("j", "j", "j", "j")
        with reads_held_up(app):
            await pilot.press("e")
            await until(pilot, lambda: screen_name(app) == "blueprint")
            await pilot.press("2")
        await until_seen(pilot, "newest first")
        await pilot.press("3")
        await until_seen(pilot, "silver.flights ✎ kept", "has_aircraft")
        assert screen_name(app) == "blueprint"
        good, app.session.store.database = app.session.store.database, Database("sqlite:////nowhere/at/all.db")
        app.go(Place("blueprint", "dataset silver.flights", EDIT))
        await until_seen(pilot, "PH301")
        app.session.store.database = good
        await until(pilot, lambda: app.screen._wanted == "")  # type: ignore[attr-defined]
        await pilot.pause(0.3)
        assert screen_name(app) == "blueprint"


async def test_e_goes_on_with_the_kept_text_of_a_model_where_it_is_told_of(
    database: Database, make_app: Callable[[], PilothouseApp]
) -> None:
    keep("model", "late_arrival")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "ATTENTION 5", "late_arrival", "not applied, ")
        await pilot.press("j", "j", "j", "j", "e")
        await until_seen(pilot, "An edit of model late_arrival was not applied")
        await pilot.press("escape")
        await until_seen(pilot, "Blueprint ▸ models", "late_arrival ✎ kept")


async def test_two_kept_texts_of_one_definition_are_told_apart_by_what_they_say(
    database: Database, make_app: Callable[[], PilothouseApp]
) -> None:
    keep("dataset", "silver.flights", "  #! PH101 a remark of ours\nowner: ada")
    keep("dataset", "silver.flights", "owner: bob")
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        await until_seen(pilot, "ATTENTION 6", "owner: ada", "owner: bob")
        app.go(Place("blueprint", "dataset silver.flights"))
        await until_seen(
            pilot,
            "✎ kept, not applied",
            "owner: ada",
            "owner: bob",
            "e goes on with it, f as a form; e, then d throws it away",
        )
        await pilot.press("e")
        await until_seen(pilot, "1  go on with the text of", ": owner: bob", "2  go on with", ": owner: ada")


@pytest.mark.parametrize("ended", [True, False])
async def test_a_kept_text_that_was_edited_elsewhere_since_it_was_asked_about_is_not_thrown_away(
    database: Database, make_app: Callable[[], PilothouseApp], ended: bool
) -> None:
    path = keep("dataset", "silver.flights", "owner: ada")
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        app.go(Place("blueprint", "dataset silver.flights"))
        await until_seen(pilot, "silver.flights ✎ kept")
        await pilot.press("e")
        await until_seen(pilot, "d  throw the kept text away")
        await pilot.press("d")
        await until_seen(pilot, "away for good?")
        elsewhere = files.resume(files.kept(settings())[0])
        assert elsewhere is not None
        files.write(elsewhere, "owner: bob")
        if ended:
            assert files.release(elsewhere)
        await pilot.press("y")
        await until_seen(pilot, "not thrown away: ", "elsewhere")
        assert path.read_text(encoding="utf-8") == "owner: bob"
        if not ended:
            assert files.release(elsewhere)


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
async def test_kept_texts_that_differ_far_in_a_long_line_are_told_from_where_they_do(
    database: Database, make_app: Callable[[], PilothouseApp], size: tuple[int, int]
) -> None:
    line = f"description: {'what comes of it, and why, ' * 6}{{}} knows, and so do all of those who come after\n"
    for name in ("ada", "bob"):
        draft = files.begin(settings(), "dataset", "silver.flights", line.format("nobody"))
        files.write(draft, line.format(name))
        assert files.release(draft)
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await until_seen(pilot, "ATTENTION 6", "nd why, ada", "nd why, bob")
        app.go(Place("blueprint", "dataset silver.flights"))
        await until_seen(pilot, "silver.flights ✎ kept")
        await pilot.press("e")
        await until_seen(pilot, ": …nd why, bob knows", ": …nd why, ada knows")


async def test_a_kept_text_of_what_is_gone_is_gone_on_with(
    database: Database, make_app: Callable[[], PilothouseApp]
) -> None:
    path = keep("dataset", "gone.away", "datasets:\n  gone.away: {layer: gold, owner: ada}\n", new=True)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until_seen(pilot, "ATTENTION 5", "gone.away", "dataset not applied, ", ": gone.away: {")
        await pilot.press("j", "j", "j", "j", "enter")
        await until_seen(pilot, "There is no dataset gone.away in the blueprint", path.name, "e  go on with it")
        assert "edit what is applied" not in seen(app)
        await pilot.press("f")
        await until_seen(pilot, "dataset gone.away", "ada")
        await pilot.press("ctrl+s")
        await until_seen(pilot, "created dataset gone.away", "s keep in the change set")
        await pilot.press("s")
        await until_seen(pilot, "kept in the change set")
    assert drafts() == []
