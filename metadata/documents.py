"""Blueprint documents: YAML in and out. Many files are one blueprint; errors come all at once, each with its line."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from metadata.errors import PilothouseError
from metadata.explain import explain
from metadata.findings import Finding, Locations, Path, Place, instead
from metadata.kinds import KEY, KINDS, SECTIONS, Blueprint, Definition
from metadata.secrets import find_secrets, redacted
from metadata.tasks import task_kinds
from metadata.unread_rules import unread_rules
from metadata.yaml_text import YamlText, fault, read_yaml
from metadata.yaml_writer import write_blueprint

EMPTY = "datasets: {}"
"""What a document says that is to hold no definition: without it, that is taken for a mistake."""
_ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True)
class Document:
    """What documents say, and where each part of it stands."""

    blueprint: Blueprint
    locations: Locations
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By name, what was read."""


class DocumentError(PilothouseError):
    """Documents that cannot be read as a blueprint, with every reason."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(sorted(findings, key=lambda each: (each.file, each.line)))
        first = self.findings[0]
        more = f" (and {len(self.findings) - 1} more)" if len(self.findings) > 1 else ""
        where = f"{first.file} line {first.line}" if first.line else first.file or "blueprint"
        shown = where if first.thing == "blueprint" else f"{where}, {first.thing}"
        detail = "\n".join(str(each) for each in self.findings)
        super().__init__(first.code, shown, f"{first.cause}{more}", first.remedy, detail=detail)


def read(source: FilePath | str | Iterable[FilePath | str]) -> Document:
    """The blueprint of a file, of a folder (every .yaml and .yml file below it), or of several of them together.

    In a folder, what has a name that begins with a dot is passed over, and so is all below it. A text of several lines
    is read itself. Raises DocumentError with every finding.
    """
    if isinstance(source, str) and ("\n" in source or not source):
        return read_text(source)
    return read_texts(read_files([source] if isinstance(source, FilePath | str) else source))


def read_files(sources: Iterable[FilePath | str]) -> dict[str, str]:
    """The texts of files and folders by path, as `read` finds them. Raises DocumentError with every finding."""
    texts: dict[str, str] = {}
    findings: list[Finding] = []
    for file in (file for each in sources for file in _files(FilePath(each), findings)):
        text = _text(file, findings)
        if text is not None:
            texts[str(file)] = text
    if findings:
        raise DocumentError(findings)
    return texts


def read_text(text: str, name: str = "document") -> Document:
    """The blueprint of one text. Raises DocumentError with every finding."""
    return read_texts({name: text})


def read_texts(texts: Mapping[str, str]) -> Document:
    """The blueprint of several texts by name. Raises DocumentError with every finding."""
    document, findings = try_read(texts)
    if document is None:
        raise DocumentError(findings)
    return document


def try_read(texts: Mapping[str, str]) -> tuple[Document | None, tuple[Finding, ...]]:
    """The blueprint of several texts by name, or what is wrong with them, no secret of theirs repeated."""
    document, findings = _try_read(texts)
    if findings and any(find_secrets(text) for text in texts.values()):
        findings = tuple(_discreet(each) for each in findings)
    return document, findings


def _try_read(texts: Mapping[str, str]) -> tuple[Document | None, tuple[Finding, ...]]:
    read = {name: read_yaml(text, name) for name, text in texts.items()}
    findings = [finding for each in read.values() for finding in each.findings]
    content, locations = _merged(read, findings)
    for name, each in read.items():
        _look_for_tails(name, each, findings)
    if not findings and not content:
        name = next(iter(read), "document")
        findings.append(fault("PH100", name, 1, "there is no definition in it", "begin with datasets:, models:, …"))
    if any(each.value is None for each in read.values()):
        return None, tuple(findings)
    try:
        blueprint = Blueprint.model_validate(content)
    except ValidationError as error:
        tails = {path for each in read.values() for path in each.tails}
        findings += _of_validation(error, content, locations, tails)
        findings += _of_rules(content, locations)
        return None, tuple(findings)
    _look_at_keys(content, locations, findings)
    return (None if findings else Document(blueprint, locations, texts)), tuple(findings)


def _discreet(finding: Finding) -> Finding:
    path = tuple(redacted(step) if isinstance(step, str) else step for step in finding.path)
    key, cause, remedy = (redacted(text) for text in (finding.key, finding.cause, finding.remedy))
    return replace(finding, key=key, path=path, cause=cause, remedy=remedy)


def dump(blueprint: Blueprint) -> str:
    """The blueprint as YAML, in canonical form: defaults left out, uids never written, `read_text` gives it back."""
    return write_blueprint(blueprint)


def key_of(text: str) -> str:
    """The key that a document of one definition gives it. Raises what `read_text` raises."""
    return next(key for _, key, _ in read_text(text).blueprint)


def dump_one(kind: str, key: str, definition: Definition) -> str:
    """A document that holds one definition."""
    return write_blueprint(Blueprint().model_copy(update={SECTIONS[kind]: {key: definition}}))


def _files(path: FilePath, findings: list[Finding]) -> list[FilePath]:
    try:
        if not path.is_dir():
            return [path]
        found = (each for each in path.rglob("*") if each.suffix in _ENDINGS and each.is_file())
        files = sorted(each for each in found if not any(part[0] == "." for part in each.relative_to(path).parts))
        root = path.resolve()
        outside = [each for each in files if not each.resolve().is_relative_to(root)]
    except (OSError, ValueError) as error:
        findings.append(fault("PH100", str(path)[:200], 0, _why(error), "name another file"))
        return []
    cause, remedy = f"it is a link that leads out of {path}", "copy the file into the folder, or name it itself"
    findings += [fault("PH100", str(each), 0, cause, remedy) for each in outside]
    if not files:
        findings.append(fault("PH100", str(path), 0, "there is no .yaml file in it", "name another folder"))
    return files


def _text(path: FilePath, findings: list[Finding]) -> str | None:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        cause = f"it is no text in UTF-8 (byte {error.start})"
        findings.append(fault("PH100", str(path), 0, cause, "name a YAML file, or save it as UTF-8"))
    except (OSError, ValueError) as error:
        findings.append(fault("PH100", str(path)[:200], 0, _why(error), "name another file"))
    return None


def _why(error: OSError | ValueError) -> str:
    return f"it cannot be read: {getattr(error, 'strerror', None) or error}"[:200]


def _merged(read: Mapping[str, YamlText], findings: list[Finding]) -> tuple[dict[str, Any], Locations]:
    """The sections of all texts together, each key once."""
    content: dict[str, Any] = {}
    places: dict[Path, Place] = {}
    for name, text in read.items():
        for path, line in text.lines.items():
            places.setdefault(path, Place(name, line))
        for section, entries in (text.value or {}).items():
            line = text.lines.get((section,), 1)
            if section not in KINDS:
                hint = instead(section, KINDS)
                findings.append(fault("PH104", name, line, f"{section} is no kind of definition", hint))
            elif isinstance(entries, dict):
                _merge(content.setdefault(section, {}), section, entries, name, text, places, findings)
            elif entries is not None:
                remedy = f"write {section}: and below it, indented, a key for each definition"
                findings.append(fault("PH105", name, line, f"{section} is to hold definitions by key", remedy))
    return content, Locations(places)


def _merge(
    into: dict[str, Any],
    section: str,
    entries: Mapping[str, Any],
    name: str,
    text: YamlText,
    places: Mapping[Path, Place],
    findings: list[Finding],
) -> None:
    for key, definition in entries.items():
        if key in into:
            first = places[section, key]
            cause = f"{section} {key} is there twice (first in {first.file}, line {first.line})"
            findings.append(fault("PH103", name, text.lines.get((section, key), 1), cause, "keep one of them"))
        if re.fullmatch(KEY, key):
            into[key] = {} if definition is None else definition
        else:
            remedy = "write lower-case letters, digits and _, joined by dots"
            findings.append(fault("PH105", name, text.lines.get((section, key), 1), f"{key!r} is no key", remedy))


def _look_for_tails(name: str, text: YamlText, findings: list[Finding]) -> None:
    odd = (path for path in sorted(text.tails, key=str) if not str(path[-1]).isidentifier())
    findings += [_cut(path, Place(name, text.lines.get(path, 1))) for path in odd]


def _cut(path: Path, place: Place) -> Finding:
    cause = f"{str(path[-1])!r} looks like the end of a text that was cut at a comma"
    return _about(fault("PH106", place.file, place.line, cause, "put the text in quotes"), path)


def _about(finding: Finding, path: Path) -> Finding:
    """A finding that names the definition that its path leads into."""
    if len(path) < 2 or path[0] not in KINDS:
        return finding
    return replace(finding, kind=KINDS[str(path[0])], key=str(path[1]), path=path[2:])


def _of_validation(
    error: ValidationError, content: dict[str, Any], locations: Locations, tails: Collection[Path]
) -> list[Finding]:
    found: list[Finding] = []
    for path, cause, remedy in explain(error, content):
        place = locations.of(path) or Place("", 0)
        if path not in tails:
            found.append(_about(fault("PH105", place.file, place.line, cause, remedy), path))
        elif str(path[-1]).isidentifier():  # others were found before
            found.append(_cut(path, place))
    return list(dict.fromkeys(found))


def _of_rules(content: Mapping[str, Any], locations: Locations) -> Iterator[Finding]:
    """What would be found of rules only when the rest is mended."""
    for section, entries in content.items():
        for key, body in entries.items():
            for each in unread_rules(KINDS[section], key, body):
                yield locations.locate(each, section)


def _look_at_keys(content: Mapping[str, Any], locations: Locations, findings: list[Finding]) -> None:
    """What a model would take and a document must not say: identities, and tasks that only the compiler makes."""
    generated = {name for name, model in task_kinds().items() if model.GENERATED}
    for section, entries in content.items():
        for key, definition in entries.items():
            tasks: dict[str, Any] = definition.get("tasks", {}) if section == "pipelines" else {}
            bodies: dict[Path, Any] = {(section, key): definition}
            bodies.update({(section, key, "tasks", name): each for name, each in tasks.items()})
            for path, body in bodies.items():
                found: list[tuple[Path, str, str]] = []
                if "uid" in body:
                    found.append(((*path, "uid"), "uid is given by Pilothouse", "leave it out; was: renames"))
                if path[2:] and body.get("kind") in generated:
                    cause = f"tasks of kind {body['kind']} are made by the compiler"
                    found.append(((*path, "kind"), cause, "leave it out: a decision rule brings it along"))
                for where, cause, remedy in found:
                    place = locations.of(where) or Place("", 0)
                    findings.append(_about(fault("PH105", place.file, place.line, cause, remedy), where))
