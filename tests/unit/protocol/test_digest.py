from __future__ import annotations

import hashlib
import random
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.digest import BlocklistDigest
from hashpact_protocol.errors import ConflictError
from hashpact_protocol.merkle import CompactRange, leaf_hash
from hashpact_protocol.parsing import parse_entries
from hashpact_protocol.statements import Listing
from vectors.generate_merge import digest_area
from vectors.naive_merge import naive_merge
from vectors_lookup import Vector, committed_files, vectors

ROOT = bytes(range(32))
ROOT_TEXT = b64encode(ROOT).decode()
ORIGIN = "acme.example/logs/listings-1"
ID = "5b2f0b6e-6c2e-4b7a-9d0e-0d6a2b1c3f48"
CLAIMS = st.lists(st.tuples(st.sampled_from(["sha", "sha256", "sha_1", "pdq"]), st.text("!0Az~", min_size=1)))


def begun(size: int = 3) -> BlocklistDigest:
    digest = BlocklistDigest()
    digest.add_log(ORIGIN, size, ROOT)
    return digest


def is_replaced(log: Mapping[str, Any], later: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a later log of the same sequence is fresh, and held so far."""
    same = [other for other in later if (other["member"], other["name"]) == (log["member"], log["name"])]
    return any(len(other["entries"]) >= other["fresh"] for other in same if "fresh" in other)


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_nothing_has_a_digest() -> None:
    assert BlocklistDigest().hexdigest() == hashed("")


def test_the_bytes_of_a_digest() -> None:
    digest = begun()
    digest.add_listing(0, ID, [("sha256", "ff"), ("pdq", "00"), ("sha256", "0f")])
    digest.add_listing(2, ID, [])
    digest.add_log("beta.example/logs/listings-1", 0, ROOT)
    assert digest.hexdigest() == hashed(
        f"{ORIGIN} 3 {ROOT_TEXT}\n0 {ID}\npdq 00\nsha256 0f\nsha256 ff\n2 {ID}\n"
        f"beta.example/logs/listings-1 0 {ROOT_TEXT}\n"
    )


@given(CLAIMS, st.randoms(use_true_random=False))
def test_claims_come_in_any_order_and_count_once(claims: list[tuple[str, str]], draw: random.Random) -> None:
    shuffled = claims + claims
    draw.shuffle(shuffled)
    one, other = begun(), begun()
    one.add_listing(0, ID, claims)
    other.add_listing(0, ID, shuffled)
    lines = sorted({f"{kind} {value}" for kind, value in claims})
    assert one.hexdigest() == other.hexdigest()
    assert one.hexdigest() == hashed("".join(f"{line}\n" for line in [f"{ORIGIN} 3 {ROOT_TEXT}", f"0 {ID}", *lines]))


@pytest.mark.parametrize("origin", [ORIGIN, "acme.example/logs/listings", "Acme.example/logs/listings-1", ""])
def test_logs_out_of_order_are_refused(origin: str) -> None:
    digest = begun()
    with pytest.raises(ConflictError) as caught:
        digest.add_log(origin, 1, ROOT)
    assert caught.value.where == origin


def test_a_log_without_origin_is_refused() -> None:
    with pytest.raises(ConflictError):
        BlocklistDigest().add_log("", 1, ROOT)


@pytest.mark.parametrize("index", [1, 0])
def test_listings_out_of_order_are_refused(index: int) -> None:
    digest = begun()
    digest.add_listing(1, ID, [])
    with pytest.raises(ConflictError, match="in order") as caught:
        digest.add_listing(index, ID, [])
    assert caught.value.where == f"index {index}"


def test_each_log_begins_at_index_0() -> None:
    digest = begun()
    digest.add_listing(2, ID, [])
    digest.add_log("beta.example/logs/listings-1", 1, ROOT)
    digest.add_listing(0, ID, [])
    with pytest.raises(ConflictError, match="first 1 entries"):
        digest.add_listing(1, ID, [])


def test_a_listing_before_any_log_is_refused() -> None:
    with pytest.raises(ConflictError):
        BlocklistDigest().add_listing(0, ID, [])


@pytest.mark.parametrize("vector", vectors("digest"), ids=str)
def test_vectors(vector: Vector) -> None:
    expected = vector.expected
    digest = BlocklistDigest()
    read = vector.json("logs.json")
    logs = {log["origin"]: log for at, log in enumerate(read) if not is_replaced(log, read[at + 1 :])}
    for origin in sorted(logs, key=str.encode):
        log = logs[origin]
        if log["name"] != log["kind"]:
            continue
        raw = [entry.encode() for entry in log["entries"]][: expected["stopped"].get(origin)]
        entries = parse_entries(raw, log["kind"])
        digest.add_log(origin, len(raw), CompactRange().extend(map(leaf_hash, raw)).root())
        for where, index, identifier in expected["live"]:
            if where == origin:
                entry = entries[index]
                assert isinstance(entry, Listing)
                digest.add_listing(index, identifier, [(signal.type, signal.value) for signal in entry.signals])
    assert digest.hexdigest() == expected["digest"] == hashed("".join(expected["lines"]))


@pytest.mark.parametrize("vector", [*vectors("merge"), *vectors("digest")], ids=str)
def test_what_lives_in_the_vectors_is_what_the_naive_merge_says(vector: Vector) -> None:
    logs = vector.json("logs.json")
    sequences = {(log["member"], log["name"]) for log in logs}
    live: list[list[object]] = []
    for sequence in sequences:
        numbered = [
            (number, parse_entries([entry.encode() for entry in log["entries"]], log["kind"]))
            for number, log in enumerate(logs)
            if (log["member"], log["name"]) == sequence and not is_replaced(log, logs[number + 1 :])
        ]
        live += [[logs[log]["origin"], index, key] for key, (log, index) in naive_merge(numbered).live.items()]
    assert sorted(live, key=str) == sorted(vector.expected["live"], key=str)


def test_vectors_are_those_that_the_generator_makes() -> None:
    assert committed_files("digest") == digest_area().files
