"""Fetching before somebody waits: hot keys shortly before they expire, a place before its first hunt.

Owns when and in which order that is done. Knows no wire format, no tier and no address: loads go through the
read path, within the origins' budgets.
"""

from __future__ import annotations

from weedhounds.warming.place import WarmReport, warm_place
from weedhounds.warming.plan import OriginState, RefreshPlan, Wanted
from weedhounds.warming.refresher import ReadsOfShops, Refresher, RefreshOptions, RefreshStats, origin_state

__all__ = [
    "OriginState",
    "ReadsOfShops",
    "RefreshOptions",
    "RefreshPlan",
    "RefreshStats",
    "Refresher",
    "Wanted",
    "WarmReport",
    "origin_state",
    "warm_place",
]
