from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hashpact_protocol.card_fields import Fields, read_object, refuse
from hashpact_protocol.errors import CardError
from vectors.cases import cases, facts


def test_an_object_is_read_with_what_it_holds() -> None:
    fields = read_object(
        b' {"t":"x","l":["a","b"],"n":7,"f":true,"at":"2028-02-29T23:59:59Z","o":{"s":[{"n":1}]},"z":null} '
    )
    assert fields.text("t") == "x"
    assert fields.texts("l") == ["a", "b"]
    assert fields.integer("n", 7, 7) == 7
    assert fields.flag("f") is True
    assert fields.flag("absent") is False
    assert fields.time("at") == datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC)
    (inner,) = fields.object("o").objects("s", 1)
    assert inner.integer("n", 0, 2) == 1
    assert inner.where("n") == "o.s[0].n"
    assert fields.has("z")
    assert not fields.has("absent")


FAULTS: list[tuple[Callable[[Fields], object], object, str, str]] = [
    (lambda fields: fields.text("x"), 1, "x", "is not a string"),
    (lambda fields: fields.text("x"), "", "x", "is not a string"),
    (lambda fields: fields.text("y"), "", "y", "is missing"),
    (lambda fields: fields.text("x"), "a\x00", "x", "control character"),
    (lambda fields: fields.text("x"), "a\x9f", "x", "control character"),
    (lambda fields: fields.text("x"), "a\ud800", "x", "half a surrogate pair"),
    (lambda fields: fields.text("x"), "\u00e9" * 2049, "x", "is longer than 4096 bytes"),
    (lambda fields: fields.texts("x"), "a", "x", "is not a list"),
    (lambda fields: fields.texts("x"), ["a", None], "x[1]", "is not a string"),
    (lambda fields: fields.integer("x", 1, 3), 0, "x", "is not an integer from 1 to 3"),
    (lambda fields: fields.integer("x", 1, 3), 4, "x", "is not an integer from 1 to 3"),
    (lambda fields: fields.integer("x", 1, 3), True, "x", "is not an integer from 1 to 3"),
    (lambda fields: fields.integer("x", 1, 3), 2.0, "x", "is not an integer from 1 to 3"),
    (lambda fields: fields.flag("x"), None, "x", "is neither true nor false"),
    (lambda fields: fields.flag("x"), 1, "x", "is neither true nor false"),
    (lambda fields: fields.time("x"), "2026-11-24T00:00:00z", "x", "is not a time of the form"),
    (lambda fields: fields.time("x"), "2027-02-29T00:00:00Z", "x", "is not a time that the calendar has"),
    (lambda fields: fields.object("x"), [], "x", "is not an object"),
    (lambda fields: fields.objects("x", 1), [{}, {}], "x", "holds 2 where at most 1 are allowed"),
    (lambda fields: fields.objects("x", 1), [1], r"x\[0\]", "is not an object"),
]


@pytest.mark.parametrize(("read", "value", "where", "what"), FAULTS)
def test_a_field_that_has_not_its_form_is_named(
    read: Callable[[Fields], object], value: object, where: str, what: str
) -> None:
    with pytest.raises(CardError, match=what) as caught:
        read(Fields({"x": value}))
    assert caught.value.where == where.replace("\\", "")
    assert caught.value.mend


def test_the_longest_string_and_the_largest_card_are_read() -> None:
    assert Fields({"x": "\u00e9" * 2048}).text("x") == "\u00e9" * 2048
    data = b'{"x":1}'
    assert read_object(data + b" " * (65_536 - len(data))).has("x")


def test_the_path_of_an_inner_field_is_named() -> None:
    with pytest.raises(CardError, match=r"^logs\[1\].final.size: is missing"):
        Fields({}, "logs[1].final").integer("size", 0, 1)


@pytest.mark.parametrize(
    "folder", [folder for folder in cases("cards", "card") if facts(folder).get("where") == "card"]
)
def test_bytes_that_are_no_strict_json_are_refused(folder: Path) -> None:
    data = (folder / "card.json").read_bytes()
    if folder.name.startswith("rows-"):  # these are good JSON, and refused for their keys
        assert read_object(data).has("logs")
        return
    with pytest.raises(CardError) as caught:
        read_object(data)
    assert caught.value.where == "card"


def test_a_refusal_is_a_card_error() -> None:
    with pytest.raises(CardError, match=r"^here: what \("):
        refuse("what", "here")
