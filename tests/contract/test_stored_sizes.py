"""What a database stores of an entry is never more than its raw bytes and a header, and less from 1,024 bytes on."""

from __future__ import annotations

from random import Random

import pytest

from sample_entries import NOW, menu, menu_key
from sql_kits import Kit, kit
from weedhounds.cache.entry import Entry
from weedhounds.codec import Compression, Format, encode
from weedhounds.codec.envelope import CHECKSUM_BYTES, HEADER_BYTES
from weedhounds.model.records import Menu, Product

__all__ = ["kit"]

THRESHOLD_BYTES = 1024


def noise(rng: Random, products: int) -> Menu:
    """Return a menu of texts that nothing can compress."""
    text = "".join(chr(rng.randrange(0x4E00, 0x9FFF)) for _ in range(40))
    return Menu(
        origin="weedmaps",
        shop_id="1",
        products=tuple(
            Product(id=str(rng.getrandbits(60)), name="".join(rng.sample(text, 40)), origin="weedmaps")
            for _ in range(products)
        ),
    )


@pytest.mark.parametrize("is_noise", [True, False], ids=["noise", "menus"])
async def test_a_body_is_stored_no_larger_than_its_raw_bytes_and_a_header(kit: Kit, is_noise: bool) -> None:
    rng = Random(3)
    raw: dict[str, int] = {}
    async with kit.opened() as node:
        for number, products in enumerate((0, 1, 2, 3, 5, 8, 13, 21, 55, 200)):
            record = noise(rng, products) if is_noise else menu(number, products)
            entry = Entry.of(menu_key(number), record, fetched_at=NOW, expires_at=NOW + 60)
            await node.tier.put_many([entry])
            raw[str(entry.key)] = len(encode(record, Format.WHB_ROW, Compression.NONE)) - HEADER_BYTES - CHECKSUM_BYTES
        await node.tier.flush()
    stored = {_text(key): int(size) for key, size in kit.rows("SELECT `key`, length(body) FROM entries")}
    assert set(stored) == set(raw)
    assert max(raw.values()) > 8 * THRESHOLD_BYTES > min(raw.values())
    for key, size in stored.items():
        assert size <= raw[key] + HEADER_BYTES + CHECKSUM_BYTES
        if not is_noise and raw[key] >= THRESHOLD_BYTES:
            assert size < raw[key] / 2


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
