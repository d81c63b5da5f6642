"""Tables: one line a row, fitted to a terminal's width, never cut where nobody's terminal is."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from shutil import get_terminal_size
from typing import Literal, NamedTuple


class Column(NamedTuple):
    """A column. Where not all fit a terminal, those of the highest ``drop`` leave first; 0 stays."""

    name: str
    justify: Literal["left", "right"] = "left"
    drop: int = 0


Rows = Sequence[Sequence[str]]

_LEAST_WIDTH = 40
_CUT_TO = 12
"""A wide column is cut down to this many cells before a column leaves."""
_GAP = 2


def terminal_width(is_terminal: bool) -> int | None:
    """Return the width to fit, cells; ``None`` where the reader is no terminal."""
    return max(_LEAST_WIDTH, get_terminal_size().columns) if is_terminal else None


def render_table(columns: Sequence[Column], rows: Rows, width: int | None) -> str:
    """Return header and rows, each one line.

    Args:
        rows: clean one-line cells, as many in each row as there are columns.
        width: cells of a terminal; columns leave and wide cells are cut to fit. ``None``: plain
            text, nothing is cut.
    """
    from rich.cells import cell_len

    sizes = [max([cell_len(c.name), *(cell_len(row[i]) for row in rows)]) for i, c in enumerate(columns)]
    if width is not None:
        return _for_terminal(columns, rows, sizes, width)
    lines = []
    for row in ([c.name for c in columns], *rows):
        padding = [" " * (size - cell_len(cell)) for size, cell in zip(sizes, row, strict=True)]
        cells = zip(columns, row, padding, strict=True)
        padded = (gap + cell if column.justify == "right" else cell + gap for column, cell, gap in cells)
        lines.append((" " * _GAP).join(padded).rstrip() + "\n")
    return "".join(lines)


def _for_terminal(columns: Sequence[Column], rows: Rows, sizes: Sequence[int], width: int) -> str:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = _fitting(columns, sizes, width)
    widths = _shrunk(sizes, shown, width)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for i in shown:
        column = columns[i]
        table.add_column(column.name, justify=column.justify, width=widths[i], no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(Text(row[i]) for i in shown))
    screen = StringIO()
    Console(file=screen, force_terminal=True, width=width, highlight=False).print(table)
    return screen.getvalue()


def _total(sizes: Sequence[int], shown: Sequence[int]) -> int:
    return sum(sizes[i] + _GAP for i in shown)


def _fitting(columns: Sequence[Column], sizes: Sequence[int], width: int) -> list[int]:
    """Return the columns that fit once the wide ones are cut."""
    shown = list(range(len(columns)))
    while _total([min(size, _CUT_TO) for size in sizes], shown) > width:
        leaving = max(shown, key=lambda i: (columns[i].drop, i))
        if columns[leaving].drop == 0:
            break
        shown.remove(leaving)
    return shown


def _shrunk(sizes: Sequence[int], shown: Sequence[int], width: int) -> list[int]:
    """Cut the widest columns, cell by cell, until the row fits."""
    cut = list(sizes)
    while _total(cut, shown) > width:
        widest = max(shown, key=lambda i: cut[i])
        if cut[widest] <= 3:
            break
        cut[widest] -= 1
    return cut
