"""The blueprint as files: a new folder of them, or those that are there brought up to date."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path as FilePath

from metadata.commented import alike, comments_of, dump_with_comments, texts_with_comments
from metadata.documents import EMPTY, Document, read_texts
from metadata.errors import UsageError
from metadata.findings import Locations
from metadata.kinds import SECTIONS, Blueprint, Definition
from metadata.splicing import is_empty, updated
from metadata.starting import SCHEMA_FILE, schema_text
from metadata.values import counted
from metadata.yaml_text import read_yaml

HEAD = f"# yaml-language-server: $schema={SCHEMA_FILE}\n\n"
Name = tuple[str, str]
"""Kind and key."""


def as_text(blueprint: Blueprint, sources: Mapping[str, str]) -> str:
    """One text with the comments of those that are kept (by uid), of which none is taken for a mistake when read."""
    made = dump_with_comments(blueprint, sources)
    return made if made.strip() else f"# There is no definition in this blueprint.\n{EMPTY}\n"


def as_folder(blueprint: Blueprint, sources: Mapping[str, str]) -> dict[str, str]:
    """Texts by file name: one file for each kind of definition, and the schema that editors check them by."""
    files = {SCHEMA_FILE: schema_text()}
    for section in SECTIONS.values():
        entries = getattr(blueprint, section)
        if entries:
            one = Blueprint().model_copy(update={section: entries})
            files[f"{section}.yaml"] = HEAD + dump_with_comments(one, sources)
    return files if len(files) > 1 else {**files, "datasets.yaml": HEAD + as_text(blueprint, sources)}


def write_folder(folder: FilePath, files: Mapping[str, str]) -> None:
    """Write files into a folder, which is made if need be.

    Raises UsageError PH837 when one of them is there and says something else, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        other = [each for each in sorted(folder.iterdir()) if each.suffix in (".yaml", ".yml") or each.name in files]
        for each in other:
            if each.name not in files or each.read_bytes() != files[each.name].encode():
                remedy = f"name a new folder, or bring this one up to date: export --into {folder}"
                raise UsageError("PH837", str(each), "it is there, and is not overwritten", remedy)
        for name, text in files.items():
            write_file(folder / name, text)
    except OSError as error:
        cause = f"it cannot be written: {error.strerror or error}"
        raise UsageError("PH837", str(folder), cause, "name a folder that can be written") from None


def brought_up_to_date(
    texts: Mapping[str, str],
    blueprint: Blueprint,
    sources: Mapping[str, str],
    former: Mapping[str, Collection[Name]],
    folder: FilePath | None,
    lose: bool = False,
) -> dict[str, str]:
    """Texts by file name that say the blueprint, from those that are there: only what differs is another.

    A definition stays in its file, under whatever key; `former` has all names that each had, by uid. What is new goes
    where most of its kind are, or into a file of its kind in `folder`. Its comments are those that are kept (`sources`,
    by uid), else those in the file. Raises DocumentError for texts that cannot be read, PilothouseError PH836, and
    PH843 for those that would `lose` what the blueprint never had, or all that they have.
    """
    document = _read(texts)
    there = {(kind, key): _home(document, kind, key) for kind, key, _ in document.blueprint}
    wanted = {(kind, key): value for kind, key, value in blueprint}
    keys = _renames(there, wanted, former)
    gone = {name: home for name, home in there.items() if name not in wanted and name not in keys}
    if not lose:
        _refuse_loss(gone, wanted, former)
    homes = {(kind, keys.get((kind, key), key)): home for (kind, key), home in there.items()}
    said = {(kind, keys.get((kind, key), key)): text for (kind, key), text in comments_of(document).items()}
    given: dict[str, dict[Name, str]] = {}
    parts: dict[str, dict[str, dict[str, Definition]]] = {name: {} for name in texts}
    kept = texts_with_comments(blueprint, sources)
    for (kind, key), value in wanted.items():
        section = SECTIONS[kind]
        home = homes.get((kind, key)) or _new_home(kind, there, texts, folder)
        parts.setdefault(home, {}).setdefault(section, {})[key] = value
        if (kind, key) in kept and not alike(kept[kind, key], said.get((kind, key))):
            given.setdefault(home, {})[section, key] = kept[kind, key]
    made: dict[str, str] = {}
    for name, sections in parts.items():
        of_file = {(kind, old): new for (kind, old), new in keys.items() if there[kind, old] == name}
        part = Blueprint().model_copy(update=sections)
        before = texts.get(name, HEAD if name not in texts and _has_schema(name) else "")
        made[name] = updated(before, part, name, of_file, given.get(name))
    if made and not wanted and not any(read_yaml(text, "it").value for text in made.values()):
        name = next((name for name, text in made.items() if text.strip()), next(iter(made)))
        made[name] = f"{made[name].rstrip()}\n\n{EMPTY}\n".lstrip()
    return {name: text for name, text in made.items() if text != texts.get(name)}


def write_file(path: FilePath, text: str) -> None:
    """Write a file, all of it or nothing; of a link, what it leads to. Raises OSError."""
    path = path.resolve()
    descriptor, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        FilePath(fresh).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        FilePath(fresh).replace(path)
    except OSError:
        FilePath(fresh).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _has_schema(name: str) -> bool:
    return FilePath(name).with_name(SCHEMA_FILE).is_file()


def _read(texts: Mapping[str, str]) -> Document:
    """What texts say, which may be nothing."""
    if any(read_yaml(text, name).findings or not is_empty(text) for name, text in texts.items()):
        return read_texts(texts)
    return Document(Blueprint(), Locations())


def _home(document: Document, kind: str, key: str) -> str:
    place = document.locations.of((SECTIONS[kind], key))
    return place.file if place else next(iter(document.texts))


def _renames(
    there: Mapping[Name, str], wanted: Mapping[Name, Definition], former: Mapping[str, Collection[Name]]
) -> dict[Name, str]:
    """The new keys of what the texts have under an earlier one."""
    found: dict[Name, str] = {}
    for (kind, key), value in wanted.items():
        earlier = () if (kind, key) in there else former.get(value.uid, ())
        gone = [name for name in earlier if name in there and name not in wanted and name not in found]
        if gone:
            found[gone[-1]] = key
    return found


def _refuse_loss(
    gone: Mapping[Name, str], wanted: Mapping[Name, Definition], former: Mapping[str, Collection[Name]]
) -> None:
    """What goes stands in the log, or else in these files alone; without a blueprint it is the wrong one."""
    known = {name for names in former.values() for name in names} if wanted else ()
    lost = [name for name in gone if name not in known]
    if lost:
        (kind, key), more = lost[0], len(lost) - 1
        cause = f"{gone[lost[0]]} has it, and the blueprint {'never had' if wanted else 'of this home is empty'}"
        remedy = "name the home that it is of (PILOTHOUSE_HOME), or apply it first; --yes takes it out of the files"
        others = f" and {counted(more, 'other')}" if more else ""
        raise UsageError("PH843", f"{kind.replace('_', ' ')} {key}{others}", cause, remedy)


def _new_home(kind: str, there: Mapping[Name, str], texts: Mapping[str, str], folder: FilePath | None) -> str:
    homes = Counter(home for (each, _), home in there.items() if each == kind)
    if homes:
        return homes.most_common(1)[0][0]
    return str(folder / f"{SECTIONS[kind]}.yaml") if folder is not None else next(iter(texts))
