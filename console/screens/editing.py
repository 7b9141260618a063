"""Editing a definition in `$EDITOR`: suspend, edit, check, review, apply. The text is never lost."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from textual.app import SuspendNotSupported

from console.edit import Review, draft_file, editor, review, with_remarks, without_remarks, write_draft
from console.screens.split import SplitScreen
from metadata.errors import PilothouseError
from metadata.revisions import Revision, apply


class Editing(SplitScreen):
    """A split screen on which a definition is edited."""

    _file: Path
    _original: str

    def edit(self, kind: str, key: str, text: str) -> None:
        """Open the editor on a definition."""
        self._file, self._original = draft_file(self.session.settings, kind, key), text
        write_draft(self._file, text)
        self._open_editor(text)

    def _open_editor(self, before: str) -> None:
        """Edit the draft; what is left unchanged, or left with an error of the editor, changes nothing."""
        try:
            command = [*editor(os.environ), str(self._file)]
            with self.app.suspend():
                code = subprocess.run(command, check=False).returncode
        except PilothouseError as error:
            self.say_fault(error.fault)
            return
        except (OSError, SuspendNotSupported) as error:
            self.say(f"the editor could not be started: {error}", "warn")
            return
        self.app.refresh(layout=True)
        text = without_remarks(self._file.read_text(encoding="utf-8", errors="replace"))
        if code != 0:
            self._keep(text, f"the editor ended with {code}")
        elif text == self._original or text == before:
            self._keep(text, "the text was not changed" if text == self._original else "nothing was mended")
        else:
            database, settings = self.session.store.database, self.session.settings
            self.say("checking …", "quiet")
            self.act("reviewed", lambda: (text, review(database, settings, text)))

    def _keep(self, text: str, why: str) -> None:
        """Say that nothing was applied, and where the text is if it differs."""
        if text == self._original:
            self._file.unlink(missing_ok=True)
            self.say(f"{why}: nothing to apply", "quiet")
        else:
            write_draft(self._file, text)
            self.say(f"{why}; nothing was applied, the text is kept in {self._file}", "warn")

    def got_reviewed(self, value: tuple[str, Review]) -> None:
        """Checked: with errors the editor opens again, else the changes are shown."""
        text, found = value
        if found.errors and found.document is None:
            write_draft(self._file, with_remarks(text, found.errors))
            self._open_editor(text)
        elif found.changes is not None and not found.changes:
            self._file.unlink(missing_ok=True)
            self.say("nothing differs: nothing to apply", "quiet")
        else:
            self._show_review(found, text)

    def _show_review(self, found: Review, text: str) -> None:
        from console.screens.review import ReviewScreen

        def answered(answer: str | None) -> None:
            if answer == "e":
                write_draft(self._file, with_remarks(text, found.errors))
                self._open_editor("" if not found.errors else text)
            elif answer == "y" and found.document is not None:
                self._apply(found)
            else:
                self._keep(text, "left")

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
        self._file.unlink(missing_ok=True)
        self.say(f"revision {revision.number} is applied" if revision else "nothing to apply")
        self.reload()
