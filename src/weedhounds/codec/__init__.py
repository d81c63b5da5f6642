"""Records to bytes and back.

For now one format: MessagePack of the tagged structs, zstd above a threshold, in a
checked envelope (``envelope.py``) that names version, format and compression.
"""

from weedhounds.codec.row import decode_body, encode_body

__all__ = ["decode_body", "encode_body"]
