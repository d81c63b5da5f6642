"""From an answer's bytes to entry bodies: what is kept, what becomes a typed error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec
import pytest

from weedhounds.cache.entry import record_digest
from weedhounds.codec import decode_body
from weedhounds.errors import OriginRejected, SchemaMismatch
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.provenance import Terms
from weedhounds.model.records import Menu, Price, PriceList, Product, Shop
from weedhounds.model.units import Money
from weedhounds.pages import Page, decode_parsed, encode_parsed, join_pages, parse_answer, read_page
from weedhounds.sources.base import Budget, Call, Kind, Load, OriginConfig, Parsed, Skipped, Source, SourceInfo

CONFIG = OriginConfig(origin="jane", base_url="http://x", budget=Budget(1, 1.0, 1), terms=Terms())
MENU = RecordKey(DataType.DISPENSARY_MENU, "jane", "7")
PRICES = RecordKey(DataType.PRODUCT_PRICING, "jane", "7")
FIRST = Call(kind=Kind.MENU, path="/menu")
LOAD = Load(origin="jane", what="menu", keys=(MENU,), calls=(FIRST,), shop_id="7")


def parsed_menu(*ids: str) -> Parsed:
    money = Money(Decimal("9.9501"), "USD")
    return Parsed(
        products=[Product(id=i, name=f"P {i}", origin="jane") for i in ids],
        prices=[
            Price(product_id=i, variant_label="1g", variant=None, market="rec", price=money, list_price=money)
            for i in ids
        ],
        seen=len(ids),
    )


def source_of(outcome: Parsed | Exception, follow: Sequence[Call] = ()) -> Source:
    """Return a source that gives ``outcome`` and ``follow``, whatever the bytes are."""

    class Stub:
        config: OriginConfig = CONFIG

        @classmethod
        def info(cls) -> SourceInfo:
            raise NotImplementedError

        @staticmethod
        def parse(body: bytes, kind: Kind | None = None, *, currency: str = "USD") -> Parsed:
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        def plan(self, keys: Iterable[RecordKey], shops: Mapping[str, Shop]) -> list[Load]:
            raise NotImplementedError

        def follow(self, call: Call, parsed: Parsed) -> list[Call]:
            return list(follow)

    return Stub()


def test_exact_prices_survive_the_way_between_processes() -> None:
    parsed = parsed_menu("a")
    parsed.skipped.append(Skipped("items[3]", "no name"))
    assert decode_parsed(encode_parsed(parsed)) == parsed


def test_a_load_of_one_answer_becomes_bodies_at_once() -> None:
    page = read_page(source_of(parsed_menu("b", "a")), LOAD, FIRST, b"")
    bodies = {filled.key: decode_body(filled.body) for filled in page.filled}
    menu, prices = bodies[MENU], bodies[PRICES]
    assert isinstance(menu, Menu)
    assert isinstance(prices, PriceList)
    assert [product.id for product in menu.products] == ["a", "b"]
    assert prices.prices[0].price.amount == Decimal("9.9501")
    assert {filled.key: filled.digest for filled in page.filled}[MENU] == record_digest(menu)
    assert (page.parsed, page.follow, page.items, page.skipped) == (b"", (), 2, 0)


def test_pages_of_a_longer_load_stay_parsed_until_all_are_there() -> None:
    second = msgspec.structs.replace(FIRST, page=1)
    one = read_page(source_of(parsed_menu("a"), [second]), LOAD, FIRST, b"")
    two = read_page(source_of(parsed_menu("b")), LOAD, second, b"")
    assert (one.follow, one.filled, two.filled) == ((second,), (), ())
    bodies = [decode_body(filled.body) for filled in join_pages(LOAD, [one.parsed, two.parsed])]
    assert [len(body.products) for body in bodies if isinstance(body, Menu)] == [2]


def test_a_page_survives_the_way_between_processes() -> None:
    second = msgspec.structs.replace(FIRST, page=1, body=b"\x00\xff")
    page = read_page(source_of(parsed_menu("a"), [second]), LOAD, FIRST, b"")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(page), type=Page) == page


@pytest.mark.parametrize("mistake", [KeyError("x"), RecursionError(), MemoryError(), ValueError("\ud800"), TypeError()])
def test_whatever_hostile_bytes_make_a_parser_raise_is_typed(mistake: Exception) -> None:
    with pytest.raises(SchemaMismatch, match=f"cannot be read: {type(mistake).__name__}"):
        parse_answer(source_of(mistake), b"", None, "USD")


def test_a_typed_error_passes_as_it_is() -> None:
    with pytest.raises(OriginRejected, match="blocked"):
        read_page(source_of(OriginRejected("blocked")), LOAD, FIRST, b"")


def test_text_that_cannot_be_stored_is_typed() -> None:
    with pytest.raises(SchemaMismatch, match="cannot be stored"):
        read_page(source_of(parsed_menu("\ud800")), LOAD, FIRST, b"")


def test_an_answer_of_which_nothing_can_be_read_is_no_answer() -> None:
    broken = Parsed(seen=2, skipped=[Skipped("0", "no name"), Skipped("1", "no name")])
    with pytest.raises(SchemaMismatch, match="none of 2 items can be read: no name"):
        read_page(source_of(broken), LOAD, FIRST, b"")


def test_an_empty_menu_is_an_answer() -> None:
    page = read_page(source_of(Parsed(seen=0)), LOAD, FIRST, b"")
    assert [decode_body(filled.body) for filled in page.filled] == [
        Menu(origin="jane", shop_id="7", products=()),
        PriceList(origin="jane", shop_id="7", prices=()),
    ]


def test_one_usable_item_among_broken_ones_is_an_answer() -> None:
    some = parsed_menu("a")
    some.seen = 3
    some.skipped = [Skipped("1", "x"), Skipped("2", "x")]
    assert read_page(source_of(some), LOAD, FIRST, b"").skipped == 2
