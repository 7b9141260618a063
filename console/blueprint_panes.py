"""What stands in the panes beside the definitions: text, uses, columns, history. `read_detail` fetches it once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from textual.content import Content

from console.code import yaml_lines
from console.drafts import Kept
from console.screens.review import field_lines
from console.text import ago, glyph, instant, joined, plain, styled
from metadata.commented import with_comments
from metadata.database import Database
from metadata.definitions import Use, references_of, used_by
from metadata.kinds import Definition
from metadata.revision_log import Edit, history_of
from metadata.rows.batches import DatasetState, state_of
from metadata.rows.columns import columns_known, readers_of
from metadata.rows.pages import DefinitionRow
from metadata.rows.sources import APPLIED, load_sources
from metadata.rows.staged import load_around
from metadata.values import counted, utc_now

MOST_USES = 500
"""Users of a definition that are shown."""
MOST_EDITS = 100
"""Revisions of a definition that are shown; the newest."""
PANES = ("YAML", "Used by", "Columns", "Rows", "Versions", "History")


@dataclass(frozen=True)
class Detail:
    """All that the right half says of one definition."""

    uid: str
    text: str
    coloured: tuple[Content, ...]
    """Its lines."""
    to_edit: str
    """The text with the edits of the change set in it; empty when they remove it."""
    uids: dict[str, str]
    """Those of the definition and its tasks, with the edits in it."""
    definition: Definition
    uses: tuple[Use, ...]
    used_by: tuple[Use, ...]
    history: tuple[Edit, ...]
    state: DatasetState | None
    columns: tuple[str, ...]
    """Those of a dataset, as far as they are known."""
    readers: Mapping[str, int]
    """How many tasks read each, by lower-case name."""


def kept_lines(kept: Iterable[Kept]) -> list[Content]:
    """Which texts of a definition were edited and not applied, and the keys that go on with them."""
    now = utc_now()
    told = [
        joined((glyph("✎ kept, not applied  "), "warn"), (f"{ago(one.at, now)}: ", "quiet"), plain(one.gist))
        for one in kept
    ]
    keys = joined(
        ("e", "key"),
        " goes on with it, ",
        ("f", "key"),
        " as a form; ",
        ("e", "key"),
        ", then ",
        ("d", "key"),
        " throws it away",
    )
    return [*told, keys, Content("")]


def read_detail(database: Database, row: DefinitionRow, owner: str) -> Detail | None:
    """All of it at once; None when it is gone."""
    staged = load_around(database, owner, row.uid)
    definition = staged.current.get(row.kind, row.key)
    if definition is None:
        return None
    is_dataset = row.kind == "dataset"
    sources = [load_sources(database, [row.uid], of).get(row.uid) for of in (APPLIED, owner)]
    text = with_comments(sources[0], row.kind, row.key, definition)
    return Detail(
        uid=row.uid,
        text=text,
        coloured=tuple(yaml_lines(text)),
        to_edit=staged.text_of(row.uid, sources[1]),
        uids=staged.own_uids(row.uid),
        definition=definition,
        uses=tuple(references_of(database, row.uid)),
        used_by=tuple(used_by(database, row.uid, MOST_USES + 1)),
        history=tuple(history_of(database, row.uid, MOST_EDITS + 1)),
        state=state_of(database, row.uid) if is_dataset else None,
        columns=columns_known(database, row.uid) if is_dataset else (),
        readers=readers_of(database, row.uid) if is_dataset else {},
    )


def pane(name: str, detail: Detail) -> list[Content]:
    """Lines of a pane."""
    return {"YAML": _yaml, "Used by": _uses, "History": _history}[name](detail)


def _yaml(detail: Detail) -> list[Content]:
    waits = [] if detail.to_edit == detail.text else [styled("an edit of it waits: P shows it", "warn"), Content("")]
    return [*waits, *detail.coloured]


def _uses(detail: Detail) -> list[Content]:
    lines = [styled("Used by", "strong"), *_references(detail.used_by[:MOST_USES], "nothing uses it")]
    if len(detail.used_by) > MOST_USES:
        lines.append(styled("  and more: / uses:KEY, among all kinds, lists every one", "quiet"))
    return [*lines, Content(""), styled("Uses", "strong"), *_references(detail.uses, "it uses nothing else")]


def _references(uses: Iterable[Use], none: str) -> list[Content]:
    lines = [
        joined(f"  {use.kind.replace('_', ' ')} ", (use.key, "strong"), (f"  {use.path}", "quiet")) for use in uses
    ]
    return lines or [styled(f"  {none}", "quiet")]


def _history(detail: Detail) -> list[Content]:
    lines: list[Content] = []
    for edit in detail.history[:MOST_EDITS]:
        revision, change = edit.revision, edit.change
        what = {"created": "made", "deleted": "deleted"}.get(change.action) or counted(len(change.fields), "change")
        lines += [
            joined(
                (f"revision {revision.number}  ", "strong"),
                f"{what}  ",
                (f"{plain(revision.author)}, {instant(revision.applied_at)}", "quiet"),
            ),
            *([styled(f"    {revision.note}", "quiet")] if revision.note else []),
            *field_lines(change.fields),
        ]
    if len(detail.history) > MOST_EDITS:
        lines.append(styled("and more: A lists every one", "quiet"))
    return lines or [styled("No history.", "quiet")]
