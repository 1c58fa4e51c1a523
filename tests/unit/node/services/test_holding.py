from __future__ import annotations

from pathlib import Path

import pytest

from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.holding import HeldReleases
from hashpact_node.services.release_rules import ReleaseRules
from hashpact_node.store.database import Database
from hashpact_node.store.erasures import list_erasures
from hashpact_node.store.queue import count_entries, find_publications
from hashpact_protocol.errors import ConflictError, NotFoundError
from members import sha256
from own_member import NOW, OwnMember, found_member


@pytest.fixture
def acme(sqlite_database: Database, tmp_path: Path) -> OwnMember:
    return found_member(sqlite_database, tmp_path / "home", sqlite_database.where)


def holding(acme: OwnMember, **rules: object) -> HeldReleases:
    acme.releaser.rules = ReleaseRules(**rules)  # type: ignore[arg-type]  # a test
    return HeldReleases(acme.database, acme.releaser.rules, lambda: NOW)


def publish(acme: OwnMember, *numbers: int) -> list[str]:
    drafts = [ListingDraft("image", (sha256(number),)) for number in numbers]
    return [one.id for one in acme.publisher.publish(drafts, wait=False)]


def test_what_waits_is_shown_with_the_reason(acme: OwnMember) -> None:
    held = holding(acme, max_listings=1)
    assert held.show() == []
    publish(acme, 1)
    (one,) = held.show()
    assert (one.name, one.listings, one.withdrawals, one.what) == ("listings", 1, 0, None)
    ids = publish(acme, 2)
    (one,) = held.show()
    assert one.listings == 2
    assert one.what is not None
    assert one.what.startswith("more than 1 listings")
    assert held.statements("listings")[1]["id"] == ids[0]
    with pytest.raises(NotFoundError):
        held.statements("crisis")


def test_what_comes_after_the_look_is_not_decided_about(acme: OwnMember) -> None:
    held = holding(acme, max_listings=1)
    publish(acme, 1, 2)
    (seen,) = held.show()
    publish(acme, 3, 4)
    assert held.confirm("listings", before=seen.before) == 2
    acme.releaser.release(acme.log.number)
    assert acme.log.accepted_size == 0  # the two that came later are too many by themselves
    (later,) = held.show()
    assert later.listings == 2
    publish(acme, 5)
    assert held.drop("listings", before=later.before) == 2
    acme.releaser.release(acme.log.number)
    assert acme.log.accepted_size == 3
    assert held.show() == []


def test_what_is_dropped_never_was(acme: OwnMember, tmp_path: Path) -> None:
    held = holding(acme)
    (listed,) = publish(acme, 1)
    acme.releaser.release(acme.log.number)
    file = tmp_path / "file.bin"
    file.write_bytes(b"synthetic")
    (published,) = acme.publisher.publish_files([file], content="other", wait=False)
    acme.publisher.withdraw(listed, "error", wait=False, erase=True)
    (seen,) = held.show()
    assert (seen.listings, seen.withdrawals) == (1, 1)
    assert held.drop("listings", before=seen.before) == 2
    with acme.database.read() as connection:
        assert count_entries(connection) == 0
        assert find_publications(connection, [published.file.sha256]) == {}
        assert list_erasures(connection) == []
    assert acme.publisher.listing(listed).live
    (again,) = acme.publisher.publish_files([file], content="other", wait=False)
    assert not again.published.existing


def test_four_eyes_cannot_be_replaced_by_one_yes(acme: OwnMember) -> None:
    publish(acme, 1)
    held = holding(acme, four_eyes=True)
    (seen,) = held.show()
    assert seen.what is not None
    assert "no second person approved" in seen.what
    with pytest.raises(ConflictError, match="nobody approved"):
        held.confirm("listings", before=seen.before)
    acme.releaser.release(acme.log.number)
    assert acme.log.accepted_size == 0
    assert held.drop("listings", before=seen.before) == 1
