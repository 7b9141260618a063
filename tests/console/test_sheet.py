"""Styles are parsed once, and again when what stands for them changes."""

from __future__ import annotations

from console.sheet import Sheet


def test_what_was_parsed_stays_until_a_variable_changes() -> None:
    sheet = Sheet(variables={"tone": "red"})
    sheet.add_source("Rows { color: $tone; }", ("one", ""))
    (first,) = sheet.rules
    sheet.add_source("Lines { color: blue; }", ("two", ""))
    sheet.set_variables({"tone": "red"})
    sheet.reparse()
    assert sheet.rules[0] is first
    assert len(sheet.rules) == 2
    sheet.set_variables({"tone": "green"})
    sheet.reparse()
    assert first.styles.color != sheet.rules[0].styles.color
