"""Proof that a member told two stories, which a third party verifies offline (docs/protocol.md, Evidence).

Either two checkpoints of one log that cannot both be true, or two targets metadata of one version. This module knows
the form, the checkpoints and the trees; whose cards these are, ``hashpact_keys.evidence`` says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from hashpact_protocol.base64_text import decode_base64, encode_base64
from hashpact_protocol.canonical import canonical_bytes, parse_canonical
from hashpact_protocol.card import Card
from hashpact_protocol.errors import EvidenceError, SignatureError, StatementError, VerificationError
from hashpact_protocol.follow import Head
from hashpact_protocol.growth import read_range
from hashpact_protocol.limits import LIMITS
from hashpact_protocol.merkle import HASH_BYTES, NodeReader, consistency_proof, verify_consistency
from hashpact_protocol.notes import Checkpoint, VerifierKey, parse_checkpoint, parse_note, verify_note

FORMAT: Final = "hashpact-evidence@v1"
CARDS_MAX: Final = 4
PROOF_HASHES_MAX: Final = 64
_NOTES: Final = 2
_MEND: Final = "ask for the file again, as `hashpact evidence export` wrote it"


@dataclass(frozen=True, slots=True)
class SignedCard:
    """Targets metadata as published, and the card that they name; ``card`` is empty where it is not needed."""

    targets: bytes
    card: bytes = b""


@dataclass(frozen=True, slots=True)
class Divergence:
    """Where the tree of the larger checkpoint goes another way.

    ``prefix_root`` is its own root at the smaller size, and ``proof`` leads from there to its root (RFC 6962, 2.1.2).
    """

    prefix_root: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is said against ``member``; nothing is verified yet.

    ``roots`` follow each other, ``cards`` stand in rising order of their versions. With ``notes``, two checkpoints of
    one log, in rising order of their sizes, and a ``divergence`` unless those are equal. Without, two of ``cards`` have
    one version.
    """

    member: str
    url: str
    roots: tuple[bytes, ...]
    cards: tuple[SignedCard, ...]
    notes: tuple[bytes, ...] = ()
    divergence: Divergence | None = None


@dataclass(frozen=True, slots=True)
class Fork:
    """Two checkpoints of one log that cannot both be true: signed by the log, and proven to contradict each other."""

    origin: str
    smaller: Head
    larger: Head
    keys: tuple[VerifierKey, ...]

    @property
    def what(self) -> str:
        """Say it to people."""
        if self.smaller.size == self.larger.size:
            return f"the log {self.origin} has two signed roots at size {self.smaller.size}"
        return (
            f"the log {self.origin} has signed a checkpoint of size {self.larger.size} that does not continue the one "
            f"of size {self.smaller.size} that it has signed"
        )


def encode_evidence(evidence: Evidence) -> bytes:
    """Write evidence as canonical JSON (RFC 8785), with a newline at its end.

    EvidenceError when ``parse_evidence`` would not read it back as it is.
    """
    value: dict[str, Any] = {
        "cards": [_card_value(card) for card in evidence.cards],
        "format": FORMAT,
        "member": evidence.member,
        "roots": [_text(root, "a root") for root in evidence.roots],
        "url": evidence.url,
    }
    if evidence.notes:
        value["notes"] = [_text(note, "a note") for note in evidence.notes]
    if evidence.divergence is not None:
        value["prefix_root"] = encode_base64(evidence.divergence.prefix_root)
        value["proof"] = [encode_base64(one) for one in evidence.divergence.proof]
    data = canonical_bytes(value) + b"\n"
    if parse_evidence(data) != evidence:
        raise EvidenceError("this evidence cannot be written as it is")
    return data


def parse_evidence(data: bytes) -> Evidence:
    """Read evidence; nothing is verified (docs/protocol.md, Evidence). EvidenceError when it is not of its form."""
    if len(data) > LIMITS.evidence_max_bytes:
        _refuse(f"evidence of {len(data)} bytes is too large")
    try:
        value = parse_canonical(data.removesuffix(b"\n"))
    except StatementError as error:
        raise EvidenceError(f"evidence is canonical JSON, and this is {error.what}", mend=_MEND) from None
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        _refuse(f"evidence says that its format is {FORMAT}")
    notes = tuple(_strings(value, "notes", required=False))
    if len(notes) not in (0, _NOTES):
        _refuse("evidence holds two notes or none")
    return Evidence(
        member=_string(value, "member"),
        url=_string(value, "url"),
        roots=tuple(_strings(value, "roots", most=LIMITS.root_rotations_max)),
        cards=tuple(_read_card(card) for card in _list(value, "cards", CARDS_MAX)),
        notes=notes,
        divergence=_read_divergence(value) if "prefix_root" in value else None,
    )


def find_divergence(smaller_size: int, larger: Head, read: NodeReader) -> Divergence:
    """Make the divergence out of the nodes of the larger tree; whether it is one, ``prove_fork`` says.

    ConsistencyError when the nodes do not lead to the larger root; errors of ``read`` pass through.
    """
    prefix_root = read_range(smaller_size, read).root()
    proof = tuple(consistency_proof(smaller_size, larger.size, read))
    verify_consistency(smaller_size, prefix_root, larger.size, larger.root, proof)
    return Divergence(prefix_root, proof)


def prove_fork(notes: Sequence[bytes], cards: Iterable[Card], divergence: Divergence | None) -> Fork:
    """Verify that two notes are checkpoints of one log, and cannot both be true; ``cards`` are believed.

    Each must be signed by a key that one of the cards names for that log. Expiry and cosignatures do not matter.

    Raises NoteError for what is no checkpoint; SignatureError when a key of the log did not sign; ConsistencyError when
    the proof does not lead to the larger one's root; VerificationError when they do not contradict each other.
    """
    if len(notes) != _NOTES:
        raise VerificationError(f"{len(notes)} checkpoints are no two stories")
    first, second = sorted((parse_checkpoint(parse_note(note).text) for note in notes), key=lambda one: one.size)
    if first.origin != second.origin:
        raise VerificationError("the two checkpoints are of different logs", where=f"{first.origin}, {second.origin}")
    keys = {key: None for card in cards for log in card.logs if log.origin == first.origin for key in log.keys}
    signers = tuple(dict.fromkeys(signer for note in notes for signer in _signers(note, keys, first.origin)))
    _check_contradiction(first, second, divergence)
    return Fork(first.origin, Head(first.size, first.root), Head(second.size, second.root), signers)


def void_reason(fork: Fork, card: Card) -> str | None:
    """Say why a later card voids a fork, or give None.

    What lies beyond the final size of a closed log never happened, so one of the two checkpoints must lie there. A log
    that is open again, or that a card no longer names, voids nothing.
    """
    log = card.log(fork.origin)
    if log is None or log.final is None or log.final.size >= fork.larger.size:
        return None
    return (
        f"a later card closes this log at size {log.final.size}: "
        f"the checkpoint of size {fork.larger.size} lies beyond, and never happened"
    )


def _signers(note: bytes, keys: Iterable[VerifierKey], origin: str) -> tuple[VerifierKey, ...]:
    try:
        return verify_note(parse_note(note), keys)
    except SignatureError as error:
        raise SignatureError(f"a checkpoint proves nothing against this member: {error.what}", where=origin) from None


def _check_contradiction(first: Checkpoint, second: Checkpoint, divergence: Divergence | None) -> None:
    prefix_root = second.root
    if first.size != second.size:
        if divergence is None:
            raise VerificationError("the sizes differ, and there is no proof that they contradict each other")
        prefix_root = divergence.prefix_root
        verify_consistency(first.size, prefix_root, second.size, second.root, divergence.proof)
    if prefix_root == first.root:
        raise VerificationError("the two checkpoints tell one story", where=first.origin)


def _read_divergence(value: dict[str, Any]) -> Divergence:
    proof = _strings_or_none(value, "proof", PROOF_HASHES_MAX)
    return Divergence(_hash(_string(value, "prefix_root")), tuple(_hash(one) for one in proof))


def _read_card(value: Any) -> SignedCard:
    if not isinstance(value, dict):
        _refuse("a card in evidence is an object")
    return SignedCard(_string(value, "targets").encode(), _string(value, "card").encode() if "card" in value else b"")


def _card_value(card: SignedCard) -> dict[str, str]:
    value = {"targets": _text(card.targets, "targets metadata")}
    return value | {"card": _text(card.card, "a card")} if card.card else value


def _string(value: dict[str, Any], name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str) or not found:
        _refuse(f"{name} is missing or no text")
    return found


def _list(value: dict[str, Any], name: str, most: int) -> list[Any]:
    found = value.get(name)
    if not isinstance(found, list) or not 1 <= len(found) <= most:
        _refuse(f"{name} is not a list of 1 to {most}")
    return found


def _strings(value: dict[str, Any], name: str, *, most: int = _NOTES, required: bool = True) -> list[bytes]:
    if not required and name not in value:
        return []
    return [one.encode() for one in _all_text(_list(value, name, most), name)]


def _strings_or_none(value: dict[str, Any], name: str, most: int) -> list[str]:
    """Read a list of texts that may be empty, as the proof from size 0 is."""
    found = value.get(name)
    if not isinstance(found, list) or len(found) > most:
        _refuse(f"{name} is not a list of at most {most}")
    return _all_text(found, name)


def _all_text(values: list[Any], name: str) -> list[str]:
    if not all(isinstance(one, str) and one for one in values):
        _refuse(f"{name} holds something that is no text")
    return values


def _hash(text: str) -> bytes:
    try:
        data = decode_base64(text)
    except ValueError:
        data = b""
    if len(data) != HASH_BYTES:
        _refuse(f"a hash in evidence is not {HASH_BYTES} bytes in canonical base64")
    return data


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise EvidenceError(f"{what} is not UTF-8") from None


def _refuse(what: str) -> NoReturn:
    raise EvidenceError(what, mend=_MEND)
