from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hashpact_node.store import drafts, logs, peers, queue
from hashpact_node.store.database import Database
from hashpact_node.store.drafts import DraftKind, DraftState, NewDraft
from hashpact_node.store.logs import LogTerms

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
NAME = "listings"
LISTINGS = [b'{"id":"%d","kind":"listing"}' % number for number in range(300)]
WITHDRAWAL = b'{"id":"b","kind":"withdrawal","listing":"a"}'


@pytest.fixture
def log(database: Database) -> int:
    origin = "acme.example/logs/listings-1"
    with database.write() as connection:
        own = peers.add_peer(connection, "acme", "https://acme.example", now=NOW, own=True)
        terms = [LogTerms("listings", "listings", origin, f"https://{origin}", "open", ())]
        return logs.put_card_logs(connection, own.number, terms)[0].number


def new(identifier: str, **fields: object) -> NewDraft:
    return NewDraft(identifier, DraftKind.LISTINGS, "listings", "image", "token", "ann", **fields)  # type: ignore[arg-type]  # a test


def test_a_draft_is_queued_whole_in_order_and_once(database: Database, log: int) -> None:
    with database.write() as connection:
        number = drafts.add_draft(connection, new("one"), now=NOW)
        other = drafts.add_draft(connection, new("two"), now=NOW)
        drafts.add_draft_entries(connection, number, NAME, LISTINGS[:250])
        drafts.add_draft_entries(connection, number, NAME, [*LISTINGS[250:], WITHDRAWAL])
        drafts.add_draft_entries(connection, other, NAME, LISTINGS[:1])
        drafts.add_draft_entries(connection, other, "listings-eu", LISTINGS[1:2])
        assert drafts.last_entry(connection, number, NAME) == WITHDRAWAL
        assert drafts.last_entry(connection, other, NAME) == LISTINGS[0]
        assert drafts.draft_entries(connection, number, limit=2) == LISTINGS[:2]
    with database.write() as connection:
        found = drafts.find_draft(connection, "one", lock=True)
        assert found is not None
        assert (found.listings, found.withdrawals, found.state) == (300, 1, DraftState.WAITING)
        drafts.queue_draft(connection, number, NAME, log, now=NOW)
        assert drafts.decide(connection, number, DraftState.APPROVED, ("token", "bob"), now=NOW)
        assert not drafts.decide(connection, number, DraftState.REJECTED, ("token", "bob"), now=NOW)
        assert drafts.draft_entries(connection, number, limit=9) == []
        assert drafts.draft_entries(connection, other, limit=9) == LISTINGS[:2]
    with database.read() as connection:
        waiting = list(queue.list_entries(connection, log))
        assert [entry.entry for entry in waiting] == [*LISTINGS, WITHDRAWAL]
        assert {(entry.draft, entry.confirmed_at, entry.queued_at) for entry in waiting} == {
            (number, None, int(NOW.timestamp()))
        }
        assert [entry.kind for entry in waiting[-2:]] == [1, 2]
        found = drafts.find_draft(connection, "one")
        assert found is not None
        assert (found.state, found.decider_kind, found.decider_name) == (DraftState.APPROVED, "token", "bob")


def test_drafts_are_listed_by_state(database: Database) -> None:
    with database.write() as connection:
        numbers = [drafts.add_draft(connection, new(str(at)), now=NOW) for at in range(3)]
        writing = new("3", state=DraftState.WRITING, source="file")
        drafts.add_draft(connection, writing, now=NOW)
        drafts.decide(connection, numbers[1], DraftState.REJECTED, ("token", "bob"), reason="no", now=NOW)
        assert drafts.count_undecided(connection) == 3
        assert [draft.id for draft in drafts.list_drafts(connection, limit=9)] == ["3", "2", "1", "0"]
        assert [draft.id for draft in drafts.list_drafts(connection, limit=2)] == ["3", "2"]
        rejected = drafts.list_drafts(connection, [DraftState.REJECTED], limit=9)
        assert [(draft.id, draft.reason) for draft in rejected] == [("1", "no")]
        found = drafts.find_draft_of(connection, "file")
        assert found is not None
        drafts.set_waiting(connection, found.number)
        assert drafts.find_draft_of(connection, "file") is None
        assert drafts.find_draft(connection, "7") is None


def test_files_of_a_draft_are_known(database: Database) -> None:
    with database.write() as connection:
        number = drafts.add_draft(connection, new("one"), now=NOW)
        drafts.add_draft_entries(connection, number, NAME, LISTINGS[:2], [b"c" * 32, None])
        assert list(drafts.draft_contents(connection, number, NAME)) == [(b"c" * 32, LISTINGS[0])]


def test_what_was_taken_back_is_said_to_be(database: Database, log: int) -> None:
    with database.write() as connection:
        numbers = [drafts.add_draft(connection, new(str(at)), now=NOW) for at in range(2)]
        for number in numbers:
            drafts.add_draft_entries(connection, number, NAME, LISTINGS[:2])
            drafts.queue_draft(connection, number, NAME, log, now=NOW)
            drafts.decide(connection, number, DraftState.APPROVED, ("token", "bob"), now=NOW)
        (first, *_rest) = queue.take_entries(connection, log, limit=2)
        assert first.draft == numbers[0]
        drafts.mark_placed(connection, {numbers[0]}, log=log, size=2)
        (third, fourth) = queue.list_entries(connection, log)
        queue.drop_entry(connection, third.number)
        drafts.mark_taken_back(connection, numbers[1], "back")
        states = [draft.state for draft in drafts.list_drafts(connection, limit=9)]
        assert states == [DraftState.APPROVED, DraftState.APPROVED]  # half of it waits still
        queue.drop_entry(connection, fourth.number)
        for number in numbers:
            drafts.mark_taken_back(connection, number, "back")
        assert [(draft.state, draft.reason, draft.size) for draft in drafts.list_drafts(connection, limit=9)] == [
            (DraftState.REJECTED, "back", None),
            (DraftState.APPROVED, None, 2),
        ]
