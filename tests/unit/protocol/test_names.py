from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashpact_protocol.errors import MemberNameError
from hashpact_protocol.names import MemberUrl, collides, parse_member_id
from vectors.cases import cases, facts, on_disk
from vectors.generate_names import name_family

SEGMENTS = st.lists(st.from_regex(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,6}", fullmatch=True), max_size=3)
LABELS = st.lists(st.from_regex(r"[a-z](?:[a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True), min_size=1, max_size=3)


def by_name(folder: Path) -> str:
    return folder.name


def read(case: dict[str, str]) -> str:
    """Read the text of a case as what it is, and give it back as it was understood."""
    if case["read"] == "member-id":
        return parse_member_id(case["text"])
    if case["read"] == "member-url":
        return str(MemberUrl.parse(case["text"]))
    member = MemberUrl.parse(case["member_url"])
    check = member.check_origin if case["read"] == "origin" else member.check_witness_name
    check(case["text"])
    return case["text"]


@pytest.mark.parametrize("folder", cases("names", "member-id", "member-url", "origin", "witness-name"), ids=by_name)
def test_vectors(folder: Path) -> None:
    case = facts(folder)
    if folder.name.endswith("_fail"):
        with pytest.raises(MemberNameError) as caught:
            read(case)
        assert caught.value.code == case["error"]
        assert caught.value.where
        assert caught.value.mend
        return
    assert read(case) == case["text"]
    if "prefix" in case:
        assert MemberUrl.parse(case["text"]).prefix == case["prefix"]


@pytest.mark.parametrize("folder", cases("names", "pair"), ids=by_name)
def test_collisions(folder: Path) -> None:
    case = facts(folder)
    first, second = MemberUrl.parse(case["first"]), MemberUrl.parse(case["second"])
    assert collides(first, second) is case["collide"]
    assert collides(second, first) is case["collide"]


def test_vectors_are_those_that_the_generator_makes() -> None:
    assert on_disk("names") == name_family().files


def test_where_is_what_the_caller_says() -> None:
    with pytest.raises(MemberNameError, match=r"^peers.toml: 'A' is no member id"):
        parse_member_id("A", where="peers.toml")


@given(LABELS, SEGMENTS, LABELS, SEGMENTS)
def test_no_name_below_one_url_is_a_name_below_another_unless_they_collide(
    labels: list[str], segments: list[str], other_labels: list[str], other_segments: list[str]
) -> None:
    first = MemberUrl.parse("/".join([f"https://{'.'.join(labels)}", *segments]))
    second = MemberUrl.parse("/".join([f"https://{'.'.join(other_labels)}", *other_segments]))
    origin = f"{first.prefix}/logs/listings-1"
    first.check_origin(origin)
    assert first.log_url(origin) == f"{first}/logs/listings-1"
    if not collides(first, second):
        with pytest.raises(MemberNameError):
            second.check_origin(origin)


@given(st.text(max_size=40) | st.from_regex(r"https?://[a-z0-9.\[\]:/-]{0,20}", fullmatch=True))
def test_any_text_is_read_back_as_it_is_or_refused(text: str) -> None:
    try:
        url = MemberUrl.parse(text)
    except MemberNameError:
        return
    assert str(url) == text
