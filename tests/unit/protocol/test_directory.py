from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.canonical import canonical_bytes
from hashpact_protocol.directory import (
    INCIDENTS_MAX,
    Directory,
    DirectoryMember,
    Standing,
    encode_directory,
    parse_directory,
)
from hashpact_protocol.errors import DirectoryError
from hashpact_protocol.limits import LIMITS
from vectors.cases import cases, facts, on_disk
from vectors.generate_directories import MOST, MOST_BYTES, directory_family

ACME = DirectoryMember(
    "acme", "https://acme.example", f"1:sha256:{'0' * 64}", Standing.ADMITTED, "2026-11-24T04:00:00Z"
)
BETA = replace(ACME, member="beta", url="https://beta.example", standing=Standing.SUSPENDED, reason="theft")


def by_name(folder: Path) -> str:
    return folder.name


def test_the_vectors_are_those_that_are_made() -> None:
    assert on_disk("directories") == directory_family().files


@pytest.mark.parametrize("folder", cases("directories", "directory"), ids=by_name)
def test_vectors(folder: Path) -> None:
    case, data = facts(folder), (folder / "directory.json").read_bytes()
    if folder.name.endswith("_fail"):
        with pytest.raises(DirectoryError) as caught:
            parse_directory(data)
        assert (caught.value.code, caught.value.where) == (case["error"], case["where"])
        assert caught.value.mend
        return
    found = parse_directory(data)
    assert [[one.member, one.standing.value, one.reason] for one in found.members] == case["members"]
    again = encode_directory(found)
    assert again == data or "unknown" in folder.name
    assert parse_directory(again) == found


def test_members_are_written_in_order() -> None:
    directory = Directory("A Consortium", (BETA, ACME))
    assert parse_directory(encode_directory(directory)).members == (ACME, BETA)
    found = parse_directory(encode_directory(directory))
    assert (found.find("beta"), found.find("gamma")) == (BETA, None)


def test_the_limits_are_those_of_the_vectors() -> None:
    assert (LIMITS.directory_members_max, LIMITS.directory_max_bytes) == (MOST, MOST_BYTES)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        directory = parse_directory(data)
    except DirectoryError:
        return
    assert parse_directory(encode_directory(directory)) == directory


ONE, TWO = "0f9e8d7c-6b5a-4f3e-8d2c-1b0a9f8e7d6c", "1f9e8d7c-6b5a-4f3e-8d2c-1b0a9f8e7d6c"


def test_incidents_that_are_active_stand_in_order() -> None:
    directory = Directory("A Consortium", (ACME,), (TWO, ONE))
    assert parse_directory(encode_directory(directory)).incidents == (ONE, TWO)
    assert b"incidents" not in encode_directory(Directory("A Consortium", (ACME,)))


@pytest.mark.parametrize(
    ("incidents", "where"),
    [
        (None, "incidents"),
        ({}, "incidents"),
        ([ONE] * (INCIDENTS_MAX + 1), "incidents"),
        ([ONE, 3], "incidents[1]"),
        (["fire"], "incidents[0]"),
        ([ONE.upper()], "incidents[0]"),
        ([ONE, ONE], "incidents[1]"),
        ([TWO, ONE], "incidents[1]"),
    ],
)
def test_incidents_of_no_such_form_refuse_it_whole(incidents: object, where: str) -> None:
    with pytest.raises(DirectoryError) as caught:
        parse_directory(canonical_bytes({"incidents": incidents, "members": [], "name": "A Consortium"}))
    assert caught.value.where == where
