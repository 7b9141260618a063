"""Texts with comments in all sorts of places."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from metadata.documents import dump
from metadata.kinds import SECTIONS, Blueprint
from metadata.yaml_tree import read_tree
from tests.metadata.blueprints import definitions


def blueprints() -> SearchStrategy[Blueprint]:
    """Some definitions of any kinds; what they name need not be there."""
    return st.lists(definitions(), min_size=1, max_size=4).map(_blueprint)


def _blueprint(pairs: list[tuple[str, object]]) -> Blueprint:
    sections: dict[str, dict[str, object]] = {}
    for index, (kind, value) in enumerate(pairs):
        uid = f"{kind}-{index}"
        sections.setdefault(SECTIONS[kind], {})[f"{kind}.k{index}"] = value.model_copy(update={"uid": uid})  # type: ignore[attr-defined]
    return Blueprint().model_copy(update=sections)


@st.composite
def commented_texts(draw: st.DrawFn) -> tuple[str, Blueprint]:
    """The text of a blueprint, with comments above, beside and below its entries, each another one."""
    blueprint = draw(blueprints())
    text = dump(blueprint)
    tree = read_tree(text)
    ends = {entry.start: entry for entry in tree.entries if not entry.within_flow}
    for start in sorted(draw(st.sets(st.sampled_from(sorted(ends)), max_size=8)), reverse=True):
        entry = ends[start]
        line = tree.line_start(start)
        above = draw(st.sampled_from(["", "# {}\n", "\n# {}\n", "# {}\n\n# again {}\n"])).replace("{}", f"über {start}")
        text = (
            text[:line]
            + "".join(f"{' ' * entry.column}{each}\n" if each else "\n" for each in above.split("\n")[:-1])
            + text[line:]
        )
    if draw(st.booleans()):
        text = f"# of the whole\n\n{text}"
    return text + draw(
        st.sampled_from(["", "# at the end\n", "\n# at the end\n# of all\n", "  # indented\n"])
    ), blueprint
