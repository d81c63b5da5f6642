"""Leafly's strains: stubs of lists, whole records, and the table of strain pages of 2021.

``cannabinoids.{name}`` gives percentiles over laboratory samples in percent: the quartiles become
a range. ``terps.{name}.score`` is a score and no mass fraction: its unit says so. Effects are
scores, in the table of 2021 percent of reviewers. Most fields are null in lists.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import msgspec

from weedhounds.errors import SchemaMismatch
from weedhounds.model.records import Strain
from weedhounds.model.strains import strain_slug
from weedhounds.model.units import Potency, Reading
from weedhounds.sources import wire
from weedhounds.sources.base import clip

ORIGIN = "leafly"
MAX_ENTRIES = 100
"""Most cannabinoids, terpenes, effects and other names that are read of one strain."""

STRAIN_TYPES = frozenset({"indica", "sativa", "hybrid", "cbd"})


class _Strain(msgspec.Struct):
    id: int | str | None = None
    strainId: int | str | None = None  # noqa: N815 (the origin's name)
    slug: str | None = None
    name: str | None = None
    aka: object = None
    category: str | None = None
    phenotype: str | None = None
    cannabinoids: object = None
    terps: object = None
    topTerp: object = None  # noqa: N815 (the origin's name)
    strainTopTerp: object = None  # noqa: N815 (the origin's name)
    effects: object = None
    descriptionPlain: str | None = None  # noqa: N815 (the origin's name)
    description: str | None = None
    type: str | None = None
    thc_level: str | None = None
    most_common_terpene: str | None = None


_strain = wire.ItemDecoder(_Strain, as_given=("aka", "cannabinoids", "terps", "topTerp", "strainTopTerp", "effects"))


def strain_of_item(raw: msgspec.Raw) -> Strain:
    """Return the strain that an object describes.

    Raises:
        SchemaMismatch: no object, or one without a name.
    """
    given = _strain.decode(raw)
    name = clip(given.name)
    slug = strain_slug(name) if name else ""
    if name is None or not slug:
        raise SchemaMismatch("a strain without a name")
    return Strain(
        slug=slug,
        name=name,
        origin=ORIGIN,
        id=wire.identifier(given.id) or wire.identifier(given.strainId),
        aka=_aka(given.aka),
        strain_type=strain_type(given.category) or strain_type(given.phenotype) or strain_type(given.type),
        description=clip(given.descriptionPlain) or clip(given.description),
        potency=_potency(given),
        terpenes=tuple(_terpenes(given.terps)),
        top_terpene=_top_terpene(given),
        effects=dict(_scores(given.effects)),
    )


def strain_type(value: object) -> str | None:
    """Return ``indica``, ``sativa``, ``hybrid`` or ``cbd`` where ``value`` is one of them."""
    lowered = value.strip().lower() if isinstance(value, str) else None
    return lowered if lowered in STRAIN_TYPES else None


def _aka(value: object) -> tuple[str, ...]:
    parts = value.split(",", MAX_ENTRIES) if isinstance(value, str) else value
    if not isinstance(parts, list):
        return ()
    texts = (wire.label_text(part) for part in parts[:MAX_ENTRIES])
    return tuple(dict.fromkeys(text for text in texts if text))


def _potency(given: _Strain) -> dict[str, Potency]:
    found: dict[str, Potency] = {}
    for name, stated in _entries(given.cannabinoids):
        analyte = wire.analyte_name(name)
        if analyte is None or not isinstance(stated, dict):
            continue
        middle = stated.get("percentile50")
        quartiles = wire.potency(stated.get("percentile25"), stated.get("percentile75"), "%")
        content = quartiles or wire.potency(middle, middle, "%")
        if content is not None:
            found[analyte] = content
    level = wire.potency(given.thc_level, given.thc_level, "%")
    return found or ({"thc": level} if level and level.high else {})


def _terpenes(terps: object) -> Iterable[Reading]:
    for name, score in _scores(terps):
        analyte = wire.analyte_name(name)
        if analyte is not None:
            yield Reading(analyte, score, "score")


def _top_terpene(given: _Strain) -> str | None:
    for value in (given.topTerp, given.strainTopTerp, given.most_common_terpene):
        name = value.get("name") if isinstance(value, dict) else value
        analyte = wire.analyte_name(name) if isinstance(name, str) else None
        if analyte:
            return analyte
    return None


def _scores(stated: object) -> Iterable[tuple[str, float]]:
    """Yield names with their scores, given as ``{name: {score}}``, ``{name: score}`` or ``{name: "66%"}``."""
    for name, value in _entries(stated):
        score = wire.number(value.get("score") if isinstance(value, dict) else value)
        text = clip(name)
        if score is not None and text:
            yield text, score


def _entries(stated: object) -> Iterable[tuple[str, object]]:
    return islice(stated.items(), MAX_ENTRIES) if isinstance(stated, dict) else ()
