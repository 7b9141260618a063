"""Whether two SQL texts say the same: comments, and the space between words, say nothing."""

from __future__ import annotations

from typing import Any

from metadata.sql import DIALECT


def same_words(one: str, other: str) -> bool:
    """Whether they differ in comments and spaces at most. What cannot be read differs."""
    if one == other:
        return True
    from sqlglot import errors
    from sqlglot.dialects.dialect import Dialect

    def words(text: str) -> list[tuple[Any, str]]:
        return [(token.token_type, token.text) for token in Dialect.get_or_raise(DIALECT).tokenize(text)]

    try:
        return words(one) == words(other)
    except errors.SqlglotError:
        return False
