"""A first document: nothing is wrong with it as it stands, and nothing that is there is overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from metadata.checks import check
from metadata.document_schema import blueprint_schema
from metadata.documents import read, read_text
from metadata.errors import UsageError
from metadata.settings import Settings
from metadata.starting import SCHEMA_FILE, begin
from metadata.yaml_text import read_yaml


def wrong(text: str) -> list[str]:
    document = read_text(text)
    return [str(each) for each in check(document.blueprint, estimator_prefixes=Settings().estimator_prefixes)]


def test_it_passes_all_checks_and_fits_the_schema_that_its_first_line_names(tmp_path: Path) -> None:
    path = tmp_path / "first.yaml"
    schema = begin(path)
    text = path.read_text(encoding="utf-8")
    assert text.splitlines()[0] == f"# yaml-language-server: $schema={schema.name}"
    assert wrong(text) == []
    written = json.loads(schema.read_text(encoding="utf-8"))
    assert written == blueprint_schema()
    jsonschema.validate(read_yaml(text, "it").value, written, jsonschema.Draft202012Validator)
    assert list(read(tmp_path).blueprint) == list(read(path).blueprint)


def test_what_it_offers_as_a_comment_is_right_too(tmp_path: Path) -> None:
    begin(tmp_path / "first.yaml")
    text = (tmp_path / "first.yaml").read_text(encoding="utf-8")
    offered = text.replace("\n# schedules:\n#  ", "\nschedules:\n ")
    assert "daily" in read_text(offered).blueprint.schedules
    assert wrong(offered) == []


def test_a_second_document_shares_the_schema(tmp_path: Path) -> None:
    assert begin(tmp_path / "one.yaml") == begin(tmp_path / "two.yaml")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["one.yaml", SCHEMA_FILE, "two.yaml"]


@pytest.mark.parametrize("name", ["first.yaml", SCHEMA_FILE])
def test_what_is_there_stays_and_nothing_is_written_beside_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=f"PH355 .*{name}: it is there"):
        begin(tmp_path / "first.yaml")
    assert [(each.name, each.read_text(encoding="utf-8")) for each in tmp_path.iterdir()] == [(name, "mine")]


def test_a_link_to_nothing_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "first.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    with pytest.raises(UsageError, match="PH355"):
        begin(tmp_path / "first.yaml")
    assert not (tmp_path / "elsewhere.yaml").exists()


@pytest.mark.parametrize("path", [".", SCHEMA_FILE])
def test_what_is_no_name_of_a_document_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="PH355"):
        begin(Path(path))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="PH355.*cannot be written: No such file"):
        begin(tmp_path / "none" / "first.yaml")
