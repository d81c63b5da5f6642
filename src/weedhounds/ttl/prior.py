"""The chance that a copy is stale, from assumed mean change rates. Pure.

This is a prior: it has learnt nothing from the entry at hand, its shop or its origin. It takes the
changes of every record as a Poisson process with the mean rate of its data type in the standard
world of the lifetime model, the same at every hour of every day, and as independent of requests.
A shop that changes oftener than the mean is therefore shown as fresher than it is.
"""

from __future__ import annotations

import math

from weedhounds.model.datatypes import DataType

_DAY_S = 86_400.0

CHANGES_PER_DAY: dict[DataType, float] = {
    DataType.DISPENSARY_MENU: 14.0,
    DataType.PRODUCT_PRICING: 0.6 + 0.15,
    DataType.DISPENSARY_INFO: 1 / 45,
    DataType.STRAIN_DATA: 1 / 200,
    DataType.TERPENE_PROFILES: 1 / 120,
    DataType.LAB_RESULTS: 1 / 365,
    DataType.PROMOTIONS: 0.85 + 0.5,
    DataType.ANALYTICS_DATA: 1.0,
}
"""Mean changes a day in the standard world. Prices: their own changes + the shop's repricings;
promotions: scheduled + at random; analytics: the nightly run."""


def stale_probability(data_type: DataType, age_s: float) -> float:
    """Return the chance, 0..1, that a record fetched ``age_s`` seconds ago has changed at its origin.

    1 - exp(-rate x age). A negative age (a clock that jumped back) counts as 0.
    """
    return -math.expm1(-CHANGES_PER_DAY[data_type] * max(0.0, age_s) / _DAY_S)
