"""Rows of a damaged file are no entries, and cost nobody else anything."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sample_entries import menu_entry, menu_key, raw_entry
from weedhounds.cache import rows
from weedhounds.cache.schema import prepare
from weedhounds.errors import Corrupt


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "rows.sqlite3", isolation_level=None)
    prepare(connection, tmp_path / "rows.sqlite3")
    connection.text_factory = bytes
    yield connection
    connection.close()


def store(connection: sqlite3.Connection, *shops: int) -> None:
    connection.executemany(rows.UPSERT, [rows.to_row(menu_key(s).digest, menu_entry(s)) for s in shops])


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
def test_a_row_that_makes_no_sense_is_no_entry(connection: sqlite3.Connection, change: str) -> None:
    store(connection, 1, 2)
    connection.execute(f"UPDATE entries SET {change} WHERE digest = ?", (menu_key(1).digest,))
    wanted = {menu_key(shop).digest: menu_key(shop) for shop in (1, 2, 3)}
    assert set(rows.read_entries(connection, wanted)) == {menu_key(2)}


@pytest.mark.parametrize("change", ["etag = CAST(x'ff' AS TEXT)", "signed_by = 5", "pinned = 'yes'", "origins = x'ff'"])
def test_damage_beside_the_point_leaves_the_entry(connection: sqlite3.Connection, change: str) -> None:
    store(connection, 1)
    connection.execute(f"UPDATE entries SET {change}")
    found = rows.read_entries(connection, {menu_key(1).digest: menu_key(1)})
    assert found[menu_key(1)].record == menu_entry(1).record


@pytest.mark.parametrize("change", ["fetched_ms = 'yesterday'", "body = 'text'", "key = x'ff'"])
def test_a_damaged_row_still_has_a_size_and_an_age(connection: sqlite3.Connection, change: str) -> None:
    store(connection, 1)
    connection.execute(f"UPDATE entries SET {change}")
    ((fetched_ms, size),) = rows.read_sizes(connection, [menu_key(1).digest]).values()
    assert isinstance(fetched_ms, int)
    assert size >= rows.ROW_BYTES


def test_a_flipped_bit_in_a_body_shows_when_the_record_is_decoded(connection: sqlite3.Connection) -> None:
    entry = menu_entry(1, products=50)
    flipped = bytearray(entry.body)
    flipped[len(flipped) // 2] ^= 4
    connection.execute(rows.UPSERT, rows.to_row(entry.key.digest, raw_entry(1, bytes(flipped))))
    found = rows.read_entries(connection, {entry.key.digest: entry.key})[entry.key]
    with pytest.raises(Corrupt) as caught:
        _ = found.record
    assert (caught.value.key, caught.value.origin) == (str(entry.key), "weedmaps")


def test_a_body_of_another_kind_shows_when_the_record_is_decoded(connection: sqlite3.Connection) -> None:
    store(connection, 1)
    connection.execute("UPDATE entries SET body = 'text of some length'")
    with pytest.raises(Corrupt):
        _ = rows.read_entries(connection, {menu_key(1).digest: menu_key(1)})[menu_key(1)].record


@pytest.mark.parametrize(
    ("count", "lengths"), [(0, []), (1, [1]), (2, [2]), (3, [4]), (200, [256]), (500, [500]), (501, [500, 1])]
)
def test_digests_are_split_into_few_different_lengths(count: int, lengths: list[int]) -> None:
    digests = [bytes([number // 256, number % 256]) for number in range(count)]
    split = list(rows.chunks(digests))
    assert [len(some) for some in split] == lengths
    assert [digest for some in split for digest in some if digest is not None] == digests
