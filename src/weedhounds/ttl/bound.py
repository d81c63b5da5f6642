"""Keep a lifetime within its data type's limits: a separate last step, so that its cost can be seen. Pure."""

from __future__ import annotations

import math

from weedhounds.model.datatypes import LIFETIMES, DataType


def bound(data_type: DataType, lifetime_s: float) -> float:
    """Return ``lifetime_s`` within the least and greatest lifetime of ``data_type``, seconds.

    Infinity becomes the greatest; what is no number (NaN) becomes the least, the careful choice.
    """
    limits = LIFETIMES[data_type]
    if math.isnan(lifetime_s):
        return limits.min_s
    return min(limits.max_s, max(limits.min_s, lifetime_s))
