"""Connecticut's register of cannabis brands with their laboratory values (Socrata, no key needed).

Data set ``egd5-wb6r`` of data.ct.gov: one row a registered product, all values text, a missing
value is a missing column. Public records of the state; the attribution goes with them.

Unit. The register names none. All values are read as percent by weight, for every form, because:
of 251,876 recorded values 320 carry a percent sign, in 22 forms from vapes to edibles; where a
product's name states a percentage ("T16.22%"), the values give it in 4,834 of 4,846 rows (THC
with THCA, as such or after heating); edibles lie at 0.1-0.3 (5 mg in a piece of 2-5 g are
0.1-0.25 %, in milligrams it would be 5); only three values pass 100 (8134 in a product named
"81.34%", 90385, 0305), plainly without their decimal point.

Values (recorded counts): a number, also with a percent sign or a stray backquote, is read;
``<0.1`` (38,461) lies below 0.1; ``<LOQ`` and its like (500) below a limit that is not told;
dashes (419) and blanks state nothing and are no reading. What else stands there (``0..7``,
``9,57``, ``>0.10``, ``-0.01``, ``019``, ``y-terpinene: 1.13``, over 100; 37 values) cannot be
read safely: the analyte is left out and noted, the row is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec

from weedhounds.errors import BadInput, OriginRejected, SchemaMismatch
from weedhounds.model.analytes import canonical_analyte, is_cannabinoid, is_terpene
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.model.provenance import ShareScope, Terms
from weedhounds.model.records import LabResult, Shop
from weedhounds.model.strains import strain_of
from weedhounds.model.units import Reading
from weedhounds.sources import wire
from weedhounds.sources.base import (
    Budget,
    Call,
    Kind,
    Load,
    OriginConfig,
    Parsed,
    Skipped,
    SourceInfo,
    Tested,
    decode_document,
)
from weedhounds.sources.planning import further_pages, page_size, sort_keys

ORIGIN = "socrata_ct"
DATA_SET = "egd5-wb6r"
PAGE_SIZE = 1000
ATTRIBUTION = "State of Connecticut open data (data.ct.gov)"
UNIT = "%"

_STRAIN = "strain/"
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_VALUE = re.compile(r"(<?) ?(\d*\.\d+|0+|[1-9]\d*) ?%?")
_BELOW_UNTOLD = re.compile(r"<? ?(?:LOQ?|LOD)|ND|N\.D\.", re.IGNORECASE)
_NOTHING = re.compile(r"[-–—.\s]*|n/?a", re.IGNORECASE)
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(?:T|$)")

_BRANDS = (
    "curaleaf select elite cliq briq agl rythm cps theraplant brix cannabis rodeo lighthouse lto hh savvy strut peak slim "
    "era pax bold"
)
_FORM_CODES = "cr td pd bd fl gr co prm cs ck dc rs wx sf mt ro"
NOISE = frozenset(f"{_BRANDS} {_FORM_CODES}".split())
"""Words of this register's product names that are no strain's."""

_DATA_TYPES = (DataType.LAB_RESULTS,)


_columns = msgspec.json.Decoder(dict[str, object])
_raw_columns = msgspec.json.Decoder(dict[str, msgspec.Raw])


class SocrataCtSource:
    """The client side of Connecticut's brand register."""

    def __init__(self, config: OriginConfig) -> None:
        self.config = config

    @classmethod
    def info(cls) -> SourceInfo:
        """Return the source's description and its live defaults.

        Options: ``page_size`` (at most 50,000), ``data_set``. Key: ``app_token`` raises the
        origin's limits and is not needed.
        """
        return SourceInfo(
            origin=ORIGIN,
            name="Connecticut brand register",
            protocol="SODA REST, JSON",
            data_types=_DATA_TYPES,
            tested={Kind.LABS: Tested.RECORDED},
            key_needed=None,
            live=OriginConfig(
                origin=ORIGIN,
                base_url="https://data.ct.gov",
                budget=Budget(burst=20, rate_per_s=1000 / 3600, concurrency=4),
                terms=Terms(share=ShareScope.PUBLIC, attribution=ATTRIBUTION, licence="public records"),
                options={"page_size": str(PAGE_SIZE), "data_set": DATA_SET},
            ),
        )

    @staticmethod
    def parse(body: bytes, kind: Kind | None = None, *, currency: str = "USD") -> Parsed:
        """Return the records of one answer; see :meth:`weedhounds.sources.base.Source.parse`."""
        if not body[:64].lstrip().startswith(b"["):
            raise _refusal(body)
        rows = decode_document(body, list[msgspec.Raw])
        if kind is not None and kind is not Kind.LABS and rows:
            raise SchemaMismatch(f"rows of the brand register are of kind labs, not {kind.value}", origin=ORIGIN)
        return _results(rows)

    def plan(self, keys: Iterable[RecordKey], shops: Mapping[str, Shop]) -> list[Load]:
        """Return the loads that fill ``keys``: one call each for a strain or a registration number.

        Raises:
            BadInput: a key that names neither, or no laboratory result.
        """
        asked = sort_keys(keys, supported=_DATA_TYPES)
        return [self._load(key) for own in asked.others.values() for key in own]

    def follow(self, call: Call, parsed: Parsed) -> list[Call]:
        """Return the next page after a full one."""
        return further_pages(call, parsed, param="$offset", size=self._size())

    def _size(self) -> int:
        return page_size(self.config.options, "page_size", PAGE_SIZE)

    def _load(self, key: RecordKey) -> Load:
        token = self.config.keys.get("app_token")
        call = Call(
            kind=Kind.LABS,
            path=f"/resource/{self.config.options.get('data_set') or DATA_SET}.json",
            params=(
                ("$where", _where(key)),
                ("$order", ":id"),
                ("$limit", str(self._size())),
                ("$offset", "0"),
            ),
            headers=(("accept", "application/json"), *((("x-app-token", token),) if token else ())),
        )
        return Load(origin=ORIGIN, what="labs", keys=(key,), calls=(call,))


def registry_key(slug: str) -> RecordKey:
    """Return the key of the register's results for a strain.

    Raises:
        BadInput: ``slug`` is no strain's slug.

    Example:
        >>> str(registry_key("blue-dream"))
        'lab_results:socrata_ct:strain%2Fblue-dream'
    """
    if not _SLUG.fullmatch(slug):
        raise BadInput(f"not a strain's slug: {slug[:60]!r}")
    return RecordKey(DataType.LAB_RESULTS, ORIGIN, f"{_STRAIN}{slug}")


def _where(key: RecordKey) -> str:
    if not key.native_id.startswith(_STRAIN):
        if key.is_search:
            raise BadInput(f"not a search that the register answers: {key}", key=str(key), origin=ORIGIN)
        return f"registration_number='{key.native_id.replace(chr(39), chr(39) * 2)}'"
    slug = key.native_id.removeprefix(_STRAIN)
    if not _SLUG.fullmatch(slug):
        raise BadInput(f"not a strain's slug in {key}", key=str(key), origin=ORIGIN)
    return f"upper(brand_name) like '%{slug.replace('-', '%').upper()}%'"


def _refusal(body: bytes) -> OriginRejected | SchemaMismatch:
    """Return the error that an answer which is no list of rows stands for."""
    fields = decode_document(body, dict[str, msgspec.Raw])
    stated = [name for name in ("message", "error", "errorCode", "code") if name in fields]
    if not stated:
        return SchemaMismatch("no rows of the brand register", origin=ORIGIN)
    told = bytes(fields[stated[0]])[:200].decode(errors="replace")
    return OriginRejected(f"error answer: {told}", origin=ORIGIN)


def _results(rows: list[msgspec.Raw]) -> Parsed:
    results: dict[str, LabResult] = {}
    skipped: list[Skipped] = []
    for index, raw in enumerate(rows):
        try:
            result, notes = _result(raw, f"rows[{index}]")
        except SchemaMismatch as error:
            skipped.append(Skipped(f"rows[{index}]", str(error)))
            continue
        if result.id not in results:
            results[result.id] = result
            skipped += notes
    if rows and not results:
        raise SchemaMismatch(f"no rows of the brand register: {skipped[0].why}", origin=ORIGIN)
    return Parsed(lab_results=list(results.values()), skipped=skipped, seen=len(rows))


def _row(raw: msgspec.Raw) -> Mapping[str, object]:
    """Return a row's columns; one that cannot be decoded costs only itself."""
    try:
        return _columns.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        given = wire.decode_field(raw, _raw_columns)
    if given is None:
        raise SchemaMismatch("not an object")
    return {column: wire.decode_loose(value) for column, value in given.items()}


def _result(raw: msgspec.Raw, place: str) -> tuple[LabResult, list[Skipped]]:
    row = _row(raw)
    number, name = wire.identifier(row.get("registration_number")), wire.label_text(row.get("brand_name"))
    if number is None or name is None:
        raise SchemaMismatch("a row without a registration number or a brand name")
    cannabinoids, terpenes, notes = _readings(row, f"{place} {number}")
    analysis = row.get("lab_analysis")
    approved = _DATE.match(str(row.get("approval_date")))
    result = LabResult(
        id=number,
        origin=ORIGIN,
        product=name,
        strain=strain_of(name, noise=NOISE),
        form=wire.label_text(row.get("dosage_form")),
        producer=wire.label_text(row.get("producer")),
        approved_at=approved[1] if approved else None,
        market=wire.label_text(row.get("market")),
        report_url=wire.label_text(analysis.get("url")) if isinstance(analysis, dict) else None,
        cannabinoids=cannabinoids,
        terpenes=terpenes,
    )
    return result, notes


def _readings(row: Mapping[str, object], place: str) -> tuple[tuple[Reading, ...], tuple[Reading, ...], list[Skipped]]:
    cannabinoids: list[Reading] = []
    terpenes: list[Reading] = []
    notes: list[Skipped] = []
    for column, value in row.items():
        analyte = _analyte(column)
        if analyte is None:
            continue
        reading, is_read = _reading(analyte, value) if isinstance(value, str) else (None, value is None)
        if not is_read:
            notes.append(Skipped(f"{place} {column}", f"cannot be read: {value!r:.40}"))
        elif reading is not None:
            (terpenes if is_terpene(analyte) else cannabinoids).append(reading)
    return tuple(cannabinoids), tuple(terpenes), notes


@lru_cache(maxsize=1024)
def _analyte(column: str) -> str | None:
    """Return the analyte that a column holds; ``None`` for a column of something else."""
    analyte = canonical_analyte(column[: wire.MAX_LABEL])
    return analyte if is_cannabinoid(analyte) or is_terpene(analyte) else None


@lru_cache(maxsize=65536)
def _reading(analyte: str, text: str) -> tuple[Reading | None, bool]:
    """Return what a value states, and whether it could be read at all.

    Bounds: memoised for the 65,536 latest values (most rows repeat "0" and "<0.1").
    """
    cleaned = text[: wire.MAX_LABEL].strip(" \t`")
    match = _VALUE.fullmatch(cleaned)
    if match is not None:
        value = float(match[2])
        if value > 100:
            return None, False
        return Reading(analyte, None, UNIT, value) if match[1] else Reading(analyte, value, UNIT), True
    if _BELOW_UNTOLD.fullmatch(cleaned):
        return Reading(analyte, None, UNIT), True
    return None, bool(_NOTHING.fullmatch(cleaned))
