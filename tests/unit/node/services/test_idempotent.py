from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from hashpact_node import services
from hashpact_node.services.idempotent import TAKEN_OVER_SECONDS, Answer, Idempotent
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.decisions import list_decisions, put_decision
from hashpact_node.store.idempotency import begin, find
from hashpact_protocol.errors import ConflictError, NotFoundError, RequestError, StoreError
from own_member import NOW

KEY, HASH, PLAN = "a-key", b"h" * 32, b"plan"


@pytest.fixture
def clock() -> list[datetime]:
    return [NOW]


@pytest.fixture
def idempotent(database: Database, clock: list[datetime]) -> Idempotent:
    return Idempotent(database, lambda: clock[0])


def works(seen: list[tuple[bytes, bool]]) -> Callable[[bytes, bool], Answer]:
    def work(plan: bytes, again: bool) -> Answer:  # noqa: FBT001 - as Work has it
        seen.append((plan, again))
        return Answer(201, b"done %d" % len(seen))

    return work


def breaks(error: BaseException) -> Callable[[bytes, bool], Answer]:
    def work(_plan: bytes, _again: bool) -> Answer:  # noqa: FBT001 - as Work has it
        raise error

    return work


def test_the_first_answer_is_given_again(idempotent: Idempotent) -> None:
    seen: list[tuple[bytes, bool]] = []
    assert idempotent.run(KEY, HASH, PLAN, works(seen)) == Answer(201, b"done 1")
    assert idempotent.run(KEY, HASH, b"another plan", works(seen)) == Answer(201, b"done 1", repeated=True)
    assert idempotent.run("another-key", HASH, PLAN, works(seen)) == Answer(201, b"done 2")
    assert seen == [(PLAN, False)] * 2


def test_another_request_under_the_key_is_refused(idempotent: Idempotent) -> None:
    idempotent.run(KEY, HASH, PLAN, works([]))
    with pytest.raises(RequestError, match="came before with another request"):
        idempotent.run(KEY, b"x" * 32, PLAN, works([]))


def test_the_plan_is_stored_before_the_work_begins(idempotent: Idempotent) -> None:
    def work(plan: bytes, _again: bool) -> Answer:  # noqa: FBT001 - as Work has it
        with idempotent.database.read() as connection:
            row = find(connection, KEY)
        assert row is not None
        assert (row.answer, row.request_hash) == (plan, HASH)
        with pytest.raises(ConflictError, match="in flight"):
            idempotent.run(KEY, HASH, PLAN, works([]))
        return Answer(201, b"")

    assert idempotent.run(KEY, HASH, PLAN, work).status == 201


def test_a_known_failure_forgets_the_key(idempotent: Idempotent) -> None:
    seen: list[tuple[bytes, bool]] = []
    with pytest.raises(NotFoundError):
        idempotent.run(KEY, HASH, PLAN, breaks(NotFoundError("no")))
    assert idempotent.run(KEY, b"x" * 32, b"new plan", works(seen)).repeated is False
    assert seen == [(b"new plan", False)]


def test_the_plan_is_kept_where_the_database_failed(idempotent: Idempotent) -> None:
    seen: list[tuple[bytes, bool]] = []
    for _ in range(2):
        with pytest.raises(StoreError):
            idempotent.run(KEY, HASH, b"new plan" if seen else PLAN, breaks(StoreError("the commit was not answered")))
    with pytest.raises(RequestError, match="another request"):
        idempotent.run(KEY, b"x" * 32, b"new plan", works(seen))
    assert idempotent.run(KEY, HASH, b"new plan", works(seen)) == Answer(201, b"done 1")
    assert seen == [(PLAN, True)]
    assert idempotent.run(KEY, HASH, b"new plan", works(seen)).repeated


def test_the_plan_is_kept_where_the_database_fails_for_good(
    idempotent: Idempotent, clock: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_arguments: object) -> None:
        raise StoreError("the database is away")

    with monkeypatch.context() as patched:
        work = works([])

        def breaks_off(plan: bytes, again: bool) -> Answer:  # noqa: FBT001 - as Work has it
            work(plan, again)
            patched.setattr(services.idempotent, "finish", away)
            raise StoreError("the commit was not answered")

        with pytest.raises(StoreError, match="commit"):
            idempotent.run(KEY, HASH, PLAN, breaks_off)
    with pytest.raises(ConflictError, match="in flight"):
        idempotent.run(KEY, HASH, b"new plan", works([]))
    clock[0] += timedelta(seconds=TAKEN_OVER_SECONDS)
    seen: list[tuple[bytes, bool]] = []
    idempotent.run(KEY, HASH, b"new plan", works(seen))
    assert seen == [(PLAN, True)]


@pytest.mark.parametrize("error", [ZeroDivisionError(), KeyboardInterrupt()])
def test_who_died_is_followed_by_somebody_with_its_plan(
    idempotent: Idempotent, clock: list[datetime], error: BaseException
) -> None:
    with pytest.raises(type(error)):
        idempotent.run(KEY, HASH, PLAN, breaks(error))
    clock[0] += timedelta(seconds=TAKEN_OVER_SECONDS - 1)
    with pytest.raises(ConflictError):
        idempotent.run(KEY, HASH, b"new plan", works([]))
    clock[0] += timedelta(seconds=1)
    seen: list[tuple[bytes, bool]] = []
    assert idempotent.run(KEY, HASH, b"new plan", works(seen)).status == 201
    assert seen == [(PLAN, True)]


def test_a_row_without_a_plan_is_taken_over_too(idempotent: Idempotent, clock: list[datetime]) -> None:
    with idempotent.database.write() as connection:
        begin(connection, KEY, HASH, now=NOW)
    clock[0] += timedelta(seconds=TAKEN_OVER_SECONDS)
    seen: list[tuple[bytes, bool]] = []
    idempotent.run(KEY, HASH, PLAN, works(seen))
    assert seen == [(PLAN, True)]


def test_a_key_is_kept_for_a_day(idempotent: Idempotent, clock: list[datetime]) -> None:
    idempotent.run(KEY, HASH, PLAN, works([]))
    clock[0] += timedelta(days=1, seconds=-1)
    assert idempotent.run(KEY, HASH, PLAN, works([])).repeated
    clock[0] += timedelta(seconds=1)
    assert not idempotent.run(KEY, b"x" * 32, PLAN, works([])).repeated


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 256, "a\n"])
def test_a_key_has_a_form(sqlite_database: Database, key: str) -> None:
    with pytest.raises(RequestError):
        Idempotent(sqlite_database, lambda: NOW).run(key, HASH, PLAN, works([]))


def test_work_of_one_transaction_is_stored_with_its_answer_or_not_at_all(idempotent: Idempotent) -> None:
    seen: list[str] = []

    def work(connection: Connection) -> Answer:
        put_decision(connection, "beta", "here", now=NOW)
        seen.append("done")
        if len(seen) == 1:
            raise StoreError("the disk is full")
        return Answer(200, b"done")

    with pytest.raises(StoreError, match="full"):
        idempotent.run_at_once(KEY, HASH, work)
    with idempotent.database.read() as connection:
        assert (find(connection, KEY), list_decisions(connection)) == (None, {})
    assert idempotent.run_at_once(KEY, HASH, work) == Answer(200, b"done")
    assert idempotent.run_at_once(KEY, HASH, work) == Answer(200, b"done", repeated=True)
    assert seen == ["done", "done"]
    with pytest.raises(RequestError, match="came before with another request"):
        idempotent.run_at_once(KEY, b"x" * 32, work)


def test_whoever_was_waited_for_has_done_it(idempotent: Idempotent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process commits the same request between our first look and our insertion."""
    idempotent.run_at_once(KEY, HASH, lambda _connection: Answer(200, b"theirs"))
    monkeypatch.setattr(Idempotent, "_earlier", lambda *_: None)
    again = idempotent.run_at_once(KEY, HASH, lambda _connection: Answer(200, b"ours"))
    assert again == Answer(200, b"theirs", repeated=True)
