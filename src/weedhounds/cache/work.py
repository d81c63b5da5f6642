"""What is done in a SQL database, apart from how it is reached: statements as values.

A :data:`Work` is a generator that yields statements and is sent their results. Tier, identity
index, history and leases are written once in this form; a :class:`Backend` runs them: SQLite in a
thread (:mod:`weedhounds.cache.sqlite_file`), MySQL and MariaDB on the event loop
(:mod:`weedhounds.cache.mysql_server`). No I/O here.

Statements are written with ``?`` for values and backquoted names, which both take. Texts come
back as bytes from both, so that one that is no UTF-8 costs its own row only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Generator, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Literal, Protocol, TypeVar

import msgspec

from weedhounds.cache.write_behind import WriteBehind

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

CHUNK = 4096
"""Most values in one list of a statement."""
Row = tuple[Any, ...]


class Ask(msgspec.Struct, frozen=True, gc=False):
    """A statement that answers rows: sent back as a sequence of them."""

    sql: str
    values: Sequence[Any] = ()


class Do(msgspec.Struct, frozen=True, gc=False):
    """A statement that changes rows: sent back as the number of rows changed."""

    sql: str
    values: Sequence[Any] = ()


class DoMany(msgspec.Struct, frozen=True, gc=False):
    """An ``INSERT`` of many rows: ``head`` + one group of values for each row + ``tail``.

    The number of rows inserted is sent back, where the tail leaves rows that are there as they are.

    Args:
        head: up to and without ``VALUES``.
        rows: each of the same length.
        tail: what to do about rows that are there.
        row_bytes: an upper estimate of the bytes of one row's values, for whoever must split.
    """

    head: str
    rows: Sequence[Row]
    tail: str
    row_bytes: Callable[[Row], int] = lambda _: 200


Statement = Ask | Do | DoMany
Work = Generator[Statement, Any, T]


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """Where the statements of the two databases differ.

    Args:
        size: what an entry's row counts, as an expression.
        for_update: locks the rows asked for until the transaction ends.
        now_ms: the machine's (SQLite) or server's own clock, Unix milliseconds, as an expression.
        has_size_column: whether ``entries`` keeps the count in a column.
    """

    name: Literal["sqlite", "mysql"]
    size: str
    for_update: str
    now_ms: str
    has_size_column: bool

    def upsert(self, table: str, columns: Sequence[str], key: str) -> tuple[str, str]:
        """Return head and tail of an insertion that replaces the row with the same ``key``."""
        names = ", ".join(f"`{name}`" for name in columns)
        others = [name for name in columns if name != key]
        return f"INSERT INTO {table} ({names})", f"{self._on_conflict(key)} {', '.join(map(self._replaced, others))}"

    def insert_new(self, table: str, columns: Sequence[str], key: Sequence[str]) -> tuple[str, str]:
        """Return head and tail of an insertion that leaves a row with the same ``key`` as it is."""
        names = ", ".join(f"`{name}`" for name in columns)
        head = f"INSERT INTO {table} ({names})"
        if self.name == "sqlite":
            return head, f" ON CONFLICT ({', '.join(f'`{name}`' for name in key)}) DO NOTHING"
        return head, f" ON DUPLICATE KEY UPDATE `{key[0]}` = `{key[0]}`"

    def _on_conflict(self, key: str) -> str:
        return f" ON CONFLICT (`{key}`) DO UPDATE SET" if self.name == "sqlite" else " ON DUPLICATE KEY UPDATE"

    def _replaced(self, name: str) -> str:
        return f"`{name}` = excluded.`{name}`" if self.name == "sqlite" else f"`{name}` = VALUES(`{name}`)"


ROW_BYTES = 200
"""What an entry's row counts beside its key and body."""
SQLITE = Dialect(
    name="sqlite",
    size=f"length(`key`) + length(body) + {ROW_BYTES}",  # of a body: stands in the row's head, no overflow page is read
    for_update="",
    now_ms="CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    has_size_column=False,
)
MYSQL = Dialect(
    name="mysql",
    size="size",
    for_update=" FOR UPDATE",
    now_ms="CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)",
    has_size_column=True,
)


class Backend(Protocol):
    """Runs work in one database; shared by everything that lives there. All methods belong to one event loop."""

    dialect: Dialect

    @property
    def max_body_bytes(self) -> int:
        """Return the largest body that is stored."""
        ...

    @property
    def is_tried_again(self) -> bool:
        """Tell whether a database that could not be opened is tried again by itself."""
        ...

    @property
    def place(self) -> str:
        """Return the file or server in words, without a password."""
        ...

    async def open(self) -> None:
        """Open the database; make its tables, or bring them up to date. As :meth:`Database.open` raises."""
        ...

    def gather(self, gathered: WriteBehind[Any, Any, Any]) -> None:
        """Let the writer commit what gathers in ``gathered``, after what was given here before it.

        All that gathers is committed in one transaction. What is given first is taken first: what
        was added to a later one before an earlier one is never committed after it.
        """
        ...

    def look_up(self, digests: Sequence[bytes]) -> Awaitable[list[Row]]:
        """Return the rows of ``entries`` with these digests (:data:`weedhounds.cache.rows.COLUMNS_READ`).

        Those who ask at the same time are answered by one statement.

        Raises:
            TierUnavailable: the database failed, is closed, or too many calls wait.
        """
        ...

    async def read(self, work: Callable[[], Work[T]]) -> T:
        """Run work that changes nothing. Raises as :meth:`look_up`."""
        ...

    async def write(self, work: Callable[[], Work[T]]) -> T:
        """Run work at once and in a transaction of its own; it may be run again after a deadlock.

        Raises:
            TierUnavailable: nothing was written; or (MySQL, connection lost at the commit) it is not known.
        """
        ...

    async def write_apart(self, work: Callable[[], Work[T]]) -> T:
        """Run work in a transaction of its own, in no order with what gathers. Raises as :meth:`write`."""
        ...

    async def flush(self) -> None:
        """Commit what has gathered so far.

        Raises:
            TierUnavailable: it could not be committed; it is kept and tried again later.
        """
        ...

    async def make_room(self, gathered: WriteBehind[Any, Any, Any]) -> None:
        """Return once more may be added to ``gathered``: at once, unless it is full.

        Raises:
            TierUnavailable: closed, or the last commit failed and was not made good since.
        """
        ...

    def wake(self) -> None:
        """Tell the writer that something has gathered."""
        ...

    async def close(self) -> None:
        """Commit what has gathered and let go of the database. Calling it again does no harm.

        Raises:
            TierUnavailable: the last commit failed; says how many writes were lost.
        """
        ...


def marks(count: int) -> str:
    """Return ``count`` placeholders."""
    return ",".join("?" * count)


def chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Split values for the lists of statements: at most ``CHUNK``, filled up with nulls to few different lengths.

    An equal number of marks is an equal statement, which no database need compile again.
    """
    rest = iter(values)
    while some := list(islice(rest, CHUNK)):
        length = min(CHUNK, 1 << (len(some) - 1).bit_length())
        yield [*some, *[None] * (length - len(some))]


def ask_in(sql: str, values: Collection[Any], *more: Any) -> Work[list[Row]]:
    """Ask ``sql``, which ends before its ``IN (…)``, for all values; ``more`` are the values before them."""
    found: list[Row] = []
    for some in chunks(values):
        found.extend((yield Ask(f"{sql} IN ({marks(len(some))})", [*more, *some])))
    return found


def delete_in(table: str, column: str, values: Collection[Any]) -> Work[int]:
    """Delete the rows whose ``column`` is one of the values; return how many."""
    gone = 0
    for some in chunks(values):
        gone += yield Do(f"DELETE FROM {table} WHERE `{column}` IN ({marks(len(some))})", some)
    return gone
