from __future__ import annotations

from pathlib import Path

import pytest

from desk import open_desk
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.undoing import Undoing
from hashpact_node.store.database import Database
from hashpact_node.store.erasures import list_erasures
from hashpact_node.store.queue import count_entries
from hashpact_protocol.errors import ConflictError, NotFoundError
from members import sha256
from own_member import ORIGIN, OwnMember, found_member

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def acme(sqlite_database: Database, tmp_path: Path) -> OwnMember:
    return found_member(sqlite_database, tmp_path / "home", sqlite_database.where)


def publish(acme: OwnMember, number: int, *, identifier: str | None = None, wait: bool = False) -> str:
    draft = ListingDraft("image", (sha256(number),), id=identifier)
    (published,) = acme.publisher.publish([draft], wait=wait)
    return published.id


def queued(acme: OwnMember) -> int:
    with acme.database.read() as connection:
        return count_entries(connection)


def test_the_newest_that_waits_is_taken_back_first(acme: OwnMember) -> None:
    undoing = Undoing(acme.database)
    listing = publish(acme, 1)
    other = publish(acme, 2)
    publish(acme, 3, identifier=listing)
    acme.publisher.withdraw(listing, "error", wait=False)
    undone = undoing.undo(listing)
    assert (undone.id, undone.what, undone.origin) == (listing, "withdrawal", ORIGIN)
    assert acme.publisher.listing(listing).listing.signals == (sha256(3),)
    assert undoing.undo(listing).what == "listing"
    assert acme.publisher.listing(listing).listing.signals == (sha256(1),)
    assert undoing.undo(listing).what == "listing"
    for unknown in (listing, NOBODY, "7"):
        with pytest.raises(NotFoundError):
            undoing.undo(unknown)
    acme.releaser.release(acme.log.number)
    assert acme.log.accepted_size == 1
    assert acme.publisher.listing(other).live


def test_what_has_a_place_is_never_reached(acme: OwnMember) -> None:
    undoing = Undoing(acme.database)
    listing = publish(acme, 1, wait=True)
    with pytest.raises(ConflictError, match="it has its place"):
        undoing.undo(listing)
    acme.publisher.withdraw(listing, "error", wait=False, erase=True)
    assert undoing.undo(listing).what == "withdrawal"
    with acme.database.read() as connection:
        assert list_erasures(connection) == []
    assert acme.publisher.listing(listing).live
    with pytest.raises(ConflictError, match="it has its place"):
        undoing.undo(listing)


def test_a_file_may_be_published_anew(acme: OwnMember, tmp_path: Path) -> None:
    file = tmp_path / "file.bin"
    file.write_bytes(b"synthetic")
    (first,) = acme.publisher.publish_files([file], content="other", wait=False)
    Undoing(acme.database).undo(first.published.id)
    (second,) = acme.publisher.publish_files([file], content="other", wait=False)
    assert (second.published.existing, queued(acme)) == (False, 1)
    acme.publisher.withdraw(second.published.id, "error", wait=False)
    Undoing(acme.database).undo(second.published.id)
    (third,) = acme.publisher.publish_files([file], content="other", wait=False)
    assert (third.published.existing, third.published.id) == (True, second.published.id)


@pytest.mark.usefixtures("quick_keys")
def test_a_listing_for_several_audiences_leaves_all_of_them(sqlite_database: Database, tmp_path: Path) -> None:
    with open_desk(sqlite_database, tmp_path / "home", sqlite_database.where) as node:
        node.audiences.create("eu-desk", ["beta"])
        audiences = ("everybody", "eu-desk")
        (one,) = node.publisher.publish([ListingDraft("image", (sha256(1),), audiences=audiences)], wait=False)
        assert node.undoing.undo(one.id).what == "listing"
        with node.database.read() as connection:
            assert count_entries(connection) == 0
        with pytest.raises(NotFoundError):
            node.publisher.listing(one.id)
