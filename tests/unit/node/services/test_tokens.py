from __future__ import annotations

import hashlib
import re
from datetime import timedelta

import pytest

from hashpact_node.services import tokens
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.tokens import TokenPlan, Tokens, TokenScope, scopes_of, split_token
from hashpact_node.store.database import Database
from hashpact_node.store.tokens import list_tokens
from hashpact_protocol.errors import ConflictError, NotFoundError, RequestError
from own_member import NOW

ANN = Actor(ActorKind.COMMAND, "ann")
AT = int(NOW.timestamp())
MATCH, READ = TokenScope.MATCH, TokenScope.READ
PUBLISH, ADMIN = TokenScope.PUBLISH, TokenScope.ADMIN


@pytest.fixture
def book(sqlite_database: Database) -> Tokens:
    return Tokens(sqlite_database, lambda: NOW)


def test_a_token_is_shown_once_and_its_secret_is_nowhere(book: Tokens, sqlite_database: Database) -> None:
    made = book.create(TokenPlan("pipeline", (READ, MATCH), timedelta(days=90)), by=ANN)
    assert re.fullmatch(r"hp_[0-9a-f]{10}_[A-Za-z0-9_-]{43}", made.text)
    identifier, secret = split_token(made.text)
    assert secret not in repr(made)
    (view,) = book.list()
    assert view == made.view
    assert (view.id, view.name, view.scopes, view.state) == (identifier, "pipeline", ("match", "read"), "active")
    assert (view.created_at, view.expires_at, view.created_by) == (AT, AT + 90 * 86_400, "command:ann")
    assert (view.revoked_at, view.last_used_at, view.per_minute) == (None, None, None)
    with sqlite_database.read() as connection:
        (row,) = list_tokens(connection)
    assert row.secret_hash == hashlib.sha256(secret.encode()).digest()
    assert secret not in repr(row)


def test_no_two_tokens_are_alike(book: Tokens) -> None:
    texts = {book.create(TokenPlan("one", (MATCH,)), by=ANN).text for _ in range(20)}
    assert len({split_token(text)[0] for text in texts}) == len({split_token(text)[1] for text in texts}) == 20


def test_a_token_that_only_matches_is_limited_unless_that_is_said(book: Tokens) -> None:
    plans = [
        TokenPlan("a", (MATCH,)),
        TokenPlan("b", (MATCH,), per_minute=7),
        TokenPlan("c", (MATCH, READ)),
        TokenPlan("d", (READ,), per_minute=9),
        TokenPlan("e", (MATCH, PUBLISH)),
        TokenPlan("f", (MATCH, ADMIN)),
    ]
    made = [book.create(plan, by=ANN).view.per_minute for plan in plans]
    assert made == [tokens.MATCH_PER_MINUTE, 7, None, 9, tokens.MATCH_PER_MINUTE, None]


def test_a_revoked_token_stays_revoked(book: Tokens, sqlite_database: Database) -> None:
    made = book.create(TokenPlan("one", (MATCH,)), by=ANN).view
    assert (book.revoke(made.id).state, book.revoke(made.id).revoked_at) == ("revoked", AT)
    later = Tokens(sqlite_database, lambda: NOW + timedelta(days=1))
    assert later.revoke(made.id).revoked_at == AT
    with pytest.raises(NotFoundError):
        book.revoke("0123456789")


def test_an_expired_token_says_so(book: Tokens, sqlite_database: Database) -> None:
    book.create(TokenPlan("one", (MATCH,), timedelta(minutes=1)), by=ANN)
    passed = [timedelta(seconds=59)]
    later = Tokens(sqlite_database, lambda: NOW + passed[0])
    assert later.list()[0].state == "active"
    passed[0] = timedelta(seconds=60)
    assert later.list()[0].state == "expired"


@pytest.mark.parametrize(
    ("plan", "what"),
    [
        (TokenPlan("", (MATCH,)), "name"),
        (TokenPlan("a\nb", (MATCH,)), "name"),
        (TokenPlan("a" * 101, (MATCH,)), "name"),
        (TokenPlan("a", ()), "scope"),
        (TokenPlan("a", (MATCH,), timedelta(0)), "lives"),
        (TokenPlan("a", (MATCH,), timedelta(days=3_651)), "lives"),
        (TokenPlan("a", (MATCH,), per_minute=0), "a minute"),
        (TokenPlan("a", (MATCH,), per_minute=1_000_001), "a minute"),
    ],
)
def test_plans_that_cannot_be(book: Tokens, plan: TokenPlan, what: str) -> None:
    with pytest.raises(RequestError, match=what):
        book.create(plan, by=ANN)
    assert book.list() == []


def test_there_are_not_more_than_are_held_in_memory(book: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "TOKENS_MAX", 2)
    made = [book.create(TokenPlan("one", (MATCH,)), by=ANN).view for _ in range(2)]
    with pytest.raises(ConflictError, match="2 tokens"):
        book.create(TokenPlan("one", (MATCH,)), by=ANN)
    book.revoke(made[0].id)
    book.create(TokenPlan("one", (MATCH,)), by=ANN)


def test_scopes_are_read_by_name() -> None:
    assert scopes_of(["read", "admin"]) == (READ, TokenScope.ADMIN)
    assert set(tokens.SCOPE_MEANINGS) == set(TokenScope)
    with pytest.raises(RequestError, match="'reed'") as caught:
        scopes_of(["read", "reed"])
    assert "publish" in (caught.value.mend or "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hp_",
        "hp_0123456789_",
        "0123456789",
        f"hp_0123456789_{'a' * 42}",
        f"hp_0123456789_{'a' * 44}",
        f"hp_0123456789_{'a' * 42}=",
        f"hp_0123456789_{'ä' * 43}",
        f"hp_0123456789_{'a' * 43}\n",
        f" hp_0123456789_{'a' * 43}",
        f"hp_012345678G_{'a' * 43}",
        f"HP_0123456789_{'a' * 43}",
    ],
)
def test_what_does_not_have_the_form_of_a_token_is_none(text: str) -> None:
    assert split_token(text) == ("", "")
