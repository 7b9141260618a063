"""Documents: what is written is what is read, and what is wrong is said with its line, all at once."""

from __future__ import annotations

import base64
import random
import re
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metadata.checks import check
from metadata.documents import DocumentError, dump, dump_one, read, read_text, try_read
from metadata.errors import PilothouseError
from metadata.findings import Finding, brief
from metadata.kinds import SECTIONS, Blueprint, Dataset, Definition
from metadata.yaml_text import plain_value
from tests.metadata.blueprints import definitions, orders

FLIGHTS = resources.files("metadata.blueprints").joinpath("flights.yaml").read_text(encoding="utf-8")


def without_uid(value: Definition) -> Definition:
    return value.model_copy(update={"uid": ""})


_BLUEPRINTS = st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]{0,6}(\.[a-z_][a-z0-9_]{0,6})?", fullmatch=True),
                              definitions(), min_size=1, max_size=4)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(_BLUEPRINTS)
def test_what_is_written_is_read_again(named: dict[str, tuple[str, Definition]]) -> None:
    sections: dict[str, dict[str, Definition]] = {}
    for key, (kind, value) in named.items():
        sections.setdefault(SECTIONS[kind], {})[key] = without_uid(value)
    blueprint = Blueprint().model_copy(update=sections)
    text = dump(blueprint)
    document, findings = try_read({"it": text})
    assert findings == ()
    assert document is not None
    assert document.blueprint == blueprint
    assert dump(document.blueprint) == text
    for section, entries in sections.items():
        assert list(getattr(document.blueprint, section)) == list(entries)


@settings(deadline=None)
@given(definitions(), st.sampled_from(["a", "a.b", "null", "on"]))
def test_one_definition_is_written_and_read_again(pair: tuple[str, Definition], key: str) -> None:
    kind, value = pair
    assert list(read_text(dump_one(kind, key, value)).blueprint) == [(kind, key, without_uid(value))]


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_answered(text: str) -> None:
    document, findings = try_read({"it": text})
    assert (document is None) == bool(findings)


_YAML = st.recursive(
    st.sampled_from(["x", "1", "null", "true", "''", "0.5", "30 d", "transform", "files"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda each: f"[{', '.join(each)}]")
        | st.dictionaries(
            st.sampled_from(
                [*SECTIONS.values(), "a", "kind", "tasks", "columns", "from", "reads", "quality", "then", "1"]
            ),
            inner,
            max_size=3,
        ).map(lambda each: "{" + ", ".join(f"{key}: {value}" for key, value in each.items()) + "}")
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*SECTIONS.values()]), _YAML, min_size=1, max_size=3))
def test_any_yaml_is_answered(sections: dict[str, str]) -> None:
    text = "\n".join(f"{key}: {value}" for key, value in sections.items())
    document, findings = try_read({"it": text})
    assert (document is None) == bool(findings)
    assert all(finding.line for finding in findings)


@pytest.mark.parametrize("text", ["\tSELECT 1", "\t\na", "\n\ta", "a\n\tb", "a\n\n", "a\n\n\n", " a\n\n", "\ta\nb\n"])
def test_a_text_that_begins_with_a_tab_or_ends_in_empty_lines_is_written_and_read_again(text: str) -> None:
    task = {"kind": "transform", "to": "a", "sql": text}
    pipeline = {"description": text, "tasks": {"one": task, "two": task}}
    blueprint = Blueprint.model_validate({"pipelines": {"p": pipeline, "q": pipeline}})
    assert read_text(dump(blueprint)).blueprint == blueprint


@pytest.mark.parametrize("number", ["1234567890123456789", "-9223372036854775808", "9" * 40, "9" * 300])
def test_a_whole_number_keeps_all_its_digits(number: str) -> None:
    parameter = f"pipelines: {{p: {{parameters: {{n: {{type: string, default: {number}}}}}, tasks: {{}}}}}}"
    assert plain_value(number) == int(number)
    tasks = parameter.replace("tasks: {}", "tasks: {d: {kind: decide, decisions: [x]}}")
    assert read_text(tasks).blueprint.pipelines["p"].parameters["n"].default == int(number)


def test_a_row_of_digits_that_no_double_holds_is_a_text() -> None:
    assert plain_value("9" * 301) == "9" * 301


@pytest.mark.parametrize("field", ["at_least", "better_than_champion_by"])
def test_a_very_large_whole_number_is_read_as_a_double_where_one_is_wanted(field: str) -> None:
    model = "predicts: {label: a, from: b}, features: [c], estimator: {class: d}"
    text = f"models: {{m: {{{model}, promote_when: {{{field}: {'9' * 300}}}}}}}"
    document, findings = try_read({"it": text})
    assert (document is None) == bool(findings)


def test_a_very_large_share_is_said_to_be_none() -> None:
    rule = f"expect: a, at_most: {'9' * 300}"
    assert "a share lies between" in found(f"datasets: {{a: {{quality: {{r: {{{rule}}}}}}}}}")[0].cause


@pytest.mark.parametrize(
    ("said", "cause"),
    [("quality: {r: {expect: a, at_most: ٥ %}}", "is no share"), ("columns: {a: 'decimal(٩,٢)'}", "")],
)
def test_digits_are_those_of_ascii(said: str, cause: str) -> None:
    assert cause in found(f"datasets: {{a: {{{said}}}}}")[0].cause


def test_the_demo_is_written_as_it_is_drawn() -> None:
    blueprint = read_text(FLIGHTS).blueprint
    text = dump(blueprint)
    assert read_text(text).blueprint == blueprint
    assert "      year: int\n" in text
    assert "    storage: {mode: merge, keys: [flight_id]}\n" in text
    assert "        reads: {bronze.flights: new}\n" in text
    assert "        sql: |\n          SELECT concat_ws(" in text
    assert "at_most" not in text and "uid" not in text
    assert max(len(line) for line in text.splitlines()) <= 120


def test_uids_are_not_written() -> None:
    blueprint = orders()
    named = blueprint.model_copy(
        update={
            "models": {key: value.model_copy(update={"uid": "secret-id"}) for key, value in blueprint.models.items()}
        }
    )
    assert "secret-id" not in dump(named)


def found(text: str) -> tuple[Finding, ...]:
    with pytest.raises(DocumentError) as caught:
        read_text(text, "f.yaml")
    return caught.value.findings


@pytest.mark.parametrize(
    ("before", "after", "line_of", "cause", "remedy"),
    [
        ("layer: silver", "layr: silver", "layr", "there is no key layr", "did you mean layer?"),
        ("kind: transform", "kind: transfrm", "clean:", "'transfrm' is no task kind", "did you mean 'transform'?"),
        ("kind: transform", "retries: 1", "clean:", "the key kind is missing", "monitor, train, transform"),
        ("kind: transform", "kind: 7", "clean:", "7 is no task kind", "there are: decide, features, infer"),
        ("seats: int", "seats: decimal", "seats: decimal", "'decimal' is not what seats can be", "decimal(p,s)"),
        ("seats: int", "seats: itn", "seats: itn", "'itn' is not what seats can be", "did you mean int?"),
        ("{mode: merge, keys: [flight_id]}", "{mode: mrge}", "mode: mrge", "'mrge' is not what mode", "merge?"),
        ("over: 30 d", "over: ٣٠ d", "over: ٣٠ d", "'٣٠ d' is no duration", "write a number"),
        ("over: 30 d", "over: 30 dx", "over: 30 dx", "'30 dx' is no duration", "write a number"),
        ("over: 30 d", "over: '30: d; x'", "over: '30", "'30: d; x' is no duration", "write a number"),
        ("entity: [flight_id]", "entity: flight_id", "entity:", "entity is 'flight_id'", "a list"),
        ("at_least: 0.6", "at_least: high", "at_least", "at_least is 'high'", "a number"),
        ("schedules:", "schedulez:", "schedulez:", "schedulez is no kind", "did you mean schedules?"),
        ("kind: files", "path2: x", "landing:", "the key kind is missing", "files or sql"),
        ("model: late_arrival\n    predictions", "predictions", "late_arrival_watch:", "key model is missing", "model"),
        ("\"origin IN ('EWR', 'JFK', 'LGA')\"", "origin IN (1, 2)", "IN (1, 2)", "'2)' looks like the end", "quotes"),
        (
            '"scheduled hour of departure, UTC"',
            "departure, UTC",
            "departure, UTC",
            "'UTC' looks like the end",
            "quotes",
        ),
        ("owner: ops", "uid: x", "uid: x", "uid is given by Pilothouse", "was: renames"),
        (", to: predictions.pending}", "}", "kind: infer", "the key to is missing", "Dataset that is written"),
        (
            "infer, model: late_arrival, to: predictions.pending",
            "promote, model: x",
            "kind: promote",
            "made by the compiler",
            "decision rule",
        ),
        ("retries: 2", "retries: 200", "retries: 200", "less than or equal to 20", "mend"),
        ("cron: 0 6 2 * *", "cron: 5", "cron: 5", "cron is 5", "a text"),
        (
            "silver.flights:\n",
            "Silver Flights:\n",
            "Silver Flights:",
            "'Silver Flights' is no key",
            "lower-case letters",
        ),
    ],
)
def test_an_error_names_line_cause_and_remedy(before: str, after: str, line_of: str, cause: str, remedy: str) -> None:
    assert before in FLIGHTS
    text = FLIGHTS.replace(before, after, 1) if before != "kind: transform" else FLIGHTS.replace(before, after)
    matching = [each for each in found(text) if cause in each.cause]
    assert matching, [str(each) for each in found(text)]
    assert remedy in matching[0].remedy
    assert line_of in text.splitlines()[matching[0].line - 1]
    assert matching[0].file == "f.yaml"


@pytest.mark.parametrize("given", ["3", "2.5", "true", "[3 d]"])
@pytest.mark.parametrize(
    "field",
    [
        "datasets: {{a: {{fresh_within: {}}}}}",
        "monitors: {{m: {{model: x, predictions: y, watch: {{features: [psi]}}, window: {}}}}}",
        "pipelines: {{p: {{tasks: {{t: {{kind: train, model: m, retry_delay: {}}}}}}}}}",
    ],
)
def test_what_is_no_text_where_a_duration_is_meant_is_told_what_one_looks_like(field: str, given: str) -> None:
    told = [each.remedy for each in found(field.format(given))]
    assert any("a number and s, min, h, d, weeks, months or years, as in '30 d'" in each for each in told), told
    assert not any("in quotes" in each for each in told)


def test_a_rule_that_cannot_be_read_is_told_beside_fields_of_a_wrong_shape() -> None:
    text = """\
decisions:
  later:
    after: drift
    when: psi.temp >
    cooldown: [x]
pipelines:
  p:
    tasks:
      t: {kind: train, model: m, when: "who.knows > 1", retries: many}
"""
    told = {(each.code, each.line) for each in found(text)}
    assert {("PH170", 4), ("PH105", 5), ("PH170", 9), ("PH105", 9)} <= told


def test_all_errors_come_at_once_in_the_order_of_their_lines() -> None:
    text = FLIGHTS.replace("layer:", "layr:").replace("retries: 2", "retries: x")
    lines = [finding.line for finding in found(text)]
    assert len(lines) > 10
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "PH100"),
        ("# nothing", "PH100"),
        ("datasets:", "PH100"),
        ("[1, 2]", "PH102"),
        ("just words", "PH102"),
        ("a: &x 1\nb: *x", "PH102"),
        ("a: !!python/object:os.system x", "PH102"),
        ("? [a]\n: 1", "PH102"),
        ("datasets: " + "[" * 5000, "PH102"),
        ("datasets: " + "{a: " * 5000, "PH102"),
        ("datasets: {a: {}", "PH101"),
        ("\tdatasets: {}", "PH101"),
        ("datasets: {a: {description: b: c}}", "PH101"),
        ("datasets: \x00", "PH101"),
        ("datasets: 'x", "PH101"),
        ("datasets: 3", "PH105"),
        ("datasets: {a: 3}", "PH105"),
        ("datasets: {1: {}}", "PH105"),
        ('datasets: {"a\\n": {}}', "PH105"),
        ("datasets: {a: {columns: {x: decimal(10,2)}}}", "PH106"),
        ("pipelines: {p: {tasks: {t: {kind: [a]}}}}", "PH105"),
        ("pipelines: {p: {tasks: {}}}", "PH105"),
        ("datasets: {a: {fresh_within: 99999999999999999999 d}}", "PH105"),
        ("datasets: {a: {}, a: {}}", "PH103"),
        ("datasets: {a: {}}\ndatasets: {b: {}}", "PH103"),
        ("dataset: {a: {}}", "PH104"),
        ("x: 1" * 3_000_000, "PH101"),
    ],
)
def test_what_is_no_blueprint_is_said_so(text: str, code: str) -> None:
    findings = found(text)
    assert code in {finding.code for finding in findings}
    assert all(finding.line for finding in findings)


LONG = "a" * 10_000
TASK = "{kind: ingest, from: {connection: c, files: f}, to: d}"


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (f"schedules: {{s: {{pipeline: p, cron: '{'1' * 5000}'}}}}", "has 1 field, not five"),
        (f"schedules: {{s: {{pipeline: p, cron: '{'1 ' * 5000}'}}}}", "has 5,000 fields, not five"),
        (f"schedules: {{s: {{pipeline: {LONG}, cron: 0 6 * * *}}}}", "there is no pipeline aaaa"),
        (f"schedules: {{s: {{pipeline: p, cron: 0 6 * * *, timezone: {LONG}}}}}", "there is no time zone aaaa"),
        (f"datasets:\n  ? {LONG}\n  : {{}}", "it has a name of 10000 characters"),
        (f"datasets:\n  ? A{LONG}\n  : {{}}", "is no key"),
        (f"? {LONG}\n: {{}}", "is no kind of definition"),
        (f"datasets:\n  ? {LONG}\n  : {{}}\n  ? {LONG}\n  : {{}}", "is there twice (first in line 2)"),
        (f"pipelines: {{p: {{tasks: {{t: {{kind: {LONG}}}}}}}}}", "'aaaa"),
        (f"connections: {{c: {{kind: files, path: /{LONG}/../..}}}}", "leads out of the data root"),
        (f"pipelines:\n  p:\n    tasks:\n      ? {LONG}\n      : {TASK}", "there is no connection c"),
        (f"datasets: {{d: {{columns: {{x: int}}, quality: {{q: {{expect: {LONG}}}}}}}}}", "there is no column aaaa"),
    ],
)
def test_of_a_value_that_is_too_long_only_so_much_is_repeated_as_can_be_read(text: str, end: str) -> None:
    document, told = try_read({"it": text})
    told = tuple(check(document.blueprint, estimator_prefixes=["sklearn."])) if document else told
    assert any(end in each.cause for each in told), told
    assert max(len(each) for one in told for each in (one.thing, one.cause, one.remedy)) <= 1_010
    assert all(len(word) <= 300 for one in told for word in str(one).split())


def test_of_a_secret_that_is_too_long_nothing_is_repeated() -> None:
    some = random.Random(7)
    parts = b'{"alg":"RS256"}', b'{"sub":"%s"}' % some.randbytes(600).hex().encode(), some.randbytes(256)
    token = ".".join(base64.urlsafe_b64encode(each).decode().rstrip("=") for each in parts)
    (told,) = (each for each in found(f"datasets: {{a: {{fresh_within: {token}}}}}") if each.field == "fresh_within")
    assert token[:20] not in str(told) + str(PilothouseError("PH105", token, token, token))
    assert token[:20] not in Finding("PH105", "error", "dataset", "a", ("columns", token), "", "").thing
    key = f"dop_v1_{some.randbytes(32).hex()}"
    assert key[:20] not in brief(f"{key} is in it", f"{key} and more")


def test_a_billion_laughs_is_refused_without_laughing() -> None:
    levels = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))]
    assert {finding.code for finding in found("\n".join(levels))} == {"PH102"}


def test_hints_for_malformed_lines() -> None:
    (tab,) = found("datasets:\n\ta: {}")
    assert "tabs" in tab.remedy and tab.line == 2
    (quoted,) = found("datasets:\n  a: {quality: {r: {expect: \"x\" IN ('a', 'b')}}}")
    assert "quotes" in quoted.remedy


def test_many_files_are_one_blueprint(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.yaml").write_text("datasets: {a: {layer: bronze}}\n")
    (tmp_path / "sub" / "b.yml").write_text(
        "datasets:\n  b: {layer: gold}\nconnections:\n  c: {kind: files, path: x}\n"
    )
    (tmp_path / "notes.txt").write_text("not: [yaml")
    document = read(tmp_path)
    assert list(document.blueprint.datasets) == ["a", "b"]
    place = document.locations.of(("datasets", "b", "layer"))
    assert place is not None and (Path(place.file).name, place.line) == ("b.yml", 2)


def test_a_key_in_two_files_is_an_error_naming_both(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("datasets: {a: {layer: bronze}}\n")
    (tmp_path / "b.yaml").write_text("\n\ndatasets:\n  a: {layer: gold}\n")
    with pytest.raises(DocumentError) as caught:
        read([tmp_path / "a.yaml", tmp_path / "b.yaml"])
    (finding,) = caught.value.findings
    assert (finding.code, Path(finding.file).name, finding.line) == ("PH103", "b.yaml", 4)
    assert "a.yaml, line 1" in finding.cause


def test_files_that_cannot_be_read_are_said_so(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DocumentError) as caught:
        read([tmp_path / "binary.yaml", tmp_path / "missing.yaml", tmp_path / "empty"])
    causes = " ".join(finding.cause for finding in caught.value.findings)
    assert re.search("no text in UTF-8", causes) and re.search("No such file", causes)
    assert "no .yaml file" in causes


@pytest.mark.parametrize("path", ["x" * 5000, "a\0b", ""])
def test_what_is_no_path_is_said_so(path: str) -> None:
    with pytest.raises(DocumentError):
        read(path)


@pytest.mark.parametrize("end", ["\r", "\x85", "\u2028", "\u2029"])
def test_an_end_of_a_line_that_nobody_sees_is_refused_at_its_line(end: str) -> None:
    said = f"datasets:\r\n  a:\r\n    layer: gold # raw{end}    owner: mallory\r\n"
    with pytest.raises(DocumentError, match=f"PH102 document line 3: a line ends in U.{ord(end):04X}"):
        read_text(said)
    written = dump(Blueprint(datasets={"a": Dataset(description=f"x{end}y")}))
    assert read_text(written).blueprint.datasets["a"].description == f"x{end}y"


def test_a_text_of_several_lines_is_read_itself() -> None:
    assert list(read("datasets:\n  a: {}\n").blueprint.datasets) == ["a"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("datasets:\n  a: {layer: gold\n  b: {}\n", 2),
        ("datasets:\n  a: {\n    layer: gold\n    owner: x }\n", 3),
        ("datasets:\n  a: {\n    layer: gold,\n    owner: x tags: y }\n", 4),
        ('datasets:\n  a:\n    owner: "x\n  b: {}\n', 3),
        ("datasets: {}\nmodels\npipelines: {}\n", 2),
        ("datasets:\n  a: [\n\n", 2),
        ("datasets:\n  a:\n    owner: über\x01y\n", 3),
        ("datasets:\n  a:\n    owner: x: y\n", 3),
    ],
)
def test_what_is_no_yaml_is_told_at_the_line_that_is_to_be_mended(text: str, line: int) -> None:
    (only,) = try_read({"x": text})[1]
    assert (only.code, only.line) == ("PH101", line)


def test_a_tag_is_told_as_it_was_written() -> None:
    (only,) = try_read({"x": "datasets: !!python/object/apply:os.system [x]\n"})[1]
    assert only.cause == "the tag !!python/object/apply:os.system is not read"
