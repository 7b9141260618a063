"""The list: its cursor stays on its row whatever happens to the rows."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.geometry import Region

from console import text, theme
from console.text import styled
from console.widgets.rows import GAP, Column, Lazy, Row, Rows, Section, fitted, widths
from tests.console.looking import seen

COLUMNS = (Column("NAME"), Column("N", 6, "right"))


def rows(*names: str) -> list[Row]:
    return [Row(name, (name, str(index))) for index, name in enumerate(names)]


class ListApp(App[None]):
    opened: str = ""
    asked_for_more = 0

    def __init__(self) -> None:
        super().__init__()
        self.register_theme(theme.PILOTHOUSE)
        self.theme = theme.PILOTHOUSE.name

    def compose(self) -> ComposeResult:
        yield Rows(COLUMNS)

    def on_rows_opened(self, message: Rows.Opened) -> None:
        self.opened = message.row.key if message.row else ""

    def on_rows_more(self) -> None:
        self.asked_for_more += 1


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 120)), min_size=1, max_size=8), st.integers(10, 160))
def test_columns_never_take_more_than_there_is_if_what_is_fixed_fits(shape: list[tuple[int, int]], total: int) -> None:
    columns = [Column("", width, shown_from=shown, most=2 * width) for width, shown in shape]
    sizes = widths(columns, total)
    shown = [size for size, column in zip(sizes, columns, strict=True) if column.shown_from <= total]
    least = sum(column.width or 4 for column in columns if column.shown_from <= total) + GAP * max(0, len(shown) - 1)
    if least <= total:
        assert sum(shown) + GAP * max(0, len(shown) - 1) <= total
    assert all(size == 0 for size, column in zip(sizes, columns, strict=True) if column.shown_from > total)


def test_a_column_grows_up_to_its_most_where_a_list_is_wide() -> None:
    columns = [Column("", 22, most=48), Column("", 10), Column("", prose=True)]
    assert [widths(columns, total)[0] for total in (60, 80, 100, 132, 200)] == [22, 22, 32, 48, 48]
    assert widths(columns, 132) == [48, 10, 70]


def test_columns_share_what_is_left_by_their_weights() -> None:
    assert widths([Column(""), Column("", 10), Column("", weight=2)], 74) == [20, 10, 40]


@given(st.text(alphabet="abc日本 é", max_size=40), st.integers(4, 30), st.sampled_from(["left", "right"]))
def test_a_cell_is_exactly_as_wide_as_its_column(text: str, width: int, align: str) -> None:
    assert fitted(styled(text), width, align).cell_length == width


@pytest.mark.parametrize(
    ("told", "width", "shown"),
    [
        (text.number(10**7), 9, "10 M"), (text.number(12_345_678), 9, "12.3 M"), (text.number(10**8), 9, "100 M"),
        (text.number(1_234_567_890), 12, "1.23 G"), (text.number(10**10), 10, "10 G"), (text.number(999_950), 5, "1 M"),
        (text.figure(-0.00001234), 7, "-1e-05"), (text.figure(12_345.678), 5, "12 k"),
        (text.seconds(11_223), 5, "3 h"), (text.seconds(36_000), 7, "10 h 00"), (text.seconds(45_296), 7, "12 h 34"),
        ("#1234567", 6, "…"), ("1234567", 5, "…"),
    ],
)  # fmt: skip
def test_a_quantity_that_is_too_wide_loses_precision_never_digits(told: str, width: int, shown: str) -> None:
    cell = fitted(styled(told, "warn"), width, "right")
    assert cell.plain == shown.rjust(width)
    assert [cell.plain[span.start : span.end].strip() for span in cell.spans] == [shown]


async def test_the_cursor_follows_its_row_when_rows_come_before_it() -> None:
    app = ListApp()
    async with app.run_test(size=(40, 10)) as pilot:
        table = app.query_one(Rows)
        table.show_rows(rows("a", "b", "c"))
        table.focus()
        await pilot.press("j")
        assert table.row is not None and table.row.key == "b"
        table.show_rows(rows("x", "y", "a", "b", "c"))
        assert table.row.key == "b"
        table.show_rows(rows("x", "a", "c"))
        assert table.row.key in ("a", "c")
        await pilot.press("enter")
        await pilot.pause()
        assert app.opened == table.row.key


async def test_moving_scrolls_and_the_heading_stays() -> None:
    app = ListApp()
    async with app.run_test(size=(40, 10)) as pilot:
        table = app.query_one(Rows)
        table.show_rows(rows(*(f"name{at}" for at in range(100))))
        table.focus()
        await pilot.press("G")
        await pilot.pause()
        assert "name99" in seen(app)
        assert seen(app).splitlines()[0].startswith(" NAME")
        await pilot.press("g")
        await pilot.pause()
        assert "name0 " in seen(app)
        await pilot.press("pagedown")
        assert table.row is not None and table.row.key == "name8"


async def test_a_resize_keeps_the_cursor_in_view() -> None:
    app = ListApp()
    async with app.run_test(size=(40, 30)) as pilot:
        table = app.query_one(Rows)
        table.show_rows(rows(*(f"name{at}" for at in range(60))))
        table.focus()
        for _ in range(25):
            await pilot.press("j")
        await pilot.resize_terminal(30, 8)
        await pilot.pause()
        assert table.row is not None and table.row.key == "name25"
        assert "name25" in seen(app)


async def test_near_the_end_of_a_page_more_is_asked_for() -> None:
    app = ListApp()
    async with app.run_test(size=(40, 10)) as pilot:
        table = app.query_one(Rows)
        table.show_rows(rows(*(f"name{at}" for at in range(30))), more=True)
        table.focus()
        await pilot.press("j")
        assert app.asked_for_more == 0
        await pilot.press("G")
        await pilot.pause()
        assert app.asked_for_more == 1


async def test_only_the_cells_that_look_otherwise_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    app = ListApp()
    async with app.run_test(size=(40, 10)) as pilot:
        table = app.query_one(Rows)
        table.show_rows([Row("a", ("a", "1")), Row("b", ("b", styled("2", "quiet")))])
        await pilot.pause()
        drawn: list[tuple[Region, ...]] = []
        monkeypatch.setattr(table, "refresh", lambda *regions: drawn.append(regions))
        table.show_rows([Row("a", ("a", "1")), Row("b", ("b", styled("2", "quiet")))])
        assert drawn == []
        table.show_rows([Row("a", ("a", "7")), Row("b", ("b", styled("2", "bad")))])
        numbers = [(Region(33, line, 6, 1),) for line in (1, 2)]
        assert drawn == numbers, "the second column, and its colour alone is a difference"
        table.show_rows([Row("a", ("A", "7")), Row("b", ("b", styled("2", "bad")))])
        assert drawn[2:] == [(Region(1, 1, 30, 1),)]


async def test_cells_of_rows_out_of_sight_are_not_made() -> None:
    made: list[int] = []

    def cells(at: int) -> tuple[str, str]:
        made.append(at)
        return f"name{at}", str(at)

    def page() -> list[Row]:
        return [Row(str(at), Lazy(functools.partial(cells, at))) for at in range(5_000)]

    app = ListApp()
    async with app.run_test(size=(40, 10)) as pilot:
        table = app.query_one(Rows)
        table.show_rows(page())
        await pilot.pause()
        table.show_rows(page())
        await pilot.pause()
        assert "name8" in seen(app)
        assert max(made) < 20
        table.focus()
        await pilot.press("G")
        await pilot.pause()
        assert "name4999" in seen(app)
        assert len(set(made)) < 40


@pytest.mark.parametrize("key", ["j", "k", "G", "g", "enter", "pagedown"])
async def test_an_empty_list_says_what_would_be_there(key: str) -> None:
    app = ListApp()
    async with app.run_test(size=(40, 10)) as pilot:
        table = app.query_one(Rows)
        table.show_rows([], empty="No names yet. l makes one.")
        table.focus()
        await pilot.press(key)
        assert "No names yet. l makes one." in seen(app)


async def test_one_cursor_runs_through_sections() -> None:
    app = ListApp()
    async with app.run_test(size=(40, 12)) as pilot:
        table = app.query_one(Rows)
        table.show_sections(
            [
                Section(COLUMNS, rows("a"), title="FIRST"),
                Section(COLUMNS, [], title="SECOND", empty="nothing"),
                Section((Column("X", 10),), [Row("z", ("last",))], title="THIRD"),
            ]
        )
        table.focus()
        await pilot.press("j")
        assert table.row is not None and table.row.key == "z"
        for word in ("FIRST", "SECOND", "nothing", "THIRD", "last"):
            assert word in seen(app)
