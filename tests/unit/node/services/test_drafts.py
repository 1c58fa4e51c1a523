from __future__ import annotations

import re
import uuid

import pytest

from hashpact_node.services.drafts import (
    ListingDraft,
    PlainDraft,
    PlainSignal,
    draft_of_fields,
    encode_listing,
    encode_plain,
    encode_withdrawal,
    new_id,
    read_plain,
)
from hashpact_protocol.errors import RequestError, SignalError, StatementError
from hashpact_protocol.statements import encode_statement, parse_statement
from members import NOW, TIME, pdq, sha256

SIGNALS = [{"type": "sha256", "value": "ab" * 32}]


def test_new_ids_are_those_of_uuid4() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(uuid.UUID(one).version == 4 and uuid.UUID(one).variant == uuid.RFC_4122 for one in ids)
    assert all(str(uuid.UUID(one)) == one for one in ids)


@pytest.mark.parametrize(
    "draft",
    [
        ListingDraft("image", (pdq(1), sha256(2)), ("a:b",)),
        ListingDraft("image", (pdq(1),), note='"\\\u2028\x01\x7fü\U0001f600', expires=TIME, review_by=TIME),
        ListingDraft("video", (sha256(1),), preserve=True, handling="this-log", origin="gifct", confirmed="human"),
        ListingDraft("video", draft_of_fields({"content": "", "signals": [
            {"type": "tmk", "sha256": "ab" * 32, "length": 5}, {"type": "new_type", "value": "X"}]}).signals),
    ],
)  # fmt: skip
def test_the_fast_way_writes_what_the_exact_one_does(draft: ListingDraft) -> None:
    listing = draft.listing(NOW)
    entry = encode_listing(listing, "listings")
    assert entry == encode_statement(listing)
    assert parse_statement(entry, "listings") == listing


@pytest.mark.parametrize("note", ["\ud800", "x" * 5000])
def test_what_has_no_form_is_not_written(note: str) -> None:
    with pytest.raises(StatementError):
        encode_listing(ListingDraft("image", (pdq(1),), note=note).listing(NOW), "listings")
    with pytest.raises(StatementError):
        encode_withdrawal(new_id(), "error", note, now=NOW, log_kind="listings")


def test_a_listing_has_its_place_in_logs_of_listings() -> None:
    listing = ListingDraft("image", (pdq(1),)).listing(NOW)
    with pytest.raises(StatementError, match="no place in a log"):
        encode_listing(listing, "opinions")
    assert encode_plain(PlainDraft(content="x", signals=[]), "listings", new_id(), TIME) is None


def test_a_draft_of_fields_is_checked() -> None:
    draft = draft_of_fields(
        {"content": "image", "signals": SIGNALS * 2, "labels": ["x"]}, identifier="abc", where="here"
    )
    assert (len(draft.signals), draft.labels, draft.id, draft.where) == (1, ("x",), "abc", "here")
    with pytest.raises(SignalError) as caught:
        draft_of_fields({"content": "x", "signals": [{"type": "sha256", "value": "AB" * 32}]}, where="line 7")
    assert caught.value.where == "line 7: signals[0].value"
    assert caught.value.mend == "write hashes in full, in lower case"
    with pytest.raises(RequestError, match="no field 'kind'"):
        draft_of_fields({"kind": "listing"})


@pytest.mark.parametrize(
    "line",
    [
        '{"content":"a","content":"b","signals":[]}',
        '{"content":"a","note":null,"signals":[]}',
        r'{"content":"\u0061","signals":[]}',
        '{"content":"a","signals":[{"type":"md5","value":"x","seen":1}]}',
        '{"content":"a","id":"x","signals":[]}',
        '{"content":"a"}',
        "[" * 50_000,
        "",
        '"\ud800"',
    ],
)
def test_what_is_unusual_is_not_read_as_plain(line: str) -> None:
    assert read_plain(line) is None


def test_fields_that_a_type_does_not_have_are_doubts() -> None:
    for signal in (PlainSignal(type="sha256", value="ab" * 32, quality=1), PlainSignal(type="pdq", value="ab" * 32)):
        assert encode_plain(PlainDraft(content="x", signals=[signal]), "listings", new_id(), TIME) is None


def test_a_plain_draft_is_written_without_defaults() -> None:
    plain = PlainDraft(
        content="x",
        signals=[PlainSignal(type="sha256", value="ab" * 32)],
        handling="members",
        origin="own",
        preserve=False,
    )
    entry = encode_plain(plain, "listings", new_id(), TIME)
    assert entry is not None
    assert entry == encode_statement(parse_statement(entry, "listings"))  # type: ignore[arg-type]  # it is a listing
    assert not re.search(rb"handling|origin|preserve", entry)
