"""Whether a body at rest should be encoded anew: only where the cost model says that it pays."""

from __future__ import annotations

from weedhounds.codec.base import Encodable
from weedhounds.codec.bench import packed_bytes
from weedhounds.codec.calibrate import Profile
from weedhounds.codec.choose import Cost, Use
from weedhounds.codec.dictionary_store import SHIPPED, DictionaryStore
from weedhounds.codec.encoding import decode, encode
from weedhounds.codec.envelope import open_envelope
from weedhounds.codec.kinds import kind_of
from weedhounds.errors import BadInput, UnknownVersion


def at_rest(
    body: bytes,
    profile: Profile,
    *,
    record: Encodable | None = None,
    dictionaries: DictionaryStore = SHIPPED,
    reads: float | None = None,
    cpu_price: float = 1.0,
) -> bytes | None:
    """Return the body as it should lie at rest; ``None`` where it should stay as it is.

    It stays where keeping it costs no more than the way that is cheapest at rest, the encoding
    included, and where the new body would not be shorter. It also stays where its type was not
    measured, or its way is of another version: nothing is known then.

    Args:
        record: what the body holds, where the caller has it decoded.
        reads: how often the body will be decoded before it changes; the use's own unless given.
        cpu_price: what a second of processor costs in seconds of waiting.

    Raises:
        Corrupt: the body is damaged.
        UnknownVersion: of a version, format, compression or dictionary that is not known here.
    """
    envelope = open_envelope(body)
    held = decode(body, dictionaries=dictionaries) if record is None else record
    tag = str(type(held).__struct_config__.tag)
    try:
        choice = profile.choose(tag, packed_bytes([held]), Use.REST, cpu_price=cpu_price, reads=reads)
    except BadInput:
        return None
    kept = [
        each
        for each in choice.costs
        if each.way.format is envelope.format and each.way.compression is envelope.compression
    ]
    if not kept or not _pays(choice.costs[0], kept[0], len(body)):
        return None
    way = choice.way
    dictionary = dictionaries.newest(kind_of(held), way.format)
    try:
        new = encode(held, way.format, way.compression, level=way.level or None, dictionary=dictionary)
    except (BadInput, UnknownVersion):  # what was measured once is not there any more
        return None
    return new if len(new) < len(body) else None


def _pays(best: Cost, kept: Cost, body_bytes: int) -> bool:
    """Tell whether encoding anew, with all that follows, costs less than bytes and decodings of what is held."""
    held_bytes_s = body_bytes * best.bytes_s / best.stored_bytes
    return best.way != kept.way and best.cost_s < held_bytes_s + kept.decode_s
