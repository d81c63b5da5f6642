"""A shop's conditional deals ("buy two", happy hours): what changes with its daily schedule.

Deals need a condition that a menu cannot show (a second item, an hour, a basket), so they change no
price; specials that lower prices stand on the shelf's tag (``stock``) and change with it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from weedhounds.sandbox.changes import Event
from weedhounds.sandbox.draws import rng
from weedhounds.sandbox.shops import Shop

_IDEAS = (
    ("Buy One Get One {p}% Off Pre-Rolls", "bogo", "Pre-Rolls"),
    ("Happy Hour {p}% Off Edibles", "sale", "Edible"),
    ("Two Eighths {p}% Off", "bogo", "Flower"),
    ("{p}% Off Baskets Over $100", "sale", None),
    ("Cartridge Bundle {p}% Off", "bogo", "Vaporizers"),
    ("Dab Day {p}% Off Second Gram", "bogo", "Concentrate"),
    ("First Visit {p}% Off", "sale", None),
)
LIFE_HOURS = 24


class Deal(msgspec.Struct, frozen=True):
    """A conditional deal: ``kind`` is sale or bogo; stamps are local times without zone."""

    id: str
    name: str
    kind: str
    category: str | None
    starts_local: str
    ends_local: str


def make_deals(seed: int, shop: Shop, event: Event, zone: ZoneInfo) -> tuple[Deal, ...]:
    """Return the 1 to 3 deals that ``event`` put up; they stay until the next event."""
    generator = rng(seed, "deals", shop.index, event.id)
    starts = datetime.fromtimestamp(event.t, zone).replace(microsecond=0, tzinfo=None)
    ends = starts + timedelta(hours=LIFE_HOURS)
    deals = []
    for i, (name, kind, category) in enumerate(generator.sample(_IDEAS, generator.randint(1, 3))):
        text = name.format(p=generator.choice((10, 15, 20, 25, 30, 50)))
        native = f"{generator.getrandbits(92):023x}{i:x}"
        deals.append(Deal(native, text, kind, category, _stamp(starts), _stamp(ends)))
    return tuple(deals)


def _stamp(local: datetime) -> str:
    return f"{local:%Y-%m-%dT%H:%M:%S}.0000000"
