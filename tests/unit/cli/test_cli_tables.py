from __future__ import annotations

import pytest

from weedhounds.cli.tables import Column, render_table

COLUMNS = (Column("$/g", "right"), Column("product"), Column("brand", drop=1), Column("tier", drop=2))
ROWS = [("$9.50", "Blue Dream [1/8oz]", "Sample Farms", "memory"), ("$10.00", "Käse 青い夢", "", "sql")]


def test_where_no_terminal_is_each_row_is_one_line_and_nothing_is_cut() -> None:
    long = "x" * 500
    assert render_table(COLUMNS, [*ROWS, ("", long, long, "")], None).splitlines()[1:] == [
        f" $9.50  Blue Dream [1/8oz]{' ' * 482}  Sample Farms{' ' * 488}  memory",
        f"$10.00  Käse 青い夢{' ' * 489}  {' ' * 500}  sql",
        f"        {long}  {long}",
    ]


def test_a_terminal_that_is_wide_enough_shows_everything() -> None:
    shown = render_table(COLUMNS, ROWS, 80)
    for cell in (*ROWS[0], "Käse 青い夢"):
        assert cell in shown


@pytest.mark.parametrize(("width", "gone"), [(45, []), (38, ["memory"]), (24, ["memory", "Sample Farms"])])
def test_on_a_narrow_terminal_columns_leave_in_their_order(width: int, gone: list[str]) -> None:
    shown = render_table(COLUMNS, ROWS, width)
    assert [cell for cell in ("memory", "Sample Farms") if cell[:6] not in shown] == gone


@pytest.mark.parametrize("width", [20, 24, 40, 60, 200])
def test_on_a_terminal_each_row_is_one_line_of_its_width(width: int) -> None:
    from rich.cells import cell_len
    from rich.text import Text

    lines = [Text.from_ansi(line).plain for line in render_table(COLUMNS, ROWS, width).splitlines()]
    assert len(lines) == 3
    assert max(cell_len(line.rstrip()) for line in lines) <= width


def test_markup_in_a_name_is_shown_as_it_is() -> None:
    assert "[red]Dream[/red]" in render_table((Column("a"),), [("[red]Dream[/red]",)], 80)


def test_a_table_without_rows_is_its_header() -> None:
    assert render_table(COLUMNS, [], None) == "$/g  product  brand  tier\n"
