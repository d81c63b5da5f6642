"""How many rows the counted tables hold: one row each in ``totals``, and the lock that writers take.

Whoever changes counted rows locks here first. Then the counts are exact, and two writers never
wait for each other crosswise. SQLite lets one writer in at a time anyway; a server does by this.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from weedhounds.cache.work import Ask, Dialect, Do, Work


class Count(msgspec.Struct, frozen=True, gc=False):
    """What a table holds: rows, and what they count, bytes (0 where bytes are not counted)."""

    rows: int = 0
    bytes: int = 0


class Totals:
    """The counts as the transaction that has locked them knows them; it alone may change them."""

    __slots__ = ("_counts",)

    def __init__(self, counts: Mapping[str, Count]) -> None:
        self._counts = dict(counts)

    def of(self, table: str) -> Count:
        """Return what a table holds."""
        return self._counts.get(table, Count())

    def add(self, table: str, rows: int, size: int = 0) -> Work[None]:
        """Count rows that came or, negative, went."""
        if rows or size:
            yield Do("UPDATE totals SET `rows` = `rows` + ?, bytes = bytes + ? WHERE name = ?", (rows, size, table))
            before = self.of(table)
            self._counts[table] = Count(before.rows + rows, before.bytes + size)


def lock_totals(dialect: Dialect) -> Work[Totals]:
    """Let no other writer in until the transaction ends, and return what is held."""
    found = yield Ask(f"SELECT name, `rows`, bytes FROM totals{dialect.for_update}")
    named = {name.decode(errors="replace"): (rows, size) for name, rows, size in found if isinstance(name, bytes)}
    return Totals({name: Count(int(rows), int(size)) for name, (rows, size) in named.items()})


def read_count(table: str) -> Work[Count]:
    """Return what a table holds, locking nothing."""
    found = yield Ask("SELECT `rows`, bytes FROM totals WHERE name = ?", (table,))
    return Count(int(found[0][0]), int(found[0][1])) if found else Count()
