from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hashpact_protocol.errors import StatementError
from hashpact_protocol.signals import Signal, parse_signal
from hashpact_protocol.statements import (
    Incident,
    Listing,
    Opinion,
    Statement,
    Unknown,
    WellFormed,
    Withdrawal,
    encode_statement,
    parse_statement,
)
from vectors.generate_statements import areas, write
from vectors_lookup import Vector, committed_files, vectors

IDENTIFIER = "5b2f0b6e-6c2e-4b7a-9d0e-0d6a2b1c3f48"
TIME = "2026-11-24T04:00:00Z"
SIGNAL = parse_signal({"type": "sha256", "value": "ab" * 32})
PDQ = parse_signal({"type": "pdq", "value": "cd" * 32, "quality": 60})
BLOB = parse_signal({"type": "vpdq", "sha256": "ef" * 32, "length": 9})
LISTING = Listing(IDENTIFIER, TIME, "image", (SIGNAL,))


def as_expected(statement: Statement) -> dict[str, Any]:
    """Say what a statement says as the vectors do."""
    fields = {name: value for name, value in msgspec.to_builtins(statement).items() if value is not None}
    if isinstance(statement, Listing):
        fields["signals"] = [
            {name: value for name, value in signal.items() if value is not None and name != "key"}
            for signal in fields["signals"]
        ]
        fields["dropped"] = [int(reason.removeprefix("signals[").partition("]")[0]) for reason in statement.dropped]
        fields["labels"] = list(statement.labels)
    return fields if isinstance(statement, Unknown) else {"kind": statement.kind, **fields}


@pytest.mark.parametrize("vector", vectors("statements"), ids=str)
def test_vectors(vector: Vector) -> None:
    entry, log_kind = vector.read("entry.json", "entry.bin"), vector.json("input.json")["log_kind"]
    if vector.must_fail:
        with pytest.raises(StatementError) as caught:
            parse_statement(entry, log_kind)
        assert caught.value.code == vector.expected["code"]
        return
    assert as_expected(parse_statement(entry, log_kind)) == vector.expected


@pytest.mark.parametrize("vector", [v for v in vectors("statements") if not v.must_fail], ids=str)
def test_what_the_vectors_say_can_be_said_by_us(vector: Vector) -> None:
    statement = parse_statement(vector.read("entry.json"), vector.json("input.json")["log_kind"])
    if isinstance(statement, Unknown):
        return
    if isinstance(statement, Listing) and statement.dropped:
        with pytest.raises(StatementError):
            encode_statement(statement)
        return
    entry = encode_statement(statement, log_kind=vector.json("input.json")["log_kind"])
    assert parse_statement(entry, vector.json("input.json")["log_kind"]) == statement


@pytest.mark.parametrize("area", areas(), ids=lambda area: area.name)
def test_the_vectors_are_what_the_generator_makes(area: Any, tmp_path: Path) -> None:
    assert committed_files(area.name) == area.files
    write(tmp_path)
    assert (tmp_path / area.name / "README.md").read_bytes() == area.files[f"{area.name}/README.md"]


def test_every_vector_says_why() -> None:
    assert all(vector.why for area in areas() for vector in vectors(area.name))


def test_a_listing_is_written_without_defaults() -> None:
    assert encode_statement(LISTING) == (
        b'{"content":"image","id":"%b","kind":"listing","signals":[{"type":"sha256","value":"%b"}],"time":"%b"}'
        % (IDENTIFIER.encode(), b"ab" * 32, TIME.encode())
    )


@pytest.mark.parametrize(
    "statement",
    [
        msgspec.structs.replace(
            LISTING, signals=(PDQ, BLOB, SIGNAL), labels=("a", "b"), handling="this-log", origin="", preserve=True
        ),
        Withdrawal(IDENTIFIER, TIME, IDENTIFIER, "error", "note"),
        Opinion(IDENTIFIER, TIME, "beta", "listings", IDENTIFIER, "ab" * 32, "agree", "journalism"),
        Incident(IDENTIFIER, TIME, IDENTIFIER, "active", title="A drill"),
    ],
)
def test_what_is_written_reads_back(statement: WellFormed) -> None:
    log_kind = "opinions" if isinstance(statement, Opinion) else "crisis"
    assert parse_statement(encode_statement(statement), log_kind) == statement


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"id": "x"}, "id: is no UUID"),
        ({"content": 5}, "content: is no string"),
        ({"content": "\ud800"}, "surrogate"),
        ({"handling": "everybody"}, "handling: is none of"),
        ({"signals": ()}, "signals: is no array of 1 to 128"),
        ({"signals": (SIGNAL, SIGNAL)}, "read back"),
        ({"signals": (Signal("sha256", "AB" * 32, None, None, b""),)}, "read back"),
        ({"dropped": ("signals[0]: x",)}, "read back"),
        ({"labels": ["a"]}, "read back"),
        ({"labels": ("\x01" * 128,) * 64}, "at most 16384 bytes"),
    ],
)
def test_nothing_malformed_is_written(change: dict[str, Any], what: str) -> None:
    with pytest.raises(StatementError) as caught:
        encode_statement(msgspec.structs.replace(LISTING, **change))
    assert what in str(caught.value)


def test_nothing_is_written_for_a_log_where_it_has_no_place() -> None:
    with pytest.raises(StatementError, match="no place in a log of kind opinions"):
        encode_statement(LISTING, log_kind="opinions")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (b"", "an entry is 1 to 16384 bytes, this one has 0"),
        (b"[]", "an entry is a JSON object"),
        (b'{"kind":""}', "kind: is missing, empty or no string"),
        (b'{"kind":"listing"}', "id: a statement of kind listing must have this field"),
        (b'{"id":5,"kind":"listing"}', "id: is no string"),
        (b'{"kind":"opinion"}', "kind: a statement of kind opinion has no place in a log of kind listings"),
    ],
)
def test_the_reason_says_what_and_where(entry: bytes, reason: str) -> None:
    with pytest.raises(StatementError) as caught:
        parse_statement(entry, "listings")
    assert str(caught.value) == reason
