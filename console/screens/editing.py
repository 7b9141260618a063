"""Editing a definition in `$EDITOR`: suspend, edit, check, review, apply. The text is never lost."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from textual.app import App, SuspendNotSupported

from console.edit import Draft, Review, draft_file, editor, review, with_remarks, without_remarks, write_draft
from console.screens.split import SplitScreen
from metadata.errors import Fault, PilothouseError
from metadata.revisions import Revision, apply


class Editing(SplitScreen):
    """A split screen on which a definition is edited."""

    _draft: Draft
    _text: str

    def edit(self, kind: str, key: str, text: str) -> None:
        """Open the editor on a definition."""
        try:
            path = draft_file(self.session.settings, kind, key)
            write_draft(path, text)
        except OSError as error:
            self.say(f"the draft could not be written: {error}", "warn")
            return
        self._draft, self._text = Draft(kind, key, path, text), text
        self._open_editor(text)

    def _open_editor(self, before: str) -> None:
        """Edit the draft; what is left as it was `before`, or left with an error of the editor, changes nothing."""
        path = self._draft.path
        try:
            code = _run_editor(self.app, path)
            self._text = without_remarks(path.read_text(encoding="utf-8"))
        except PilothouseError as error:
            self._keep(f"{error.fault.code} {error.fault.cause}: {error.fault.remedy}")
            return
        except (OSError, SuspendNotSupported) as error:
            self._keep(f"the editor could not be started: {error}")
            return
        except UnicodeDecodeError:
            self.say(f"kept in {_shown(path)}: what the editor left is no UTF-8, nothing was applied", "warn")
            return
        if code != 0:
            self._keep(f"the editor ended with {code}")
        elif self._text == self._draft.original:
            self._keep("the text was not changed")
        elif self._text == before:
            self._keep("nothing was mended")
        else:
            database, settings, draft, text = (
                self.session.store.database,
                self.session.settings,
                self._draft,
                self._text,
            )
            self.say("checking …", "quiet")
            self.act("reviewed", lambda: review(database, settings, draft, text))

    def _keep(self, why: str) -> None:
        """Say that nothing was applied, and where the text is if it differs from what there was."""
        if self._text == self._draft.original:
            self._draft.path.unlink(missing_ok=True)
            self.say(f"{why}: nothing to apply", "quiet")
        else:
            write_draft(self._draft.path, self._text)
            self.say(f"kept in {_shown(self._draft.path)}: {why}, nothing was applied", "warn")

    def got_reviewed(self, found: Review) -> None:
        """Checked: with errors the editor opens again, else the changes are shown."""
        if found.errors and found.document is None:
            write_draft(self._draft.path, with_remarks(self._text, found.errors))
            self._open_editor(self._text)
        elif found.changes is not None and not found.changes:
            self._draft.path.unlink(missing_ok=True)
            self.say("nothing differs: nothing to apply", "quiet")
        else:
            self._show_review(found)

    def _show_review(self, found: Review) -> None:
        from console.screens.review import ReviewScreen

        def answered(answer: str | None) -> None:
            if answer == "e":
                write_draft(self._draft.path, with_remarks(self._text, found.errors))
                self._open_editor(self._text if found.errors else "")
            elif answer == "y":
                self._apply(found)
            else:
                self._keep("left")

        self.app.push_screen(ReviewScreen(found), answered)

    def _apply(self, found: Review) -> None:
        database, settings, author = self.session.store.database, self.session.settings, self.session.author
        document, base = found.document, found.base
        if document is not None:
            self.act(
                "applied",
                lambda: apply(database, document, author=author, settings=settings, base_revision=base),
            )

    def got_applied(self, revision: Revision | None) -> None:
        """Applied: the draft is no longer needed."""
        self._draft.path.unlink(missing_ok=True)
        self.say(f"revision {revision.number} is applied" if revision else "nothing to apply")
        self.reload()

    def refused(self, job: str, fault: Fault) -> None:
        """Not checked, or not applied: the text stays."""
        if job in ("reviewed", "applied"):
            self._keep(f"{fault.code} {fault.cause}")
        else:
            super().refused(job, fault)


def _shown(path: Path) -> str:
    """A path as its owner types it."""
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


def _run_editor(app: App[object], path: Path) -> int:
    """Give the terminal to the editor; its exit code. ctrl+c is the editor's while it runs."""
    command = [*editor(os.environ), str(path)]
    failed: OSError | None = None
    code = 0
    with app.suspend():
        before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
        try:
            code = subprocess.run(command, check=False).returncode
        except OSError as error:
            failed = error
        finally:
            signal.signal(signal.SIGINT, before)
    app.refresh(layout=True)
    if failed is not None:
        raise failed
    return code
