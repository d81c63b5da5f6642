"""What is asked of the read path and what it comes to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import msgspec

from weedhounds.cache.meter import RequestStats
from weedhounds.errors import WeedHoundsError
from weedhounds.model.keys import RecordKey
from weedhounds.model.records import Shop
from weedhounds.strategies import Found
from weedhounds.telemetry import Trace


class ReadResult(msgspec.Struct):
    """What a read came to: every asked key is in ``found`` or in ``missing``.

    ``stale_errors`` says for a key that is found stale why it could not be refreshed.
    """

    found: dict[RecordKey, Found]
    missing: dict[RecordKey, WeedHoundsError]
    stale_errors: dict[RecordKey, WeedHoundsError]


class ReadStats(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of the read path since start.

    Args:
        requests: what became of every key that was asked for; ``by_type`` the same by data type.
        loads: loads started. ``joined``: times that somebody waited for another's load.
        in_flight: loads that run now.
        negative_entries: absences remembered now. ``negative_served``: times one was the answer.
        stale_served: expired entries served because their origin failed.
        revalidated: expired entries served at once while they were fetched anew: hits, in ``requests``.
        tier_errors: times that a tier was skipped because it failed, or had failed too often.
        strategy: the read strategy. ``asked_first``: look-ups that began at each tier.
        breakers: of each tier: ``closed``, ``open`` or ``half_open``.
    """

    requests: RequestStats
    by_type: dict[str, RequestStats]
    loads: int
    joined: int
    in_flight: int
    negative_entries: int
    negative_served: int
    stale_served: int
    revalidated: int
    tier_errors: int
    strategy: str
    asked_first: dict[str, int]
    breakers: dict[str, str]


class Asking(msgspec.Struct, frozen=True):
    """What a request brings to its loads."""

    deadline: float | None
    trace: Trace
    shops: Mapping[str, Mapping[str, Shop]]
    held: dict[RecordKey, Found]


def by_origin(shops: Mapping[tuple[str, str], Shop]) -> dict[str, dict[str, Shop]]:
    """Return known shops by origin and native id."""
    grouped: dict[str, dict[str, Shop]] = defaultdict(dict)
    for (origin, shop_id), shop in shops.items():
        grouped[origin][shop_id] = shop
    return grouped
