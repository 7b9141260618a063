"""Texts told line by line: nothing that differs is left out, and what is left out is counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from metadata.line_diff import line_diff

TEXTS = st.lists(st.sampled_from("abcd"), max_size=30).map("\n".join)


def test_what_is_the_same_is_folded_but_for_two_lines_around_what_differs() -> None:
    old = [f"line {number}" for number in range(20)]
    new = [*old[:10], "another", *old[11:]]
    told = [f"{each.sign} {each.text}" for each in line_diff("\n".join(old), "\n".join(new))]
    assert told == [
        "… 8 lines",
        "  line 8",
        "  line 9",
        "- line 10",
        "+ another",
        "  line 11",
        "  line 12",
        "… 7 lines",
    ]
    assert line_diff("a\nb", "a\nb") == []
    assert [each.text for each in line_diff("a\nb", "a\nb\n")] == ["2 lines: only how lines end differs"]


@given(TEXTS, TEXTS)
def test_every_line_is_told_or_counted(before: str, after: str) -> None:
    told = line_diff(before, after)
    if before == after:
        return
    for text, sign in ((before, "-"), (after, "+")):
        lines = text.splitlines()
        for each in told:
            if each.sign == "…":
                count = int(each.text.split()[0])
                assert count > 0
                del lines[:count]
            elif each.sign in (sign, " "):
                assert lines.pop(0) == each.text
        assert lines == []
