from __future__ import annotations

import pytest

from hashpact_node.services.quarantined import list_malformed
from hashpact_node.store.database import Database
from hashpact_protocol.errors import NotFoundError
from members import add_log, add_member, listing, sha256, terms, uuid_of


def test_what_was_malformed_is_listed_log_by_log(database: Database) -> None:
    add_log(database, "acme", own=True).append(b"{}")
    opinions = terms("beta", "opinions-1", kind="opinions")
    _, (first, second) = add_member(database, "beta", terms("beta"), opinions)
    odd = b'{"content":"image","id":"%b","kind":"listing","signals":[{}],"time":"2026-11-24T04:00:00Z"}'
    second.append(listing(1, sha256(1)))
    first.append(listing(1, sha256(1)), odd % uuid_of(2).encode(), b"no JSON")
    found = list_malformed(database, "beta", limit=10)
    assert [(one.origin, one.position, one.part) for one in found] == [
        ("beta.example/logs/listings-1", 1, 1),
        ("beta.example/logs/listings-1", 2, 0),
        ("beta.example/logs/opinions-1", 0, 0),
    ]
    assert [one.code for one in found] == ["signal-malformed", "statement-malformed", "statement-malformed"]
    assert all(one.reason for one in found)
    assert [list_malformed(database, "beta", limit=limit) for limit in range(4)] == [found[:n] for n in range(4)]
    with pytest.raises(NotFoundError):
        list_malformed(database, "gamma", limit=10)
