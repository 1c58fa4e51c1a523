"""What an entry of our own says first: its kind, its id, and the listing that it is about."""

from __future__ import annotations

import msgspec


class EntryHead(msgspec.Struct, gc=False):
    """``listing`` is the id of what a withdrawal takes back; empty for other kinds."""

    kind: str
    id: str
    listing: str = ""


decode_head = msgspec.json.Decoder(EntryHead).decode
"""Read the head of an entry that was encoded here, several times as fast as the whole; msgspec.MsgspecError."""
