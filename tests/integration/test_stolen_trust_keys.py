"""Thieves of the keys that a root names, played against a peer: what they can do, how it shows, and how it ends.

The thief stands between acme and a reader: he answers at acme's address whatever he likes. Each drill ends with the
commands of docs/keys.md, after which the thief, who goes on trying, reaches nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from tuf.api.metadata import Metadata, Role, Targets, Timestamp  # type: ignore[attr-defined]  # documented names

from hashpact_keys.rows import RowName, TrustRole
from hashpact_keys.signers import TrustSigner
from hashpact_keys.trust import TrustSigners, describe, publish_card, renew_online
from hashpact_keys.trust_files import TIMESTAMP_FILE, TrustFiles, newest, versioned, versions
from hashpact_node import clock
from hashpact_node.assembly import Node, open_node, open_settings
from hashpact_node.services.own_cards import own_trust
from hashpact_node.services.views import own_peer
from hashpact_node.store.peers import get_peer, record_trust_check
from hashpact_node.store.trust import load_files
from hashpact_protocol.card import encode_card
from nodes import PASSPHRASE, MakeNode, TestNode, follow
from proxy import Proxy
from serving import serving
from unit.keys.ceremonies import change, people, signed
from unit.keys.trust_simulator import new_signer

# What is tried here goes by files alone; ceremonies themselves are tried on both kinds of databases.
pytestmark = pytest.mark.parametrize("kind", ["sqlite"])


class Thief(Proxy):
    """Passes on what acme answers, until he has files of his own to answer with; paths below the member's URL."""

    def __init__(self, port: int, behind: int) -> None:
        super().__init__(port, behind)
        self.files: TrustFiles | None = None

    def ask(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Answer with the thief's trust repository, and with acme's logs."""
        if self.files is None or not path.startswith("/trust/"):
            return super().ask(path, headers)
        self.asked.append(path)
        place, _, name = path.removeprefix("/trust/").partition("/")
        data = self.files.get((place, name))
        return (404, {}, b"none") if data is None else (200, {}, data)


@dataclass
class Stage:
    """acme, a thief before it, and beta, who reads acme through the thief."""

    acme: Node
    beta: Node
    thief: Thief

    def files(self) -> TrustFiles:
        """What acme publishes."""
        with self.acme.database.read() as connection:
            return own_trust(connection).files

    def held(self) -> TrustFiles:
        """What beta trusts of acme."""
        with self.beta.database.read() as connection:
            return load_files(connection, get_peer(connection, "acme").number)

    def look(self) -> dict[str, Any] | None:
        """Let beta look at acme's trust repository now; what it complains of."""
        with self.beta.database.read() as connection:
            peer = get_peer(connection, "acme")
        return self.beta.trusting.refresh(peer).trust_error

    def let_time_pass(self) -> None:
        """Let beta have looked at acme two minutes ago."""
        with self.beta.database.write() as connection:
            number = get_peer(connection, "acme").number
            record_trust_check(connection, number, now=clock.now() - timedelta(minutes=2), error=None)

    def card_version(self) -> int | None:
        """The version of acme's card that is in force at beta."""
        with self.beta.database.read() as connection:
            return get_peer(connection, "acme").card_version

    def own_version(self) -> int | None:
        """The version of the card that is in force at acme."""
        with self.acme.database.read() as connection:
            return own_peer(connection).card_version

    def steal(self, row: RowName) -> tuple[TrustSigner, ...]:
        """Copy the keys of a row."""
        return self.acme.keyring.trust_signers(row)


def opened(home: TestNode) -> Node:
    return open_node(open_settings(home.home, home.environment), PASSPHRASE.encode)


@contextmanager
def staged(acme: TestNode, beta: TestNode) -> Iterator[Stage]:
    with ExitStack() as stack:
        one, two = opened(acme), opened(beta)
        stack.callback(one.close)
        stack.callback(two.close)
        served = stack.enter_context(serving(one))
        thief = stack.enter_context(Thief(acme.port, served.port))
        one.awakening.alone = True
        one.upkeep.release_waiting()
        one.upkeep.renew_cosignatures()
        follow(two, acme)
        assert two.puller.pull("acme").errors == []
        yield Stage(one, two, thief)


@pytest.fixture
def stage(make: MakeNode) -> Iterator[Stage]:
    with staged(make("acme"), make("beta")) as one:
        yield one


def far_ahead(files: TrustFiles, signers: tuple[TrustSigner, ...], version: int = 2**50) -> TrustFiles:
    """The same files under a timestamp whose version nobody could ever pass."""
    timestamp: Metadata[Timestamp] = Metadata.from_bytes(files[TIMESTAMP_FILE])
    timestamp.signed.version = version
    timestamp.signatures.clear()
    for signer in signers:
        timestamp.sign(signer, append=True)
    return {**files, TIMESTAMP_FILE: timestamp.to_bytes()}


def revoke_online(stage: Stage) -> None:
    """What docs/keys.md says."""
    draft, done = stage.acme.ceremonies.rotate(RowName.ONLINE, revokes=True)
    assert done is not None
    assert draft.targets is not None


def test_the_thief_of_the_online_key_keeps_a_reader_on_an_old_card_until_the_root_names_another(stage: Stage) -> None:
    stolen, old = stage.steal(RowName.ONLINE), stage.files()
    stage.acme.rotating.rotate(RowName.WITNESS)  # a new card, which the thief withholds
    before = stage.card_version()
    stage.thief.files = far_ahead(renew_online(old, stolen, clock.now() + timedelta(hours=12)), stolen)
    assert stage.look() is None  # nothing shows in what he answers,
    assert stage.card_version() == before != stage.own_version()
    stage.thief.files = None  # but at the next honest answer it does: the timestamp runs back.
    assert stage.look() is not None
    assert stage.card_version() == before
    revoke_online(stage)
    assert stage.look() is None
    assert stage.card_version() == stage.own_version()
    after = stage.held()
    stage.thief.files = far_ahead(renew_online(old, stolen, clock.now() + timedelta(hours=12)), stolen, 2**51)
    assert stage.look() is not None
    assert stage.held() == after


def test_peers_who_compare_cards_notice_that_one_of_them_is_kept_behind(make: MakeNode) -> None:
    acme, beta, delta = make("acme"), make("beta"), make("delta")
    with staged(acme, beta) as stage, ExitStack() as stack:
        stolen, old = stage.steal(RowName.ONLINE), stage.files()
        stage.thief.files = renew_online(old, stolen, clock.now() + timedelta(hours=12))
        stage.acme.rotating.rotate(RowName.WITNESS)
        other = opened(delta)
        stack.callback(other.close)
        stack.enter_context(serving(other, port=delta.port))
        stage.thief.files, kept = None, stage.thief.files
        follow(other, acme)
        stage.thief.files = kept
        follow(stage.beta, delta)
        stage.beta.comparer.compare("delta")  # it looked a moment ago, so this may be no more than news
        assert not stage.beta.peering.show("acme").alarms
        stage.let_time_pass()
        stage.beta.comparer.compare("delta")
        assert "card-withheld" in {alarm.code for alarm in stage.beta.peering.show("acme").alarms}
        stage.thief.files = None
        revoke_online(stage)
        assert stage.look() is None
        stage.beta.comparer.compare("delta")
        assert "card-withheld" not in {alarm.code for alarm in stage.beta.peering.show("acme").alarms}


def thief_card(stage: Stage, targets: tuple[TrustSigner, ...], online: tuple[TrustSigner, ...]) -> TrustFiles:
    """A card of the thief's: acme has no logs any longer. Its version lies far ahead."""
    with stage.acme.database.read() as connection:
        trust = own_trust(connection)
    card = encode_card(replace(trust.card, logs=(), name="Thief"))
    later = clock.now() + timedelta(days=365 * 50)
    files = publish_card(trust.files, card, TrustSigners(online=online, targets=targets), later)
    number = versions(files, TrustRole.TARGETS)[-1]
    metadata: Metadata[Targets] = Metadata.from_bytes(files[versioned(TrustRole.TARGETS, number)])
    assert metadata.signed.version > clock.now().timestamp() + 10**9
    return files


def test_the_thief_of_the_targets_key_alone_reaches_nobody(stage: Stage) -> None:
    targets, before = stage.steal(RowName.TARGETS), stage.held()
    forged = thief_card(stage, targets, stage.steal(RowName.ONLINE))
    # Without the online key he can show his card under acme's own snapshot only, which names another.
    stage.thief.files = {**forged, TIMESTAMP_FILE: stage.files()[TIMESTAMP_FILE]}
    stage.look()
    assert stage.card_version() == stage.own_version()
    assert newest(stage.held(), TrustRole.ROOT) == newest(before, TrustRole.ROOT)


def test_the_thief_of_targets_and_online_keys_is_undone_by_a_root_that_names_others(stage: Stage) -> None:
    targets, online = stage.steal(RowName.TARGETS), stage.steal(RowName.ONLINE)
    stage.thief.files = thief_card(stage, targets, online)
    assert stage.look() is None
    codes = {alarm.code for alarm in stage.beta.peering.show("acme").alarms}
    assert "log-dropped" in codes  # that is how it shows
    # What docs/keys.md says: both keys are replaced in one ceremony; a root whose keys are safe decides.
    stage.acme.ceremonies.rotate(RowName.TARGETS)
    revoke_online(stage)
    again = stage.thief.files
    stage.thief.files = None
    told = stage.look()
    assert told is not None
    assert "went back" in told["what"]  # people are told, and the card counts
    assert stage.look() is None
    assert stage.card_version() == stage.own_version()
    assert b"Thief" not in describe(stage.held()).card
    assert stage.beta.puller.pull("acme").errors == []
    assert stage.beta.peering.show("acme").peer.card_version == stage.own_version()
    after = stage.held()
    stage.thief.files = again
    assert stage.look() is not None
    assert stage.held() == after


def test_one_root_key_of_three_is_nothing_by_itself(stage: Stage) -> None:
    """The thief of ann's key signs a root that names his keys alone: readers refuse it, and her key is replaced."""
    service, board = stage.acme.ceremonies, people("ann", "bob", "cem")
    first = service.sign_here(service.start({RowName.ROOT: change(board, 2)}))
    service.publish(signed(first, [board["ann"], board["bob"]]))
    assert stage.look() is None
    before, thief = stage.held(), new_signer()
    root: Metadata[Any] = Metadata.from_bytes(newest(before, TrustRole.ROOT) or b"")
    root.signed.version += 1
    root.signed.roles["root"] = Role([thief.public_key.keyid], 1)
    root.signed.keys[thief.public_key.keyid] = thief.public_key
    root.signatures.clear()
    for signer in (board["ann"], thief):
        root.sign(signer, append=True)
    forged = versioned(TrustRole.ROOT, 3)
    stage.thief.files = {**stage.files(), forged: root.to_bytes()}
    assert stage.look() is not None
    assert stage.held() == before
    # What docs/keys.md says: the two whose keys are safe sign for the old root and the new one.
    stage.thief.files = None
    new = people("ann", "bob", "cem") | {name: board[name] for name in ("bob", "cem")}
    draft = service.start({RowName.ROOT: change(new, 2)}, with_card=True)
    service.publish(signed(service.sign_here(draft), [board["bob"], board["cem"]]))
    assert stage.look() is None
    assert stage.card_version() == stage.own_version()
    after = stage.held()
    root.signed.version += 1
    root.signatures.clear()
    root.sign(board["ann"], append=True)
    root.sign(thief, append=True)
    stage.thief.files = {**stage.files(), versioned(TrustRole.ROOT, 4): root.to_bytes()}
    assert stage.look() is not None
    assert stage.held() == after


def test_a_reader_that_missed_three_hundred_roots_follows(stage: Stage) -> None:
    rotate: Callable[[RowName], object] = stage.acme.ceremonies.rotate
    for _ in range(3):
        rotate(RowName.ROOT)
    for _ in range(297):
        service = stage.acme.ceremonies
        service.publish(service.sign_here(service.start({})))
    assert stage.look() is None
    held: Mapping[tuple[str, str], bytes] = stage.held()
    assert versions(held, TrustRole.ROOT)[-1] == 301
    assert stage.beta.puller.pull("acme").errors == []
