"""Decides a vector with hashpact_protocol: one function for each ``read`` or area; a wrong decision fails.

The page ``README.md`` of the vectors says what each has to find; others do the same in their own language.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from hashpact_protocol.canonical import canonical_bytes, parse_canonical
from hashpact_protocol.card import WitnessKey, parse_card
from hashpact_protocol.directory import parse_directory
from hashpact_protocol.errors import HashpactError
from hashpact_protocol.follow import Head, LogTrust, judge_checkpoint
from hashpact_protocol.merkle import CompactRange, leaf_hash, subtree_root, verify_consistency, verify_inclusion
from hashpact_protocol.names import MemberUrl, collides, parse_member_id
from hashpact_protocol.notes import (
    VerifierKey,
    cosignatures,
    format_note,
    parse_checkpoint,
    parse_note,
    verify_note,
)
from hashpact_protocol.proofs import parse_proof, verify_proof
from hashpact_protocol.requests import check_request
from hashpact_protocol.signals import parse_signal
from hashpact_protocol.statements import Listing, parse_statement
from hashpact_protocol.tiles import decode_bundle, decode_tile, encode_bundle, encode_tile, parse_path
from hashpact_protocol.tlog_policy import parse_policy


@dataclass(frozen=True)
class Vector:
    """One folder; in a title it stands for its line that says why."""

    folder: Path

    def __format__(self, spec: str) -> str:
        """Say why it is there."""
        return format((self.folder / "README.md").read_text(encoding="utf-8").strip(), spec)

    @property
    def facts(self) -> dict[str, Any]:
        """What ``case.json`` or ``expected.json`` says."""
        return dict(self.json("case.json" if self.has("case.json") else "expected.json"))

    def has(self, name: str) -> bool:
        """Say whether it holds a file."""
        return (self.folder / name).is_file()

    def json(self, name: str) -> Any:
        """Read a file of JSON."""
        return json.loads(self.bytes(name))

    def bytes(self, *names: str) -> bytes:
        """Read the first of some files that it holds."""
        return next((self.folder / name).read_bytes() for name in names if self.has(name))


def decide(vector: Vector) -> None:
    """Decide a vector: what ends in ``_fail`` must be refused with its code, everything else must be found as told."""
    facts = vector.facts
    read = DECIDERS[vector.folder.parent.name, facts.get("read")]
    if not vector.folder.name.endswith("_fail"):
        try:
            read(vector, facts)
        except HashpactError as error:
            raise AssertionError(f"it is refused: {error}") from error
        return
    found = None
    try:
        read(vector, facts)
    except HashpactError as error:
        found = error.code
    code = facts["error" if "error" in facts else "code"]
    assert found is not None, f"it is taken, and has to be refused as {code}"
    assert found == code, f"it is refused as {found}, not as {code}"


def expect(found: object, wanted: object, what: str) -> None:
    """Fail where something else was found than was wanted."""
    assert found == wanted, f"{what}: {str(found)[:300]} was found, not {str(wanted)[:300]}"


def _canonical(vector: Vector, facts: dict[str, Any]) -> None:
    del facts
    entry = vector.bytes("entry.json", "entry.bin")
    expect(canonical_bytes(parse_canonical(entry)), entry, "written again")
    if vector.has("value.json"):
        expect(canonical_bytes(vector.json("value.json")), entry, "the other spelling in canonical form")


def _card(vector: Vector, facts: dict[str, Any]) -> None:
    card = parse_card(vector.bytes("card.json"), member=facts["member"], url=facts["url"])
    found = {name: [log.origin for log in card.counting(name)] for name in card.names}
    expect(found, facts["counting"], "the logs with which a new reader starts")


def _directory(vector: Vector, facts: dict[str, Any]) -> None:
    directory = parse_directory(vector.bytes("directory.json"))
    found = [[one.member, one.standing.value, one.reason] for one in directory.members]
    expect(found, facts["members"], "the members")


def _follow(vector: Vector, facts: dict[str, Any]) -> None:
    held, trust = facts["held"], facts["trust"]
    roots = {int(size): b64decode(root) for size, root in facts["roots"].items()}
    judged = judge_checkpoint(
        vector.bytes("note"),
        LogTrust(
            origin=trust["origin"],
            keys=tuple(map(VerifierKey.parse, trust["keys"])),
            other_keys=tuple(map(VerifierKey.parse, trust["other_keys"])),
            publisher=trust["publisher"],
            reader=trust["reader"],
            publisher_witness=_witness_keys(trust["publisher_witness"]),
            witnesses={member: _witness_keys(keys) for member, keys in trust["witnesses"].items()},
        ),
        held=held and Head(held["size"], b64decode(held["root"])),
        accepted_note=vector.bytes("accepted") if held else None,
        root_at=roots.get,
        now=datetime.fromtimestamp(facts["now"], UTC),
        require_witnesses=facts["require_witnesses"],
    )
    expect(judged.verdict.value, facts["verdict"], "the verdict")
    expect(sorted(judged.cosigners), sorted(facts["cosigners"]), "the cosigners")
    expect(judged.own_cosigned_at, facts["own_cosigned_at"], "the publisher's own cosignature")
    expect(len(judged.notices), facts["notices"], "notices for people")


def _witness_keys(values: list[dict[str, Any]]) -> tuple[WitnessKey, ...]:
    def time(seconds: int) -> datetime:
        return datetime.fromtimestamp(seconds, UTC)

    return tuple(WitnessKey(VerifierKey.parse(one["key"]), time(one["from"]), time(one["until"])) for one in values)


def _root(_vector: Vector, facts: dict[str, Any]) -> None:
    leaves = [leaf_hash(bytes.fromhex(entry)) for entry in facts["entries"]]
    expect(CompactRange().extend(leaves).root().hex(), facts["root"], "the root")


def _inclusion(_vector: Vector, facts: dict[str, Any]) -> None:
    proof = [bytes.fromhex(one) for one in facts["proof"]]
    leaf, root = bytes.fromhex(facts["leaf"]), bytes.fromhex(facts["root"])
    verify_inclusion(leaf, facts["index"], facts["size"], proof, root)


def _consistency(_vector: Vector, facts: dict[str, Any]) -> None:
    proof = [bytes.fromhex(one) for one in facts["proof"]]
    old, new = bytes.fromhex(facts["old_root"]), bytes.fromhex(facts["new_root"])
    verify_consistency(facts["old_size"], old, facts["new_size"], new, proof)


def _request(vector: Vector, facts: dict[str, Any]) -> None:
    def key(member: str, key_id: str) -> bytes | None:
        found = facts["keys"].get(f"{member}/{key_id}")
        return None if found is None else bytes.fromhex(found)

    headers = [(name, value) for name, value in facts["headers"]]
    found = check_request(facts["method"], facts["url"], headers, vector.bytes("body"), keys=key, now=facts["now"])
    told = (facts.get("member"), facts.get("key"), facts.get("nonce"))
    expect((found.member, found.key_id, found.nonce), told, "who signed it")


def _member_id(_vector: Vector, facts: dict[str, Any]) -> None:
    expect(parse_member_id(facts["text"]), facts["text"], "the id")


def _member_url(_vector: Vector, facts: dict[str, Any]) -> None:
    expect(MemberUrl.parse(facts["text"]).prefix, facts.get("prefix"), "the prefix")


def _origin(_vector: Vector, facts: dict[str, Any]) -> None:
    MemberUrl.parse(facts["member_url"]).check_origin(facts["text"])


def _witness_name(_vector: Vector, facts: dict[str, Any]) -> None:
    MemberUrl.parse(facts["member_url"]).check_witness_name(facts["text"])


def _pair(_vector: Vector, facts: dict[str, Any]) -> None:
    first, second = MemberUrl.parse(facts["first"]), MemberUrl.parse(facts["second"])
    expect(collides(first, second), facts["collide"], "whether they collide")


def _note(vector: Vector, facts: dict[str, Any]) -> None:
    data = vector.bytes("note")
    note = parse_note(data)
    keys = [VerifierKey.parse(text) for text in facts.get("keys", [])]
    expect(format_note(note), data, "written again")
    found: dict[str, Any] = {
        "text": note.text.decode(),
        "lines": [[line.name, line.key_id.hex()] for line in note.signatures],
    }
    if facts["read"] != "checkpoint-unsigned":
        found["signers"] = [key.name for key in verify_note(note, keys)]
    if facts["read"] == "cosignatures":
        found["timestamps"] = [one.timestamp for one in cosignatures(note, keys)]
    if facts["read"].startswith("checkpoint"):
        checkpoint = parse_checkpoint(note.text)
        found |= {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()}
        found |= {"extensions": list(checkpoint.extensions)}
        found |= {"timestamp": int.from_bytes(note.signatures[-1].signature[:8])}
    for name in found.keys() & facts.keys():
        expect(found[name], facts[name], name)


def _vkey(_vector: Vector, facts: dict[str, Any]) -> None:
    key = VerifierKey.parse(facts["vkey"])
    expect((key.name, key.type, key.key_id.hex()), (facts["name"], facts["type"], facts["key_id"]), "the key")


def _proof(vector: Vector, facts: dict[str, Any]) -> None:
    proof = parse_proof(vector.bytes("proof"))
    checkpoint = verify_proof(proof, bytes.fromhex(facts["leaf"]), parse_policy(vector.bytes("policy")))
    extra = None if proof.extra is None else proof.extra.hex()
    found = {"index": proof.index, "size": checkpoint.size, "origin": checkpoint.origin, "extra": extra}
    expect(found, {name: facts[name] for name in found}, "the proof")


def _policy(vector: Vector, facts: dict[str, Any]) -> None:
    policy = parse_policy(vector.bytes("policy"))
    found = (len(policy.logs), len(policy.witnesses), len(policy.groups))
    expect(found, (facts["logs"], facts["witnesses"], facts["groups"]), "logs, witnesses and groups")


def _signal(vector: Vector, facts: dict[str, Any]) -> None:
    signal = parse_signal(vector.json("signal.json"))
    found = {name: getattr(signal, name) for name in ("type", "value", "quality", "blob_length")}
    expect({name: value for name, value in found.items() if value is not None}, facts, "the claim")


def _statement(vector: Vector, facts: dict[str, Any]) -> None:
    statement = parse_statement(vector.bytes("entry.json", "entry.bin"), vector.json("input.json")["log_kind"])
    fields = {name: value for name, value in msgspec.to_builtins(statement).items() if value is not None}
    found: dict[str, Any] = {"kind": statement.kind, **fields}
    if isinstance(statement, Listing):
        found["signals"] = [
            {name: value for name, value in signal.items() if value is not None and name != "key"}
            for signal in found["signals"]
        ]
        found["dropped"] = [int(why.removeprefix("signals[").partition("]")[0]) for why in statement.dropped]
        found["labels"] = list(statement.labels)
    expect(found, facts, "the statement")


def _path(_vector: Vector, facts: dict[str, Any]) -> None:
    tile = parse_path(facts["path"])
    expect(str(tile), facts["path"], "written again")
    expect((tile.level, tile.number, tile.width), (facts["level"], facts["number"], facts["width"]), "the tile")


def _bundle(vector: Vector, facts: dict[str, Any]) -> None:
    data = vector.bytes("bundle")
    entries = decode_bundle(data, facts["width"])
    expect(encode_bundle(entries), data, "written again")
    expect([hashlib.sha256(entry).hexdigest() for entry in entries], facts["sha256"], "the entries")


def _tile(vector: Vector, facts: dict[str, Any]) -> None:
    data = vector.bytes("tile")
    hashes = decode_tile(data, facts["width"])
    expect(encode_tile(hashes), data, "written again")
    expect(subtree_root(hashes).hex(), facts["root"], "the root over the hashes")


Decider = Callable[[Vector, dict[str, Any]], None]
DECIDERS: dict[tuple[str, str | None], Decider] = {
    ("canonical", None): _canonical,
    ("cards", "card"): _card,
    ("directories", "directory"): _directory,
    ("follow", "follow"): _follow,
    ("merkle", "root"): _root,
    ("merkle", "inclusion"): _inclusion,
    ("merkle", "consistency"): _consistency,
    ("names", "member-id"): _member_id,
    ("names", "member-url"): _member_url,
    ("names", "origin"): _origin,
    ("names", "witness-name"): _witness_name,
    ("names", "pair"): _pair,
    ("notes", "note"): _note,
    ("notes", "checkpoint"): _note,
    ("notes", "checkpoint-unsigned"): _note,
    ("notes", "cosignatures"): _note,
    ("notes", "vkey"): _vkey,
    ("proofs", "proof"): _proof,
    ("proofs", "policy"): _policy,
    ("requests", "request"): _request,
    ("signals", None): _signal,
    ("statements", None): _statement,
    ("tiles", "path"): _path,
    ("tiles", "bundle"): _bundle,
    ("tiles", "tile"): _tile,
}
