from __future__ import annotations

from hashpact_node.services.entry_heads import EntryHead, decode_head
from hashpact_protocol.statements import encode_statement
from members import listing, sha256, uuid_of, withdrawal


def test_what_an_entry_says_first() -> None:
    assert decode_head(encode_statement(listing(1, sha256(1)))) == EntryHead("listing", uuid_of(1))
    assert decode_head(encode_statement(withdrawal(2, 1))) == EntryHead("withdrawal", uuid_of(2), uuid_of(1))
