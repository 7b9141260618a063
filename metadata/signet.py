"""What a home signs the audit with, and how far it has seen it: two files, both outside the database."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from metadata.errors import PilothouseError

BYTES = 32
"""Length of a key."""
_AT = "at "
"""Before a place, among the heads: it has that of number 0, whose hash is the uid of the database that is there."""


@dataclass(frozen=True)
class Head:
    """The newest entry of an audit, as far as somebody knows."""

    number: int
    hash: str
    signature: str


@dataclass(frozen=True)
class Key:
    """A secret to sign with."""

    secret: bytes

    @property
    def name(self) -> str:
        """What tells this key from others, and says nothing of it."""
        return hashlib.sha256(b"pilothouse audit key " + self.secret).hexdigest()[:16]

    def sign(self, installation: str, number: int, digest: str) -> str:
        """HMAC-SHA256 of the entry of that number and hash, in the database of that uid."""
        return hmac.new(self.secret, f"{installation} {number} {digest}".encode(), hashlib.sha256).hexdigest()

    def signed(self, installation: str, head: Head) -> bool:
        """Whether this key made the signature."""
        made = self.sign(installation, head.number, head.hash)
        return hmac.compare_digest(made.encode(), head.signature.encode())


@dataclass(frozen=True)
class Signet:
    """The key of a home, and the newest head that it has seen of each database. Safe between processes."""

    key_file: Path
    head_file: Path

    def key(self) -> Key:
        """The key, made when first asked for. Raises PilothouseError PH365 for a file that is none, or not secret."""
        try:
            if not self.key_file.exists():
                self._make()
            secret, mode = self.key_file.read_bytes(), self.key_file.stat().st_mode
        except OSError as error:
            raise self._unusable(error.strerror or str(error), "mend that, or put the key back") from error
        if len(secret) != BYTES:
            raise self._unusable(f"it has {len(secret)} bytes, and a key has {BYTES}", "put the key back")
        if stat.S_IMODE(mode) & 0o077:
            raise self._unusable("others than its owner may use it", f"chmod 600 {self.key_file}")
        return Key(secret)

    def seen(self, installation: str) -> Head | None:
        """The newest head that this home has kept of a database. Raises PilothouseError PH365 for a damaged file."""
        try:
            with self._opened(os.O_RDONLY, fcntl.LOCK_SH) as file:
                return self._heads(file).get(installation)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._damaged() from error

    def at(self, place: str) -> str:
        """The uid of the database whose audit this home has kept first of what is there; empty where it has of none.

        Raises PilothouseError PH365 as `seen` does.
        """
        kept = self.seen(_AT + place) if place else None
        return kept.hash if kept else ""

    def leave(self, place: str) -> None:
        """Forget what was there: its owner has removed it. Raises OSError, and PilothouseError PH365."""
        if place and self.head_file.exists():
            with self._opened(os.O_RDWR, fcntl.LOCK_EX) as file:
                self._write(file, {uid: head for uid, head in self._heads(file).items() if uid != _AT + place})

    def keep(self, installation: str, head: Head, place: str = "", *, anew: bool = False) -> None:
        """Keep a head that is newer than the one that was seen; with `anew`, whatever was seen, and is damaged.

        The first database at a `place` is that one until another is kept `anew`. Raises OSError, and PilothouseError
        PH365 as `seen` does.
        """
        with self._opened(os.O_RDWR | os.O_CREAT, fcntl.LOCK_EX) as file:
            try:
                heads = self._heads(file)
            except PilothouseError:
                if not anew:
                    raise
                heads = {}
            known = heads.get(installation)
            there = {} if not place or (_AT + place in heads and not anew) else {_AT + place: Head(0, installation, "")}
            if there or anew or known is None or known.number < head.number:
                newest = known if known and not anew and known.number > head.number else head
                self._write(file, {**heads, **there, installation: newest})

    def _write(self, file: int, heads: Mapping[str, Head]) -> None:
        text = json.dumps({uid: asdict(each) for uid, each in heads.items()})
        os.pwrite(file, text.encode().ljust(os.fstat(file).st_size), 0)

    def _make(self) -> None:
        draft = self.key_file.with_name(f".{self.key_file.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(secrets.token_bytes(BYTES))
                handle.flush()
                os.fsync(descriptor)
            with suppress(FileExistsError):  # another process was first: its key is ours
                os.link(draft, self.key_file)
        finally:
            draft.unlink()

    def _heads(self, file: int) -> dict[str, Head]:
        try:
            found = json.loads(os.pread(file, os.fstat(file).st_size, 0).decode().strip() or "{}")
            heads = found.items()
            return {str(uid): Head(int(one["number"]), str(one["hash"]), str(one["signature"])) for uid, one in heads}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._damaged() from error

    @contextmanager
    def _opened(self, flags: int, lock: int) -> Iterator[int]:
        """The file of heads, written in its place by one call: whoever dies leaves the one before, or the new one."""
        file = os.open(self.head_file, flags | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, lock)
            yield file
        finally:
            os.close(file)

    def _damaged(self) -> PilothouseError:
        remedy = "find out who changed it; then pilothouse audit anchor keeps the head of today"
        return PilothouseError("PH365", f"audit head {self.head_file}", "it is not what was written", remedy)

    def _unusable(self, cause: str, remedy: str) -> PilothouseError:
        return PilothouseError(
            "PH365", f"audit key {self.key_file}", cause, f"{remedy} (PILOTHOUSE_AUDIT_KEY names it)"
        )
