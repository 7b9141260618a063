"""Rules: yes, no, or undecided with a reason; what is missing is never counted as no."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metadata.cel import Rule, RuleError, evaluate, worst

NAN = math.nan


@pytest.mark.parametrize(
    ("text", "inputs", "answer"),
    [
        ("x > 1000", {"x": 2000.0}, "yes"),
        ("x > 1000", {"x": 2000}, "yes"),
        ("x - 1 > 0", {"x": 2}, "yes"),
        ("x * 2 + 1 < 4", {"x": 2.0}, "no"),
        ("-x < -1 && x <= 1e3", {"x": 2.0}, "yes"),
        ("performance.roc_auc < champion.roc_auc - 0.02",
         {"performance": {"roc_auc": 0.6}, "champion": {"roc_auc": 0.65}}, "yes"),
        ("worst(null_rate) > 0.3", {"null_rate": {"a": 0.1, "b": 0.4}}, "yes"),
        ("worst(null_rate) > 0.3", {"null_rate": {"a": 0.1}}, "no"),
        ("champion == null", {"champion": None}, "yes"),
        ("champion == null", {"champion": {"roc_auc": 0.6}}, "no"),
        ("champion == null || champion.roc_auc < 0.5", {"champion": None}, "yes"),
        ("champion == null || champion.roc_auc < 0.5", {"champion": {"roc_auc": 0.6}}, "no"),
        ("has(p.x) && p.x > 1", {"p": {}}, "no"),
        ("'x' in p", {"p": {"y": 1}}, "no"),
        ("'x' in p && p.x > 1", {"p": {"x": 3, "y": 1}}, "yes"),
        ("has(p.x) && p.x > 1", {"p": {"x": 3}}, "yes"),
        ('tasks["retrain m"].trained == 1.0', {"tasks": {"retrain m": {"trained": 1}}}, "yes"),
        ('decisions["a"] || decisions["b"]', {"decisions": {"a": False, "b": True}}, "yes"),
        ("a.exists(k, a[k] > 1)", {"a": {"q": 2}}, "yes"),
        ("a.map(k, a[k]).exists(v, v > 5)", {"a": {"q": 2}}, "no"),
        ("xs[0] > 1", {"xs": [2]}, "yes"),
        ("size(psi) > 1", {"psi": {"a": 1.0, "b": 2.0}}, "yes"),
        ("rows > 0 && alarms / rows > 0.5", {"alarms": 3, "rows": 0}, "no"),
        ("rows > 0 && alarms / rows > 0.5", {"alarms": 3, "rows": 4}, "yes"),
        ("rows == 0 ? false : alarms / rows > 0.5", {"alarms": 3, "rows": 0}, "no"),
        ("12 / -a.b / (1 + a.b) / 2 == -1", {"a": {"b": 2}}, "yes"),
        ("a / (b / c) == 4 && a / xs[0] / worst(m) == 2", {"a": 4, "b": 2, "c": 2, "xs": [1], "m": {"q": 2}}, "yes"),
        ("a.exists(k, 1 / a[k] > 1)", {"a": {"q": 0.5}}, "yes"),
        ('a / m["c / d"] == 2', {"a": 4, "m": {"c / d": 2}}, "yes"),
        ("psi.x == null || psi.x > 1", {"psi": {"y": 1}}, "yes"),
        ("null == psi.x || psi.x > 1", {"psi": {"x": 0.5}}, "no"),
        ("psi.x != null && psi.x > 1", {"psi": {}}, "no"),
        ("psi == null || psi.x == null", {"psi": {"y": 1}}, "yes"),
        ("has(psi.x) || psi.x == null", {"psi": {"x": 2}}, "yes"),
        ("params.region == 'EU' && params.n == 3", {"params": {"region": "EU", "n": 3}}, "yes"),
    ],
)  # fmt: skip
def test_rules_that_decide(text: str, inputs: dict[str, Any], answer: str) -> None:
    assert evaluate(text, inputs).answer == answer


@pytest.mark.parametrize(
    ("text", "inputs", "reason"),
    [
        ("missing || true", {}, "missing is missing"),
        ("true || x.y > 1", {"x": {}}, "x.y is missing"),
        ("x > 1", {"x": NAN}, "x is not a number"),
        ("x > 1", {"x": None}, "x is null"),
        ("champion == null", {}, "champion is missing"),
        ("champion.roc_auc < 0.5", {"champion": None}, "champion.roc_auc is missing"),
        ("worst(psi) > 1", {"psi": {}}, "psi is empty"),
        ("worst(psi) > 1", {"psi": {"a": NAN}}, "psi holds a value that is not a number"),
        ("worst(psi) > 1", {"psi": {"a": None}}, "psi holds a value"),
        ('decisions["a"] || decisions["b"]', {"decisions": {"b": True}}, "decisions.a is missing"),
        ('x["\\x"] > 1', {"x": {}}, "an escape that there is not"),
        ("x + 1", {"x": 1}, "not true or false"),
        ("1.5", {}, "not true or false"),
        ("x > 'a'", {"x": 1}, "cannot be evaluated"),
        ("x >", {"x": 1}, "no CEL"),
        ("x" + "(" * 3000, {"x": 1}, "no CEL"),
        ("a.map(x, a.map(y, x * y)).size() > 1", {"a": [1]}, "within another macro"),
        ("a.exists(x, b.all(y, y > x))", {"a": [1], "b": [1]}, "within another macro"),
        ("alarms / rows > 0.5", {"alarms": 3, "rows": 0}, "it divides by zero"),
        ("alarms / rows < 0.5 || true", {"alarms": 0, "rows": 0}, "it divides by zero"),
        ("1 / (a.b - 1) > 0 || a.b == 1", {"a": {"b": 1}}, "it divides by zero"),
        ("1 / worst(m) > 0", {"m": {"x": 0}}, "it divides by zero"),
        ("a / 0 > 1", {"a": 1}, "it divides by zero"),
        ("a / .0 > 1", {"a": 1}, "it divides by zero"),
        ("a / > 1", {"a": 1}, "no CEL"),
        ("a /", {"a": 1}, "no CEL"),
        ("a / -", {"a": 1}, "no CEL"),
        ("psi.x == null && worst(psi) > 1", {"psi": {"y": 2}}, "cannot be evaluated"),
        ("__import__('os')", {}, "no function"),
        ("size(a) > 1", {"a": list(range(20_000))}, "more than 10,000 items"),
        ("x > 1 " + "|| x > 1 " * 1000, {"x": 1}, "longer than"),
    ],
)
def test_rules_that_cannot_decide_say_why(text: str, inputs: dict[str, Any], reason: str) -> None:
    verdict = evaluate(text, inputs)
    assert verdict.answer == "undecided"
    assert reason in verdict.reason


def test_a_verdict_keeps_what_it_saw() -> None:
    verdict = evaluate("a.x > 1 && worst(b) > 2", {"a": {"x": 3}, "b": {"p": 5.0}, "unread": 1})
    assert verdict.inputs == {"a.x": 3, "b": {"p": 5.0}}


def test_what_was_seen_can_be_stored_as_json() -> None:
    assert evaluate("x > 1", {"x": NAN}).inputs == {"x": "NaN"}


@pytest.mark.parametrize(
    ("text", "cause"), [("y > 1", "no input y"), ("foo(x) > 1", "no function foo"), ("bool(x)", "no function bool")]
)
def test_unknown_names_are_found_before_anything_runs(text: str, cause: str) -> None:
    with pytest.raises(RuleError, match=cause):
        Rule.compile(text, {"x"})


def test_inputs_of_a_rule_are_its_paths_without_what_macros_bind() -> None:
    rule = Rule.compile("""a.b["c d"].e > 1 && xs.exists(x, x > a.f) && x == null && s == "t.u" """)
    assert rule.paths == (("a", "b", "c d", "e"), ("xs",), ("a", "f"), ("x",), ("s",))


@given(st.text(max_size=40))
def test_any_text_is_answered(text: str) -> None:
    assert evaluate(text, {"x": 1.0}).answer in ("yes", "no", "undecided")


@given(st.floats(allow_nan=True), st.floats(allow_nan=True))
def test_a_comparison_agrees_with_arithmetic(left: float, right: float) -> None:
    wanted = "undecided" if math.isnan(left) or math.isnan(right) else "yes" if left < right else "no"
    assert evaluate("a < b", {"a": left, "b": right}).answer == wanted


@given(st.dictionaries(st.text(max_size=3), st.floats(allow_nan=False), min_size=1))
def test_worst_is_the_largest(values: dict[str, float]) -> None:
    assert worst(values) == max(values.values())


@pytest.mark.parametrize("values", [{}, [], {"a": NAN}, {"a": None}, {"a": "x"}, {"a": True}, 3, None])
def test_worst_of_no_figures_decides_nothing(values: Any) -> None:
    assert math.isnan(worst(values))
