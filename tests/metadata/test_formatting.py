"""One form for documents: comments stay, the meaning stays, and a text in form is in form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metadata.commented import comments_of, dump_with_comments
from metadata.documents import DocumentError, dump, read_text
from metadata.formatting import formatted, says
from metadata.kinds import Blueprint
from metadata.splicing import updated
from metadata.yaml_notes import NONE
from metadata.yaml_text import read_yaml
from metadata.yaml_writer import write_content
from tests.metadata.blueprints import orders
from tests.metadata.commenting import blueprints, commented_texts

LOOSE = """\
# yaml-language-server: $schema=x
pipelines:  # what runs
    orders:
        tasks:
            # first
            ingest: {kind: ingest, from: {connection: landing, files: "o-*.csv"}, to: bronze.orders}  # reads
            clean:
                to: silver.orders
                retries: 0  # never again
                timeout: 2 h
                kind: transform
                sql: |  # the query
                    SELECT *
                    # no comment
                    FROM bronze.orders

                # last of clean
            # after clean
        # end of orders

# Tables
datasets:
  # one row an order 🙂
  bronze.orders:   # raw
    columns: {id: long, # the id
      x: {type: string}   # whatever
    }  # all of them
    storage:
      mode: append
      keys:
      - a # one
      # two
      - b
  silver.orders:
connections:
  landing: {kind: files, path: landing}
# the end
"""
IN_FORM = """\
# yaml-language-server: $schema=x

connections:
  landing:
    kind: files
    path: landing

# Tables
datasets:
  # one row an order 🙂
  bronze.orders:  # raw
    columns:  # all of them
      id: long  # the id
      x: string  # whatever
    storage:
      keys:
        - a  # one
        # two
        - b

  silver.orders: {}

pipelines:  # what runs
  orders:
    tasks:
      # first
      ingest: {kind: ingest, from: {connection: landing, files: o-*.csv}, to: bronze.orders}  # reads
      clean:
        kind: transform
        to: silver.orders
        timeout: 2 h
        sql: |  # the query
          SELECT *
          # no comment
          FROM bronze.orders
        retries: 0  # never again
        # last of clean
      # after clean
    # end of orders

# the end
"""


def comments(text: str) -> list[str]:
    return sorted(re.findall(r"# (?:über|again|of|at|indented).*", text))


def test_a_loose_text_comes_into_form_with_every_comment_where_it_belongs() -> None:
    assert formatted(LOOSE) == IN_FORM
    assert formatted(IN_FORM) == IN_FORM
    assert formatted(LOOSE.replace("\n", "\r\n")) == IN_FORM.replace("\n", "\r\n")


@pytest.mark.parametrize("name", ["flights", "start"])
def test_what_comes_with_the_program_keeps_meaning_and_comments(name: str) -> None:
    text = resources.files("metadata.blueprints").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    made = formatted(text)
    assert says(made, read_text(text).blueprint)
    assert sorted(re.findall("# .*", made)) == sorted(re.findall("# .*", text))
    assert formatted(made) == made


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=40)
@given(commented_texts())
def test_any_text_keeps_its_comments_and_its_meaning_and_is_in_form_then(made: tuple[str, Blueprint]) -> None:
    text, blueprint = made
    once = formatted(text)
    assert says(once, blueprint)
    assert comments(once) == comments(text)
    assert formatted(once) == once


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=30)
@given(blueprints())
def test_what_is_exported_is_in_form(blueprint: Blueprint) -> None:
    assert formatted(dump(blueprint)) == dump(blueprint)


def exported(text: str, blueprint: Blueprint) -> str:
    """What is exported of definitions whose comments are kept as they stand in a text."""
    uids = {(kind, key): value.uid for kind, key, value in blueprint}
    comments_by = comments_of(read_text(text)).items()
    return dump_with_comments(blueprint, {uids[name]: own for name, own in comments_by if own is not None})


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=40)
@given(commented_texts())
def test_what_is_exported_with_comments_is_in_form(made: tuple[str, Blueprint]) -> None:
    assert formatted(exported(*made)) == exported(*made)


def test_the_form_of_an_author_is_not_exported_but_the_comments_are() -> None:
    loose = """datasets:
  bronze.orders:
      'layer': "bronze"    # raw
      columns: { id: 'long', # the id
        x: {type: string} }
"""
    dataset = read_text(loose).blueprint.datasets["bronze.orders"].model_copy(update={"uid": "orders"})
    assert exported(loose, Blueprint(datasets={"bronze.orders": dataset})) == formatted(loose) != loose


@pytest.mark.parametrize("text", ["", "# only a comment\n", "datasets:\n", "datasets: {}\n# x\n"])
def test_a_text_without_a_definition_stays_as_it_is(text: str) -> None:
    assert formatted(text) == text


def test_another_name_of_a_field_and_documents_apart_are_brought_into_one_form() -> None:
    text = (
        "---\nmodels:\n---\nfeature_sets:\n  f:\n    source: a  # its source\n    entity: [i]\n"
        "    event_time: t\n    features: {x: }\n"
    )
    made = formatted(text)
    assert "    from: a  # its source\n" in made
    assert "source:" not in made
    assert "---" not in made


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(DocumentError, match="PH103"):
        formatted("datasets:\n  a: {}\n  a: {}\n")
    assert dump(orders())


@pytest.mark.parametrize(
    "text",
    ["y", "yes", "n", "on", "No", "OFF", "2020-01-01", "1_000", "+1_0.5", "0b11", "-0x_f", "0_7"],
)
def test_a_text_that_other_programs_would_not_read_as_one_is_quoted(text: str) -> None:
    made = dump(Blueprint.model_validate({"datasets": {"gold.a": {"description": text, "tags": [text]}}}))
    assert made == f'datasets:\n  gold.a:\n    description: "{text}"\n    tags: ["{text}"]\n'
    said = made.replace('"', "")
    assert updated(said, read_text(said).blueprint) == said


@pytest.mark.parametrize("key", ["y", "n", "yes", "no", "on", "off", "No", "oFF"])
def test_a_key_that_other_programs_would_not_read_as_a_text_is_quoted(key: str) -> None:
    said = f"datasets:\n  # ours\n  {key.lower()}:\n    columns: {{{key}: long, id: long}}  # both\n"
    made = said.replace(f"{key.lower()}:\n", f'"{key.lower()}":\n').replace(f"{{{key}:", f'{{"{key}":')
    there = read_text(said).blueprint
    assert formatted(said) == formatted(made) == made
    assert dump_with_comments(there, {}) == made.replace("  # ours\n", "").replace("  # both", "")
    assert updated(said, there) == said
    renamed = there.model_copy(update={"datasets": {"off": there.datasets[key.lower()]}})
    assert updated(said, renamed, keys={("dataset", key.lower()): "off"}).count('  "off":\n') == 1
    yaml = pytest.importorskip("yaml")
    assert list(yaml.safe_load(made)["datasets"][key.lower()]["columns"]) == [key, "id"]


ODD = st.sampled_from(["y", "No", "off", "null", ".inf", "1e5", "0o7", "017", "1_0", "1:30", "<<", "=", "~"]) | st.text(
    "019eE.+-_xobyn:", min_size=1
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=100)
@given(blueprints(), st.lists(ODD, min_size=3, max_size=6, unique_by=str.lower))
def test_another_program_reads_the_same_keys_and_texts(blueprint: Blueprint, odd: list[str]) -> None:
    yaml = pytest.importorskip("yaml")
    body = {"description": odd[0], "tags": odd, "columns": {key: {"type": "long", "unit": odd[1]} for key in odd}}
    more = Blueprint.model_validate({"datasets": {"no": body}}).datasets
    text = dump(blueprint.model_copy(update={"datasets": {**blueprint.datasets, **more}}))
    assert list(texts_in(yaml.safe_load(text))) == list(texts_in(read_yaml(text, "it").value))


def texts_in(value: Any) -> Iterator[str]:
    """Every key and every text, in order; what is no text is left out."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield f"{key!r}:"
            yield from texts_in(each)
    elif isinstance(value, list):
        yield from (text for each in value for text in texts_in(each))
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("text", ["yEs, it is", "once", "2020-01", "1.2.3", "a_1", "_", "0b", "12 months"])
def test_all_other_words_are_written_as_they_are(text: str) -> None:
    made = dump(Blueprint.model_validate({"datasets": {"gold.a": {"description": text}}}))
    assert made == f"datasets:\n  gold.a:\n    description: {text}\n"


def test_what_can_be_seen_is_written_as_it_is() -> None:
    content = {"datasets": {"gold.a": {"description": "fast 🚀 lane", "sql": "SELECT '🦄' -- 𝕏\nFROM x"}}}
    text = write_content(content, NONE)
    assert "🚀 lane" in text
    assert "    sql: |-\n      SELECT '🦄' -- 𝕏\n" in text
    assert read_yaml(text, "it").value == content
