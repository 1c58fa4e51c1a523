from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.errors import HashpactError, ProofError
from hashpact_protocol.notes import VerifierKey, parse_checkpoint, parse_note
from hashpact_protocol.proofs import HASHES_MAX, TlogProof, format_proof, parse_proof, verify_proof
from hashpact_protocol.tlog_policy import TlogPolicy, parse_policy
from vectors.cases import ROOT, cases, facts, on_disk
from vectors.generate_proofs import ENTRIES, INDEX, LEAF, proof_family
from vectors.generate_trees import path
from vectors.signers import LOG

HASHES = st.binary(min_size=32, max_size=32)


def read_case(folder: Path, case: dict[str, Any]) -> dict[str, Any]:
    """Read, write and verify a vector, and say what was in it, in the words of its case.json."""
    data = (folder / "proof").read_bytes()
    proof = parse_proof(data)
    assert format_proof(proof) == data
    policy = parse_policy((folder / "policy").read_bytes())
    checkpoint = verify_proof(proof, bytes.fromhex(case["leaf"]), policy)
    return {
        "index": proof.index,
        "size": checkpoint.size,
        "origin": checkpoint.origin,
        "extra": None if proof.extra is None else proof.extra.hex(),
    }


@pytest.mark.parametrize("folder", cases("proofs", "proof"), ids=lambda folder: folder.name)
def test_vector(folder: Path) -> None:
    case = facts(folder)
    assert folder.name.endswith("_fail") == ("error" in case)
    if "error" in case:
        with pytest.raises(HashpactError) as caught:
            read_case(folder, case)
        assert caught.value.code == case["error"]
    else:
        assert case.items() >= read_case(folder, case).items()


def test_vectors_are_what_the_generator_makes() -> None:
    assert on_disk("proofs") == proof_family().files


def test_a_proof_by_keys_alone() -> None:
    note = (ROOT / "proofs" / "log-alone" / "proof").read_bytes().split(b"\n\n", 1)[1]
    proof = TlogProof(INDEX, tuple(path(INDEX, ENTRIES)), note)
    policy = TlogPolicy.of_keys([VerifierKey.parse(LOG.vkey)])
    assert verify_proof(proof, bytes.fromhex(LEAF), policy) == parse_checkpoint(parse_note(note).text)


def test_no_proof_that_is_too_large() -> None:
    with pytest.raises(ProofError, match="too large"):
        parse_proof(bytes(2_000_000))


def test_the_largest_hash_count() -> None:
    proof = TlogProof(0, (bytes(32),) * HASHES_MAX, b"note")
    assert parse_proof(format_proof(proof)) == proof


def test_not_ascii() -> None:
    with pytest.raises(ProofError, match="not ASCII"):
        parse_proof("c2sp.org/tlog-proof@v1\nindex 0\n\u00e9\n\n".encode())


@pytest.mark.parametrize(
    "proof",
    [
        TlogProof(-1, (), b""),
        TlogProof(2**63, (), b""),
        TlogProof(0, (bytes(31),), b""),
        TlogProof(0, (b"",), b""),
        TlogProof(0, (bytes(32),) * 64, b""),
        TlogProof(0, (), b"", b""),
    ],
)
def test_no_proof_is_written_that_would_not_be_read(proof: TlogProof) -> None:
    with pytest.raises(ProofError):
        format_proof(proof)


@given(
    st.integers(0, 2**63 - 1), st.lists(HASHES, max_size=63), st.binary(max_size=99), st.binary(min_size=1) | st.none()
)
def test_proofs_come_back(index: int, hashes: list[bytes], note: bytes, extra: bytes | None) -> None:
    proof = TlogProof(index, tuple(hashes), note, extra)
    assert parse_proof(format_proof(proof)) == proof


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for start in (b"", b"c2sp.org/tlog-proof@v1\n"):
        try:
            proof = parse_proof(start + data)
        except ProofError:
            continue
        assert format_proof(proof) == start + data
