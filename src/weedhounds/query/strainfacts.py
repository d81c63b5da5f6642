"""What the origins and registries say of the strain that was asked for."""

from __future__ import annotations

from collections.abc import Iterable

from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.provenance import Provenance
from weedhounds.model.records import LabResult, LabResultList, Strain, StrainList
from weedhounds.model.strains import strain_slug
from weedhounds.query.answer import StrainAnswer

MAX_LAB_RESULTS = 200
"""Most laboratory results in one answer, newest first."""


def strain_keys(slug: str, origins: Iterable[tuple[str, frozenset[DataType]]]) -> list[RecordKey]:
    """Return the keys to ask for a strain: descriptions by slug, registries by ``strain/{slug}``."""
    keys = []
    for origin, data_types in origins:
        if DataType.STRAIN_DATA in data_types:
            keys.append(RecordKey(DataType.STRAIN_DATA, origin, slug))
        if DataType.LAB_RESULTS in data_types:
            keys.append(RecordKey(DataType.LAB_RESULTS, origin, f"strain/{slug}"))
    return keys


def strain_answer(slug: str, name: str, facts: Iterable[tuple[object, Provenance]]) -> StrainAnswer | None:
    """Return the merged answer, or ``None`` where no origin knows the strain.

    Args:
        facts: records with their provenance; descriptions come from the first that states each.
    """
    strains: list[Strain] = []
    results: dict[tuple[str, str], LabResult] = {}
    used: list[Provenance] = []
    for record, provenance in facts:
        if isinstance(record, StrainList):
            here = [s for s in record.strains if s.slug == slug or slug in (strain_slug(a) for a in s.aka)]
            strains.extend(here)
            used.extend([provenance] if here else [])
        elif isinstance(record, LabResultList):
            own = {(r.origin, r.id): r for r in record.results if r.strain and strain_slug(r.strain) == slug}
            used.extend([provenance] if own.keys() - results.keys() else [])
            results.update(own)
    if not strains and not results:
        return None
    newest = sorted(results.values(), key=lambda r: (r.tested_at or r.approved_at or "", r.id), reverse=True)
    return _merged(slug, name, strains, newest[:MAX_LAB_RESULTS], used)


def _merged(
    slug: str, name: str, strains: list[Strain], results: list[LabResult], used: list[Provenance]
) -> StrainAnswer:
    if not strains:
        return StrainAnswer(slug=slug, name=name, lab_results=tuple(results), provenance=tuple(used))
    first = strains[0]
    return StrainAnswer(
        slug=slug,
        name=first.name,
        aka=tuple(dict.fromkeys(a for s in strains for a in s.aka)),
        strain_type=next((s.strain_type for s in strains if s.strain_type), None),
        description=next((s.description for s in strains if s.description), None),
        potency=next((s.potency for s in strains if s.potency), {}),
        terpenes=next((s.terpenes for s in strains if s.terpenes), ()),
        effects=next((s.effects for s in strains if s.effects), {}),
        lab_results=tuple(results),
        provenance=tuple(used),
    )
