from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.card import Card, encode_card, parse_card
from hashpact_protocol.errors import CardError
from vectors.card_cases import MEMBER, PREFIX, URL, Json, card, closed, encode, log
from vectors.cases import cases, facts, on_disk
from vectors.generate_cards import card_family


def by_name(folder: Path) -> str:
    return folder.name


def parse(value: Json) -> Card:
    return parse_card(encode(value), member=MEMBER, url=URL)


@pytest.mark.parametrize("folder", cases("cards", "card"), ids=by_name)
def test_vectors(folder: Path) -> None:
    case, data = facts(folder), (folder / "card.json").read_bytes()
    if folder.name.endswith("_fail"):
        with pytest.raises(CardError) as caught:
            parse_card(data, member=case["member"], url=case["url"])
        assert caught.value.code == case["error"]
        assert caught.value.where == case["where"]
        assert caught.value.mend
        return
    read = parse_card(data, member=case["member"], url=case["url"])
    assert {name: [log.origin for log in read.counting(name)] for name in read.names} == case["counting"]
    assert parse_card(encode_card(read), member=case["member"], url=case["url"]) == read


def test_vectors_are_those_that_the_generator_makes() -> None:
    assert on_disk("cards") == card_family().files


def test_a_card_is_encoded_in_canonical_form() -> None:
    value = card(closed("listings", 1, "a", erased=True), log("listings", 2, "a", fresh=1), name='Z\u00fc"\\\U0001f600')
    assert encode_card(parse(value)) == rfc8785.dumps(value)


def test_the_times_of_a_card_are_written_as_they_were_read() -> None:
    value = card()
    value["witness_keys"][0]["from"] = "0009-08-07T06:05:04Z"
    read = parse(value)
    assert read.witness_keys[0].valid_from == datetime(9, 8, 7, 6, 5, 4, tzinfo=UTC)
    assert json.loads(encode_card(read)) == value


def test_what_a_card_holds() -> None:
    read = parse(card())
    assert (read.member, read.name, read.url) == (MEMBER, "Acme Video Inc.", URL)
    assert read.contacts == ("mailto:trust@acme.example",)
    assert [row for row, _ in read.public_keys()] == ["release", "release", "crisis", "release", "witness", "request"]
    assert read.log(f"{PREFIX}/logs/crisis-1") is read.logs[2]
    assert read.log("beta.example/logs/crisis-1") is None
    assert read.sequence("listings") == [read.logs[0], read.logs[1]]
    assert read.sequence("unknown") == read.counting("unknown") == []


@given(st.permutations(range(5)), st.sets(st.integers(0, 4)))
def test_the_sequence_of_a_name_is_closed_logs_in_card_order_then_the_open_one(
    order: list[int], fresh: set[int]
) -> None:
    logs = [closed("listings", n, "a") for n in range(4)] + [log("listings", 4, "a")]
    for number in fresh:
        logs[number]["fresh"] = 1
    read = parse(card(*[logs[number] for number in order]))
    sequence = [int(log.origin[-1]) for log in read.sequence("listings")]
    assert sequence == [number for number in order if number != 4] + [4]
    counting = [int(log.origin[-1]) for log in read.counting("listings")]
    assert counting == sequence[-len(counting) :]
    assert not fresh & set(counting[1:])
    assert counting[0] in fresh if fresh else counting == sequence


@given(
    st.binary(max_size=200) | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(encode)
)
def test_any_bytes_are_refused_with_a_card_error(data: bytes) -> None:
    with pytest.raises(CardError):
        parse_card(data, member=MEMBER, url=URL)


ANYTHING: st.SearchStrategy[Json] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just([]), st.just({})
)


@given(st.data())
def test_any_value_in_any_place_is_read_or_refused_with_a_card_error(data: st.DataObject) -> None:
    value = card()
    place: Json = value
    while True:
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(ANYTHING)
    try:
        read = parse_card(json.dumps(value).encode(), member=MEMBER, url=URL)
    except CardError:
        return
    assert parse_card(encode_card(read), member=MEMBER, url=URL) == read
