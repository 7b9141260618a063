"""What applying a draft would do: changes field by field, what they touch, what was found; one key applies it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from console.edit import Review
from console.impact import NEEDS_CELLS, told, untold
from console.screens.check_page import CheckPage
from console.screens.modal import Modal
from console.text import glyph, joined, plain, stacked, styled
from console.widgets.lines import Lines
from metadata.changes import Change, FieldChange
from metadata.checks.catalogue import codes, page
from metadata.findings import Finding
from metadata.line_diff import has_lines, line_diff
from metadata.rows.sizes import Sized
from metadata.values import counted
from metadata.yaml_writer import in_line, lines_of

_OUTDATED, _SECRET = "PH303", "PH150"
SIGNS = {"created": ("+", "good"), "changed": ("~", "active"), "renamed": ("→", "active"), "deleted": ("-", "bad")}
NEEDS = {"backfill": "warn", "rebuilt": "active", "retrain": "warn"}
_DIFF = {"-": ("bad", "quiet"), "+": ("good", ""), " ": ("quiet", "quiet"), "…": ("quiet", "quiet")}
"""Tones of the sign, and of the line."""
IMPACT_CELLS = 62
"""What lines of the impact have room in, in a terminal of 80."""


class ReviewScreen(Modal[str]):
    """Gives `y` (apply), where there is a text `s` (into the change set) and `e` (edit again), or an empty text.

    One finding is chosen, whose page `enter` opens. Going down chooses the next one as soon as it is in view. What the
    change brings comes first; what was there before is folded behind a count (`b`). `f` is given to go to what the
    finding names, which is `chosen`.
    """

    SEEN_FIRST = True
    CSS_PATH = "review.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "go(1)", "down", show=False, priority=True),
        Binding("k,up", "go(-1)", "up", show=False, priority=True),
        Binding("enter", "explain", "explain", show=False),
        Binding("b", "earlier", "those that were there before", show=False),
    ]

    def __init__(
        self,
        review: Review,
        title: str = "",
        *,
        edits: bool = True,
        answers: Sequence[tuple[str, str]] | None = None,
        open_at: Collection[tuple[str, str]] = (),
    ) -> None:
        """`answers` (key, what it does) stand instead of those that go with an edit, or with what is applied.

        `open_at` are definitions, by kind and key, that can be edited at the field that a finding names.
        """
        super().__init__()
        self._review, self._title = review, title
        self._has_own_answers, self._open_at = answers is not None, frozenset(open_at)
        self._answers = _answers(review, edits) if answers is None else list(answers)
        brought = [each for each in review.findings if each not in review.earlier]
        self._brought = sorted(brought, key=lambda each: each.code != _OUTDATED)
        """What others did to it meanwhile comes first, above the changes."""
        self._earlier = [each for each in review.findings if each in review.earlier]
        self._unfolded = False
        self._chosen = 0
        self._withheld = _withheld(review, edits) if answers is None else ""
        self._heads: list[int] = []
        """The line at which each finding begins."""
        self._told = review_lines(review)

    def compose(self) -> ComposeResult:
        """Changes, impact, findings, answers."""
        with Vertical(id="review"):
            yield Lines(id="changes")
            yield Static(id="answers")

    def on_mount(self) -> None:
        """Show them."""
        self._show()
        self.query_one(Lines).focus()

    def on_key(self, event: events.Key) -> None:
        """One key answers."""
        pressed = event.character or event.key
        if event.key == "escape":
            event.stop()
            self.dismiss("")
        elif pressed in [one for one, _ in self._answers]:
            event.stop()
            self.dismiss(pressed)
        elif pressed == "f" and self._goes:
            event.stop()
            self.dismiss("f")
        elif pressed == "y" and self._withheld:
            event.stop()
            self.query_one("#answers", Static).update(self._offer("warn"))

    def action_go(self, step: int) -> None:
        """To the next finding that way if it is in view, else a line on."""
        lines = self.query_one(Lines)
        seen = [number for number, line in enumerate(self._heads) if lines.in_view(line)]
        ahead = [number for number in seen if self._chosen not in seen or (number - self._chosen) * step > 0]
        if ahead:
            self._chosen = ahead[0 if step > 0 else -1]
            self._show()
        elif step > 0:
            lines.action_scroll_down()
        else:
            lines.action_scroll_up()

    def action_explain(self) -> None:
        """Open the page of the chosen finding."""
        code = self._code
        if code and self.app.screen is self:
            self.app.push_screen(CheckPage(page(code)))

    def action_earlier(self) -> None:
        """Show what was there before, or fold it again."""
        if self._earlier:
            self._unfolded = not self._unfolded
            self._chosen = len(self._brought) if self._unfolded else 0
            self._show()
            if self._unfolded:
                self.query_one(Lines).begin_at(self._heads[self._chosen] - 2)

    @property
    def _findings(self) -> list[Finding]:
        """Those that are shown, in their order."""
        return [*self._brought, *self._earlier] if self._unfolded else self._brought

    @property
    def chosen(self) -> Finding | None:
        """The finding that is chosen."""
        return self._findings[self._chosen] if self._findings else None

    @property
    def _goes(self) -> str:
        """Where `f` goes; empty where it goes nowhere: a definition that is not applied is in no list."""
        one, changes = self.chosen, self._review.changes
        if self._has_own_answers or one is None or not one.kind:
            return ""
        if (one.kind, one.key) in self._open_at:
            return "its field"
        return "what it names" if changes and changes.before.get(one.kind, one.key) else ""

    @property
    def _code(self) -> str:
        """Of the chosen finding, if there is a page of it."""
        code = self._findings[self._chosen].code if self._findings else ""
        return code if code in codes() else ""

    def _show(self) -> None:
        lines = [styled(f"{self._title[0].upper()}{self._title[1:]}", "strong"), Content("")] if self._title else []
        self._heads = []
        above = [each for each in self._findings if each.code == _OUTDATED]
        for finding in above:
            self._heads.append(len(lines))
            lines += [*_finding(finding, self._chosen == len(self._heads) - 1), Content("")]
        lines += self._told
        for place, finding in enumerate(self._findings[len(above) :], len(above)):
            if place == len(self._brought):
                lines += [Content(""), styled("Were there before", "strong")]
            self._heads.append(len(lines) + 1)
            lines += [Content(""), *_finding(finding, self._chosen == len(self._heads) - 1)]
        self.query_one(Lines).show(lines)
        self.query_one("#answers", Static).update(self._offer())

    def _offer(self, tone: str = "quiet") -> Content:
        many = len(self._findings)
        which = f" ({self._chosen + 1} of {many})" if many > 1 else ""
        explain = [("enter", f"explain {self._code}{which}")] if self._code else []
        explain += [("f", f"go to {self._goes}")] if self._goes else []
        fold = [("b", "fold" if self._unfolded else _count(self._earlier))] if self._earlier else []
        lines = [[*explain, *fold], [*self._answers, ("esc", "leave")]]
        answers = [Content("  ").join(joined((f"{one} ", "key"), what) for one, what in line) for line in lines if line]
        return stacked([styled(self._withheld, tone), *answers] if self._withheld else answers)


def _answers(review: Review, edits: bool) -> list[tuple[str, str]]:
    now = [] if review.errors or review.staged else [("y", "apply")]
    if not edits:
        return now
    can_wait = review.document and all(each.code != _SECRET for each in review.findings)
    return [*now, *([("s", "keep in the change set")] if can_wait else []), ("e", "edit again")]


def _count(earlier: Sequence[Finding]) -> str:
    """How many findings were there before: `7 that were there before (1 error)`."""
    errors = sum(each.severity == "error" for each in earlier)
    beside = f" ({counted(errors, 'error')})" if errors else ""
    return f"{len(earlier):,} that {'was' if len(earlier) == 1 else 'were'} there before{beside}"


def _withheld(review: Review, edits: bool) -> str:
    """Why it cannot be applied now; empty where it can."""
    if review.errors:
        return f"{counted(len(review.errors), 'error')} {'forbids' if len(review.errors) == 1 else 'forbid'} it"
    count = review.staged if edits else 0
    both = "both" if count == 1 else "all of them"
    waiting = f"{counted(count, 'edit')} {'waits' if count == 1 else 'wait'} in your change set"
    return f"{waiting}: s, then P applies {both}" if count else ""


def review_lines(review: Review) -> list[Content]:
    """The changes in words, what is deleted first, then what they touch."""
    changes = review.changes.changes if review.changes else ()
    deleted = review.changes.count("deleted") if review.changes else 0
    lines: list[Content] = []
    if deleted:
        lines += [styled(f"It deletes {counted(deleted, 'definition')}; what they wrote stays.", "bad"), Content("")]
    return [*lines, *(line for change in changes for line in change_lines(change)), *impact_lines(review.impact)]


def _finding(finding: Finding, chosen: bool) -> list[Content]:
    """What is wrong, where, why, and what to do."""
    tone = "bad" if finding.severity == "error" else "warn"
    where = f" line {finding.line}" if finding.line else ""
    return [
        joined(
            ("▸ " if chosen else "  ", "key"),
            (f"{finding.severity} {finding.code}", tone),
            (f"{where}  {finding.thing}", "strong"),
        ),
        joined(("  cause   ", "quiet"), plain(finding.cause)),
        joined(("  remedy  ", "quiet"), plain(finding.remedy)),
    ]


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


def change_lines(change: Change, words: str = "") -> list[Content]:
    """One definition: what happens to it, in such `words`, field by field."""
    sign, tone = SIGNS[change.action]
    kind = change.kind.replace("_", " ")
    head = joined(
        (f"{sign} {words or change.action} ", tone), (f"{kind} ", "quiet"), (change.key, "strong"), change.former
    )
    return [head, *field_lines(change.fields)]


def field_lines(fields: Sequence[FieldChange]) -> list[Content]:
    """Each field that differs, before and after."""
    lines = []
    for each in fields:
        before, after = (plain(in_line(value)) for value in (each.before, each.after))
        if each.switch:
            lines.append(joined(("    ~ ", "active"), (each.switch, "strong")))
        elif each.action in ("added", "removed"):
            sign, value = (("+", "good"), each.after) if each.action == "added" else (("-", "bad"), each.before)
            lines += [joined((f"    {sign[0]} ", sign[1]), plain(line)) for line in lines_of(each.path, value)]
        elif has_lines(each) or len(before) + len(after) > 80:
            lines += [joined(("    ~ ", "active"), (each.path, "strong")), *_line_by_line(each)]
        else:
            lines.append(joined(("    ~ ", "active"), (each.path, "strong"), f": {before} → ", (after, "accent")))
    return lines


def _line_by_line(change: FieldChange) -> list[Content]:
    """What differs, with a little around it."""
    lines = []
    for each in line_diff(in_line(change.before), in_line(change.after)):
        of_sign, of_line = _DIFF[each.sign]
        lines.append(joined((f"        {glyph(each.sign)} ", of_sign), (each.text, of_line)))
    return lines
