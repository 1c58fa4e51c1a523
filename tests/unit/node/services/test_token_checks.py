from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from hashpact_node.services import token_checks
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.token_checks import FRESH_SECONDS, WRITTEN_EVERY_SECONDS, TokenChecks, TokenRefusedError
from hashpact_node.services.tokens import NewToken, TokenPlan, Tokens, TokenScope, hash_secret
from hashpact_node.store.database import Database
from hashpact_node.store.tokens import count_refusals
from hashpact_protocol.errors import StoreFullError
from own_member import NOW

MATCH, READ, ADMIN = TokenScope.MATCH, TokenScope.READ, TokenScope.ADMIN


class Clocks:
    """What time it is, and how much has passed."""

    def __init__(self) -> None:
        self.time = NOW
        self.passed = 1_000.0

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.passed

    def later(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.passed += seconds


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def book(sqlite_database: Database, clocks: Clocks) -> Tokens:
    return Tokens(sqlite_database, clocks.now)


@pytest.fixture
def checks(sqlite_database: Database, clocks: Clocks) -> TokenChecks:
    return TokenChecks(sqlite_database, clocks.now, monotonic=clocks.monotonic)


def make(book: Tokens, *scopes: TokenScope, **plan: Any) -> NewToken:
    return book.create(TokenPlan("one", scopes or (MATCH,), **plan), by=Actor(ActorKind.COMMAND, "ann"))


def is_fresh(checks: TokenChecks) -> bool:
    return checks.is_fresh


def has_news(checks: TokenChecks) -> bool:
    return checks.has_news


def test_a_valid_token_says_who_asks_and_what_it_may(book: Tokens, checks: TokenChecks) -> None:
    limited, wide, all_of_it = make(book), make(book, MATCH, READ), make(book, ADMIN)
    checks.refresh()
    one, two, three = (checks.check(token.text) for token in (limited, wide, all_of_it))
    assert (one.id, one.per_minute) == (limited.view.id, 600)
    assert one.scopes == {MATCH}
    assert [holder.may(READ) for holder in (one, two, three)] == [False, True, True]
    assert [holder.may(MATCH) for holder in (one, two, three)] == [True, True, True]
    assert [holder.only_matches for holder in (one, two, three)] == [True, False, False]


def test_whatever_is_wrong_is_refused_in_the_same_words(book: Tokens, checks: TokenChecks, clocks: Clocks) -> None:
    good, other, revoked, expired = make(book), make(book), make(book), make(book, life=timedelta(seconds=5))
    book.revoke(revoked.view.id)
    checks.refresh()
    checks.check(expired.text)
    clocks.later(5)
    swapped = good.text[:13] + other.text[13:]
    last = "A" if good.text[-1] != "A" else "B"
    wrong = (
        revoked.text,
        expired.text,
        swapped,
        good.text[:-1] + last,
        f"hp_0123456789_{good.text[14:]}",
        good.text.upper(),
        "hp",
        "",
        "x" * 30_000,
    )
    told = set()
    for text in wrong:
        with pytest.raises(TokenRefusedError) as caught:
            checks.check(text)
        told.add((caught.value.what, caught.value.where, caught.value.mend))
    assert len(told) == 1
    checks.check(good.text)


def test_an_unknown_id_takes_the_steps_of_a_known_one(checks: TokenChecks, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    compared: list[tuple[bytes, bytes]] = []

    def hash_it(secret: str) -> bytes:
        hashed.append(secret)
        return hash_secret(secret)

    def compare(one: bytes, two: bytes) -> bool:
        compared.append((one, two))
        return one == two

    monkeypatch.setattr(token_checks, "hash_secret", hash_it)
    monkeypatch.setattr("hmac.compare_digest", compare)
    with pytest.raises(TokenRefusedError):
        checks.check(f"hp_0123456789_{'a' * 43}")
    assert hashed == ["a" * 43]
    assert [len(one) for one in compared[0]] == [32, 32]


def test_even_a_secret_that_met_the_stand_in_would_be_nobody(
    checks: TokenChecks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hmac.compare_digest", lambda _one, _two: True)
    with pytest.raises(TokenRefusedError):
        checks.check(f"hp_0123456789_{'a' * 43}")


def test_a_revoked_token_is_refused_and_a_new_one_known_in_two_seconds(
    book: Tokens, checks: TokenChecks, clocks: Clocks
) -> None:
    first = make(book)
    assert not is_fresh(checks)
    checks.refresh()
    assert is_fresh(checks)
    book.revoke(first.view.id)
    second = make(book)
    checks.refresh()  # nothing is read, since what is held is fresh
    checks.check(first.text)
    clocks.later(FRESH_SECONDS)
    assert not is_fresh(checks)
    checks.refresh()
    checks.check(second.text)
    with pytest.raises(TokenRefusedError):
        checks.check(first.text)


def test_the_age_counts_from_before_it_was_read(
    book: Tokens, checks: TokenChecks, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(book)

    @contextmanager
    def slow(_self: Database) -> Iterator[None]:
        clocks.later(FRESH_SECONDS)
        yield None

    with monkeypatch.context() as patch:
        patch.setattr(Database, "read", slow)
        patch.setattr(token_checks, "live_tokens", lambda *_: [])
        checks.refresh()
    assert not is_fresh(checks)


def test_the_last_use_is_written_seldom(book: Tokens, checks: TokenChecks, clocks: Clocks) -> None:
    token = make(book)
    checks.refresh()
    assert not has_news(checks)
    written: list[int | None] = []
    for seconds in (0, 20, 20, 20, 30):
        clocks.later(seconds)
        checks.check(token.text)
        if has_news(checks):
            checks.write_news()
            written.append(book.list()[0].last_used_at)
    start = int(NOW.timestamp())
    assert written == [start, start + 60]


def test_refusals_are_written_in_groups(
    sqlite_database: Database, checks: TokenChecks, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counted() -> dict[str, int]:
        with sqlite_database.read() as connection:
            return count_refusals(connection)

    checks.note_refusal("token")
    checks.write_news()
    assert counted() == {"token": 1}
    checks.note_refusal("token")
    checks.note_refusal("scope")
    checks.write_news()
    assert counted() == {"token": 1}
    clocks.later(WRITTEN_EVERY_SECONDS)

    def full(*_arguments: object) -> None:
        raise StoreFullError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(token_checks, "add_refusals", full)
        checks.write_news()
    clocks.later(WRITTEN_EVERY_SECONDS)
    checks.write_news()
    assert counted() == {"token": 2, "scope": 1}


def test_a_token_asks_as_often_as_it_may(book: Tokens, checks: TokenChecks) -> None:
    slow, free = make(book, per_minute=12), make(book, READ)
    checks.refresh()
    one, other = checks.check(slow.text), checks.check(free.text)
    assert [checks.spend(one) for _ in range(2)] == [0.0, 0.0]
    assert 4 < checks.spend(one) <= 5  # twelve a minute are one in five seconds
    assert not any(checks.spend(other) for _ in range(1_000))
