"""``weedhounds codec train``: dictionaries of the node's own records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from weedhounds.cli.options import ConfigFile, DataDir, Json
from weedhounds.cli.settings import Given
from weedhounds.errors import BadInput

if TYPE_CHECKING:
    from weedhounds.cli.codec_files import Own
    from weedhounds.codec.base import Encodable
    from weedhounds.codec.dictionary import Dictionary
    from weedhounds.codec.dictionary_store import FolderDictionaries

TRAIN_EXAMPLE = "Example: weedhounds codec train --kind menu --kind price_list"
_SPARE = 5
"""Every fifth menu or list is not trained on: what a dictionary is worth is measured on those."""


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """One dictionary.

    Args:
        records: trained on, single ones; ``spare`` entries were kept to measure with.
        before_bytes, after_bytes: mean length of a spare entry as it is stored now, and with the dictionary.
        is_kept: it was written: it makes entries smaller than they are now.
    """

    kind: str
    id: str
    bytes: int
    records: int
    spare: int
    before_bytes: float
    after_bytes: float
    origins: tuple[str, ...]
    share: str
    is_kept: bool


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """What ``train --json`` prints."""

    folder: str
    trained: list[Trained]
    skipped: dict[str, str]


def train(
    *,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help="Kind of records: menu, price_list, shop; all unless given."),
    ] = None,
    size_bytes: Annotated[
        int, typer.Option("--size-bytes", metavar="B", help="Greatest size of a dictionary.")
    ] = 114_688,
    data_dir: DataDir = None,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Train dictionaries on the records that the node holds, and keep those that make entries smaller.

    Fails where none could be trained.
    """
    from weedhounds.cli.codec_files import DICTIONARIES, own_dictionaries, own_records
    from weedhounds.cli.loop import run_async
    from weedhounds.cli.output import Sink, to_json
    from weedhounds.codec.kinds import KINDS

    known = sorted(set(KINDS.values()))
    unknown = sorted(set(kinds or ()) - set(known))
    if unknown:
        raise BadInput(f"unknown kind {unknown[0]!r} (known: {', '.join(known)})")
    settings = Given(config, data_dir=data_dir).load()
    own = run_async(own_records(settings))
    store = own_dictionaries(settings.data_dir)
    training = Training(folder=str(settings.data_dir / DICTIONARIES), trained=[], skipped={})
    for kind in kinds or known:
        _train_kind(kind, own, store, training, size_bytes=size_bytes)
    Sink().write(to_json(training) if as_json else _text(training).encode("utf-8", "replace"))
    if not training.trained:
        raise typer.Exit(1)


def _train_kind(kind: str, own: Own, store: FolderDictionaries, training: Training, *, size_bytes: int) -> None:
    """Train one dictionary; add it, or why there is none, to what is told."""
    from weedhounds.codec.base import Format
    from weedhounds.codec.dictionary import train as train_dictionary
    from weedhounds.codec.kinds import items_of, kind_of

    records = [record for record in own.records if kind_of(record) == kind]
    learnt, spare = _split(records)
    origins = {str(getattr(record, "origin", "")) for record in records} & own.origins.keys() or set(own.origins)
    try:
        new = train_dictionary(
            learnt, kind, origins={name: own.origins[name] for name in origins}, size_bytes=size_bytes
        )
    except BadInput as error:
        training.skipped[kind] = str(error)
        return
    before = _mean_bytes(spare, store.newest(kind, Format.WHB_ROW))
    after = _mean_bytes(spare, new)
    is_kept = after < before
    if is_kept:
        store.add(new)
    training.trained.append(
        Trained(
            kind=kind,
            id=new.id.hex(),
            bytes=len(new.data),
            records=sum(len(items_of(record)) for record in learnt),
            spare=len(spare),
            before_bytes=round(before, 1),
            after_bytes=round(after, 1),
            origins=new.origins,
            share=new.share.value,
            is_kept=is_kept,
        )
    )


def _split(records: Sequence[Encodable]) -> tuple[list[Encodable], list[Encodable]]:
    """Return the records to train on, and those to measure with; of a few long lists, parts of each."""
    if len(records) >= _SPARE:
        return [record for n, record in enumerate(records) if n % _SPARE], [*records[::_SPARE]]
    return [_every(record, is_spare=False) for record in records], [_every(record, is_spare=True) for record in records]


def _every(record: Encodable, *, is_spare: bool) -> Encodable:
    """Return a list with every fifth item alone, or without them."""
    from weedhounds.codec.kinds import items_of
    from weedhounds.codec.samples import with_items

    return with_items(record, [item for n, item in enumerate(items_of(record)) if (n % _SPARE == 0) == is_spare])


def _mean_bytes(records: Sequence[Encodable], dictionary: Dictionary | None) -> float:
    from weedhounds.codec import Compression, Format, encode

    compression = Compression.ZSTD if dictionary is None else Compression.ZSTD_DICT
    sizes = [len(encode(each, Format.WHB_ROW, compression, dictionary=dictionary)) for each in records]
    return sum(sizes) / max(1, len(sizes))


def _text(training: Training) -> str:
    from weedhounds.cli.text import one_line

    lines = [
        f"{each.kind}: dictionary {each.id} of {each.bytes:,} bytes from {each.records:,} records of "
        f"{', '.join(each.origins)} ({each.share}): an entry takes {each.after_bytes:,.0f} bytes instead of "
        f"{each.before_bytes:,.0f}; {'kept' if each.is_kept else 'not kept, for it gains nothing'}"
        for each in training.trained
    ]
    lines += [f"{kind}: none: {one_line(why)}" for kind, why in training.skipped.items()]
    return "".join(f"{line}\n" for line in (*lines, f"folder: {training.folder}"))
