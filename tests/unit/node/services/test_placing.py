from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from desk import listed, log_of, open_desk, own_log
from hashpact_node.assembly import Node
from hashpact_node.services.drafts import ListingDraft, draft_of_fields
from hashpact_node.services.imports import Importer, ImportOptions
from hashpact_node.services.placing import Wanted
from hashpact_node.services.planned import PlannedPublisher, plan
from hashpact_node.store.database import Database
from hashpact_node.store.queue import count_entries
from hashpact_protocol.errors import ConflictError, NotFoundError, RequestError
from members import sha256
from own_member import NOW

pytestmark = pytest.mark.usefixtures("quick_keys")


@pytest.fixture
def node(sqlite_database: Database, tmp_path: Path) -> Iterator[Node]:
    with open_desk(sqlite_database, tmp_path / "home", sqlite_database.where) as node:
        node.audiences.create("eu-desk", ["beta"])
        node.audiences.create("us-desk", ["gamma"])
        yield node


def publish(node: Node, number: int, *audiences: str) -> str:
    (done,) = node.publisher.publish([ListingDraft("image", (sha256(number),), audiences=audiences)])
    assert done.index is not None
    return done.id


def places(node: Node, listing: str) -> set[str]:
    """Say in whose logs a listing lives."""
    logs = {name: log_of(node, name) for name in ("eu-desk", "us-desk")} | {"everybody": own_log(node)}
    return {name for name, log in logs.items() if listing in listed(node, log)}


def test_a_listing_goes_to_its_audiences_under_one_id(node: Node) -> None:
    drafts = [
        ListingDraft("image", (sha256(1),)),
        ListingDraft("image", (sha256(2),), audiences=("us-desk", "eu-desk")),
        ListingDraft("image", (sha256(3),), audiences=("everybody", "eu-desk")),
        ListingDraft("image", (sha256(4),), audiences=("eu-desk",)),
    ]
    done = node.publisher.publish(drafts)
    assert [one.index for one in done] == [0, 0, 1, 2]
    assert done[1].origin == log_of(node, "us-desk").origin
    found = [places(node, one.id) for one in done]
    assert found == [{"everybody"}, {"us-desk", "eu-desk"}, {"everybody", "eu-desk"}, {"eu-desk"}]
    assert [set(node.publisher.listing(one.id).audiences) for one in done] == found
    with pytest.raises(NotFoundError, match="no audience 'nobody'"):
        publish(node, 5, "everybody", "nobody")
    with pytest.raises(RequestError, match="no other is named"):
        node.publisher.publish([ListingDraft("image", (sha256(5),), audiences=("eu-desk",))], log_name="crisis")
    assert count_everything(node) == 0


def count_everything(node: Node) -> int:
    with node.database.read() as connection:
        return count_entries(connection)


def test_one_withdrawal_takes_it_back_everywhere(node: Node) -> None:
    one, other = publish(node, 1, "eu-desk", "us-desk"), publish(node, 2, "eu-desk")
    done = node.publisher.withdraw(one, "error")
    assert (done.notice, places(node, one), places(node, other)) == (None, set(), {"eu-desk"})
    assert node.publisher.listing(one).state == "withdrawn"
    with pytest.raises(ConflictError, match="withdrawn already"):
        node.publisher.withdraw(one, "error")
    with pytest.raises(ConflictError, match="withdrawn already"):
        node.mover.move(one, Wanted(["everybody"]))


def test_content_has_one_id_wherever_it_is_listed(node: Node, tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_text("synthetic")
    publish_files = node.publisher.publish_files
    (first,) = publish_files([file], content="text", audiences=("eu-desk",))
    (again,) = publish_files([file, file], content="text", audiences=("eu-desk",))[:1]
    assert (first.published.existing, again.published.existing) == (False, True)
    (wider, twice) = publish_files([file, file], content="text", audiences=("eu-desk", "us-desk"))
    assert (wider.published.existing, twice.published.existing) == (False, True)
    assert {one.published.id for one in (first, again, wider, twice)} == {first.published.id}
    assert places(node, first.published.id) == {"eu-desk", "us-desk"}
    node.publisher.withdraw(first.published.id, "error")
    (anew,) = publish_files([file], content="text")
    assert not anew.published.existing
    assert places(node, anew.published.id) == {"everybody"}


def test_a_request_that_is_repeated_finds_what_it_stored(node: Node) -> None:
    publisher = PlannedPublisher(node.database, node.publisher)
    drafts = [ListingDraft("image", (sha256(1),), audiences=("eu-desk",)), ListingDraft("image", (sha256(2),))]
    planned = plan(2)

    def ask() -> list[str]:
        done = publisher.publish(
            drafts, planned, again=True, log_name="listings", allow_foreign_origin=False, wait=True
        )
        return [one.origin for one in done]

    origins = [log_of(node, "eu-desk").origin, own_log(node).origin]
    assert ask() == origins
    sizes = [log_of(node, "eu-desk").accepted_size, own_log(node).accepted_size]
    assert ask() == origins
    assert [log_of(node, "eu-desk").accepted_size, own_log(node).accepted_size] == sizes == [1, 1]


def test_a_file_is_imported_for_audiences(node: Node, tmp_path: Path) -> None:
    file = tmp_path / "hashes.ndjson"
    rows = [{"content": "image", "signals": [{"type": "sha256", "value": f"{number:064x}"}]} for number in range(3)]
    file.write_text("\n".join(map(json.dumps, rows)))
    importer = Importer(node.database, node.publisher, lambda: NOW)
    options = ImportOptions(audiences=("eu-desk", "us-desk"))
    report = importer.import_file(file, options)
    assert (report.imported, report.notice) == (3, None)
    both = [listed(node, log_of(node, name)) for name in ("eu-desk", "us-desk")]
    assert both[0] == both[1]
    assert len(both[0]) == 3
    assert listed(node, own_log(node)) == set()
    assert importer.import_file(file, options).imported == 0
    file.write_text(json.dumps(rows[0] | {"audiences": ["eu-desk"]}))
    with pytest.raises(RequestError, match="a line names no audiences"):
        importer.import_file(file)
    with pytest.raises(NotFoundError):
        importer.import_file(file, ImportOptions(audiences=("nobody",)))


@pytest.mark.parametrize("audiences", ["eu-desk", [1], {"eu-desk": 1}, ["a"] * 1_000])
def test_audiences_of_a_draft_have_their_form(audiences: object) -> None:
    fields = {"content": "image", "signals": [{"type": "sha256", "value": "0" * 64}], "audiences": audiences}
    with pytest.raises(RequestError, match="is no array of names"):
        draft_of_fields(fields)
    assert draft_of_fields(fields | {"audiences": ["eu-desk"]}).audiences == ("eu-desk",)
