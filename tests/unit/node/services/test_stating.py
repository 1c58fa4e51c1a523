from __future__ import annotations

from collections.abc import Sequence

import pytest

from hashpact_node.services.drafts import ListingDraft, new_id
from hashpact_node.services.stating import Stating
from hashpact_node.services.succession import Succession
from hashpact_node.store.connection import Connection
from hashpact_node.store.logs import find_log
from hashpact_node.store.queue import count_entries
from hashpact_protocol.card_logs import LogKind
from hashpact_protocol.errors import ConflictError, NotFoundError, StatementError
from hashpact_protocol.statements import Incident, Opinion, WellFormed
from members import TIME, sha256, uuid_of
from own_member import NOW, OwnMember


def stating(acme: OwnMember) -> Stating:
    succession = Succession(acme.database, acme.releaser.locks, acme.keyring, acme.releaser, lambda: NOW)
    return Stating(acme.database, acme.publisher, succession, lambda: NOW)


def opinion(verdict: str = "agree") -> Opinion:
    return Opinion(new_id(), TIME, "beta", "listings", uuid_of(1), "ab" * 32, verdict)


def incident() -> Incident:
    return Incident(new_id(), TIME, uuid_of(7), "proposed")


@pytest.mark.parametrize(
    ("kind", "statement"), [(LogKind.OPINIONS, opinion()), (LogKind.CRISIS, incident())], ids=["opinions", "crisis"]
)
def test_a_log_is_opened_once_and_takes_statements_of_its_kind(
    acme: OwnMember, kind: LogKind, statement: WellFormed
) -> None:
    states = stating(acme)
    assert not states.is_open(kind)
    opened = states.open(kind)
    assert opened is not None
    assert opened.opened == f"acme.example/logs/{kind.value}-1"
    assert opened.closed is None
    assert states.is_open(kind)
    assert states.open(kind) is None  # it stays the one that is open
    (told,) = states.publish(kind, lambda _: [statement])
    assert (told.id, told.origin, told.index, told.size, told.notice) == (statement.id, opened.opened, 0, 1, None)
    with acme.database.read() as connection:
        log = find_log(connection, told.origin)
    assert log is not None
    assert (log.held_size, log.quarantined) == (1, 0)


def test_without_such_a_log_it_is_said_how_to_open_one(acme: OwnMember) -> None:
    with pytest.raises(NotFoundError, match="no open log of kind opinions") as caught:
        stating(acme).publish(LogKind.OPINIONS, lambda _: [opinion()])
    assert "hashpact logs open opinions" in (caught.value.mend or "")


def test_what_cannot_be_made_or_has_no_place_there_stores_nothing(acme: OwnMember) -> None:
    states = stating(acme)
    states.open(LogKind.OPINIONS)

    def refuse(_: Connection) -> Sequence[WellFormed]:
        raise ConflictError("not today")

    with pytest.raises(ConflictError, match="not today"):
        states.publish(LogKind.OPINIONS, refuse)
    with pytest.raises(StatementError, match="no place in a log of kind opinions"):
        states.publish(LogKind.OPINIONS, lambda _: [opinion(), incident()])
    assert states.publish(LogKind.OPINIONS, lambda _: []) == []
    with acme.database.read() as connection:
        assert count_entries(connection) == 0


def test_what_nobody_releases_is_told_and_stays(acme: OwnMember) -> None:
    stating(acme).open(LogKind.OPINIONS)
    succession = Succession(acme.database, acme.releaser.locks, acme.keyring, acme.releaser, lambda: NOW)
    lazy = Stating(acme.database, acme.lazy_publisher(), succession, lambda: NOW)
    (told,) = lazy.publish(LogKind.OPINIONS, lambda _: [opinion()])
    assert told.index is None
    assert "it is stored" in (told.notice or "")
    (unwaited,) = lazy.publish(LogKind.OPINIONS, lambda _: [opinion()], wait=False)
    assert (unwaited.index, unwaited.notice) == (None, None)
    with acme.database.read() as connection:
        assert count_entries(connection) == 2


def test_listings_go_on_beside_it(acme: OwnMember) -> None:
    stating(acme).open(LogKind.OPINIONS)
    (published,) = acme.publisher.publish([ListingDraft("image", (sha256(1),))])
    assert acme.publisher.listing(published.id).names == ("listings",)
    with pytest.raises(StatementError, match="no place"):
        acme.publisher.publish([ListingDraft("image", (sha256(2),))], log_name="opinions")
