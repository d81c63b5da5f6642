"""``weedhounds sources parse``: one recorded answer, parsed without a network."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weedhounds.cli.options import Currency, Json, KindName
from weedhounds.errors import BadInput

if TYPE_CHECKING:
    from weedhounds.sources.base import Parsed

EXAMPLE = "Example: weedhounds sources parse weedmaps menu.json.gz --json"
ROWS = 20
"""Most records, and most skipped items, shown without ``--json``."""


def parse_file(
    origin: Annotated[str, typer.Argument(metavar="ORIGIN", help="The origin's id, as in sources list.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recorded answer, .gz too; - for standard input.")],
    *,
    kind: KindName = None,
    currency: Currency = "USD",
    as_json: Json = False,
) -> None:
    """Show what an origin's recorded answer holds, and what of it could not be read and why."""
    from weedhounds import sources
    from weedhounds.cli.output import Sink, to_json
    from weedhounds.sources.base import Kind

    check_currency(currency)
    source = sources.source_class(origin)
    parsed = source.parse(_read(file), Kind(kind) if kind else None, currency=currency)
    sink = Sink()
    if as_json:
        sink.write(to_json({"records": parsed.records(), "skipped": parsed.skipped}))
    else:
        sink.write(_text(parsed, is_terminal=sink.is_terminal).encode("utf-8", "replace"))


def check_currency(code: str) -> None:
    """Refuse what is no currency code.

    Raises:
        BadInput: not three capital letters.
    """
    if not (len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
        raise BadInput(f"--currency takes three capital letters as USD, not {code!r}")


def _read(file: Path) -> bytes:
    from weedhounds.bulk import read_file

    return _standard_input() if str(file) == "-" else read_file(file)


def _standard_input() -> bytes:
    """Return what stands on standard input, decompressed where it is gzip; bounded as files are."""
    import gzip
    import sys
    import zlib
    from io import BytesIO

    from weedhounds.bulk import MAX_FILE_BYTES

    data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.GzipFile(fileobj=BytesIO(data)).read(MAX_FILE_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise BadInput(f"cannot read standard input: {error}") from error
    if len(data) > MAX_FILE_BYTES:
        raise BadInput(f"standard input is larger than {MAX_FILE_BYTES >> 20} MB")
    return data


def _text(parsed: Parsed, *, is_terminal: bool) -> str:
    from weedhounds.cli.record_table import COLUMNS, count_lines, record_cells
    from weedhounds.cli.tables import render_table, terminal_width
    from weedhounds.cli.text import one_line

    records = parsed.records()
    rows = [record_cells(record) for record in records]
    lines = count_lines(Counter(row[0] for row in rows)) or ["no records"]
    text = "".join(f"{line}\n" for line in lines)
    if rows:
        text += "\n" + render_table(COLUMNS, rows[:ROWS], terminal_width(is_terminal))
        text += f"and {len(rows) - ROWS:,} more\n" if len(rows) > ROWS else ""
    skipped = [f"skipped {one_line(item.where)}: {one_line(item.why)}\n" for item in parsed.skipped[:ROWS]]
    if len(parsed.skipped) > ROWS:
        skipped.append(f"and {len(parsed.skipped) - ROWS:,} more skipped\n")
    return text + ("\n" + "".join(skipped) if skipped else "")
