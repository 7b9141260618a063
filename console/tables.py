"""Rows and versions of a table in words and cells, for screens and the command line. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from console.text import glyph, plain
from metadata.values import counted

if TYPE_CHECKING:
    from flows.tables import TableVersion
    from metadata.rows.versions import Writer

NUMBERS = ("byte", "short", "int", "long", "float", "double", "decimal")
UPKEEP = ("OPTIMIZE", "VACUUM", "REORG", "FSCK", "COMPUTE STATS", "UPGRADE PROTOCOL", "SET TBLPROPERTIES")
"""How operations begin that change no row."""
_BATCH = "_batch"


@dataclass(frozen=True)
class VersionLine:
    """A version with who wrote it, in words; `foreign` when that was none of ours."""

    entry: TableVersion
    writer: Writer | None
    by: str
    foreign: bool

    @property
    def rows(self) -> str:
        """What it did to rows: `+28,765 ~12 -3`; empty where it does not say."""
        parts = (("+", self.entry.added), ("~", self.entry.changed), ("-", self.entry.removed))
        return " ".join(f"{sign}{many:,}" for sign, many in parts if many or (many == 0 and sign == "+"))


def version_lines(versions: Sequence[TableVersion], writers: Mapping[int, Writer]) -> list[VersionLine]:
    """Each version with its writer."""
    return [_line(entry, writers.get(entry.version)) for entry in versions]


def _line(entry: TableVersion, writer: Writer | None) -> VersionLine:
    if writer is not None:
        run = f"run {writer.run} {writer.pipeline}" if writer.run is not None else "a run that is gone"
        return VersionLine(entry, writer, f"{run} {glyph('▸')} {writer.task}, batch {writer.sequence}", False)
    if entry.operation.upper().startswith(UPKEEP):
        return VersionLine(entry, None, "upkeep: the rows are the same", False)
    if _BATCH in entry.where:
        return VersionLine(entry, None, "Pilothouse, on the rows of a batch", False)
    return VersionLine(entry, None, f"foreign, {entry.engine}" if entry.engine else "foreign", True)


def is_number(kind: str) -> bool:
    """Whether a column of that type stands at the right."""
    return kind.partition("(")[0] in NUMBERS


def shown(value: Any, kind: str) -> str | None:
    """A value as a cell; None for NULL. Numbers are data here, not quantities: no digit is added or taken away."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    text = plain(value)
    return text.replace("T", " ", 1).removesuffix("+00:00") if kind == "timestamp" else text


def told(version: int, many: int, more: bool, total: int | None) -> str:
    """What is shown of a table: `first 20 of 287,650 rows, version 12`."""
    of = f" of {counted(total, 'row')}" if total is not None and total >= many else " rows" if many != 1 else " row"
    first = f"first {many:,}{of}" if more else counted(many, "row")
    return f"{first}, version {version}"
