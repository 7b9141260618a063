"""Notes: why a revision was made. Whether one is required, and what may not stand in it. Pure."""

from __future__ import annotations

from metadata.errors import UsageError
from metadata.secrets import find_secrets
from metadata.settings import Settings
from metadata.storable import refuse_secret


def missing(note: str, settings: Settings) -> str:
    """What a note lacks by the policy of the home; empty where nothing."""
    if settings.notes == "optional" or len(note.strip()) >= settings.note_length:
        return ""
    return f"say why, in at least {settings.note_length} characters" if settings.note_length > 1 else "say why"


def wrong(note: str, settings: Settings) -> str:
    """Why a note is not taken, in words for who types it; empty where it is."""
    found = find_secrets(note)
    if found:
        return f"it holds what looks like a credential ({found[0].kind}): say it without"
    return missing(note, settings)


def refuse_note(note: str, settings: Settings) -> None:
    """Raises UsageError PH840 for a note with a secret in it, PH841 for one that the policy does not take."""
    refuse_secret("note", note)
    lacks = missing(note, settings)
    if lacks:
        cause = "this home requires one for every revision" + (", and this one is too short" if note.strip() else "")
        raise UsageError("PH841", "note", cause, f"{lacks}: --note, or in the line that the console shows")
