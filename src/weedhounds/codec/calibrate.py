"""What the choice goes by: figures of this machine and this data, measured quickly and kept.

A profile holds, for each type of record, the figures of all ways at two sizes: one item, and
some. It is kept in a file of the data folder, and holds only for the machine, the versions of the
libraries and the dictionaries that it was measured with; otherwise it is measured anew.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import blake3
import msgspec

from weedhounds.clock import Clock
from weedhounds.codec.base import Compression, Encodable, Format
from weedhounds.codec.bench import Effort, compare, ways
from weedhounds.codec.choose import Choice, SizedFigures, Use, at_size, cheapest, prices_of
from weedhounds.codec.dictionary_store import SHIPPED, DictionaryStore
from weedhounds.codec.kinds import KINDS
from weedhounds.codec.samples import by_type, cut, to_measure
from weedhounds.errors import BadInput
from weedhounds.model.datatypes import DataType

FILE = "codec-profile.json"
ITEMS = 100
"""Items of the larger sample: with more, the calibration of a type takes longer than a second."""

EFFORT = Effort(budget_s=0.0015, least_runs=2, most_runs=7)

LEVELS: Mapping[Compression, Sequence[int]] = {
    Compression.NONE: (0,),
    Compression.ZLIB: (6,),
    Compression.GZIP: (2,),
    Compression.LZ4: (0,),
    Compression.BROTLI: (5,),
    Compression.ZSTD: (3, 9),
    Compression.ZSTD_DICT: (3, 9),
}
"""The levels that a calibration measures: fewer than a benchmark."""

TAGS: Mapping[DataType, str] = {
    DataType.DISPENSARY_MENU: "menu",
    DataType.PRODUCT_PRICING: "price_list",
    DataType.STRAIN_DATA: "strain_list",
    DataType.TERPENE_PROFILES: "strain_list",
    DataType.LAB_RESULTS: "lab_result_list",
    DataType.DISPENSARY_INFO: "shop_list",
    DataType.PROMOTIONS: "promotion_list",
}
"""The bodies that entries of a data type hold."""

_PACKAGES = ("brotli", "isal", "lz4", "msgspec", "orjson", "protobuf", "pyarrow", "weedhounds", "zstandard")


class Profile(msgspec.Struct, frozen=True):
    """Figures by record type (``menu``), and what they hold for.

    Args:
        key: digest of machine, versions and dictionaries.
    """

    key: str
    types: dict[str, tuple[SizedFigures, ...]] = {}

    def choose(
        self,
        data_type: DataType | str,
        size_bytes: int,
        use: Use,
        *,
        link_bytes_per_s: float | None = None,
        cpu_price: float = 1.0,
        reads: float | None = None,
    ) -> Choice:
        """Return the cheapest way for a record.

        Args:
            data_type: of its entry, or the tag of the record itself.
            size_bytes: length of its MessagePack.
            link_bytes_per_s: of the link, for :attr:`Use.WIRE`.
            cpu_price: what a second of processor costs in seconds of waiting.
            reads: decodings for each encoding; the use's own unless given.

        Raises:
            BadInput: the type was not measured, or a price makes no sense.
        """
        tag = TAGS.get(data_type, data_type) if isinstance(data_type, DataType) else data_type
        figures = at_size(self.types.get(tag, ()), size_bytes)
        return cheapest(figures, prices_of(use, link_bytes_per_s=link_bytes_per_s, reads=reads), cpu_price=cpu_price)


def calibrate(
    records: Iterable[Encodable],
    *,
    clock: Clock,
    folder: Path | None = None,
    dictionaries: DictionaryStore = SHIPPED,
    effort: Effort = EFFORT,
) -> Profile:
    """Return a profile of all types among the records: from the folder where it holds, else measured.

    Args:
        records: of the node's own data; one body of a type is enough, the larger the better.
        folder: where the profile is kept; ``None`` for nowhere.

    Raises:
        BadInput: no records, or none that can be measured.
    """
    key = profile_key(dictionaries)
    held = (load_profile(folder) if folder else None) or Profile(key)
    types = dict(held.types) if held.key == key else {}
    found = by_type(records)
    for tag in sorted(found.keys() - types.keys()):
        types[tag] = _measured(found[tag], clock, dictionaries, effort)
    if not types:
        raise BadInput("a calibration needs records")
    profile = Profile(key, types)
    if folder is not None and profile != held:
        save_profile(profile, folder)
    return profile


def _measured(
    records: Sequence[Encodable], clock: Clock, dictionaries: DictionaryStore, effort: Effort
) -> tuple[SizedFigures, ...]:
    """Return the figures of one type at one and at ``ITEMS`` items."""
    largest = to_measure(records, most=1)[str(type(records[0]).__struct_config__.tag)][-1]
    sizes = {len(msgspec.msgpack.encode(each)): each for each in (cut(largest, 1), cut(largest, ITEMS))}
    return tuple(
        compare([each], clock=clock, effort=effort, asked=ways(LEVELS), dictionaries=dictionaries).sized
        for each in sizes.values()
    )


def profile_key(dictionaries: DictionaryStore) -> str:
    """Return what a profile holds for, as a digest: machine, versions, newest dictionaries."""
    named = sorted(
        f"{kind} {format_} {found.id.hex()}"
        for kind in set(KINDS.values())
        for format_ in Format
        if (found := dictionaries.newest(kind, format_)) is not None
    )
    facts = [*machine(), *(f"{name} {_version(name)}" for name in _PACKAGES), *named]
    return blake3.blake3("\n".join(facts).encode()).hexdigest()[:32]


def machine() -> tuple[str, ...]:
    """Return what tells this machine from others: processor, cores, system, Python."""
    processor = platform.processor()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        processor = names[0] if names else processor
    return (
        platform.node(),
        platform.machine(),
        processor,
        f"{os.cpu_count()} cores",
        platform.system(),
        f"{platform.python_implementation()} {platform.python_version()}",
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def load_profile(folder: Path) -> Profile | None:
    """Return the profile kept in a folder; ``None`` where there is none, or one that cannot be read."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Profile)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def save_profile(profile: Profile, folder: Path) -> None:
    """Keep a profile in a folder, replaced whole; a folder that cannot be written keeps none."""
    part = folder / f"{FILE}.part{os.getpid()}"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        part.write_bytes(msgspec.json.format(msgspec.json.encode(profile)))
        part.replace(folder / FILE)
