"""Logs that end and go on in successors, and listings whose bytes have to disappear everywhere."""

from __future__ import annotations

from hashpact_conformance.cases import Layer, case, not_supported
from hashpact_conformance.pair.nodes import Node, Pair, fresh_claim
from hashpact_conformance.publisher.reading import all_tiles, bundles
from hashpact_protocol.card_logs import CardLog, LogState

SEQUENCES = "docs/protocol.md, Card: sequences"
ERASURE = "docs/protocol.md, Card (erased); Logs: tiles and bundles"
GONE = 410


def open_log(node: Node) -> CardLog:
    """The open log of listings of a node's card."""
    found = [log for log in node.card().logs if log.name == "listings" and log.state is LogState.OPEN]
    assert len(found) == 1, f"the card of {node.member} names {len(found)} open logs of listings"
    return found[0]


def log_of(node: Node, origin: str) -> CardLog:
    """A log of a node's card."""
    log = node.card().log(origin)
    assert log is not None, f"the card of {node.member} does not name {origin} any more"
    return log


@case(Layer.LOG, "After a succession both hold what lived, from the successor, and tell the same digest", SEQUENCES)
def test_succession(pair: Pair, roles: tuple[Node, Node]) -> None:
    publisher = roles[0]
    kept, gone = fresh_claim(), fresh_claim()
    publisher.publish(kept)
    publisher.withdraw(publisher.publish(gone))
    pair.converge()
    old = open_log(publisher)
    publisher.command("succeed")
    new, closed = open_log(publisher), log_of(publisher, old.origin)
    assert new.origin != old.origin, "the card names the same open log as before"
    assert closed.state is LogState.CLOSED, f"{old.origin} is still open"
    assert new.fresh, f"{new.origin} has no `fresh`"
    status, _ = publisher.bytes_at(f"{old.url}/checkpoint")
    assert status == GONE, f"the closed log answers {status} at its checkpoint"
    pair.converge()
    pair.holds(publisher, kept)
    pair.lacks(publisher, gone)


@case(Layer.LOG, "What is published and withdrawn after a succession counts, older listings included", SEQUENCES)
def test_after_succession(pair: Pair) -> None:
    before, after = fresh_claim(), fresh_claim()
    listing = pair.a.publish(before)
    pair.converge()
    pair.a.command("succeed")
    pair.a.publish(after)
    pair.a.withdraw(listing)
    pair.converge()
    pair.holds(pair.a, after)
    pair.lacks(pair.a, before)


@case(Layer.LOG, "A reader that missed two successions ends where one that saw them ends", SEQUENCES)
def test_two_successions(pair: Pair) -> None:
    first, second, third = fresh_claim(), fresh_claim(), fresh_claim()
    pair.a.publish(first)
    pair.converge()
    pair.b.command("stop")
    for claim in (second, third):
        pair.a.publish(claim)
        pair.a.command("succeed")
    pair.b.command("start")
    pair.converge()
    pair.holds(pair.a, first, second, third)


@case(Layer.LOG, "Both may move on at the same time", SEQUENCES)
def test_both_succeed(pair: Pair) -> None:
    claims = {node.member: fresh_claim() for node in pair.both}
    for node in pair.both:
        node.publish(claims[node.member])
        node.command("succeed")
    pair.converge()
    for node in pair.both:
        pair.holds(node, claims[node.member])


@case(Layer.LOG, "A succession is not undone by a restart of either", SEQUENCES)
def test_restart_after_succession(pair: Pair) -> None:
    claim = fresh_claim()
    pair.a.publish(claim)
    pair.a.command("succeed")
    new = open_log(pair.a).origin
    pair.converge()
    for node in pair.both:
        node.command("restart")
    assert open_log(pair.a).origin == new, "after a restart another log is open"
    pair.converge()
    pair.holds(pair.a, claim)


def erased_listing(pair: Pair, publisher: Node) -> tuple[CardLog, str, str]:
    """Publish two listings that both hold, and erase one; gives the log that held it, and both values."""
    erased, kept = fresh_claim(), fresh_claim()
    listing = publisher.publish(erased)
    publisher.publish(kept)
    pair.converge()
    pair.holds(publisher, erased, kept)
    old = open_log(publisher)
    publisher.command("erase", "--listing", listing)
    pair.converge()
    pair.lacks(publisher, erased)
    pair.holds(publisher, kept)
    return log_of(publisher, old.origin), erased[1], kept[1]


@case(Layer.LOG, "An erased listing is claimed by nobody, its neighbours are, and the card marks its log", ERASURE)
def test_erasure(pair: Pair, roles: tuple[Node, Node]) -> None:
    log, _, _ = erased_listing(pair, roles[0])
    assert log.erased, f"the card does not mark {log.origin} as erased"
    assert log.state is LogState.CLOSED, f"{log.origin} is still open"


@case(Layer.FETCH, "The publisher serves nothing of an erased log any more: 410 everywhere", ERASURE)
def test_erased_is_gone(pair: Pair) -> None:
    log, value, _ = erased_listing(pair, pair.a)
    size = log.final.size if log.final else 0
    assert size, f"the card tells that {log.origin} ended empty"
    for path in ["checkpoint", *bundles(size), *all_tiles(size, 0)]:
        status, body = pair.a.bytes_at(f"{log.url}/{path}")
        assert value.encode() not in body, f"{log.url}/{path} still holds the erased value"
        assert status == GONE, f"{log.url}/{path} answers {status}"


@case(Layer.FETCH, "The successor does not hold the erased value, and holds its neighbours'", ERASURE)
def test_erased_is_not_restated(pair: Pair) -> None:
    _, erased, kept = erased_listing(pair, pair.a)
    new = open_log(pair.a)
    size = pair.b.export().logs[new.origin].held_size
    assert size, f"{pair.b.member} holds nothing of {new.origin}"
    answers = [pair.a.bytes_at(f"{new.url}/{path}") for path in bundles(size)]
    assert {status for status, _ in answers} == {200}, f"the bundles of {new.origin} answer {answers[0][0]}"
    everything = b"".join(body for _, body in answers)
    assert kept.encode() in everything, "the successor lacks a listing that was not erased"
    assert erased.encode() not in everything, "the successor restates the erased value"


@case(Layer.FETCH, "A reader's mirror does not give out again what was erased", ERASURE)
def test_erased_is_not_mirrored(pair: Pair) -> None:
    claim = fresh_claim()
    pair.a.publish(claim)
    pair.converge()
    before = open_log(pair.a)
    path = next(iter(bundles(pair.b.export().logs[before.origin].held_size)))
    if pair.b.mirror_of(before.origin, str(path))[0] != 200:
        not_supported(f"{pair.b.member} has no mirror")
    log, value, _ = erased_listing(pair, pair.a)
    pair.b.command("tidy")
    size = log.final.size if log.final else 0
    for path in bundles(size):
        status, body = pair.b.mirror_of(log.origin, str(path))
        assert value.encode() not in body, f"the mirror of {pair.b.member} still holds the erased value"
        assert status in {404, GONE}, f"the mirror of {pair.b.member} answers {status}"


@case(Layer.LOG, "After an erasure and a restart of both, what was erased stays gone", ERASURE)
def test_erased_stays_gone(pair: Pair) -> None:
    log, value, _ = erased_listing(pair, pair.a)
    for node in pair.both:
        node.command("restart")
    pair.converge()
    for node in pair.both:
        left = [claim for claim in node.export().claims if claim[2] == value]
        assert not left, f"{node.member} claims the erased value again"
    first = next(iter(bundles(log.final.size if log.final else 1)))
    status, _ = pair.a.bytes_at(f"{log.url}/{first}")
    assert status == GONE, f"{log.url}/{first} answers {status} after a restart"
