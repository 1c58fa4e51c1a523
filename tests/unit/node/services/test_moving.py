from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from desk import listed, log_of, open_desk, own_log
from hashpact_node.assembly import Node
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.moving import Mover
from hashpact_node.services.placing import Wanted
from hashpact_node.services.publishing import Publisher
from hashpact_node.store.database import Database
from hashpact_node.store.queue import count_entries
from hashpact_protocol.errors import NotFoundError, RequestError, StatementError
from members import sha256, uuid_of
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


def count_everything(node: Node) -> int:
    with node.database.read() as connection:
        return count_entries(connection)


def last_reason(node: Node, audience: str) -> str:
    log = log_of(node, audience)
    with node.database.read() as connection:
        entry = json.loads(EntryReader(connection).entry(log.number, log.accepted_size - 1))
    assert entry["kind"] == "withdrawal"
    return str(entry["reason"])


def test_a_move_publishes_where_it_is_new_and_withdraws_elsewhere(node: Node) -> None:
    one = publish(node, 1)
    steps = [["eu-desk"], ["eu-desk", "us-desk"], ["us-desk"], ["us-desk"], ["everybody", "us-desk"], ["eu-desk"]]
    for audiences in steps:
        view = node.mover.move(one, Wanted(audiences))
        assert (view.state, view.notice) == ("released", None)
        assert places(node, one) == set(view.audiences) == set(audiences)
    assert last_reason(node, "us-desk") == "no-longer-shared"
    assert node.publisher.listing(one).listing.signals == (sha256(1),)
    node.mover.move(one, Wanted(["everybody"], "appeal"))
    assert last_reason(node, "eu-desk") == "appeal"


def test_a_move_is_stored_whole_or_not_at_all(node: Node) -> None:
    one, before = publish(node, 1, "eu-desk"), count_everything(node)
    for audiences, error in ((["us-desk", "nobody"], NotFoundError), ([], RequestError)):
        with pytest.raises(error):
            node.mover.move(one, Wanted(audiences))
    with pytest.raises(NotFoundError, match="no listing of ours"):
        node.mover.move(uuid_of(7), Wanted(["us-desk"]))
    with pytest.raises(StatementError):
        node.mover.move(one, Wanted(["us-desk"], "x" * 5_000))
    assert (count_everything(node), places(node, one)) == (before, {"eu-desk"})
    publisher = Publisher(node.database, node.releaser, lambda: NOW, releases=False, wait_seconds=0.1)
    lazy = Mover(node.database, publisher, lambda: NOW)
    view = lazy.move(one, Wanted(["us-desk"]), wait=False)
    assert (view.state, view.audiences, view.notice) == ("queued", ("us-desk",), None)
    assert count_everything(node) == before + 2
    assert "waits to be released" in (lazy.move(one, Wanted(["everybody"])).notice or "")
    for number in node.releaser.waiting():
        node.releaser.release(number)
    assert places(node, one) == {"everybody"}


def test_all_listings_of_an_audience_move_on(node: Node) -> None:
    alone, shared = publish(node, 1, "eu-desk"), publish(node, 2, "everybody", "eu-desk")
    gone = publish(node, 3, "eu-desk")
    node.publisher.withdraw(gone, "error")
    assert node.mover.move_all("eu-desk", Wanted(["us-desk"])) == (2, None)
    found = [places(node, one) for one in (alone, shared, gone)]
    assert found == [{"us-desk"}, {"everybody", "us-desk"}, set()]
    assert node.mover.move_all("eu-desk", Wanted(["us-desk"])) == (0, None)
    assert node.mover.move_all("us-desk", Wanted(["us-desk", "eu-desk"])) == (2, None)
    assert places(node, alone) == {"eu-desk", "us-desk"}
    with pytest.raises(NotFoundError):
        node.mover.move_all("nobody", Wanted(["us-desk"]))
