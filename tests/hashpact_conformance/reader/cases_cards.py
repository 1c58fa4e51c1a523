"""Rows 10 and 11: member cards that a reader must refuse whole, and some that it must not."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from hashpact_conformance.cases import Layer, case
from hashpact_conformance.simulator.keys import Key
from hashpact_conformance.simulator.log import encoded
from hashpact_conformance.simulator.member import Member
from hashpact_conformance.simulator.statements import listing
from hashpact_conformance.simulator.world import World
from hashpact_protocol.notes import KeyType, VerifierKey

NEW = 900
Card = dict[str, Any]
Change = Callable[[Member, Card], None]
SMALL_ORDER = bytes([1]) + bytes(31)
"""The neutral point: under this key anybody can sign anything."""


def _vkey(name: str, kind: KeyType = KeyType.ED25519) -> str:
    return str(VerifierKey(name, kind, Key().public))


def _raw_vkey(name: str, kind: int, public: bytes) -> str:
    """Write a verifier key without any check."""
    import hashlib  # noqa: PLC0415  used here alone

    key_id = hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4].hex()
    return f"{name}+{key_id}+{base64.b64encode(bytes([kind]) + public).decode()}"


def _log(**fields: Any) -> Change:
    """Change fields of the first log."""
    return lambda _member, card: card["logs"][0].update(fields)


def _top(**fields: Any) -> Change:
    return lambda _member, card: card.update(fields)


def _drop(*path: str | int) -> Change:
    def change(_member: Member, card: Card) -> None:
        value: Any = card
        for name in path[:-1]:
            value = value[name]
        del value[path[-1]]

    return change


def _origin(of: Callable[[Member], str]) -> Change:
    """Give the first log another origin, with key and URL to match."""

    def change(member: Member, card: Card) -> None:
        origin = of(member)
        card["logs"][0].update(origin=origin, url=f"http://{origin}", keys=[_vkey(origin)])

    return change


def _closed(**final: Any) -> Change:
    def change(member: Member, card: Card) -> None:
        terms = {"size": member.log.size, "root": encoded(member.log.root())} | final
        card["logs"][0].update(state="closed", final=terms)

    return change


def _second_log(**fields: Any) -> Change:
    """Add one more log of listings."""

    def change(member: Member, card: Card) -> None:
        origin = f"{member.prefix}/logs/more-1"
        log = {"kind": "listings", "name": "listings", "origin": origin, "state": "open", "url": f"http://{origin}"}
        card["logs"].append({**log, "keys": [_vkey(origin)], **fields})

    return change


def _same_key(pick: Callable[[Member], Key]) -> Change:
    """Let the first log have a key of another row."""

    def change(member: Member, card: Card) -> None:
        key = VerifierKey(member.log.origin, KeyType.ED25519, pick(member).public)
        card["logs"][0]["keys"] = [str(key)]

    return change


def _witness(key: Callable[[Member], str]) -> Change:
    return lambda member, card: card["witness_keys"][0].update(key=key(member))


def _request(**fields: Any) -> Change:
    return lambda _member, card: card["request_keys"][0].update(fields)


def _trust_key(member: Member, row: str) -> Key:
    key = {"root": member.trust.root_keys, "targets": member.trust.targets_keys, "online": member.trust.online_keys}
    found = key[row][0]
    assert isinstance(found, Key)
    return found


def _both(*changes: Change) -> Change:
    def change(member: Member, card: Card) -> None:
        for one in changes:
            one(member, card)

    return change


REFUSED: dict[str, Change] = {
    "another-members-id": _top(member="gamma"),
    "another-url": _top(url="http://127.0.0.1:9"),
    "url-with-slash": lambda member, card: card.update(url=f"{member.url}/"),
    "member-no-text": _top(member=7),
    "origin-outside": _origin(lambda _member: "elsewhere.example/logs/listings-1"),
    "origin-of-a-longer-port": _origin(lambda member: f"{member.prefix}1/logs/listings-1"),
    "origin-without-a-path": _origin(lambda member: member.prefix),
    "origin-with-dots": _origin(lambda member: f"{member.prefix}/logs/../trust"),
    "origin-with-a-doubled-slash": _origin(lambda member: f"{member.prefix}//logs"),
    "origin-with-a-query": lambda member, card: card["logs"][0].update(origin=f"{member.prefix}/logs?x"),
    "origin-twice": lambda _member, card: card["logs"].append(dict(card["logs"][0])),
    "url-is-not-the-origin": lambda member, card: card["logs"][0].update(url=f"{member.url}/logs/other-1"),
    "url-of-another-scheme": lambda member, card: card["logs"][0].update(url=f"https://{member.log.origin}"),
    "key-name-outside": lambda _member, card: card["logs"][0].update(keys=[_vkey("elsewhere.example/logs/l")]),
    "key-name-of-another-log": lambda member, card: card["logs"][0].update(keys=[_vkey(f"{member.prefix}/logs/x")]),
    "key-of-a-witness-type": lambda m, card: card["logs"][0].update(keys=[_vkey(m.log.origin, KeyType.COSIGNATURE)]),
    "key-of-small-order": lambda m, card: card["logs"][0].update(keys=[_raw_vkey(m.log.origin, 1, SMALL_ORDER)]),
    "key-not-canonical": lambda m, card: card["logs"][0].update(keys=[_raw_vkey(m.log.origin, 1, b"\xff" * 32)]),
    "key-of-31-bytes": lambda m, card: card["logs"][0].update(keys=[_raw_vkey(m.log.origin, 1, bytes(31))]),
    "key-of-another-type": lambda m, card: card["logs"][0].update(keys=[_raw_vkey(m.log.origin, 2, Key().public)]),
    "key-id-wrong": lambda m, card: card["logs"][0].update(keys=[_wrong_id(m)]),
    "no-keys": _log(keys=[]),
    "seventeen-keys": lambda m, card: card["logs"][0].update(keys=[_vkey(m.log.origin) for _ in range(17)]),
    "log-key-is-witness-key": _same_key(lambda member: member.witness_key),
    "log-key-is-request-key": _same_key(lambda member: member.request_key),
    "log-key-is-root-key": _same_key(lambda member: _trust_key(member, "root")),
    "log-key-is-targets-key": _same_key(lambda member: _trust_key(member, "targets")),
    "log-key-is-online-key": _same_key(lambda member: _trust_key(member, "online")),
    "two-open-logs-of-one-name": _second_log(),
    "kind-unknown": _log(kind="gossip", name="gossip"),
    "name-not-of-its-kind": _log(name="crisis"),
    "name-with-upper-case": _log(name="listings-X"),
    "state-unknown": _log(state="paused"),
    "closed-without-final": _log(state="closed"),
    "open-with-final": lambda m, card: card["logs"][0].update(final={"size": 1, "root": encoded(m.log.root(1))}),
    "final-below-zero": _closed(size=-1),
    "final-beyond-2-32": _closed(size=2**32 + 1),
    "final-a-fraction": _closed(size="5"),
    "final-true": _closed(size=True),
    "final-root-short": _closed(root=encoded(bytes(31))),
    "final-root-hexadecimal": _closed(root="00" * 32),
    "final-root-no-padding": _closed(root=encoded(bytes(32)).rstrip("=")),
    "final-0-with-a-root": _closed(size=0),
    "fresh-0": _log(fresh=0),
    "fresh-negative": _log(fresh=-1),
    "fresh-text": _log(fresh="5"),
    "fresh-beyond-final": _both(_closed(), _log(fresh=6)),
    "erased-and-open": _log(erased=True),
    "erased-without-successor": _both(_closed(), _log(erased=True)),
    "erased-no-boolean": _log(erased="no"),
    "null-for-absent": _log(fresh=None),
    "no-member": _drop("member"),
    "no-url": _drop("url"),
    "no-name": _drop("name"),
    "no-contacts": _drop("contacts"),
    "no-logs": _drop("logs"),
    "no-witness-keys": _drop("witness_keys"),
    "no-request-keys": _drop("request_keys"),
    "log-without-state": _drop("logs", 0, "state"),
    "log-without-kind": _drop("logs", 0, "kind"),
    "log-without-keys": _drop("logs", 0, "keys"),
    "name-empty": _top(name=""),
    "name-with-a-newline": _top(name="Be\nta"),
    "name-too-long": _top(name="x" * 4_097),
    "contacts-no-list": _top(contacts="mailto:x@beta.example"),
    "logs-no-list": _top(logs={}),
    "witness-name-outside": _witness(lambda _member: _vkey("elsewhere.example/witness-1", KeyType.COSIGNATURE)),
    "witness-name-of-a-log": _witness(lambda member: _vkey(f"{member.prefix}/logs/l", KeyType.COSIGNATURE)),
    "witness-number-leading-zero": _witness(lambda m: _vkey(f"{m.prefix}/witness-01", KeyType.COSIGNATURE)),
    "witness-key-of-log-type": _witness(lambda member: _vkey(f"{member.prefix}/witness-1")),
    "witness-until-before-from": lambda _member, card: card["witness_keys"][0].update(until="2001-01-01T00:00:00Z"),
    "witness-time-with-offset": lambda _m, card: card["witness_keys"][0].update(until="2100-01-01T00:00:00+00:00"),
    "witness-second-60": lambda _member, card: card["witness_keys"][0].update(until="2100-01-01T00:00:60Z"),
    "request-id-with-quote": _request(id='a"b'),
    "request-id-empty": _request(id=""),
    "request-id-twice": lambda _m, card: card["request_keys"].append(
        {**card["request_keys"][0], "key": encoded(Key().public)}
    ),
    "request-key-no-base64": _request(key="!" * 44),
    "request-key-of-small-order": _request(key=encoded(SMALL_ORDER)),
    "logs-257": lambda m, card: _both(*(_second_log(**_more(m, n)) for n in range(256)))(m, card),
}


def _wrong_id(member: Member) -> str:
    name, key_id, key = _vkey(member.log.origin).split("+", 2)
    return f"{name}+{'00000000' if key_id != '00000000' else '00000001'}+{key}"


def _more(member: Member, number: int) -> dict[str, Any]:
    origin = f"{member.prefix}/logs/more-{number}"
    name = f"listings-{number}"
    return {"origin": origin, "url": f"http://{origin}", "name": name, "keys": [_raw_vkey(origin, 1, Key().public)]}


def _refuses(world: World, publish: Callable[[Member], None]) -> None:
    """See a card refused while its member's log goes on under the old one, and the next right card taken."""
    member = world.subject
    log = member.add_log("crisis-1", name="crisis", kind="crisis")
    log.append(listing(NEW))
    publish(member)
    world.refused()
    assert not world.claims(NEW), "a card was taken that must be refused"
    member.publish()
    world.recovers(NEW)


@case(Layer.TRUST, "a card that says what it must not is refused whole: {name}", "Card; attack 10")
@pytest.mark.parametrize("name", REFUSED)
def test_card(world: World, name: str) -> None:
    _refuses(world, lambda member: member.publish(lambda card: REFUSED[name](member, card)))


BYTES: dict[str, Callable[[bytes], bytes]] = {
    "65-KiB": lambda card: card[:-1] + b',"x":"' + b"x" * 65_536 + b'"}',
    "byte-order-mark": lambda card: b"\xef\xbb\xbf" + card,
    "doubled-name": lambda card: b'{"member":"gamma",' + card[1:],
    "doubled-name-within": lambda card: card.replace(b'"state":', b'"state":"closed","state":', 1),
    "nan": lambda card: card[:-1] + b',"x":NaN}',
    "infinity": lambda card: card[:-1] + b',"x":Infinity}',
    "array": lambda card: b"[" + card + b"]",
    "cut": lambda card: card[:-2],
    "empty": lambda _card: b"",
    "deep": lambda card: card[:-1] + b',"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "not-utf-8": lambda card: card.replace(b"Beta", b"Bet\xff"),
    "huge-number": lambda card: card.replace(b'"logs":[', b'"x":' + b"9" * 10_000 + b',"logs":[').replace(
        b'"state"', b'"fresh":' + b"9" * 10_000 + b',"state"', 1
    ),
    "html": lambda _card: b"<html>Please sign in</html>",
}


@case(Layer.TRUST, "a card whose bytes are not those of a card is refused: {name}", "Card, Form; attack 10")
@pytest.mark.parametrize("name", BYTES)
def test_card_bytes(world: World, name: str) -> None:
    _refuses(world, lambda member: member.trust.publish(BYTES[name](member.card())))


ACCEPTED: dict[str, Callable[[bytes], bytes]] = {
    "unknown-fields": lambda card: card[:-1] + b',"x":{"y":[1,2,null]}}',
    "white-space": lambda card: json.dumps(json.loads(card), indent=3).encode(),
    "another-order": lambda card: json.dumps(dict(reversed(json.loads(card).items()))).encode(),
}


@case(Layer.TRUST, "a card that is unusual and right is taken: {name}", "Card, Form; attack 10")
@pytest.mark.parametrize("name", ACCEPTED)
def test_unusual_card(world: World, name: str) -> None:
    member = world.subject
    member.add_log("crisis-1", name="crisis", kind="crisis").append(listing(NEW))
    member.trust.publish(ACCEPTED[name](member.card()))
    world.accepted(NEW)


@case(Layer.TRUST, "a member whose URL begins another's is not followed beside it: {name}", "Names; attack 10")
@pytest.mark.parametrize("name", ["below", "the-same"])
def test_colliding_urls(newcomer: World, name: str) -> None:
    assert not newcomer.follow(newcomer.subject).refused
    squatter = newcomer.subject.copy()
    squatter.id = "squatter"
    squatter.url = f"{newcomer.subject.url}/logs" if name == "below" else newcomer.subject.url
    newcomer.subject.may_ask = ("logs/trust/", "trust/", "witness/", "mirror/")
    answer = newcomer.stage.reader.follow(newcomer.home, squatter.id, squatter.url, squatter.trust.root)
    assert answer.refused, "two members share names"
    newcomer.accepted(1, 2, 3, 4, 5)


@case(
    Layer.TRUST, "a card with thousands of logs is refused, and costs no thousands of requests", "Card, Form; attack 11"
)
def test_thousands_of_logs(world: World) -> None:
    def publish(member: Member) -> None:
        def change(card: Card) -> None:
            origin = f"{member.prefix}/logs/m"
            card["logs"] += [{"name": f"listings-{n}", "origin": f"{origin}{n}"} for n in range(3_000)]

        member.trust.publish(json.dumps(_changed(member, change)).encode())

    world.requests_max = 60
    _refuses(world, publish)


def _changed(member: Member, change: Callable[[Card], None]) -> Card:
    value = member.card_value()
    change(value)
    return value


@case(Layer.TRUST, "logs that come and go leave nothing behind", "Card, Sequences; attack 11")
def test_logs_come_and_go(world: World) -> None:
    member = world.subject
    first = member.logs[:1]
    for number in range(4):
        member.logs[:] = first
        log = member.add_log(f"crisis-{number}", name="crisis", kind="crisis")
        log.append(listing(910 + number))
        member.publish()
        world.accepted(910 + number, 1)
    member.logs[:] = first
    member.publish()
    world.pull()
    assert world.claims(910, 911, 912, 913, 1) == {1}, "a log that the card names no more still counts"
