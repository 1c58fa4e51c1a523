from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.publishing import Waiting
from hashpact_node.store.queue import count_entries
from hashpact_protocol.errors import (
    ConflictError,
    KeyUnavailableError,
    NotFoundError,
    RequestError,
    StatementError,
    StoreBusyError,
)
from hashpact_protocol.notes import parse_checkpoint, parse_note
from hashpact_protocol.signals import make_signal
from hashpact_protocol.statements import Listing, Withdrawal, parse_statement
from members import pdq, sha256
from nodes import wait_until
from own_member import ORIGIN, OwnMember

NOBODY = "00000000-0000-4000-8000-000000000000"


def draft(number: int, **fields: object) -> ListingDraft:
    return replace(ListingDraft("image", (pdq(number), sha256(number))), **fields)  # type: ignore[arg-type]  # a test


def entries(acme: OwnMember) -> list[object]:
    log = acme.log
    with acme.database.read() as connection:
        reader = EntryReader(connection)
        return [parse_statement(reader.entry(log.number, at), "listings") for at in range(log.accepted_size)]


def waiting(acme: OwnMember) -> int:
    with acme.database.read() as connection:
        return count_entries(connection)


def test_listings_are_published_and_released_in_order(acme: OwnMember) -> None:
    published = acme.publisher.publish([draft(1, labels=("a:b",), note="ü"), draft(2)])
    assert [(one.origin, one.index, one.size, one.existing) for one in published] == [
        (ORIGIN, 0, 2, False),
        (ORIGIN, 1, 2, False),
    ]
    first, second = entries(acme)
    assert isinstance(first, Listing)
    assert isinstance(second, Listing)
    assert (first.id, first.labels, first.note) == (published[0].id, ("a:b",), "ü")
    assert first.time == "2026-11-24T04:00:00Z"
    note = acme.log.accepted_note
    assert note is not None
    assert parse_checkpoint(parse_note(note).text).size == 2


def test_nothing_is_stored_when_one_of_them_is_wrong(acme: OwnMember) -> None:
    with pytest.raises(StatementError) as caught:
        acme.publisher.publish([draft(1), draft(2, expires="tomorrow")])
    assert caught.value.where == "line 2: expires"
    with pytest.raises(StatementError, match=r"^content"):
        acme.publisher.publish([draft(1, content="x" * 5000)])
    assert waiting(acme) == 0


def test_a_foreign_origin_needs_a_yes(acme: OwnMember) -> None:
    with pytest.raises(RequestError, match="material of 'gifct'"):
        acme.publisher.publish([draft(1, origin="gifct")])
    assert waiting(acme) == 0
    (published,) = acme.publisher.publish([draft(1, origin="gifct")], allow_foreign_origin=True)
    assert acme.publisher.listing(published.id).listing.origin == "gifct"


def test_an_own_listing_is_restated_under_its_id(acme: OwnMember) -> None:
    (first,) = acme.publisher.publish([draft(1)])
    (again,) = acme.publisher.publish([draft(2, id=first.id)])
    assert (again.id, again.index, again.size) == (first.id, 1, 2)
    view = acme.publisher.listing(first.id)
    assert (view.index, view.live, view.state, view.origin) == (1, True, "released", ORIGIN)
    assert view.listing.signals == (pdq(2), sha256(2))
    with pytest.raises(NotFoundError, match="no listing of ours"):
        acme.publisher.publish([draft(3, id=NOBODY)])
    with pytest.raises(NotFoundError, match="no listing has this id"):
        acme.publisher.publish([draft(3, id="7")])


def test_what_waits_may_be_restated_and_withdrawn(acme: OwnMember) -> None:
    (first,) = acme.publisher.publish([draft(1)], wait=False)
    assert (first.index, first.size, first.notice) == (None, None, None)
    assert acme.publisher.listing(first.id).state == "queued"
    acme.publisher.publish([draft(2, id=first.id)], wait=False)
    assert acme.publisher.listing(first.id).listing.signals == (pdq(2), sha256(2))
    acme.publisher.withdraw(first.id, "error", wait=False)
    view = acme.publisher.listing(first.id)
    assert (view.live, view.state, view.index) == (False, "withdrawn", None)
    with pytest.raises(ConflictError, match="withdrawn already"):
        acme.publisher.withdraw(first.id, "error")
    acme.releaser.release(acme.log.number)
    kinds = [type(one) for one in entries(acme)]
    assert kinds == [Listing, Listing, Withdrawal]
    assert acme.publisher.listing(first.id).state == "withdrawn"


def test_a_listing_is_withdrawn_once_and_may_be_listed_again(acme: OwnMember) -> None:
    (first,) = acme.publisher.publish([draft(1)])
    withdrawn = acme.publisher.withdraw(first.id, "error", note="wrong file")
    assert (withdrawn.id, withdrawn.size) == (first.id, 2)
    statement = entries(acme)[1]
    assert isinstance(statement, Withdrawal)
    assert (statement.listing, statement.reason, statement.note) == (first.id, "error", "wrong file")
    with pytest.raises(ConflictError, match="withdrawn already"):
        acme.publisher.withdraw(first.id, "error")
    (again,) = acme.publisher.publish([draft(1, id=first.id)])
    assert (again.index, acme.publisher.listing(first.id).live) == (2, True)


def test_only_own_listings_are_withdrawn_and_shown(acme: OwnMember) -> None:
    (first,) = acme.publisher.publish([draft(1)])
    acme.publisher.withdraw(first.id, "error")
    statement = entries(acme)[1]
    assert isinstance(statement, Withdrawal)
    for identifier in (NOBODY, "no id", statement.id):
        with pytest.raises(NotFoundError):
            acme.publisher.withdraw(identifier, "error")
        with pytest.raises(NotFoundError):
            acme.publisher.listing(identifier)
    with pytest.raises(StatementError):
        acme.publisher.withdraw(acme.publisher.publish([draft(2)])[0].id, "x" * 5000)
    assert waiting(acme) == 0


def test_there_must_be_an_open_log_of_that_name(acme: OwnMember) -> None:
    with pytest.raises(NotFoundError, match="no open log 'crisis'") as caught:
        acme.publisher.publish([draft(1)], log_name="crisis")
    assert caught.value.mend == "publish to one of: listings"


def test_a_file_published_twice_is_the_listing_that_exists(acme: OwnMember, tmp_path: Path) -> None:
    one, same, other = (tmp_path / name for name in ("one.mp4", "same.mp4", "other.bin"))
    for path, data in ((one, b"first"), (same, b"first"), (other, b"second")):
        path.write_bytes(data)
    files = acme.publisher.publish_files([one, same, other], labels=("a:b",), confirmed=None)
    assert [file.published.existing for file in files] == [False, True, False]
    assert files[0].published.id == files[1].published.id
    assert [file.published.index for file in files] == [0, 0, 1]
    view = acme.publisher.listing(files[0].published.id)
    assert (view.listing.content, view.listing.labels) == ("video", ("a:b",))
    (again,) = acme.publisher.publish_files([same])
    assert (again.published.id, again.published.existing, again.published.index) == (files[0].published.id, True, 0)
    assert acme.log.accepted_size == 2


def test_a_file_that_a_listing_claims_already_exists_too(acme: OwnMember, tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"content")
    waits = acme.publisher.publish_files([path], wait=False)[0].published
    assert acme.publisher.publish_files([path], wait=False)[0].published == replace(waits, existing=True)
    acme.publisher.withdraw(waits.id, "error")
    digest = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    (listed,) = acme.publisher.publish([ListingDraft("other", (make_signal("sha256", digest),))])
    (again,) = acme.publisher.publish_files([path])
    assert (again.published.id, again.published.existing) == (listed.id, True)


@pytest.mark.parametrize("wait", [True, False])
def test_after_a_withdrawal_a_file_is_published_anew(acme: OwnMember, tmp_path: Path, *, wait: bool) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"content")
    (first,) = acme.publisher.publish_files([path])
    acme.publisher.withdraw(first.published.id, "error", wait=wait)
    (again,) = acme.publisher.publish_files([path])
    assert again.published.id != first.published.id
    assert (again.published.existing, again.published.index) == (False, 2)


def test_one_missing_file_and_none_is_published(acme: OwnMember, tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"content")
    with pytest.raises(RequestError, match="there is no such file"):
        acme.publisher.publish_files([path, tmp_path / "missing.bin"])
    with pytest.raises(RequestError, match="material of"):
        acme.publisher.publish_files([path], origin="gifct")
    assert waiting(acme) == 0


def test_many_callers_lose_and_double_nothing(acme: OwnMember) -> None:
    published = []

    def run(start: int) -> None:
        for number in range(start, start + 5):
            published.extend(acme.publisher.publish([draft(number)]))

    threads = [threading.Thread(target=run, args=(start,)) for start in range(0, 40, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.index or 0 for one in published) == list(range(20))
    stored = [one.id for one in entries(acme) if isinstance(one, Listing)]
    assert [stored[one.index or 0] for one in published] == [one.id for one in published]


def test_where_a_node_runs_a_command_waits_for_it(acme: OwnMember) -> None:
    acme.publisher.publish([draft(1)])
    publisher = acme.lazy_publisher(wait_seconds=300)

    def release_it() -> None:
        wait_until(lambda: waiting(acme) == 1)
        acme.releaser.release(acme.log.number)

    node = threading.Thread(target=release_it)
    node.start()
    (published,) = publisher.publish([draft(2)])
    node.join()
    assert (published.index, published.size, published.notice) == (1, 2, None)


def test_a_command_that_waits_in_vain_says_that_it_is_stored(acme: OwnMember) -> None:
    publisher = acme.lazy_publisher()
    (first,) = publisher.publish([draft(1)])
    assert first.index is None
    assert first.notice is not None
    assert "it is stored and waits to be released" in first.notice
    acme.releaser.release(acme.log.number)
    withdrawn = publisher.withdraw(first.id, "error")
    assert (withdrawn.index, withdrawn.size) == (None, None)
    assert withdrawn.notice is not None
    assert waiting(acme) == 1
    acme.releaser.release(acme.log.number)
    (again,) = publisher.publish([draft(1, id=first.id)])
    assert again.index is None


def test_a_key_that_cannot_sign_loses_nothing(acme: OwnMember, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(log: int) -> int:
        raise KeyUnavailableError(f"no key for log {log}")

    with monkeypatch.context() as patch:
        patch.setattr(type(acme.releaser), "release", lambda _releaser, log: fail(log))
        (published,) = acme.publisher.publish([draft(1)])
    assert published.notice is not None
    assert "no key" in published.notice
    acme.releaser.release(acme.log.number)
    assert acme.publisher.listing(published.id).state == "released"


def test_waiting_may_be_done_apart(acme: OwnMember) -> None:
    (first,) = acme.publisher.publish([draft(1)])
    with pytest.raises(StoreBusyError, match="is stored, and will be"):
        acme.publisher.wait_released(Waiting(acme.log, first.id), timeout=0)


def test_many_statements_at_once_may_hold_old_ids(acme: OwnMember) -> None:
    first, second = acme.publisher.publish([draft(1), draft(2)])
    acme.publisher.withdraw(second.id, "error", wait=False)
    drafts = [draft(number) for number in range(10, 2_500)]
    published = acme.publisher.publish([*drafts, draft(3, id=first.id)])
    assert [one.index for one in published] == list(range(3, 3 + len(published)))
    assert acme.publisher.listing(first.id).listing.signals == (pdq(3), sha256(3))
    assert not acme.publisher.listing(second.id).live
