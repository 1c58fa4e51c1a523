"""What one lists the other has: published, withdrawn, restated, missed, and after restarts."""

from __future__ import annotations

import pytest

from hashpact_conformance.cases import Layer, case
from hashpact_conformance.pair.nodes import Node, Pair, fresh_claim

MERGE = "docs/protocol.md, Merge"
DIGEST = "docs/protocol.md, Digest"
KEPT = "docs/protocol.md, Reading: what is kept on failure"


@case(Layer.STATEMENTS, "What one publishes the other holds, and both tell the same digest", DIGEST)
def test_publish(pair: Pair, roles: tuple[Node, Node]) -> None:
    claim = fresh_claim()
    roles[0].publish(claim)
    pair.converge()
    pair.holds(roles[0], claim)


@case(
    Layer.STATEMENTS, "Signals of the type {kind} pass from one to the other as they are", "docs/protocol.md, Signals"
)
@pytest.mark.parametrize("kind", ["md5", "sha1", "sha512", "pdq", "tlsh", "url_sha256"])
def test_types(pair: Pair, kind: str) -> None:
    claim = fresh_claim(kind)
    pair.a.publish(claim)
    pair.b.pull()
    pair.holds(pair.a, claim)


@case(Layer.STATEMENTS, "What is withdrawn is gone from both", MERGE)
def test_withdraw(pair: Pair, roles: tuple[Node, Node]) -> None:
    claim, kept = fresh_claim(), fresh_claim()
    listing = roles[0].publish(claim)
    roles[0].publish(kept)
    pair.converge()
    pair.holds(roles[0], claim, kept)
    roles[0].withdraw(listing)
    pair.converge()
    pair.lacks(roles[0], claim)
    pair.holds(roles[0], kept)


@case(Layer.STATEMENTS, "What was withdrawn and is listed again is held again", MERGE)
def test_list_again(pair: Pair) -> None:
    claim = fresh_claim()
    pair.a.withdraw(pair.a.publish(claim))
    pair.converge()
    pair.a.publish(claim)
    pair.converge()
    pair.holds(pair.a, claim)


@case(Layer.STATEMENTS, "A hash that both list stands for each; one's withdrawal leaves the other's", MERGE)
def test_both_list(pair: Pair) -> None:
    claim = fresh_claim()
    listing = pair.a.publish(claim)
    pair.b.publish(claim)
    pair.converge()
    pair.holds(pair.a, claim)
    pair.holds(pair.b, claim)
    pair.a.withdraw(listing)
    pair.converge()
    pair.lacks(pair.a, claim)
    pair.holds(pair.b, claim)


@case(Layer.STATEMENTS, "One listed twice stays while one of the two listings lives", MERGE)
def test_listed_twice(pair: Pair) -> None:
    claim = fresh_claim()
    first = pair.a.publish(claim)
    second = pair.a.publish(claim)
    pair.a.withdraw(first)
    pair.converge()
    pair.holds(pair.a, claim)
    pair.a.withdraw(second)
    pair.converge()
    pair.lacks(pair.a, claim)


@case(Layer.STATEMENTS, "Nobody can withdraw what another lists", MERGE)
def test_foreign_withdrawal(pair: Pair) -> None:
    claim = fresh_claim()
    listing = pair.a.publish(claim)
    pair.converge()
    answer = pair.b.entrypoint.call("withdraw", "--listing", listing)
    assert answer.refused, f"{pair.b.member} withdraws a listing of {pair.a.member}"
    pair.converge()
    pair.holds(pair.a, claim)


@case(Layer.LOG, "A reader that missed several releases gets all of them at once", "docs/protocol.md, Reading: growing")
def test_missed_releases(pair: Pair, roles: tuple[Node, Node]) -> None:
    claims = [fresh_claim() for _ in range(4)]
    listings = [roles[0].publish(claim) for claim in claims]
    roles[0].withdraw(listings[1])
    pair.converge()
    pair.holds(roles[0], claims[0], *claims[2:])
    pair.lacks(roles[0], claims[1])


@case(Layer.LOG, "A reader that was down meanwhile catches up", "docs/protocol.md, Reading: growing")
def test_reader_down(pair: Pair) -> None:
    claims = [fresh_claim() for _ in range(3)]
    pair.b.command("stop")
    for claim in claims:
        pair.a.publish(claim)
    pair.b.command("start")
    pair.converge()
    pair.holds(pair.a, *claims)


@case(Layer.LOG, "Reading again without news changes nothing", DIGEST)
def test_nothing_new(pair: Pair) -> None:
    pair.converge()
    before = pair.b.export()
    pair.b.pull()
    assert pair.b.export() == before, "a pull without news changed what is held"


@case(Layer.LOG, "What a node tells as its digest of all is the digest of the two", DIGEST)
def test_export_digest(pair: Pair) -> None:
    pair.converge()
    for node in pair.both:
        told, asked = node.export().digest, node.digest(pair.a.member, pair.b.member)
        assert told == asked, f"{node.member} exports the digest {told}, and tells {asked}"


@case(Layer.LOG, "A publisher that is restarted goes on with its log", "docs/protocol.md, Logs: checkpoints")
def test_publisher_restarted(pair: Pair, roles: tuple[Node, Node]) -> None:
    before, after = fresh_claim(), fresh_claim()
    roles[0].publish(before)
    roles[0].command("restart")
    roles[0].publish(after)
    pair.converge()
    pair.holds(roles[0], before, after)


@case(Layer.LOG, "A reader that is restarted still holds what it held", KEPT)
def test_reader_restarted(pair: Pair) -> None:
    claim = fresh_claim()
    pair.a.publish(claim)
    pair.converge()
    held = pair.b.export()
    pair.b.command("restart")
    assert pair.b.export() == held, "a restart changed what is held"


@case(Layer.FETCH, "While the publisher is down its list stays in force, people are told, and later all is well", KEPT)
def test_publisher_down(pair: Pair, roles: tuple[Node, Node]) -> None:
    publisher, reader = roles
    claim, later = fresh_claim(), fresh_claim()
    publisher.publish(claim)
    pair.converge()
    held = reader.export()
    publisher.command("stop")
    assert reader.entrypoint.pull().refused, f"{reader.member} is content with a peer that does not answer"
    kept = reader.export()
    assert kept.claims == held.claims, "the peer's failure changed what is claimed"
    assert kept.digest == held.digest, "the peer's failure changed the digest"
    assert kept.alarmed(publisher.member), "nobody is told that the peer cannot be read"
    publisher.command("start")
    publisher.publish(later)
    pair.converge()
    pair.holds(publisher, claim, later)
