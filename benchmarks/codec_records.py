"""The recorded answers as records, split by shop: those to train dictionaries on, and those to measure."""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from harness import ROOT, BenchError

from weedhounds.codec import Encodable
from weedhounds.codec.kinds import items_of
from weedhounds.codec.samples import Origin, records_in
from weedhounds.errors import BadInput
from weedhounds.model.records import LabResult, LabResultList, Menu, PriceList, Product

RECORDED = ROOT.parent / "shared" / "data"
ANSWERS: Mapping[str, tuple[str, ...]] = {
    "dutchie": ("dutchie/filteredProducts_*",),
    "jane": ("jane/menu-products_*",),
    "leafly": ("leafly/products_*",),
    "weedmaps": ("weedmaps/menu_*",),
    "socrata_ct": ("socrata-ct/brand_registry_*",),
}
"""Where the recorded menus (and the registry) of each origin lie."""
SPARE = 5
"""Every fifth shop (brand, producer) is measured and not trained on."""


class Split(NamedTuple):
    """An origin's records: ``learnt`` of other shops than ``spare``."""

    learnt: list[Encodable]
    spare: list[Encodable]

    @property
    def items(self) -> list[Encodable]:
        """Return the single records to measure: products, or laboratory results."""
        lists = [body for body in self.spare if isinstance(body, Menu | LabResultList)]
        return [item for body in lists for item in items_of(body)]

    def bodies(self, kind: type[Encodable]) -> list[Encodable]:
        """Return the bodies of a type to measure."""
        return [body for body in self.spare if isinstance(body, kind)]


def split_origins(most_files: int | None = None) -> dict[str, Split]:
    """Return the recorded answers of each origin, split.

    An answer of one shop alone is measured as a whole; one without shops is split by the brand that
    its slugs begin with, the registry by producer.

    Args:
        most_files: read no more of an origin, for quick runs.
    """
    found = {}
    for origin, patterns in ANSWERS.items():
        paths = sorted({path for pattern in patterns for path in RECORDED.glob(pattern)})[:most_files]
        if not paths:
            raise BenchError(f"no recorded answers of {origin} in {RECORDED}")
        files = [_records(path, origin) for path in paths]
        found[origin] = _split(origin, [file for file in files if file])
    return found


def _records(path: Path, origin: str) -> list[Encodable]:
    try:
        return records_in(_read(path), Origin(origin))
    except BadInput:  # the menu of a shop that lists nothing
        return []


def _read(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def _split(origin: str, files: Sequence[list[Encodable]]) -> Split:
    if origin == "leafly":
        return _by_group(files, Menu, lambda item: str(getattr(item, "slug", None)).partition("-")[0])
    if origin == "socrata_ct":
        return _by_group(files, LabResultList, lambda item: str(getattr(item, "producer", None)))
    learnt = [body for n, file in enumerate(files) if n % SPARE for body in file]
    spare = [body for n, file in enumerate(files) if n % SPARE == 0 for body in file]
    if len(files) < SPARE:  # a shop or two: all are measured, and dictionaries know other origins alone
        return Split([], [body for file in files for body in file])
    return Split(learnt, spare)


def _by_group(files: Iterable[list[Encodable]], kind: type[Encodable], group: Callable[[object], str]) -> Split:
    split = Split([], [])
    bodies = [body for file in files for body in file if isinstance(body, kind)]
    groups = sorted({group(item) for body in bodies for item in items_of(body)})
    chosen = set(groups[::SPARE])
    for body in bodies:
        parts: dict[bool, list[Product | LabResult]] = defaultdict(list)
        for item in items_of(body):
            assert isinstance(item, Product | LabResult)
            parts[group(item) in chosen].append(item)
        for is_spare, items in parts.items():
            (split.spare if is_spare else split.learnt).append(_rebuilt(body, items))
    return split


def _rebuilt(body: Encodable, items: Sequence[Product | LabResult]) -> Encodable:
    if isinstance(body, LabResultList):
        return LabResultList(origin=body.origin, results=tuple(i for i in items if isinstance(i, LabResult)))
    assert isinstance(body, Menu)
    products = tuple(item for item in items if isinstance(item, Product))
    return Menu(origin=body.origin, shop_id=body.shop_id, products=products)


def spread(items: Sequence[Encodable], most: int) -> list[Encodable]:
    """Return at most that many of the items, evenly spread."""
    return [items[n * len(items) // most] for n in range(most)] if len(items) > most else list(items)


def largest(bodies: Iterable[Encodable], most: int, least_items: int) -> Iterator[Encodable]:
    """Yield the bodies with the most items, of those with enough of them."""
    found = [body for body in bodies if len(items_of(body)) >= least_items]
    yield from sorted(found, key=lambda body: -len(items_of(body)))[:most]


def all_learnt(splits: Mapping[str, Split], kinds: tuple[type, ...]) -> list[Encodable]:
    """Return the records of all origins to train on."""
    return [body for split in splits.values() for body in split.learnt if isinstance(body, kinds)]


PRICES = (PriceList,)
MENUS = (Menu,)
LABS = (LabResultList,)
