"""Keys are rotated and revoked while peers pull five times a second and look up as often: nothing is ever missed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from hashpact_keys.rotation import DATED_ROWS, LOG_ROWS, dated_keys, named_keys
from hashpact_keys.rows import RowName
from hashpact_node import clock
from hashpact_node.assembly import Node, open_node, open_settings
from hashpact_node.net import peer_logs
from hashpact_node.services import card_bell, trusting
from hashpact_node.services.log_trust import accepted_cards, card_of, log_trust
from hashpact_node.services.polling import WAITING
from hashpact_node.services.witness_lines import valid_cosignature
from hashpact_node.store.alarms import list_alarms
from hashpact_node.store.logs import find_log
from hashpact_node.store.peers import find_own, get_peer
from hashpact_protocol.card import Card
from hashpact_protocol.errors import SignatureError
from hashpact_protocol.follow import Judged, judge_checkpoint
from hashpact_protocol.notes import (
    Note,
    NoteSignature,
    cosignature,
    cosignature_message,
    format_note,
    parse_note,
)
from hashpact_protocol.witness import format_signatures
from material import drafts
from nodes import PASSPHRASE, MakeNode, TestNode, follow, wait_until
from serving import serving

pytestmark = pytest.mark.parametrize("kind", ["sqlite"])  # what the databases do is tested with each part

SECONDS = 600.0
PAUSE = 0.2
HINT = timedelta(seconds=1)
"""How often peers in this process look again on a hint: a minute is more than a test has."""


def publish(node: TestNode, *listings: dict[str, Any]) -> None:
    body = "\n".join(json.dumps(listing) for listing in listings)
    answer = node.post("/v1/listings", content=body, headers={"content-type": "application/x-ndjson"})
    assert answer.status_code in (200, 201), answer.text


def told(node: TestNode, *words: str) -> dict[str, Any]:
    done = node.command(*words, "--json")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert not answer.get("notes"), answer
    return answer


@contextmanager
def here(of: TestNode) -> Iterator[Node]:
    """Open a node in this process, where a test can look into it."""
    node = open_node(open_settings(of.home, of.environment), PASSPHRASE.encode)
    try:
        yield node
    finally:
        node.close()


def card_here(node: Node, member: str) -> Card:
    """Give the card of a member that is in force at a node."""
    with node.database.read() as connection:
        own = find_own(connection)
        return card_of(own if own is not None and own.member == member else get_peer(connection, member))


def matches(node: Node, listing: dict[str, Any]) -> bool:
    signal = listing["signals"][1]
    return node.matcher.match([(signal["type"], signal["value"])])[0].action in ("review", "block")


@dataclass
class Busy:
    """Pulls and looks up again and again, and keeps what went wrong."""

    node: Node
    listed: list[dict[str, Any]]
    pulls: int = 0
    lookups: int = 0
    wrong: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self, *members: str) -> Iterator[None]:
        threads = [
            threading.Thread(target=self._often, args=(lambda member=member: self._pull(member),)) for member in members
        ]
        threads.append(threading.Thread(target=self._often, args=(self._look_up,)))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.end()
            for thread in threads:
                thread.join()

    def end(self) -> None:
        """Begin nothing more."""
        self._over.set()

    def _often(self, work: Callable[[], None]) -> None:
        while not self._over.wait(PAUSE):
            try:
                work()
            except Exception as error:  # noqa: BLE001  # what the test is to see
                self.wrong.append(repr(error))

    def _pull(self, member: str) -> None:
        pulled = self.node.puller.pull(member, wait_seconds=SECONDS)
        self.pulls += 1
        self.wrong += [f"{member}: {error!r}" for error in pulled.errors]

    def _look_up(self) -> None:
        for listing in list(self.listed):
            self.lookups += 1
            if not matches(self.node, listing):
                self.wrong.append(f"not found: {listing['signals'][1]}")


def names_of(acme: TestNode) -> list[str]:
    answer = acme.get("/logs/listings-1/checkpoint")
    assert answer.status_code == 200, answer.text
    signatures = parse_note(answer.content).signatures
    return [one.name.removeprefix(acme.url.removeprefix("http://")) for one in signatures]


def judged_by(reader: Node, acme: TestNode, *lines: NoteSignature) -> Judged:
    """Let a reader that asks for one other cosignature judge what acme shows, with these alone as those of others."""
    shown = parse_note(acme.get("/logs/listings-1/checkpoint").content)
    own = [one for one in shown.signatures if one.name.startswith(acme.url.removeprefix("http://"))]
    with reader.database.read() as connection:
        log = find_log(connection, acme.origin)
        cards = accepted_cards(connection)
    assert log is not None
    return judge_checkpoint(
        format_note(Note(shown.text, (*own, *lines))),
        log_trust(log, cards, reader=reader.member),
        held=None,
        accepted_note=None,
        root_at=lambda _size: None,
        now=clock.now(),
        require_witnesses=1,
    )


@dataclass
class Drill:
    """Acme, whose keys change, in processes of its own, with two readers of which one asks for a witness, the other."""

    acme: TestNode
    beta: Node
    gamma: Node
    listings: Iterator[dict[str, Any]]
    listed: list[dict[str, Any]] = field(default_factory=list)
    begins: int = 0

    def keys(self, *words: str) -> dict[str, Any]:
        return told(self.acme, "keys", *words)

    def card(self) -> Card:
        """Give the card of acme that is in force, once both readers have it."""
        self.all_know()
        return card_here(self.gamma, "acme")

    def publish_one(self) -> None:
        """Publish, and wait until both readers have it."""
        listing = next(self.listings)
        publish(self.acme, listing)
        wait_until(lambda: matches(self.gamma, listing) and matches(self.beta, listing), seconds=SECONDS)
        self.listed.append(listing)

    def all_know(self) -> None:
        """Wait until both readers have the card that is in force."""
        wait_until(
            lambda: all(self.version_at(node) == self.version() for node in (self.beta, self.gamma)), seconds=SECONDS
        )

    def version(self) -> int:
        answer = self.acme.get("/logs/listings-1/checkpoint")
        assert answer.status_code == 200, answer.text
        return int(answer.headers["hashpact-card"])

    def version_at(self, node: Node) -> int | None:
        with node.database.read() as connection:
            return get_peer(connection, "acme").card_version

    def acme_knows_beta(self) -> None:
        """Wait until acme has the card of beta that is in force: by others it takes no cosignatures from it."""
        version = self.beta.card_bell.version()

        def has_it() -> bool:
            cards = self.acme.get("/witness/cards").json()["cards"]
            return {"beta": version}.items() <= {one["member"]: one["version"] for one in cards}.items()

        wait_until(has_it, seconds=SECONDS)

    def rotate(self) -> None:
        for row in LOG_ROWS:
            self.keys("rotate", row.value)
            assert len(named_keys(self.card(), row)) == 2
        assert names_of(self.acme)[:2] == ["/logs/listings-1", "/logs/listings-1"]
        begins = [self.keys("rotate", row.value, "--overlap", "0.004")["at"] for row in DATED_ROWS]
        theirs = self.beta.rotating.rotate(RowName.WITNESS, overlap=timedelta(seconds=10))
        self.begins = max(*begins, theirs.at or 0)
        self.all_know()
        self.acme_knows_beta()
        self.publish_one()

    def finish(self) -> None:
        for row in LOG_ROWS:
            self.keys("rotate", row.value, "--finish", "--at-once")
            assert len(named_keys(self.card(), row)) == 1
        self.all_know()
        self.publish_one()
        wait_until(lambda: clock.now().timestamp() > self.begins, seconds=SECONDS)
        self.publish_one()
        assert names_of(self.acme)[:2] == ["/logs/listings-1", "/witness-2"]

    def revoke(self) -> None:
        old = named_keys(self.card(), RowName.REQUEST)
        text, by_thief = self.steal()
        # Until it is revoked, what the thief signs is beta's word.
        assert judged_by(self.gamma, self.acme, by_thief).cosigners == {"beta"}
        for row in DATED_ROWS:
            self.keys("revoke", row.value)
        assert names_of(self.acme)[:2] == ["/logs/listings-1", "/witness-3"]
        self.beta.rotating.revoke(RowName.WITNESS)
        self.all_know()
        self.acme_knows_beta()
        wait_until(lambda: card_here(self.gamma, "beta") == card_here(self.beta, "beta"), seconds=SECONDS)
        assert not named_keys(card_here(self.gamma, "acme"), RowName.REQUEST) & old
        assert len(dated_keys(card_here(self.gamma, "acme"), RowName.WITNESS)) == 1
        # Now it is nobody's, whatever time it says.
        assert judged_by(self.gamma, self.acme, by_thief).cosigners == set()
        with pytest.raises(SignatureError):
            valid_cosignature(card_here(self.gamma, "beta"), text, format_signatures((by_thief,)), clock.now())
        self.publish_one()

    def steal(self) -> tuple[bytes, NoteSignature]:
        """Cosign what acme shows as whoever stole beta's witness key."""
        key, signer = self.beta.keyring.witness_key(card_here(self.beta, "beta"), clock.now())
        text = parse_note(self.acme.get("/logs/listings-1/checkpoint").content).text
        at = int(clock.now().timestamp())
        return text, cosignature(key, at, signer.sign(cosignature_message(text, at)))


def test_every_row_is_rotated_and_revoked_while_peers_pull(make: MakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trusting, "TRUST_HINT_INTERVAL", HINT)
    monkeypatch.setattr(card_bell, "TRUST_HINT_INTERVAL", HINT)
    for name in ("CHECKPOINT_DEADLINE_SECONDS", "TILE_DEADLINE_SECONDS"):  # a busy machine is nothing that went wrong
        monkeypatch.setattr(peer_logs, name, SECONDS)
    acme, of_beta = make("acme"), make("beta")
    of_gamma, of_delta = make("gamma", HASHPACT_REQUIRE_WITNESSES="1"), make("delta")
    told(acme, "logs", "open", "crisis")
    acme.start()
    with ExitStack() as stack:
        beta, gamma, delta = (stack.enter_context(here(one)) for one in (of_beta, of_gamma, of_delta))
        stack.enter_context(serving(beta, schedule=True, port=of_beta.port))
        stack.enter_context(serving(gamma, schedule=True, port=of_gamma.port))
        for node in (beta, gamma, delta):
            follow(node, acme)
        follow(gamma, of_beta)
        follow(beta, of_gamma)
        acme.follow(of_beta)
        acme.follow(of_gamma)
        assert delta.puller.pull("acme").errors == []  # which then hears nothing until the end
        drill = Drill(acme, beta, gamma, iter(drafts(20)))
        drill.publish_one()
        with gamma.database.write() as connection:
            connection.execute(text("DELETE FROM alarm"))  # of before the others knew gamma
        busy = Busy(gamma, drill.listed)
        with busy.running("acme", "beta"):
            drill.rotate()
            drill.finish()
            drill.revoke()
            wait_until(lambda: busy.pulls > 20 and busy.lookups > 20, seconds=SECONDS)
        assert busy.wrong == []
        with gamma.database.read() as connection:
            assert {alarm.code for alarm in list_alarms(connection, cleared=True)} <= {WAITING}
        assert delta.puller.pull("acme").errors == []
        assert drill.version_at(delta) == drill.version()
        assert {of.digest(acme) for of in (of_beta, of_gamma)} == {acme.digest(acme)}
        assert all(matches(delta, listing) for listing in drill.listed)
