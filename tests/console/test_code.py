"""Code on the screen: its text is what it was, in colours."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from console.code import code_lines, yaml_lines
from console.code_rows import carried, coloured
from console.text import TONES, plain

TEXT = """\
pipelines:
  flights:
    tasks:
      clean:
        sql: |
          SELECT count(*) -- all: of them
            FROM bronze.flights

      watch: {kind: monitor, when: x}
        # a remark
      train:
        when: champion == null
        after: [clean]
"""


def tones(line: Content) -> dict[str, str]:
    return {line.plain[span.start : span.end]: str(span.style) for span in line.spans}


def test_sql_and_rules_within_a_document_have_their_own_colours() -> None:
    lines = yaml_lines(TEXT)
    assert [line.plain for line in lines] == TEXT.splitlines()
    assert tones(lines[4]) == {"sql:": TONES["active"]}
    sql = tones(lines[5])
    assert (sql["SELECT"], sql["count"], sql["-- all: of them"]) == (TONES["active"], TONES["strong"], TONES["quiet"])
    assert tones(lines[6])["FROM"] == TONES["active"]
    assert tones(lines[8]) == {"watch:": TONES["active"]}
    assert tones(lines[9]) == {"        # a remark": TONES["quiet"]}
    assert tones(lines[11])["null"] == TONES["active"] and "champion" not in tones(lines[11])


@given(
    st.lists(st.sampled_from(["sql: |", "  when: a", "\n", "   'x", "/* b", "\t", "é", ": ", "- expr: >-", "\x1b[2J"]))
)
def test_any_text_stays_what_it_is(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert [line.plain for line in yaml_lines(text)] == plain(text, lines=True).splitlines()
    assert "\n".join(line.plain for line in code_lines("sql", text)) == plain(text, lines=True)


ROWS = st.lists(st.sampled_from(["SELECT a", "", "é.b = 1,", "FROM x", "  count(b) -- ends here", "'a'"]), max_size=6)


@given(ROWS, ROWS)
def test_rows_that_are_read_by_themselves_have_the_colours_of_the_whole(before: list[str], after: list[str]) -> None:
    """Where nothing goes over rows."""
    assert carried("sql", coloured("sql", before), after) == coloured("sql", after)
