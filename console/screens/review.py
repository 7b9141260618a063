"""What applying a draft would do: changes field by field, what they touch, what was found; one key applies it."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from console.edit import Review
from console.impact import NEEDS_CELLS, told, untold
from console.screens.modal import Modal
from console.text import joined, plain, styled
from console.widgets.lines import Lines
from metadata.changes import Change, FieldChange
from metadata.rows.sizes import Sized
from metadata.values import counted
from metadata.yaml_writer import lines_of

SIGNS = {"created": ("+", "good"), "changed": ("~", "active"), "renamed": ("→", "active"), "deleted": ("-", "bad")}
NEEDS = {"backfill": "warn", "rebuilt": "active", "retrain": "warn"}
IMPACT_CELLS = 62
"""What lines of the impact have room in, in a terminal of 80."""


class ReviewScreen(Modal[str]):
    """Gives `y` (apply), where there is a text `s` (into the change set) and `e` (edit again), or an empty text."""

    CSS_PATH = "review.tcss"

    def __init__(self, review: Review, title: str = "", *, edits: bool = True) -> None:
        super().__init__()
        self._review, self._title = review, title
        self._answers = _answers(review, edits)

    def compose(self) -> ComposeResult:
        """Changes, impact, findings, answers."""
        answers = [joined((f"{one:>4} ", "key"), what) for one, what in [*self._answers, ("esc", "leave")]]
        with Vertical(id="review"):
            yield Lines(id="changes")
            yield Static(Content("  ").join(answers), id="answers")

    def on_mount(self) -> None:
        """Show them."""
        lines = self.query_one(Lines)
        title = [styled(f"{self._title[0].upper()}{self._title[1:]}", "strong"), Content("")] if self._title else []
        lines.show([*title, *review_lines(self._review)])
        lines.focus()

    def on_key(self, event: events.Key) -> None:
        """One key answers."""
        pressed = event.character or event.key
        if event.key == "escape":
            event.stop()
            self.dismiss("")
        elif pressed in [one for one, _ in self._answers]:
            event.stop()
            self.dismiss(pressed)


def _answers(review: Review, edits: bool) -> list[tuple[str, str]]:
    now = [] if review.errors or review.staged else [("y", "apply")]
    if not edits:
        return now
    return [*now, *([("s", "keep in the change set")] if review.document else []), ("e", "edit again")]


def review_lines(review: Review) -> list[Content]:
    """The changes in words, then what they touch, then the findings."""
    lines: list[Content] = []
    deleted = review.changes.count("deleted") if review.changes else 0
    if deleted:
        lines += [styled(f"It deletes {counted(deleted, 'definition')}; what they wrote stays.", "bad"), Content("")]
    for change in review.changes.changes if review.changes else ():
        lines += change_lines(change)
    lines += impact_lines(review.impact)
    for each in review.findings:
        tone = "bad" if each.severity == "error" else "warn"
        where = f" line {each.line}" if each.line else ""
        lines += [
            Content(""),
            joined((f"{each.severity} {each.code}", tone), (f"{where}  {each.thing}", "strong")),
            joined(("  cause   ", "quiet"), plain(each.cause)),
            joined(("  remedy  ", "quiet"), plain(each.remedy)),
        ]
    return lines


def impact_lines(touched: Sequence[Sized]) -> list[Content]:
    """What is touched, each with what it needs, how many rows that is, and why; nothing where nothing is."""
    if not touched:
        return []
    lines = [Content(""), styled("Impact", "strong")]
    for each in told(touched, IMPACT_CELLS):
        needs = (f"  {each.needs:<{NEEDS_CELLS}}", NEEDS.get(each.needs, "quiet"))
        lines.append(joined(needs, (f"{each.kind} ", "quiet"), (each.key, "strong")))
        lines += [styled(f"  {'':<{NEEDS_CELLS}}{plain(line)}", "quiet") for line in each.below]
    more = untold(touched)
    return [*lines, styled(f"  {more}", "quiet")] if more else lines


def change_lines(change: Change) -> list[Content]:
    """One definition: what happens to it, field by field."""
    sign, tone = SIGNS[change.action]
    head = joined(
        (f"{sign} {change.action} ", tone), (f"{change.kind} ", "quiet"), (change.key, "strong"), change.former
    )
    return [head, *field_lines(change.fields)]


def field_lines(fields: Sequence[FieldChange]) -> list[Content]:
    """Each field that differs, before and after."""
    lines = []
    for each in fields:
        before, after = (plain(value) for value in (each.before, each.after))
        if each.action in ("added", "removed"):
            sign, value = (("+", "good"), each.after) if each.action == "added" else (("-", "bad"), each.before)
            lines += [joined((f"    {sign[0]} ", sign[1]), plain(line)) for line in lines_of(each.path, value)]
        elif "\n" in str(each.before) or len(before) + len(after) > 80:
            lines += [joined(("    ~ ", "active"), (each.path, "strong")), *_both(str(each.before), str(each.after))]
        else:
            lines.append(joined(("    ~ ", "active"), (each.path, "strong"), f": {before} → ", (after, "accent")))
    return lines


def _both(before: str, after: str) -> list[Content]:
    return [
        *(joined(("        - ", "bad"), (line, "quiet")) for line in before.splitlines()),
        *(joined(("        + ", "good"), line) for line in after.splitlines()),
    ]
