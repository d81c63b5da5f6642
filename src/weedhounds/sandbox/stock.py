"""What changes about a product: its batch (the menu key) and its shelf (the pricing key).

Both are pure functions of the event that last hit the product. A batch is a new lot: potency,
terpenes, lab facts. A shelf is a new tag and count: prices, special, units in stock.
"""

from __future__ import annotations

import msgspec

from weedhounds.model.records import Category
from weedhounds.sandbox.catalogue import Product
from weedhounds.sandbox.changes import Event
from weedhounds.sandbox.draws import lognormal_mean_1, normal, uniforms
from weedhounds.sandbox.shops import Shop
from weedhounds.sandbox.strains import Profile

SPECIAL_FRAC, SOLD_OUT_FRAC = 0.18, 0.12
_SMOKED = frozenset({Category.FLOWER, Category.PRE_ROLL})
_CONCENTRATED = {Category.VAPE: 82.0, Category.CONCENTRATE: 76.0}


class Batch(msgspec.Struct, frozen=True):
    """A lot of a product.

    Args:
        thc, cbd: totals in ``unit`` (``%``, or ``mg`` in the package).
        terpenes: (canonical name, percent) of the three strongest, descending; empty where the
            product is made of no strain.
        code: the lot's number.
        since: Unix seconds at which it came on the shelf.
    """

    thc: float
    cbd: float
    unit: str
    terpenes: tuple[tuple[str, float], ...]
    code: str
    since: float


def report_url(batch: Batch) -> str:
    """Return the address of the laboratory's report on a lot."""
    return f"https://reports.lab.example/{batch.code}.pdf"


class Special(msgspec.Struct, frozen=True):
    """A shop's standing special on some products: ``percent`` off the regular price."""

    id: int
    name: str
    percent: int


class Shelf(msgspec.Struct, frozen=True):
    """Prices and stock of a product; the lists run parallel to its variants.

    Args:
        cents, med_cents: regular prices; ``med_cents`` is empty where the shop has no patients.
        special: what lowers them now, or ``None``.
        quantity: units in stock; 0 is sold out.
    """

    cents: tuple[int, ...]
    med_cents: tuple[int, ...]
    special: Special | None
    quantity: tuple[int, ...]

    def paid(self, regular: int) -> int:
        """Return what is paid, in cents, for a regular price of ``regular`` cents."""
        return regular if self.special is None else round(regular * (100 - self.special.percent) / 100)


def make_batch(seed: int, shop: Shop, product: Product, event: Event, *, profile: Profile | None) -> Batch:
    """Return the lot that ``event`` brought.

    Args:
        profile: the strain's; ``None`` for what is not made of one.
    """
    u = uniforms(seed, "batch", shop.index, product.index, event.id)
    thc, cbd, unit = _potency(product, u)
    code = f"{product.brand:02d}-{int(u[3] * 0xFFFFFF):06X}"
    return Batch(thc, cbd, unit, _terpenes(product, profile, u) if profile else (), code, event.t)


def _potency(product: Product, u: tuple[float, ...]) -> tuple[float, float, str]:
    if product.strain is None:
        mg = product.variants[0].mg or 0
        measured = round(mg * (1 + 0.03 * normal(u[0])), 2)
        return (0.0, measured, "mg") if product.category is Category.TOPICAL else (measured, round(u[1] * 2, 2), "mg")
    level = _CONCENTRATED.get(product.category)
    is_cbd = product.strain.kind == "cbd"
    typical = product.strain.thc if level is None else level * (0.4 if is_cbd else 1.0)
    thc = typical * lognormal_mean_1(u[0], 0.1 if level is None else 0.04)
    cbd = thc * (1.5 + u[1]) if is_cbd else 0.02 + u[1] * 0.4
    return round(min(thc, 95.0), 2), round(min(cbd, 95.0 - thc) if is_cbd else cbd, 2), "%"


def _terpenes(product: Product, profile: Profile, u: tuple[float, ...]) -> tuple[tuple[str, float], ...]:
    """Return the strain's profile scaled to the lot: shares agree with the strain's, the total varies."""
    total = (2.2 if product.category in _SMOKED else 5.0) * lognormal_mean_1(u[5], 0.2)
    wobble = 0.03 * (u[6] - 0.5)
    (a, first), (b, second), (c, third) = profile[:3]
    return (
        (a, round(total * first * (1 + wobble), 3)),
        (b, round(total * second * (1 - wobble), 3)),
        (c, round(total * third * (1 + wobble), 3)),
    )


def make_specials(seed: int, shop: Shop) -> tuple[Special, ...]:
    """Return the standing specials of a shop; constant."""
    u = uniforms(seed, "specials", shop.index)
    names = ("{}% Off Select Products", "Weekly Deal {}% Off", "{}% Off House Picks", "Clearance {}% Off")
    percents = [int(10 + 5 * int(u[i] * 6)) for i in range(4)]
    base = 3_300_000 + shop.index * 10
    return tuple(Special(base + i, names[i].format(p), p) for i, p in enumerate(percents[: 3 + (u[4] < 0.5)]))


def make_shelf(seed: int, shop: Shop, product: Product, event: Event, *, specials: tuple[Special, ...]) -> Shelf:
    """Return the tag and count that ``event`` made."""
    u = uniforms(seed, "shelf", shop.index, product.index, event.id)
    factor = lognormal_mean_1(u[0], 0.08)
    cents = tuple([max(100, round(v.cents * factor / 25) * 25) for v in product.variants])
    patients = tuple([round(c * 0.85 / 25) * 25 for c in cents]) if "med" in shop.markets else ()
    special = specials[int(u[2] * len(specials))] if u[1] < SPECIAL_FRAC else None
    return Shelf(cents, patients, special, tuple([_units(u[3 + i]) for i in range(len(cents))]))


def _units(u: float) -> int:
    """Return units in stock: 0 is sold out, else 1 to 47, few more often than many."""
    return 0 if u < SOLD_OUT_FRAC else 1 + int(60 * (u - SOLD_OUT_FRAC) ** 2)
