"""What a batch will contain, written down before it is written: files, bounds, and pinned inputs."""

from __future__ import annotations

import hashlib
import json
import math
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

MARK_NAME = 255
"""Characters that the name of a watermark may have."""
MarkValue = int | float | Decimal | str | date | datetime


class Frozen(BaseModel):
    """Immutable, and strict about names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FileIdentity(Frozen):
    """One file as it was seen: path below the connection's folder, size in bytes, time of change in ns, SHA-256."""

    path: str
    size: int
    modified: str
    checksum: str = ""

    def same_content(self, other: FileIdentity) -> bool:
        """Whether both stand for the same bytes: same path and size, and same checksum or same time of change."""
        if (self.path, self.size) != (other.path, other.size):
            return False
        return self.modified == other.modified or (self.checksum != "" and self.checksum == other.checksum)


class PinnedInput(Frozen):
    """An input dataset at one version; `batches` None: all its rows. `new`: they count as read afterwards."""

    uid: str
    version: int
    batches: tuple[int, ...] | None = None
    new: bool = False


class Mark(Frozen):
    """A value of a watermark column, with its type, so that it survives JSON unharmed."""

    kind: Literal["int", "float", "decimal", "text", "date", "local", "instant"]
    value: str

    @classmethod
    def of(cls, value: Any) -> Mark:
        """Raises ValueError for a type that has no order worth following, and for what no value lies above."""
        if isinstance(value, bool):
            raise ValueError("a boolean is no watermark")
        if isinstance(value, float | Decimal) and not math.isfinite(value):
            raise ValueError(f"{value} lies beyond all that could follow")
        if isinstance(value, datetime):
            kind = "instant" if value.tzinfo else "local"
            return cls.model_validate({"kind": kind, "value": value.isoformat()})
        if isinstance(value, date):
            return cls(kind="date", value=value.isoformat())
        if isinstance(value, int):
            return cls(kind="int", value=str(value))
        if isinstance(value, float):
            return cls(kind="float", value=value.hex())
        if isinstance(value, Decimal):
            return cls(kind="decimal", value=str(value))
        if isinstance(value, str):
            return cls(kind="text", value=value)
        if isinstance(value, uuid.UUID):
            return cls(kind="text", value=str(value))
        raise ValueError(f"{type(value).__name__} is no watermark")

    @property
    def python(self) -> MarkValue:
        """The value in Python's own type."""
        match self.kind:
            case "int":
                return int(self.value)
            case "float":
                return float.fromhex(self.value)
            case "decimal":
                return Decimal(self.value)
            case "date":
                return date.fromisoformat(self.value)
            case "local" | "instant":
                return datetime.fromisoformat(self.value)
            case "text":
                return self.value

    def reached_by(self, other: Mark) -> bool:
        """Whether `other` is as far or farther. Marks that do not compare count as farther, and so do texts.

        Only their source knows how texts are ordered there: a before B in one collation, B before a in another.
        """
        mine, its = self.python, other.python
        if isinstance(mine, str):
            return True
        if isinstance(mine, datetime) and isinstance(its, datetime):
            mine, its = _aware(mine), _aware(its)
        try:
            return bool(its >= mine)  # type: ignore[operator]
        except TypeError:
            return True


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


class Bounds(Frozen):
    """Which rows of a table (`source`) are read: those with low < column <= high (low <= column when `low_included`).

    No column: the whole table. `high` None: the table was empty, or all its marks were NULL. `connection` is a uid; it
    is "" in intents of older versions.
    """

    connection: str = ""
    source: str
    column: str | None = None
    low: Mark | None = None
    low_included: bool = False
    high: Mark | None = None
    nulls: Literal["fail", "include", "ignore"] = "fail"

    @property
    def mark_name(self) -> str:
        """Under what its watermark is kept: that of one connection, table and column says nothing of another's."""
        if not self.connection:
            return self.source
        name = json.dumps([self.connection, self.source, self.column], ensure_ascii=False)
        return name if len(name) <= MARK_NAME else f"{self.connection} {hashlib.sha256(name.encode()).hexdigest()}"


class Intent(Frozen):
    """What one batch will contain. Building it again from the same intent gives the same rows.

    `target_version` is the target table's version before the batch (None: no table); `extra` is whatever else a task
    kind must pin, such as a model version.
    """

    inputs: dict[str, PinnedInput] = {}
    files: tuple[FileIdentity, ...] = ()
    bounds: Bounds | None = None
    target_version: int | None = None
    extra: dict[str, JsonValue] = {}

    @property
    def incremental(self) -> bool:
        """Whether what it reads is used up by it, so that intending again gives only what is new."""
        grows = self.bounds is not None and self.bounds.column is not None
        return bool(self.files) or grows or any(pinned.new for pinned in self.inputs.values())

    def text(self) -> str:
        """Its canonical JSON."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)
