"""How what came of trying an expression is shown: a rule run by run, SQL as counts and the first rows. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content

from console.code import code_lines
from console.text import as_of, glyph, joined, number, plain, share, shorten, state_content, styled
from console.widgets.cells import GAP, fitted, fitting
from metadata.colouring import Language
from metadata.states import DecisionState
from metadata.trying import Part, Past, RowsTried, RuleTried

CELL = 24
"""Widest column of the first rows."""
INDENT = 9
WIDE = 110
"""Cells from which a reason stands beside what it is the reason for."""


def text_lines(part: Part) -> list[Content]:
    """What is tried: a rule or a query as it is written; of several expressions each is told beside its count."""
    if part.sort not in ("rule", "query", "label"):
        return []
    language: Language = "cel" if part.sort == "rule" else "sql"
    lines = [line for text in part.texts.values() for line in code_lines(language, text.strip())]
    return [*lines[:12], *([styled(glyph("…"), "quiet")] if len(lines) > 12 else []), Content("")]


def rule_lines(tried: RuleTried, width: int) -> list[Content]:
    """How often it would have fired, then run by run what it says, and what was decided then where it is another."""
    fired = any(each.state == DecisionState.FIRED for each in tried.past)
    lines = [styled(tried.told, "warn" if fired else "strong"), Content("")]
    return lines + [line for each in tried.past for line in _past(each, width)]


def _past(past: Past, width: int) -> list[Content]:
    other = f"was {past.then}" if past.then is not None and past.then != past.state else ""
    says = state_content(past.state)
    head = joined(
        (f"#{past.run}".rjust(7), "strong"), f"  {as_of(past.as_of):<18}  ", says, " " * max(1, 14 - len(says.plain))
    )
    head = joined(head, (other.ljust(15), "quiet"))
    if width >= WIDE:
        return [joined(head, (past.reason, "quiet"))]
    return [head, *(joined(" " * INDENT, line) for line in styled(past.reason, "quiet").wrap(width - INDENT))]


def rows_lines(tried: RowsTried, width: int, first: int) -> list[Content]:
    """What was read and counted, then the first rows, their columns from the `first` on as far as they fit."""
    lines = [styled(tried.told, "strong"), Content("")]
    names = max((len(each.name) for each in tried.checked), default=0)
    for each in tried.checked:
        tone = "" if not each.rows else "warn"
        counted = joined((f"{number(each.rows):>9}", tone), (f"{share(each.share):>8}", tone))
        lines.append(joined(f"{shorten(each.name, CELL).ljust(min(names, CELL))} ", counted, f"  {each.says}"))
        lines += [joined("    ", line) for line in code_lines("sql", each.text)] if each.text != each.name else []
    if tried.checked:
        lines.append(Content(""))
    if not tried.rows:
        what = "no row breaks a rule" if tried.columns[:1] == ("breaks",) else "no row to show"
        return [*lines, styled(what, "good")]
    return lines + _table(tried.columns, tried.rows, width, first)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str | None]], width: int, first: int) -> list[Content]:
    texts = [plain(name) for name in columns]
    cells = [[styled("NULL", "quiet") if value is None else styled(value) for value in row] for row in rows]
    sizes = [min(CELL, max(cell_len(text), *(row[at].cell_length for row in cells))) for at, text in enumerate(texts)]
    first = min(first, len(columns) - 1)
    shown = range(first, fitting(sizes, first, width))
    gap = Content(" " * GAP)
    head = gap.join(fitted(styled(texts[at], "head"), sizes[at]) for at in shown)
    lines = [head, *(gap.join(fitted(row[at], sizes[at]) for at in shown) for row in cells)]
    hidden = len(columns) - len(shown)
    return lines + ([styled(f"{hidden} more columns: h l", "quiet")] if hidden else [])
