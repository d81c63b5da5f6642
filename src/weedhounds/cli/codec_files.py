"""The files and entries that ``weedhounds codec`` works on, read into records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from weedhounds.errors import BadInput, CodecError, SourceError

if TYPE_CHECKING:
    from weedhounds.codec import Encodable
    from weedhounds.codec.dictionary_store import FolderDictionaries
    from weedhounds.codec.samples import Origin
    from weedhounds.config import Settings
    from weedhounds.model.provenance import ShareScope

DICTIONARIES = "dictionaries"
"""The node's own dictionaries: this folder in its data folder."""

MAX_FILES = 2_000
MAX_ENTRIES = 20_000
_BATCH = 500
_SUFFIXES = (".json", ".gz", ".wh")
_RECORDED = Path("shared") / "data"


class Loaded(NamedTuple):
    """Records of files, and the files of folders that held none."""

    records: list[Encodable]
    passed_over: list[Path]


class Own(NamedTuple):
    """Records of a node, and the share scope of each origin that they come from (the strictest seen)."""

    records: list[Encodable]
    origins: dict[str, ShareScope]
    unreadable: int


def load_files(paths: Sequence[Path], origin: Origin, dictionaries: FolderDictionaries | None = None) -> Loaded:
    """Return the records of files, and of all files in folders.

    Raises:
        BadInput: a path that is not there, a named file without records, more than ``MAX_FILES``.
        CodecError, SourceError: a named file is damaged.
    """
    loaded = Loaded([], [])
    for count, (path, is_named) in enumerate(_expanded(paths)):
        if count >= MAX_FILES:
            raise BadInput(f"more than {MAX_FILES} files; name fewer")
        try:
            loaded.records.extend(_records(path, origin, dictionaries))
        except (BadInput, CodecError, SourceError) as error:
            if is_named:
                raise type(error)(f"{path}: {error}") from error
            loaded.passed_over.append(path)
    if not loaded.records:
        raise BadInput("there is no record in these files")
    return loaded


def _records(path: Path, origin: Origin, dictionaries: FolderDictionaries | None) -> list[Encodable]:
    from weedhounds.bulk import read_file
    from weedhounds.codec.dictionary_store import SHIPPED
    from weedhounds.codec.samples import records_in

    return records_in(read_file(path), origin, dictionaries=SHIPPED if dictionaries is None else dictionaries)


def _expanded(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.rglob("*") if each.suffix in _SUFFIXES and each.is_file())
            yield from ((each, False) for each in inside)
        else:
            yield path, True


def recorded_folder() -> Path:
    """Return the folder of recorded answers, ``shared/data`` beside or in the working folder or the checkout.

    Raises:
        BadInput: there is none.
    """
    import weedhounds

    checkout = Path(weedhounds.__file__).resolve().parents[2]
    for near in (Path.cwd(), Path.cwd().parent, checkout.parent):
        if (near / _RECORDED).is_dir():
            return near / _RECORDED
    raise BadInput(f"no recorded answers in {_RECORDED} here or beside; name files or folders instead")


def own_dictionaries(folder: Path) -> FolderDictionaries:
    """Return the dictionaries of a data folder, the shipped ones below."""
    from weedhounds.codec.dictionary_store import FolderDictionaries

    return FolderDictionaries(folder / DICTIONARIES)


async def own_records(settings: Settings) -> Own:
    """Return the records that a node holds in its database, ``MAX_ENTRIES`` entries at most.

    Raises:
        BadInput: there is no database.
    """
    from weedhounds.cache.sql import SqliteTier
    from weedhounds.clock import SystemClock
    from weedhounds.node import database_path

    path = database_path(settings)
    if not path.is_file():
        raise BadInput(f"no records of a node: there is no {path}")
    tier = SqliteTier(path, clock=SystemClock(), busy_timeout_s=settings.database.busy_timeout_s)
    await tier.open()
    own = Own([], {}, 0)
    try:
        keys = await tier.keys(limit=MAX_ENTRIES)
        for start in range(0, len(keys), _BATCH):
            entries = await tier.get_many(keys[start : start + _BATCH])
            own = _with_entries(own, entries.values())
    finally:
        await tier.close()
    return own


def _with_entries(own: Own, entries: Iterable[object]) -> Own:
    from weedhounds.cache.entry import Entry

    unreadable = own.unreadable
    for entry in entries:
        assert isinstance(entry, Entry)
        try:
            own.records.append(entry.record)
        except CodecError:
            unreadable += 1
            continue
        for origin in entry.origins:
            own.origins[origin] = _stricter(own.origins.get(origin, entry.share), entry.share)
    return own._replace(unreadable=unreadable)


def _stricter(one: ShareScope, other: ShareScope) -> ShareScope:
    from weedhounds.model.provenance import ShareScope

    order = list(ShareScope)
    return min(one, other, key=order.index)
