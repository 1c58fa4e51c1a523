from __future__ import annotations

import msgspec
import pytest

from hashpact_node.api.deps import decode_json
from hashpact_protocol.errors import RequestError


class One(msgspec.Struct):
    """What a test decodes; fields that nobody knows are let be."""

    id: str


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b'{"id":"a","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"id":"a","x":' + b'{"y":' * 100_000, "nested too deeply"),
        (b'{"id":"a"', "no JSON"),
        (b'{"id":"\xff"}', "no JSON"),
        (b'{"id":1}', "Expected `str`"),
    ],
    ids=["arrays", "objects", "cut", "encoding", "type"],
)
def test_what_cannot_be_read_is_said_to_be_the_client_s_mistake(data: bytes, what: str) -> None:
    assert decode_json(b'{"id":"a"}', One) == One("a")
    with pytest.raises(RequestError, match=what):
        decode_json(data, One)
