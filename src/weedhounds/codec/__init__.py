"""Records to bytes and back.

Six formats and seven compressions in one checked envelope (``envelope.py``). Entries hold ``whb``
rows with a trained dictionary; see ``docs/whb.md``.
"""

from weedhounds.codec.base import Compression, Encodable, Format
from weedhounds.codec.encoding import decode, decode_body, encode, encode_body

__all__ = ["Compression", "Encodable", "Format", "decode", "decode_body", "encode", "encode_body"]
