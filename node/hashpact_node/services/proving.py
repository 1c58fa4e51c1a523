"""Proofs that a listing stands in a log, for people who have neither node nor network (C2SP tlog-proof)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from hashpact_node.services.entries import EntryReader
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.logs import Log, list_logs
from hashpact_node.store.owners import find_owners
from hashpact_protocol.canonical import canonical_bytes
from hashpact_protocol.card import Card, parse_card
from hashpact_protocol.errors import (
    CardError,
    ConflictError,
    NotFoundError,
    SignatureError,
    StatementError,
)
from hashpact_protocol.merge import Kind, Owner, id_bytes
from hashpact_protocol.merkle import inclusion_proof, leaf_hash
from hashpact_protocol.notes import parse_checkpoint, parse_note
from hashpact_protocol.proofs import TlogProof, format_proof, parse_proof, verify_proof
from hashpact_protocol.statement_fields import is_identifier
from hashpact_protocol.tlog_policy import TlogPolicy, parse_policy

Gather = Callable[[str, bytes], bytes]
"""Told an origin and a checkpoint, gives that checkpoint with more cosignatures."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof of the winning revision of a listing, and the entry that it speaks of."""

    member: str
    origin: str
    index: int
    size: int
    live: bool
    entry: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class VerifiedProof:
    """What a proof proved: this entry stands at ``index`` of the log ``origin``, as its ``size`` first entries hold."""

    origin: str
    index: int
    size: int
    root: bytes
    entry: bytes


class Prover:
    """Proves listings, own and peers', out of what is stored."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def prove(self, listing: str, *, member: str | None = None, gather: Gather | None = None) -> Proof:
        """Prove that the newest revision of a listing stands in its log, withdrawn or not.

        The checkpoint in the proof is the one accepted last, with all its cosignatures, and those that ``gather`` adds
        to it. Raises NotFoundError for an id
        that no listing has, and ConflictError where more than one member uses it, or none can be proven yet.
        """
        if not is_identifier(listing):
            raise NotFoundError(f"{listing[:60]!r} is no id of a listing")
        with self._database.read() as connection:
            log, owner = _find(connection, listing, member)
            if log.accepted_note is None or owner.position >= log.accepted_size:
                raise ConflictError(
                    "no checkpoint of its log is held that covers this listing",
                    where=log.origin,
                    mend="closed logs have none; else wait for the next pull",
                )
            reader = EntryReader(connection)
            entry = reader.entry(log.number, owner.position)
            tree = reader.tree(log.number, log.accepted_size)
            try:
                hashes = inclusion_proof(owner.position, log.accepted_size, tree.node)
            except NotFoundError as error:  # accepted, and not fetched as far yet
                raise ConflictError(
                    f"the log is not held whole yet: {error.what}", where=log.origin, mend="wait for the next pull"
                ) from None
        note = log.accepted_note if gather is None else gather(log.origin, log.accepted_note)
        proof = format_proof(TlogProof(owner.position, tuple(hashes), note))
        return Proof(log.member, log.origin, owner.position, log.accepted_size, owner.live, entry, proof)


def verify_proof_file(proof: bytes, entry: bytes, *trusted: bytes) -> VerifiedProof:
    """Verify a proof offline.

    ``entry`` is the entry as published, or the same JSON in another layout. Each of ``trusted`` is a policy file (C2SP
    tlog-policy), or the member card of the publisher, which must have come in a way that is trusted; all must hold.
    Raises ProofError, StatementError, NoteError, ConfigurationError and CardError for what is malformed, SignatureError
    and InclusionError for what is not true.
    """
    parsed = parse_proof(proof)
    canonical = _canonical(entry)
    checkpoint, *_ = [verify_proof(parsed, leaf_hash(canonical), _policy(parsed, one)) for one in trusted]
    return VerifiedProof(checkpoint.origin, parsed.index, checkpoint.size, checkpoint.root, canonical)


def _find(connection: Connection, listing: str, member: str | None) -> tuple[Log, Owner]:
    identifier = id_bytes(listing)
    logs = {log.number: log for log in list_logs(connection) if member is None or log.member == member}
    found = []
    for sequence in sorted({log.sequence for log in logs.values()}):
        owner = find_owners(connection, sequence, [identifier]).get(identifier)
        if owner is not None and owner.kind == Kind.LISTING:
            found.append((logs[owner.log], owner))
    if not found:
        raise NotFoundError(
            "no listing with this id is held", where=listing, mend="pull its publisher, or check the id"
        )
    if len(found) > 1:
        where = ", ".join(log.origin for log, _ in found)
        raise ConflictError("this id is used in more than one log", where=where, mend="say which member is meant")
    return found[0]


def _canonical(entry: bytes) -> bytes:
    """Give the entry's bytes as published; StatementError when they are no JSON of that kind."""
    try:
        return canonical_bytes(json.loads(entry))
    except (ValueError, RecursionError) as error:
        raise StatementError(
            f"this is no entry of a log: {error}", mend="give the listing as it was published"
        ) from None


def _policy(proof: TlogProof, trusted: bytes) -> TlogPolicy:
    if not trusted.lstrip().startswith(b"{"):
        return parse_policy(trusted)
    origin = parse_checkpoint(parse_note(proof.note).text).origin
    log = _card(trusted).log(origin)
    if log is None:
        raise SignatureError("this card names no log of this origin", where=origin, mend="give its publisher's card")
    return TlogPolicy.of_keys(log.keys)


def _card(data: bytes) -> Card:
    try:
        fields = json.loads(data)
        member, url = fields["member"], fields["url"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CardError("this is neither a policy file nor a member card", mend="give one of them") from None
    return parse_card(data, member=str(member), url=str(url))
