"""Price lists and observations of them for tests: small, invented, and the same for the same arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from hypothesis import strategies as st

from weedhounds.cache.changes import OfferId, State, state_of
from weedhounds.cache.entry import Entry
from weedhounds.cache.history import PriceChange
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Price, PriceList
from weedhounds.model.units import Money

KEY = RecordKey(DataType.PRODUCT_PRICING, "weedmaps", "7")
NOW = 1_750_000_000.0


def price(product: str = "p1", amount: str = "35.00", **changed: object) -> Price:
    """Return one price."""
    fields: dict[str, object] = {
        "product_id": product,
        "variant_label": "1g",
        "variant": None,
        "market": "rec",
        "price": Money(Decimal(amount)),
        "list_price": Money(Decimal("40.00")),
        **changed,
    }
    return Price(**fields)  # type: ignore[arg-type]


def prices(*listed: Price, shop: str = "7") -> PriceList:
    """Return the price list of a shop."""
    return PriceList(origin="weedmaps", shop_id=shop, prices=listed)


def price_entry(record: PriceList, at: float = NOW, *, pinned_at: float | None = None) -> Entry:
    """Return a price list as an entry fetched at ``at``."""
    key = RecordKey(DataType.PRODUCT_PRICING, record.origin, record.shop_id)
    return Entry.of(key, record, fetched_at=at, expires_at=at + 600, pinned_at=pinned_at)


def told(state: State) -> dict[OfferId, tuple[object, ...]]:
    """Return what a state says of each offer, whenever it was seen."""
    return {offer: (r.price, r.list_price, r.currency, r.in_stock, r.quantity) for offer, r in state.items()}


def told_by(record: PriceList) -> dict[OfferId, tuple[object, ...]]:
    """Return what a price list says of each offer."""
    return told(state_of(KEY, record, 0.0))


def spelled(rows: Iterable[PriceChange]) -> list[tuple[float, str, str | None]]:
    """Return time (seconds after ``NOW``), product and price of each row."""
    return [(round(r.at - NOW, 3), r.product_id, None if r.price is None else str(r.price)) for r in rows]


_amounts = st.sampled_from([Decimal("10.00"), Decimal("12.50"), Decimal("0.0001"), Decimal("9999999.99")])
_currencies = st.sampled_from(["USD", "USD", "CAD"])
_details: Mapping[str, st.SearchStrategy[object]] = {
    "price": st.builds(Money, _amounts, _currencies),
    "list_price": st.builds(Money, _amounts, _currencies),
    "in_stock": st.none() | st.booleans(),
    "quantity": st.none() | st.sampled_from([0.0, 1.0, 2.5]),
    "promotions": st.sampled_from([(), ("BOGO",)]),
    "variant": st.none(),
}
_offers = st.tuples(st.sampled_from("abc"), st.sampled_from(["1g", "3.5g"]), st.sampled_from(["rec", "med"]))


@st.composite
def price_lists(draw: st.DrawFn) -> PriceList:
    """Draw a price list of few offers, so that they often appear, change and vanish."""
    offers = sorted(draw(st.sets(_offers, max_size=5)))
    details = [draw(st.fixed_dictionaries(dict(_details))) for _ in offers]
    return prices(
        *(
            Price(product_id=product, variant_label=label, market=market, **each)  # type: ignore[arg-type]
            for (product, label, market), each in zip(offers, details, strict=True)
        )
    )
