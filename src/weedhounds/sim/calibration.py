"""Whether told probabilities come true: expected calibration error, Brier score, reliability table. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from weedhounds.model.datatypes import DataType

BINS = 10

Told = Sequence[tuple[float, bool]]
"""Probability told, and whether it came true."""


class Bin(msgspec.Struct, frozen=True):
    """Serves whose told probability lies between ``low`` and ``high``: what was told on average, what came."""

    low: float
    high: float
    serves: int
    told: float
    stale: float


class Calibration(msgspec.Struct, frozen=True):
    """How good the told probabilities are.

    Args:
        error: expected calibration error: mean over the serves of |told - came| of their bin.
        brier: mean squared difference between what was told and what came.
        base_brier: the same for telling each data type's own stale fraction, known in hindsight.
    """

    serves: int
    error: float
    brier: float
    base_brier: float
    bins: tuple[Bin, ...]

    @property
    def skill(self) -> float:
        """Return by what share the Brier score is better than the base rate's; 0 where that is perfect."""
        return 1.0 - self.brier / self.base_brier if self.base_brier > 0.0 else 0.0


def calibration(told: Mapping[DataType, Told]) -> Calibration:
    """Judge the probabilities of all data types together, against the base rate of each."""
    every = [pair for pairs in told.values() for pair in pairs]
    count = max(1, len(every))
    bins = reliability(every)
    return Calibration(
        serves=len(every),
        error=sum(each.serves * abs(each.told - each.stale) for each in bins) / count,
        brier=sum((p - is_stale) ** 2 for p, is_stale in every) / count,
        base_brier=sum(len(pairs) * _base_brier(pairs) for pairs in told.values()) / count,
        bins=bins,
    )


def calibration_by_type(told: Mapping[DataType, Told]) -> dict[DataType, Calibration]:
    """Judge each data type for itself."""
    return {data_type: calibration({data_type: pairs}) for data_type, pairs in told.items() if pairs}


def reliability(told: Told, bins: int = BINS) -> tuple[Bin, ...]:
    """Return the bins of equal width that hold any serve."""
    filled: dict[int, list[tuple[float, bool]]] = {}
    for pair in told:
        filled.setdefault(min(bins - 1, int(pair[0] * bins)), []).append(pair)
    return tuple(_bin(at / bins, (at + 1) / bins, filled[at]) for at in sorted(filled))


def _bin(low: float, high: float, told: Told) -> Bin:
    mean = sum(p for p, _ in told) / len(told)
    return Bin(low, high, len(told), mean, sum(is_stale for _, is_stale in told) / len(told))


def _base_brier(told: Told) -> float:
    rate = sum(is_stale for _, is_stale in told) / max(1, len(told))
    return rate * (1.0 - rate)
