"""The fixed policy: each data type has one lifetime, from the settings or the type's own. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from weedhounds.model.datatypes import LIFETIMES, DataType
from weedhounds.ttl.bound import bound


def fixed_lifetime(data_type: DataType, overrides: Mapping[str, float]) -> float:
    """Return the freshness lifetime of ``data_type``, seconds, within the type's limits.

    Args:
        overrides: base lifetimes by name of the data type, seconds (setting ``cache.lifetimes_s``);
            a type that is not named keeps its own base.
    """
    return bound(data_type, overrides.get(data_type.value, LIFETIMES[data_type].base_s))
