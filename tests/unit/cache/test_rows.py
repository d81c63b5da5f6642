"""Rows of a damaged file are no entries, and cost nobody else anything."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sample_entries import menu_entry, menu_key, raw_entry
from weedhounds.cache import rows
from weedhounds.cache.entry import Entry
from weedhounds.cache.rows import READ, read_sizes, to_entry, to_row
from weedhounds.cache.schema import prepare
from weedhounds.cache.sqlite_file import perform
from weedhounds.cache.work import CHUNK, ROW_BYTES, SQLITE, ask_in, chunks
from weedhounds.errors import Corrupt
from weedhounds.model.keys import RecordKey


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "rows.sqlite3", isolation_level=None)) as connection:
        prepare(connection, tmp_path / "rows.sqlite3")
        connection.text_factory = bytes
        yield connection


def store(connection: sqlite3.Connection, *entries: Entry, is_sealed: bool = True) -> None:
    made = [to_row(entry.key.digest, entry) for entry in entries]
    perform(rows.insert_rows(SQLITE, made), connection)
    if not is_sealed:  # as rows of the first schema are
        connection.execute("UPDATE entries SET seal = NULL")


def read(connection: sqlite3.Connection, *keys: RecordKey) -> dict[RecordKey, Entry]:
    wanted = {key.digest: key for key in keys}
    found = perform(ask_in(READ, wanted), connection)
    entries = [to_entry(wanted[row[0]], str(wanted[row[0]]).encode(), row) for row in found]
    return {entry.key: entry for entry in entries if entry is not None}


@pytest.mark.parametrize(
    "change",
    [
        "key = 'dispensary_menu:weedmaps:99'",
        "key = CAST(x'ff00fe' AS TEXT)",
        "key = x'00'",
        "fetched_ms = 'yesterday'",
        "expires_ms = 1.5",
        "content = x'00'",
        "content = 'text of 20 characters'",
        "share = 'everyone'",
        "share = x'ff'",
        "body = 17",
    ],
)
@pytest.mark.parametrize("is_sealed", [True, False])
def test_a_row_that_makes_no_sense_is_no_entry(connection: sqlite3.Connection, change: str, is_sealed: bool) -> None:
    store(connection, menu_entry(1), menu_entry(2), is_sealed=is_sealed)
    connection.execute(f"UPDATE entries SET {change} WHERE digest = ?", (menu_key(1).digest,))
    assert set(read(connection, menu_key(1), menu_key(2), menu_key(3))) == {menu_key(2)}


@pytest.mark.parametrize("change", ["etag = CAST(x'ff' AS TEXT)", "signed_by = 5", "origins = x'ff'"])
def test_damage_beside_the_point_leaves_an_entry_of_the_first_schema(
    connection: sqlite3.Connection, change: str
) -> None:
    store(connection, menu_entry(1), is_sealed=False)
    connection.execute(f"UPDATE entries SET {change}")
    assert read(connection, menu_key(1))[menu_key(1)].record == menu_entry(1).record
    store(connection, menu_entry(1))
    connection.execute(f"UPDATE entries SET {change}")
    assert read(connection, menu_key(1)) == {}


@pytest.mark.parametrize("change", ["fetched_ms = 'yesterday'", "body = 'text'", "key = x'ff'"])
def test_a_damaged_row_still_has_a_size_and_an_age(connection: sqlite3.Connection, change: str) -> None:
    store(connection, menu_entry(1))
    connection.execute(f"UPDATE entries SET {change}")
    ((fetched_ms, size),) = perform(read_sizes(SQLITE, [menu_key(1).digest]), connection).values()
    assert isinstance(fetched_ms, int)
    assert size >= ROW_BYTES


def test_a_flipped_bit_in_a_body_shows_when_the_record_is_decoded(connection: sqlite3.Connection) -> None:
    entry = menu_entry(1, products=50)
    flipped = bytearray(entry.body)
    flipped[len(flipped) // 2] ^= 4
    store(connection, raw_entry(1, bytes(flipped)))
    found = read(connection, entry.key)[entry.key]
    with pytest.raises(Corrupt) as caught:
        _ = found.record
    assert (caught.value.key, caught.value.origin) == (str(entry.key), "weedmaps")


def test_a_body_of_another_kind_shows_when_the_record_is_decoded(connection: sqlite3.Connection) -> None:
    store(connection, menu_entry(1))
    connection.execute("UPDATE entries SET body = 'text of some length'")
    with pytest.raises(Corrupt):
        _ = read(connection, menu_key(1))[menu_key(1)].record


@pytest.mark.parametrize(
    ("count", "lengths"),
    [(0, []), (1, [1]), (2, [2]), (3, [4]), (200, [256]), (CHUNK, [CHUNK]), (CHUNK + 1, [CHUNK, 1])],
)
def test_digests_are_split_into_few_different_lengths(count: int, lengths: list[int]) -> None:
    digests = [bytes([number // 256, number % 256]) for number in range(count)]
    split = list(chunks(digests))
    assert [len(some) for some in split] == lengths
    assert [digest for some in split for digest in some if digest is not None] == digests
