"""What is fuzzed: for each reader of a peer's bytes one function that holds its laws over any bytes, and seeds for it.

The law is the same everywhere: bytes are read, and written again give the same bytes, or one of the errors named here
is raised; anything else that is raised is a finding. ``tests/fuzz/run.py`` looks for some, and the suite runs every
target over its seeds.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from itertools import chain
from typing import Final

from fuzz.target import KEYS, VECTORS, Target, files, texts
from fuzz.targets_witness import WITNESS_TARGETS
from hashpact_keys.rows import TrustRole
from hashpact_keys.trust_form import check_form
from hashpact_node.net.addresses import parse_url
from hashpact_node.services.batches import BatchRequest, Frame, read_batch
from hashpact_protocol.authenticate import TreeAuthenticator
from hashpact_protocol.canonical import canonical_bytes, parse_canonical
from hashpact_protocol.card import encode_card, parse_card
from hashpact_protocol.directory import encode_directory, parse_directory
from hashpact_protocol.errors import (
    CardError,
    ConfigurationError,
    ConsistencyError,
    DirectoryError,
    EntriesError,
    FetchError,
    FetchRefusedError,
    InclusionError,
    NoteError,
    ProofError,
    SignatureError,
    StatementError,
    TileError,
    TrustError,
)
from hashpact_protocol.follow import Head
from hashpact_protocol.merkle import CompactRange, split_hashes, verify_consistency, verify_inclusion
from hashpact_protocol.notes import (
    VerifierKey,
    cosignatures,
    format_checkpoint,
    format_note,
    parse_checkpoint,
    parse_note,
    verify_note,
)
from hashpact_protocol.parsing import parse_entries
from hashpact_protocol.proofs import format_proof, parse_proof, verify_proof
from hashpact_protocol.statements import Listing, Malformed, Statement, Unknown, encode_statement, parse_statement
from hashpact_protocol.tiles import decode_bundle, decode_tile, encode_bundle, encode_tile, parse_path
from hashpact_protocol.tlog_policy import TlogPolicy, parse_policy
from vectors.signers import LOG

LOG_KINDS: Final = ("listings", "crisis", "opinions")
ENCODINGS: Final = ("identity", "zstd", "gzip", "br")
LONGEST_SEED_BYTES: Final = 4_096
POLICY: Final = TlogPolicy.of_keys(KEYS[:1], KEYS[1:], 1)
_PAIR: Final = struct.Struct(">QQ")
_HASH_BYTES: Final = 32


def check_line(data: bytes) -> None:
    """An entry: the first byte picks the kind of log. Fast path and exact rule agree, and what is read can be said."""
    if not data:
        return
    log_kind, entry = LOG_KINDS[data[0] % len(LOG_KINDS)], data[1:]
    (fast,) = parse_entries([entry], log_kind)
    exact = _exact(entry, log_kind)
    assert fast == exact
    if isinstance(exact, Malformed):
        return
    assert canonical_bytes(parse_canonical(entry)) == entry
    if not isinstance(exact, Unknown) and not (isinstance(exact, Listing) and exact.dropped):
        assert parse_statement(encode_statement(exact, log_kind=log_kind), log_kind) == exact


def _exact(entry: bytes, log_kind: str) -> Statement | Malformed:
    try:
        return parse_statement(entry, log_kind)
    except StatementError as error:
        return Malformed(error.code, str(error))


def check_note(data: bytes) -> None:
    """A signed note: read and written alike; then its checkpoint; then its signatures by known keys."""
    try:
        note = parse_note(data)
        assert format_note(note) == data
        assert format_checkpoint(parse_checkpoint(note.text)) == note.text
    except NoteError:
        return
    try:
        assert verify_note(note, KEYS)
        assert all(one.timestamp >= 0 for one in cosignatures(note, KEYS))
    except SignatureError:
        return


def check_key(data: bytes) -> None:
    """A verifier key."""
    try:
        text = data.decode()
        assert str(VerifierKey.parse(text)) == text
    except (NoteError, UnicodeDecodeError):
        return


def check_bundle(data: bytes) -> None:
    """A bundle as transferred: the first byte says how many entries it has to hold, the next how it is encoded."""
    if len(data) < 2:
        return
    width, encoding, body = data[0] + 1, ENCODINGS[data[1] % len(ENCODINGS)], data[2:]
    whole = _is_bundle(body, width)
    request = BatchRequest(1, 1, "listings", (Frame(0, width, body, encoding),))
    try:
        batch = read_batch(request, {})
    except (FetchError, TileError):
        assert not whole or encoding != "identity"
    else:
        assert (batch.consumed, batch.entries) == (1, width)


def _is_bundle(body: bytes, width: int) -> bool:
    try:
        entries = decode_bundle(body, width)
    except TileError:
        return False
    assert encode_bundle(entries) == body
    return True


def check_tile(data: bytes) -> None:
    """A tile at the right edge of a tree of as many entries as the first byte says: believed, or refused."""
    if not data:
        return
    width, body = data[0] or 1, data[1:]
    try:
        hashes = decode_tile(body, width)
    except TileError:
        hashes = None
    root = CompactRange().extend(hashes or ()).root()
    tree = TreeAuthenticator(Head(width, root))
    try:
        tree.accept_edge(dict.fromkeys(tree.edge(), body))
    except EntriesError:
        assert hashes is None
    else:
        assert hashes is None or encode_tile(tree.last_leaves()) == body


def check_path(data: bytes) -> None:
    """The path of a tile or a bundle: one spelling each."""
    try:
        text = data.decode()
        assert str(parse_path(text)) == text
    except (TileError, UnicodeDecodeError):
        return


def check_card(data: bytes) -> None:
    """A member card; what is read, is written and reads back as the same."""
    try:
        card = parse_card(data, member="acme", url="https://acme.example")
    except CardError:
        return
    assert parse_card(encode_card(card), member="acme", url="https://acme.example") == card


def check_proof(data: bytes) -> None:
    """An offline proof for the leaf of zeros, under a policy of one log and one of three witnesses."""
    try:
        proof = parse_proof(data)
    except ProofError:
        return
    assert format_proof(proof) == data
    try:
        verify_proof(proof, bytes(_HASH_BYTES), POLICY)
    except (NoteError, SignatureError, InclusionError):
        return


def check_policy(data: bytes) -> None:
    """A policy file; what it asks for is asked for without an error of another kind."""
    try:
        policy = parse_policy(data)
    except ConfigurationError:
        return
    text = f"{LOG.name}\n1\n{'A' * 43}=\n"
    try:
        policy.check(parse_note(f"{text}\n{LOG.sign(text)}".encode()))
    except (NoteError, SignatureError):
        return


def check_tree_proof(data: bytes) -> None:
    """Inclusion and consistency: two numbers, two hashes, the proof. What holds is no longer than it must be."""
    if len(data) < _PAIR.size + 2 * _HASH_BYTES:
        return
    small, large = _PAIR.unpack_from(data)
    rest = data[_PAIR.size : len(data) - (len(data) - _PAIR.size) % _HASH_BYTES]
    first, second, *proof = split_hashes(rest)
    try:
        verify_inclusion(first, small, large, proof, second)
        assert len(proof) <= large.bit_length()
    except InclusionError:
        pass
    try:
        verify_consistency(small, first, large, second, proof)
        assert len(proof) <= large.bit_length() + 1
    except ConsistencyError:
        pass


def check_trust_form(data: bytes) -> None:
    """Metadata of a trust repository: the first byte picks the role."""
    roles = tuple(TrustRole)
    if not data:
        return
    try:
        check_form(roles[data[0] % len(roles)], data[1:], where="fuzz")
    except TrustError:
        return


def check_url(data: bytes) -> None:
    """A peer's URL: what is accepted names a host and a port."""
    try:
        url = parse_url(data.decode())
    except (FetchRefusedError, UnicodeDecodeError):
        return
    assert url.host
    assert 0 < url.port < 65_536
    assert url.path.startswith("/")


def check_directory(data: bytes) -> None:
    """A consortium's directory: what is accepted is read back alike from what it is written as."""
    try:
        directory = parse_directory(data)
    except DirectoryError:
        return
    assert parse_directory(encode_directory(directory)) == directory


def _directories() -> Iterator[bytes]:
    return (data for data in files("directories", "directory.json") if len(data) <= LONGEST_SEED_BYTES)


def _lines() -> Iterator[bytes]:
    for area in ("statements", "canonical"):
        yield from (b"\0" + entry for entry in files(area, "entry.json", "entry.bin"))
    yield from (b"\1" + entry for entry in files("statements", "entry.json"))
    yield from (b"\2" + entry for entry in files("statements", "entry.json"))


def _bundles() -> Iterator[bytes]:
    for path in sorted((VECTORS / "tiles").glob("*/bundle")):
        width = json.loads((path.parent / "case.json").read_bytes())["width"]
        yield bytes([width - 1 & 255, 0]) + path.read_bytes()
    lines = [line[1:] for line in _lines() if 1 < len(line) < 400]
    yield bytes([len(lines[:20]) - 1, 0]) + encode_bundle(lines[:20])
    yield bytes([0, 1]) + bytes.fromhex("28b52ffd2000010000")
    yield bytes([0, 2]) + bytes.fromhex("1f8b08000000000000ff0300000000000000000000")


def _tiles() -> Iterator[bytes]:
    for path in sorted((VECTORS / "tiles").glob("*/tile")):
        data = path.read_bytes()
        yield bytes([len(data) // _HASH_BYTES & 255]) + data


def _tree_proofs() -> Iterator[bytes]:
    for path in sorted((VECTORS / "merkle").glob("*/case.json")):
        facts = json.loads(path.read_bytes())
        if facts["read"] == "inclusion":
            numbers, hashes = (facts["index"], facts["size"]), (facts["leaf"], facts["root"])
        elif facts["read"] == "consistency":
            numbers, hashes = (facts["old_size"], facts["new_size"]), (facts["old_root"], facts["new_root"])
        else:
            continue
        if all(0 <= number < 2**64 for number in numbers):
            yield _PAIR.pack(*numbers) + bytes.fromhex("".join((*hashes, *facts["proof"])))


def _metadata() -> Iterator[bytes]:
    common = '"spec_version":"1.0.31","version":1,"expires":"2027-11-24T00:00:00Z"'
    digest = f'"length":1,"hashes":{{"sha256":"{"ab" * 32}"}}'
    role = '{"keyids":["a"],"threshold":1}'
    bodies = {
        TrustRole.ROOT: '"consistent_snapshot":true,"keys":{"a":{"keytype":"ed25519","scheme":"ed25519",'
        '"keyval":{"public":"ab"}}},"roles":{' + ",".join(f'"{each.value}":{role}' for each in TrustRole) + "}",
        TrustRole.TARGETS: f'"targets":{{"member.json":{{{digest}}}}}',
        TrustRole.SNAPSHOT: f'"meta":{{"targets.json":{{"version":1,{digest}}}}}',
        TrustRole.TIMESTAMP: f'"meta":{{"snapshot.json":{{"version":1,{digest}}}}}',
    }
    for number, kind in enumerate(TrustRole):
        yield (
            b"%c" % number + f'{{"signatures":[],"signed":{{"_type":"{kind.value}",{common},{bodies[kind]}}}}}'.encode()
        )


def _urls() -> Iterator[bytes]:
    yield from texts("names", "text", "first", "second")
    yield from (b"https://[2001:db8::1]:8470/a", b"http://127.0.0.1:8470/", b"http://localhost/", b"https://0x7f.1/")


TARGETS: Final = {
    target.name: target
    for target in (
        Target("line", check_line, _lines),
        Target("note", check_note, lambda: chain(files("notes", "note"), files("follow", "note"))),
        Target("key", check_key, lambda: texts("notes", "vkey")),
        Target("bundle", check_bundle, _bundles),
        Target("tile", check_tile, _tiles),
        Target("path", check_path, lambda: texts("tiles", "path")),
        Target("card", check_card, lambda: files("cards", "card.json")),
        Target("directory", check_directory, _directories),
        Target("proof", check_proof, lambda: files("proofs", "proof")),
        Target("policy", check_policy, lambda: files("proofs", "policy")),
        Target("tree-proof", check_tree_proof, _tree_proofs),
        Target("trust-form", check_trust_form, _metadata),
        Target("url", check_url, _urls),
        *WITNESS_TARGETS,
    )
}
"""Every target by its name."""
