from __future__ import annotations

import re
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from hashpact_protocol.card_fields import Fields, read_object
from hashpact_protocol.card_logs import (
    CardLog,
    Final,
    LogKind,
    LogState,
    check_sequences,
    counting_logs,
    log_names,
    log_sequence,
    read_log,
)
from hashpact_protocol.errors import CardError
from hashpact_protocol.merkle import EMPTY_ROOT
from hashpact_protocol.names import MemberUrl
from vectors.card_cases import PREFIX, URL, closed, log, vkey
from vectors.cases import cases, facts

MEMBER_URL = MemberUrl.parse(URL)


def by_name(folder: Path) -> str:
    return folder.name


def read(*values: dict[str, Any]) -> list[CardLog]:
    logs = [read_log(Fields(value, f"logs[{n}]"), MEMBER_URL) for n, value in enumerate(values)]
    check_sequences(logs, Fields({}))
    return logs


def refused_logs() -> list[Path]:
    """The vectors in which a field of one log is to blame."""
    return [folder for folder in cases("cards", "card") if re.match(r"logs\[\d+\]\.", facts(folder).get("where", ""))]


@pytest.mark.parametrize("folder", refused_logs(), ids=by_name)
def test_a_log_is_refused_by_itself(folder: Path) -> None:
    where = facts(folder)["where"]
    logs = read_object((folder / "card.json").read_bytes()).objects("logs", 256)
    (to_blame,) = (fields for fields in logs if where.startswith(f"{fields.path}."))
    with pytest.raises(CardError) as caught:
        read_log(to_blame, MEMBER_URL)
    assert caught.value.where == where


def test_what_a_log_holds() -> None:
    value = closed("crisis", 1, "a", name="crisis-eu", fresh=3, erased=True)
    origin = f"{PREFIX}/logs/crisis-1"
    assert read_log(Fields(value), MEMBER_URL) == CardLog(
        name="crisis-eu",
        kind=LogKind.CRISIS,
        origin=origin,
        url=f"https://{origin}",
        keys=read(log("crisis", 1, "a"))[0].keys,
        state=LogState.CLOSED,
        final=Final(1234, b64decode(value["final"]["root"])),
        fresh=3,
        erased=True,
    )


def test_an_erased_log_is_read_when_a_later_one_is_fresh() -> None:
    logs = read(closed("listings", 1, "a", erased=True), closed("listings", 2, "a"), log("listings", 3, "a", fresh=1))
    assert [log.erased for log in logs] == [True, False, False]


def test_logs_follow_each_other_by_name() -> None:
    logs = read(log("crisis", 1, "b"), log("listings", 3, "a", fresh=2), closed("listings", 1, "a"))
    assert log_names(logs) == ["crisis", "listings"]
    assert log_sequence(logs, "listings") == [logs[2], logs[1]]
    assert counting_logs(logs, "listings") == [logs[1]]
    assert counting_logs(logs, "crisis") == [logs[0]]
    assert counting_logs(logs, "opinions") == []


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ([log("listings", 1, "a"), closed("listings", 1, "a")], "is named twice"),
        ([log("listings", 1, "a"), log("listings", 2, "a")], "more than one log named listings is open"),
        ([log("listings", 1, "a", erased=True), closed("listings", 2, "a", fresh=1)], "is erased, and still open"),
        ([closed("listings", 1, "a", erased=True)], "no later fresh log named listings replaces it"),
        ([closed("listings", 1, "a", erased=True, fresh=1)], "no later fresh log"),
        ([closed("listings", 1, "a", erased=True), log("listings", 2, "a")], "no later fresh log"),
        ([closed("listings", 1, "a", fresh=1), closed("listings", 2, "a", erased=True)], "no later fresh log"),
        ([closed("listings", 1, "a", erased=True), log("crisis", 2, "b", fresh=1)], "no later fresh log"),
    ],
)
def test_logs_that_do_not_fit_together_are_refused(values: list[dict[str, Any]], what: str) -> None:
    with pytest.raises(CardError, match=what) as caught:
        read(*values)
    assert caught.value.where == "logs"


def test_a_log_may_be_closed_before_its_first_entry() -> None:
    (empty,) = read(closed("crisis", 1, "b", 0))
    assert empty.final == Final(0, EMPTY_ROOT)


def test_16_keys_are_read() -> None:
    (read_one,) = read(log("listings", 1, "a", keys=[vkey("logs/listings-1", f"{n}") for n in range(16)]))
    assert len(read_one.keys) == 16


@pytest.mark.parametrize(
    ("told", "read_as"),
    [
        ("the key was stolen", "the key was stolen"),
        ("é" * 128, "é" * 128),
        ("é" * 128 + "x", None),
        ("", None),
        ("two\nlines", None),
        (None, None),
        (["stolen"], None),
    ],
    ids=["words", "256-bytes", "257-bytes", "empty", "control", "null", "list"],
)
def test_a_reason_never_refuses_a_card(told: object, read_as: str | None) -> None:
    (found,) = read(closed("crisis", 1, "a", reason=told))
    assert found.reason == read_as
    (still_open,) = read(log("crisis", 1, "a", reason=told))
    assert still_open.reason is None
