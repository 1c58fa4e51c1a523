from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from hashpact_node.store.database import Database
from hashpact_node.store.tokens import (
    TokenRow,
    add_refusals,
    add_token,
    count_live_tokens,
    count_refusals,
    find_token,
    list_tokens,
    live_tokens,
    note_use,
    revoke_token,
)
from hashpact_protocol.errors import StoreError


def row(identifier: str, **values: object) -> TokenRow:
    told = {"created_at": 100, "name": "a name", "scopes": "match read", "created_by": "command:ann"}
    return TokenRow(identifier, **{"secret_hash": bytes(32), **told, **values})  # type: ignore[arg-type]  # as they are


def test_tokens_are_stored_as_they_are(database: Database) -> None:
    one, two = row("b", expires_at=500, per_minute=60, created_at=99), row("a")
    with database.write() as connection:
        add_token(connection, two)
        add_token(connection, one)
    with database.read() as connection:
        assert list_tokens(connection) == [one, two]
        assert find_token(connection, "b") == one
        assert find_token(connection, "c") is None
    with pytest.raises((StoreError, IntegrityError)), database.write() as connection:
        add_token(connection, one)


def test_what_ended_lives_no_more(database: Database) -> None:
    with database.write() as connection:
        for one in (row("ever"), row("until", expires_at=500), row("gone")):
            add_token(connection, one)
        assert revoke_token(connection, "gone", 200)
        assert not revoke_token(connection, "gone", 300)
        assert not revoke_token(connection, "never", 300)
    with database.read() as connection:
        found = find_token(connection, "gone")
        assert found is not None
        assert (found.revoked_at, found.lives(0)) == (200, False)
        assert {one.id for one in live_tokens(connection, 499)} == {"ever", "until"}
        assert {one.id for one in live_tokens(connection, 500)} == {"ever"}
        assert [count_live_tokens(connection, at) for at in (499, 500)] == [2, 1]
    until = row("until", expires_at=500)
    assert [until.lives(at) for at in (499, 500)] == [True, False]


def test_the_last_use_is_written_once_a_minute(database: Database) -> None:
    with database.write() as connection:
        add_token(connection, row("a"))
    seen = []
    for at in (1_000, 1_059, 1_060, 1_030):
        with database.write() as connection:
            note_use(connection, {"a": at, "never": at})
            found = find_token(connection, "a")
            assert found is not None
            seen.append(found.last_used_at)
    assert seen == [1_000, 1_000, 1_060, 1_060]


def test_refusals_add_up(database: Database) -> None:
    for counts in ({"token": 3}, {"token": 4, "scope": 1}, {}):
        with database.write() as connection:
            add_refusals(connection, counts)
    with database.read() as connection:
        assert count_refusals(connection) == {"token": 7, "scope": 1}
