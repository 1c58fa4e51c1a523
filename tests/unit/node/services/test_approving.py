"""Four eyes: nothing gets a place that nobody else approved."""

from __future__ import annotations

import json
import random
import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from desk import listed, log_of, open_desk, own_log
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.approving import Approving
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.imports import Importer
from hashpact_node.services.placing import Wanted
from hashpact_node.services.publishing import Publisher
from hashpact_node.services.release import Releaser
from hashpact_node.services.release_rules import HELD, ReleaseRules
from hashpact_node.services.undoing import Undoing
from hashpact_node.store.alarms import find_alarm
from hashpact_node.store.database import Database
from hashpact_node.store.erasures import list_erasures
from hashpact_node.store.queue import count_entries
from hashpact_protocol.errors import ConflictError, NotFoundError, RequestError, StatementError
from members import sha256
from own_member import NOW, OwnMember, found_member

ANN = Actor(ActorKind.TOKEN, "ann", "192.0.2.7")
BOB = Actor(ActorKind.TOKEN, "bob")
NOBODY = "00000000-0000-4000-8000-000000000000"


def four_eyed(acme: OwnMember) -> Approving:
    acme.releaser.rules = ReleaseRules(four_eyes=True)
    return Approving(acme.database, acme.publisher, lambda: NOW)


@pytest.fixture
def approving(acme: OwnMember) -> Approving:
    """Of a member under four eyes, once on each kind of database."""
    return four_eyed(acme)


@pytest.fixture
def sqlite_acme(sqlite_database: Database, tmp_path: Path) -> OwnMember:
    return found_member(sqlite_database, tmp_path / "home", sqlite_database.where)


def draft(number: int, **fields: object) -> ListingDraft:
    return ListingDraft("image", (sha256(number),), **fields)  # type: ignore[arg-type]  # a test


def shown(acme: OwnMember) -> list[bytes]:
    log = acme.log
    with acme.database.read() as connection:
        reader = EntryReader(connection)
        return [reader.entry(log.number, at) for at in range(log.accepted_size)]


def queued(acme: OwnMember) -> int:
    with acme.database.read() as connection:
        return count_entries(connection)


def test_what_one_proposes_another_approves(acme: OwnMember, approving: Approving) -> None:
    proposed = approving.propose([draft(1), draft(2, labels=("a:b",))], ANN)
    assert (proposed.state, proposed.kind, proposed.listings, proposed.log) == ("waiting", "listings", 2, "listings")
    assert (proposed.proposed_by.kind, proposed.proposed_by.name) == ("token", "ann")
    assert (queued(acme), shown(acme)) == (0, [])
    seen = approving.show(proposed.id)
    assert [one["signals"][0]["value"] for one in seen.statements] == [sha256(1).value, sha256(2).value]
    assert not seen.more
    with pytest.raises(ConflictError, match="whoever proposed this"):
        approving.approve(proposed.id, Actor(ActorKind.TOKEN, "ann", "192.0.2.99"))
    approved = approving.approve(proposed.id, BOB)
    assert (approved.state, approved.notice) == ("released", None)
    assert approved.decided_by is not None
    assert approved.decided_by.name == "bob"
    assert [json.loads(entry) for entry in shown(acme)] == list(seen.statements)  # exactly what was looked at
    assert approving.show(proposed.id).statements == ()
    assert approving.drafts() == []
    assert [one.id for one in approving.drafts(None)] == [proposed.id]


def test_a_second_yes_changes_nothing(acme: OwnMember, approving: Approving) -> None:
    proposed = approving.propose([draft(1)], ANN)
    approving.approve(proposed.id, BOB, wait=False)  # and the answer is lost
    assert (queued(acme), shown(acme)) == (1, [])
    assert approving.approve(proposed.id, BOB).state == "released"
    assert approving.approve(proposed.id, BOB).state == "released"
    assert len(shown(acme)) == 1
    with pytest.raises(ConflictError, match="approved already, by token bob"):
        approving.approve(proposed.id, Actor(ActorKind.COMMAND, "bob"))


def test_many_approve_at_once_and_it_is_published_once(acme: OwnMember, approving: Approving) -> None:
    proposed = approving.propose([draft(1)], ANN)
    won: list[str] = []

    def approve(name: str) -> None:
        with suppress(ConflictError):
            won.append(approving.approve(proposed.id, Actor(ActorKind.TOKEN, name)).id)

    threads = [threading.Thread(target=approve, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert (len(won), len(shown(acme)), queued(acme)) == (1, 1, 0)


def test_a_rejected_draft_is_never_published(acme: OwnMember, approving: Approving) -> None:
    proposed = approving.propose([draft(1)], ANN)
    rejected = approving.reject(proposed.id, BOB, "not ours")
    assert (rejected.state, rejected.reason) == ("rejected", "not ours")
    with pytest.raises(ConflictError, match="rejected already"):
        approving.approve(proposed.id, BOB)
    with pytest.raises(ConflictError, match="rejected already"):
        approving.reject(proposed.id, ANN, "again")
    own = approving.propose([draft(2)], ANN)
    assert approving.reject(own.id, ANN, "my mistake").state == "rejected"
    acme.releaser.release(acme.log.number)
    assert shown(acme) == []
    for unknown in (NOBODY, "7"):
        with pytest.raises(NotFoundError):
            approving.show(unknown)


def test_a_withdrawal_and_an_erasure_take_two(acme: OwnMember, approving: Approving) -> None:
    listed = approving.propose([draft(1)], ANN)
    approving.approve(listed.id, BOB)
    listing = json.loads(shown(acme)[0])["id"]
    first = approving.propose_withdrawal(listing, "law", ANN, erase=True)
    second = approving.propose_withdrawal(listing, "error", ANN)
    assert (first.kind, first.withdrawals, first.erase) == ("withdrawal", 1, True)
    assert acme.publisher.listing(listing).live
    with acme.database.read() as connection:
        assert list_erasures(connection) == []
    assert approving.approve(first.id, BOB).state == "released"
    assert not acme.publisher.listing(listing).live
    with acme.database.read() as connection:
        assert [one.reason for one in list_erasures(connection)] == ["law"]
    with pytest.raises(ConflictError, match="withdrawn already"):
        approving.approve(second.id, BOB)
    with pytest.raises(ConflictError, match="withdrawn already"):
        approving.propose_withdrawal(listing, "error", ANN)
    with pytest.raises(NotFoundError):
        approving.propose_withdrawal(NOBODY, "error", ANN)
    assert len(shown(acme)) == 2


def test_what_is_withdrawn_already_may_still_be_erased_by_two(acme: OwnMember, approving: Approving) -> None:
    approving.approve(approving.propose([draft(1)], ANN).id, BOB)
    listing = json.loads(shown(acme)[0])["id"]
    early = approving.propose_withdrawal(listing, "law", ANN, erase=True)
    approving.approve(approving.propose_withdrawal(listing, "error", ANN).id, BOB)
    for proposed in (early, approving.propose_withdrawal(listing, "other", ANN, erase=True)):
        with acme.database.read() as connection:
            before = [one.reason for one in list_erasures(connection)]
        approved = approving.approve(proposed.id, BOB)
        assert approved.state == "approved"
        with acme.database.read() as connection:
            assert [one.reason for one in list_erasures(connection)] != before
    assert (len(shown(acme)), queued(acme)) == (2, 0), "it is withdrawn once"


def test_an_old_draft_brings_nothing_back_that_two_have_withdrawn(acme: OwnMember, approving: Approving) -> None:
    approving.approve(approving.propose([draft(1)], ANN).id, BOB)
    listing = json.loads(shown(acme)[0])["id"]
    old = approving.propose([draft(1, id=listing, labels=("a:b",)), draft(2)], ANN)
    kept = approving.propose([draft(3)], ANN)
    approving.approve(approving.propose_withdrawal(listing, "error", ANN).id, BOB)
    with pytest.raises(ConflictError, match="withdrawn meanwhile") as caught:
        approving.approve(old.id, BOB)
    assert caught.value.where == listing
    assert not acme.publisher.listing(listing).live
    assert approving.show(old.id).draft.state == "waiting"
    approving.approve(kept.id, BOB)
    later = Approving(acme.database, acme.publisher, lambda: NOW + timedelta(seconds=1))
    anew = later.propose([draft(1, id=listing)], ANN)
    later.approve(anew.id, BOB)
    assert acme.publisher.listing(listing).live, "who proposes it anew knows that it was withdrawn"


def test_nothing_wrong_is_proposed(sqlite_acme: OwnMember) -> None:
    approving = four_eyed(sqlite_acme)
    with pytest.raises(StatementError, match="line 2"):
        approving.propose([draft(1), draft(2, expires="tomorrow")], ANN)
    with pytest.raises(RequestError, match="material of"):
        approving.propose([draft(1, origin="gifct")], ANN)
    with pytest.raises(NotFoundError):
        approving.propose([draft(1, id=NOBODY)], ANN)
    assert approving.drafts(None) == []
    chosen = approving.propose([draft(1)], ANN, identifier=NOBODY)
    assert approving.propose([draft(2)], ANN, identifier=NOBODY) == chosen  # asked again: once in all


def test_files_are_proposed_and_listed_once(sqlite_acme: OwnMember, tmp_path: Path) -> None:
    approving = four_eyed(sqlite_acme)
    files = []
    for name in ("one", "two"):
        files.append(tmp_path / f"{name}.bin")
        files[-1].write_bytes(name.encode())
    first = approving.propose_files(files[:1], ANN, content="other")
    late = approving.propose_files(files, ANN, content="other")
    assert first.draft is not None
    assert late.draft is not None
    assert (first.draft.title, late.draft.listings, late.listed) == ("one.bin", 2, {})
    approving.approve(first.draft.id, BOB)
    with pytest.raises(ConflictError, match="has been listed meanwhile"):
        approving.approve(late.draft.id, BOB)
    again = approving.propose_files(files, ANN, content="other")
    assert again.draft is not None
    assert (list(again.listed), again.draft.listings) == ([str(files[0])], 1)
    approving.approve(again.draft.id, BOB)
    nothing = approving.propose_files(files, ANN, content="other")
    assert (nothing.draft, len(nothing.listed)) == (None, 2)


def test_an_import_is_one_draft(
    acme: OwnMember, approving: Approving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashpact_node.services.imports.CHUNK_LINES", 40)
    path = tmp_path / "hashes.ndjson"
    lines = [{"content": "image", "signals": [{"type": "sha256", "value": f"{at:064x}"}]} for at in range(100)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    importer = Importer(acme.database, acme.publisher, lambda: NOW, proposer=ANN)

    def stop(_at: object) -> None:
        if approving.drafts() and approving.drafts()[0].listings == 80:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        importer.import_file(path, progress=stop)
    (half,) = approving.drafts()
    assert (half.state, half.listings) == ("writing", 80)
    with pytest.raises(ConflictError, match="not all of this import"):
        approving.approve(half.id, BOB)
    report = importer.import_file(path)
    assert (report.draft, report.imported, report.resumed) == (half.id, 20, 80)
    again = importer.import_file(path)
    assert (again.draft, again.imported) == (None, 0)
    assert approving.reject(half.id, BOB, "look at line 7").state == "rejected"
    anew = importer.import_file(path)
    assert anew.draft is not None
    assert anew.imported == 100
    assert approving.show(anew.draft).draft.title == "hashes.ndjson"
    assert approving.approve(anew.draft, BOB).state == "released"
    assert [json.loads(entry)["signals"][0]["value"] for entry in shown(acme)] == [f"{at:064x}" for at in range(100)]


def test_doors_that_forget_four_eyes_are_shut(sqlite_acme: OwnMember, tmp_path: Path) -> None:
    four_eyed(sqlite_acme)
    path = tmp_path / "hashes.ndjson"
    path.write_text("")
    publisher = sqlite_acme.publisher
    for publish in (
        lambda: publisher.publish([draft(1)]),
        lambda: publisher.publish_files([path]),
        lambda: publisher.withdraw(NOBODY, "error"),
        lambda: Importer(sqlite_acme.database, publisher, lambda: NOW).import_file(path),
    ):
        with pytest.raises(ConflictError, match="four_eyes is set"):
            publish()


def test_what_was_stored_unapproved_gets_no_place(acme: OwnMember) -> None:
    """A command whose environment says otherwise, or what waited when four_eyes was set."""
    acme.publisher.publish([draft(1)], wait=False)
    approving = four_eyed(acme)
    acme.releaser.release(acme.log.number)
    assert shown(acme) == []
    with acme.database.read() as connection:
        alarm = find_alarm(connection, HELD, log=acme.log.number)
    assert alarm is not None
    assert "no second person approved" in alarm.what
    proposed = approving.propose([draft(2)], ANN)
    approved = approving.approve(proposed.id, BOB)
    assert approved.state == "approved"
    assert approved.notice is not None
    assert "no second person approved" in approved.notice
    assert shown(acme) == []


def test_an_approved_draft_may_be_taken_back_before_it_has_a_place(sqlite_acme: OwnMember) -> None:
    approving = four_eyed(sqlite_acme)
    proposed = approving.propose([draft(1)], ANN)
    listing = approving.show(proposed.id).statements[0]["id"]
    approving.approve(proposed.id, BOB, wait=False)
    Undoing(sqlite_acme.database).undo(listing)
    assert approving.show(proposed.id).draft.state == "rejected"
    with pytest.raises(ConflictError, match="rejected already"):
        approving.approve(proposed.id, BOB)


@pytest.mark.usefixtures("quick_keys")
def test_a_draft_for_audiences_goes_to_their_logs_alone(sqlite_database: Database, tmp_path: Path) -> None:
    with open_desk(sqlite_database, tmp_path / "home", sqlite_database.where) as node:
        node.audiences.create("eu-desk", ["beta"])
        node.audiences.create("us-desk", ["gamma"])
        node.releaser.rules = ReleaseRules(four_eyes=True)
        both = {"audiences": ("eu-desk", "us-desk")}
        proposed = node.approving.propose([draft(1, **both), draft(2, audiences=("us-desk",))], ANN)
        assert (proposed.listings, proposed.state) == (3, "waiting")
        first, *_others = node.approving.show(proposed.id).statements
        assert node.approving.approve(proposed.id, BOB).state == "released"
        logs = [log_of(node, "eu-desk"), log_of(node, "us-desk"), own_log(node)]
        assert [len(listed(node, log)) for log in logs] == [1, 2, 0]
        with pytest.raises(ConflictError, match="four_eyes is set"):
            node.mover.move(first["id"], Wanted(["us-desk"]))
        withdrawal = node.approving.propose_withdrawal(first["id"], "error", ANN)
        assert withdrawal.withdrawals == 2
        assert node.approving.approve(withdrawal.id, BOB).state == "released"
        assert [len(listed(node, log)) for log in logs] == [0, 1, 0]


@pytest.mark.usefixtures("quick_keys")
def test_a_withdrawal_is_refused_once_the_listing_is_for_others(sqlite_database: Database, tmp_path: Path) -> None:
    with open_desk(sqlite_database, tmp_path / "home", sqlite_database.where) as node:
        node.audiences.create("eu-desk", ["beta"])
        (one,) = node.publisher.publish([draft(1)])
        proposed = node.approving.propose_withdrawal(one.id, "error", ANN)
        node.mover.move(one.id, Wanted(["everybody", "eu-desk"]))
        with pytest.raises(ConflictError, match="for others, too"):
            node.approving.approve(proposed.id, BOB)


@pytest.mark.parametrize("seed", range(3))
def test_law_nothing_has_a_place_that_nobody_else_approved(sqlite_acme: OwnMember, seed: int) -> None:
    """Whatever is proposed, decided, taken back and forced into the queue by a process without four eyes."""
    chance = random.Random(seed)
    approving = four_eyed(sqlite_acme)
    careless = Releaser(sqlite_acme.database, sqlite_acme.releaser.locks, sqlite_acme.keyring, lambda: NOW)
    forced = Publisher(sqlite_acme.database, careless, lambda: NOW)
    people = [Actor(kind, name) for kind in (ActorKind.TOKEN, ActorKind.COMMAND) for name in ("ann", "bob")]
    proposers: dict[str, Actor] = {}
    said_yes: set[str] = set()
    for step in range(60):
        who = chance.choice(people)
        waiting = approving.drafts()
        act = chance.choice(("propose", "propose", "approve", "approve", "reject", "undo", "release", "force"))
        if act == "propose":
            proposers[approving.propose([draft(step), draft(1_000 + step)], who).id] = who
        elif act == "force" and chance.random() < 0.3:
            forced.publish([draft(5_000 + step)], wait=False)
        elif act == "release":
            sqlite_acme.releaser.release(sqlite_acme.log.number)
        elif waiting:
            one = chance.choice(waiting)
            ids = {statement["id"] for statement in approving.show(one.id).statements}
            if act == "approve" and proposers[one.id] == who:
                with pytest.raises(ConflictError):
                    approving.approve(one.id, who)
            elif act == "approve":
                approving.approve(one.id, who, wait=chance.random() < 0.7)
                said_yes |= ids
            elif act == "reject":
                approving.reject(one.id, who, "no")
        assert {json.loads(entry)["id"] for entry in shown(sqlite_acme)} <= said_yes
    assert said_yes
