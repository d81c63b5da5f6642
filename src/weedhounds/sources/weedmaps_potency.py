"""What a Weedmaps item contains: cannabinoids and terpenes with their units.

``measurements[]`` states value and unit (``%`` or ``mg``). ``cannabinoids {thc: "23.0"}`` states
no unit, but in the recorded items it repeats the measurement in percent wherever it stands (5,960
of 5,960 values in 3,536 items), so it is read as percent where no measurement says it.

Zeros: an item whose values of one unit are all 0 was not measured in that unit (recorded: 138
flower and 192 edible items with "THC 0.0 %, CBD 0.0 %", the edibles beside "THC 100 mg"), so
those are left out; a 0 beside another value ("THC 23 %, CBD 0 %") is reported. Where both units
state an analyte (80 recorded items, mostly edibles with the extract's percentage), edibles,
drinks, tinctures, capsules and topicals keep the milligrams, all else the percent. Over 100 % is
no potency.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from weedhounds.model.analytes import is_terpene
from weedhounds.model.records import Category
from weedhounds.model.units import Potency, Reading
from weedhounds.sources import wire
from weedhounds.sources.weedmaps_prices import either

MAX_MEASUREMENTS = 200
"""Most measurements that are read of one item."""

_IN_MG = frozenset({Category.EDIBLE, Category.BEVERAGE, Category.TINCTURE, Category.CAPSULE, Category.TOPICAL})
_UNITS = ("%", "mg", "mg/g")
_TOTALS = ("thc", "cbd", "cbn", "cbg")


def metrics_of(metrics: object) -> object:
    """Return the measurements of the discovery layout in the form of the JSON:API's."""
    if not isinstance(metrics, dict):
        return None
    found: list[object] = []
    for name, classification in (("cannabinoids", "cannabinoid"), ("terpenes", "terpene")):
        stated = metrics.get(name)
        for entry in stated[:MAX_MEASUREMENTS] if isinstance(stated, list) else ():
            if isinstance(entry, dict):
                named = entry.get("code") or entry.get("name")
                found.append({**entry, "name": named, "classification": classification})
    totals = metrics.get("aggregates")
    if isinstance(totals, dict):
        found += [{"name": n, "unit": either(totals, f"{n}_unit"), "value": totals.get(n)} for n in _TOTALS]
    return found


def contents(
    measurements: object, cannabinoids: object, category: Category
) -> tuple[dict[str, Potency], tuple[Reading, ...]]:
    """Return the cannabinoids and terpenes of an item of ``category``.

    Args:
        measurements: the field of that name, as given.
        cannabinoids: the field of that name, as given; read as percent where no measurement says it.
    """
    by_unit: dict[str, dict[str, float]] = {}
    terpenes: dict[str, Reading] = {}
    for entry in measurements[:MAX_MEASUREMENTS] if isinstance(measurements, list) else ():
        if not isinstance(entry, dict):
            continue
        analyte, value = wire.analyte_name(entry.get("name")), wire.number(entry.get("value"))
        unit = wire.unit_text(entry.get("unit"))
        if analyte is None or value is None or unit not in _UNITS or (unit == "%" and value > 100):
            continue
        if entry.get("classification") == "terpene" or is_terpene(analyte):
            terpenes.setdefault(analyte, Reading(analyte, value, unit))
        else:
            group = by_unit.setdefault(unit, {})
            group[analyte] = group.get(analyte) or value
    measured = {analyte for group in by_unit.values() for analyte in group}
    for name, text in islice(cannabinoids.items(), MAX_MEASUREMENTS) if isinstance(cannabinoids, dict) else ():
        analyte, value = wire.analyte_name(name), wire.number(text)
        if analyte is not None and analyte not in measured and value is not None and value <= 100:
            by_unit.setdefault("%", {})[analyte] = value
    has_terpenes = any(reading.value for reading in terpenes.values())
    return _potency(by_unit, category), tuple(terpenes.values()) if has_terpenes else ()


def _potency(by_unit: Mapping[str, Mapping[str, float]], category: Category) -> dict[str, Potency]:
    """Choose one value for each analyte: measured units only, the category's unit first, zeros last."""
    preferred = "mg" if category in _IN_MG else "%"
    units = sorted((u for u, group in by_unit.items() if any(group.values())), key=lambda u: (u != preferred, u))
    stated = [(a, v, u) for u in units for a, v in by_unit[u].items()]
    chosen: dict[str, Potency] = {}
    for analyte, value, unit in (*(s for s in stated if s[1]), *(s for s in stated if not s[1])):
        chosen.setdefault(analyte, Potency(value, value, unit))
    return chosen
