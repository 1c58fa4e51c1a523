from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from desk import MEMBERS, listed, log_of, open_desk, own_log
from hashpact_keys.rotation import named_keys, open_logs
from hashpact_keys.rows import RowName
from hashpact_node.assembly import Node
from hashpact_node.services.audiences import audience_names, log_names
from hashpact_node.services.beyond import Cut, logs_of_row, suspects
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.key_status import key_status
from hashpact_node.services.rotation_state import rotations_under_way
from hashpact_node.services.views import own_card
from hashpact_node.store.alarms import list_alarms
from hashpact_node.store.database import Database
from hashpact_node.store.logs import find_log
from hashpact_node.store.peers import REMOVED, get_peer, set_state
from hashpact_node.store.signals import find_signals
from hashpact_protocol.card import Card, encode_card
from hashpact_protocol.claims import unpack_claims
from hashpact_protocol.errors import ConflictError, NotFoundError, RequestError
from hashpact_protocol.notes import parse_checkpoint, parse_note, verify_note
from members import sha256
from own_member import NOW

pytestmark = pytest.mark.usefixtures("quick_keys")


@pytest.fixture
def node(database: Database, database_url: str, tmp_path: Path) -> Iterator[Node]:
    with open_desk(database, tmp_path / "home", database_url) as node:
        yield node


@pytest.fixture
def sqlite_node(sqlite_database: Database, tmp_path: Path) -> Iterator[Node]:
    with open_desk(sqlite_database, tmp_path / "home", sqlite_database.where) as node:
        yield node


def card(node: Node) -> Card:
    with node.database.read() as connection:
        return own_card(connection)


def claimed(node: Node, number: int) -> int:
    """Count who claims a signal."""
    key = sha256(number).key
    with node.database.read() as connection:
        row = find_signals(connection, [key]).get(key)
    return len(unpack_claims(row.claims)) if row else 0


def publish(node: Node, number: int, *audiences: str) -> str:
    (done,) = node.publisher.publish([ListingDraft("image", (sha256(number),), audiences=audiences)])
    assert done.notice is None
    return done.id


def test_an_audience_has_a_log_with_a_key_of_its_own(node: Node) -> None:
    before = card(node)
    view = node.audiences.create("eu-desk", ["beta", "gamma"])
    assert (view.name, view.readers, view.size, view.live) == ("eu-desk", ("beta", "gamma"), 0, 0)
    (log,) = [one for one in card(node).logs if one not in before.logs]
    assert (log.name, log.origin) == (view.log, view.origin)
    assert log.origin == f"acme.example/logs/{view.log}-1"
    named = {key.public for one in before.logs for key in one.keys}
    assert {key.public for key in log.keys} & named == set()
    one = publish(node, 1, "eu-desk")
    row = log_of(node, "eu-desk")
    assert listed(node, row) == {one}
    note = parse_note(row.accepted_note or b"")
    verify_note(note, log.keys)
    assert parse_checkpoint(note.text).size == 1
    assert node.audiences.show("eu-desk").live == 1
    assert claimed(node, 1) == 1, "what is listed for some counts here like all that is ours"
    assert listed(node, own_log(node)) == set()


def test_the_card_says_nothing_of_it_but_random_letters(sqlite_node: Node) -> None:
    names: list[str] = []
    for name in ("eu-desk", "us-desk"):
        view = sqlite_node.audiences.create(name, ["beta"])
        publish(sqlite_node, len(names), name)
        names.append(view.log.removeprefix("listings-"))
    text = encode_card(card(sqlite_node)).decode()
    for word in (*MEMBERS, "desk", "final", "fresh"):
        assert word not in text
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in names)
    assert names[0] != names[1]


def test_an_audience_that_ends_leaves_nothing_behind(node: Node) -> None:
    view = node.audiences.create("eu-desk", ["beta"])
    publish(node, 1, "eu-desk")
    publish(node, 2)
    node.publisher.publish([ListingDraft("image", (sha256(3),), audiences=("eu-desk",))], wait=False)
    row = log_of(node, "eu-desk")
    done = node.audiences.close("eu-desk")
    assert done.notes == ()
    assert [log.name for log in card(node).logs if log.name == view.log] == []
    assert "final" not in encode_card(card(node)).decode(), "no size of it is told"
    assert (claimed(node, 1), claimed(node, 2)) == (0, 1)
    assert node.releaser.waiting() == []
    assert view.log not in node.places
    assert not (node.settings.home / "keys" / f"{view.log}.key").exists()
    with node.database.read() as connection:
        assert list_alarms(connection) == []
        left = find_log(connection, row.origin)
    assert left is not None
    assert not left.named
    with pytest.raises(NotFoundError):
        publish(node, 4, "eu-desk")
    with pytest.raises(NotFoundError):
        node.audiences.close("eu-desk")
    (ended,) = node.audiences.list(closed=True)
    assert (ended.closed_at, ended.origin) == (int(NOW.timestamp()), None)
    assert node.audiences.list() == []
    again = node.audiences.create("eu-desk", ["beta"])
    assert again.log != view.log


def test_its_members_come_and_go(sqlite_node: Node) -> None:
    audiences = sqlite_node.audiences
    audiences.create("eu-desk", ["beta"])
    before = card(sqlite_node)
    assert audiences.add_members("eu-desk", ["gamma", "delta"]).readers == ("beta", "delta", "gamma")
    assert audiences.remove_members("eu-desk", ["beta", "delta"]).readers == ("gamma",)
    with pytest.raises(NotFoundError, match="beta does not belong"):
        audiences.remove_members("eu-desk", ["gamma", "beta"])
    with pytest.raises(NotFoundError, match="omega"):
        audiences.add_members("eu-desk", ["omega"])
    with pytest.raises(NotFoundError, match="us-desk"):
        audiences.add_members("us-desk", ["beta"])
    assert audiences.show("eu-desk").readers == ("gamma",)
    assert card(sqlite_node) == before, "who reads it is nobody's business"


@pytest.mark.parametrize("name", ["", "-a", "A", "a_b", "a" * 64, "everybody", "ü"])
def test_a_name_has_its_form(sqlite_node: Node, name: str) -> None:
    with pytest.raises(RequestError, match="no audience can be named"):
        sqlite_node.audiences.create(name, ["beta"])


def test_what_cannot_be_made_leaves_nothing(sqlite_node: Node) -> None:
    audiences, before = sqlite_node.audiences, card(sqlite_node)
    with sqlite_node.database.write() as connection:
        set_state(connection, get_peer(connection, "delta").number, REMOVED)
    for members in (["omega"], ["beta", "delta"], ["acme"]):
        with pytest.raises(NotFoundError, match=f"{members[-1]!r} is followed"):
            audiences.create("eu-desk", members)
    with pytest.raises(RequestError, match="has members"):
        audiences.create("eu-desk", [])
    with pytest.raises(RequestError, match="signs already"):
        audiences.create("eu-desk", ["beta"], uri="file:keys/release.key")
    assert (audiences.list(), card(sqlite_node)) == ([], before)
    assert not any(name.startswith("listings-") for name in sqlite_node.places)
    audiences.create("eu-desk", ["beta"], uri="file:keys/desk.key")
    assert (sqlite_node.settings.home / "keys/desk.key").exists()
    with pytest.raises(ConflictError, match="eu-desk already"):
        audiences.create("eu-desk", ["gamma"])
    assert audiences.show("eu-desk").readers == ("beta",)


def test_keys_of_audiences_are_no_rotation_of_the_release_key(sqlite_node: Node) -> None:
    sqlite_node.audiences.create("eu-desk", ["beta"])
    before = {log.name: log.keys for log in card(sqlite_node).logs}
    log_name = sqlite_node.audiences.show("eu-desk").log
    assert len(named_keys(card(sqlite_node), RowName.RELEASE)) == 1
    assert log_name not in {log.name for log in open_logs(card(sqlite_node), RowName.RELEASE)}
    assert rotations_under_way(sqlite_node.database, sqlite_node.places, NOW) == []
    sqlite_node.rotating.rotate(RowName.RELEASE)
    sqlite_node.rotating.finish(RowName.RELEASE, at_once=True)
    after = {log.name: log.keys for log in card(sqlite_node).logs}
    assert after[log_name] == before[log_name]
    assert after["listings"] != before["listings"]
    publish(sqlite_node, 1, "eu-desk")


def test_the_state_of_keys_knows_those_of_audiences(sqlite_node: Node) -> None:
    sqlite_node.audiences.create("eu-desk", ["beta"])
    home = sqlite_node.settings.home
    for now in (NOW, NOW + timedelta(days=1_500)):
        status = key_status(sqlite_node.database, sqlite_node.places, home=home, now=now)
        assert [key.row for key in status.keys].count(RowName.RELEASE) == 2
        assert not {"key-missing", "key-not-named", "rotation-unfinished"} & {one.code for one in status.findings}


def test_its_log_ends_and_begins_as_a_whole(sqlite_node: Node) -> None:
    name = sqlite_node.audiences.create("eu-desk", ["beta"]).log
    for change in (sqlite_node.succession.close, sqlite_node.succession.open):
        with pytest.raises(RequestError, match="tells everybody its size"):
            change(name)
    with pytest.raises(RequestError, match="tells everybody its size"):
        sqlite_node.succession.open(name, fresh=True)
    with pytest.raises(RequestError, match="tells everybody its size"):
        sqlite_node.succession.open("listings-europe")
    with sqlite_node.database.read() as connection:
        assert name not in {log.name for log in logs_of_row(connection, RowName.RELEASE)}
        with pytest.raises(RequestError, match="a key of its own"):
            suspects(connection, name, Cut())


def test_only_an_erasure_makes_a_successor(sqlite_node: Node) -> None:
    sqlite_node.audiences.create("eu-desk", ["beta"])
    one, kept = publish(sqlite_node, 1, "eu-desk"), publish(sqlite_node, 2, "eu-desk")
    sqlite_node.publisher.withdraw(one, "law", erase=True)
    before = log_of(sqlite_node, "eu-desk")
    done = sqlite_node.succession.open(before.name, fresh=True)
    assert (done.closed, done.erased) == (before.origin, (one,))
    after = log_of(sqlite_node, "eu-desk")
    assert after.origin.endswith("-2")
    assert listed(sqlite_node, after) == {kept}
    publish(sqlite_node, 3, "eu-desk")


def test_names_lead_to_logs_and_back(sqlite_node: Node) -> None:
    name = sqlite_node.audiences.create("eu-desk", ["beta"]).log
    with sqlite_node.database.read() as connection:
        assert log_names(connection, ["eu-desk", "everybody", "eu-desk"]) == [name, "listings"]
        assert audience_names(connection) == {"listings": "everybody", name: "eu-desk"}
        with pytest.raises(NotFoundError):
            log_names(connection, ["everybody", "us-desk"])
