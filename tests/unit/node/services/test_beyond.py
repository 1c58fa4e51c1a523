from __future__ import annotations

import json
from pathlib import Path

import pytest

from hashpact_node.services.beyond import Cut as Where
from hashpact_node.services.beyond import Said, describe, is_kept, read_choices, suspects
from hashpact_node.services.drafts import ListingDraft
from hashpact_protocol.errors import RequestError
from hashpact_protocol.statements import encode_statement
from members import TIME, listing, sha256, unknown, uuid_of, withdrawal
from own_member import NOW, OwnMember


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            encode_statement(listing(1, sha256(7))),
            Said("listing", uuid_of(1), TIME, f"image sha256:{7:064x}", uuid_of(1)),
        ),
        (
            encode_statement(withdrawal(2, of=1)),
            Said("withdrawal", uuid_of(2), TIME, f"withdraws {uuid_of(1)}: error", uuid_of(1)),
        ),
        (unknown(), Said("poem", None, None, "unknown kind", None)),
        (b'{"kind":"listing","signals":[1]}', Said("listing", None, None, "None ", None)),
        (b"[" * 100_000, Said(None, None, None, "not readable", None)),
        (b"[]", Said(None, None, None, "not readable", None)),
        (b"\xff", Said(None, None, None, "not readable", None)),
    ],
    ids=["listing", "withdrawal", "unknown", "odd-listing", "deep", "list", "not-utf-8"],
)
def test_what_an_entry_says_of_itself(data: bytes, said: Said) -> None:
    assert describe(data) == said


def test_what_a_list_does_not_name_is_as_it_is_said(acme: OwnMember, tmp_path: Path) -> None:
    acme.publisher.publish([ListingDraft("image", (sha256(number),)) for number in range(3)])
    with acme.database.read() as connection:
        found = suspects(connection, "listings", Where(None, {"listings": 0}))
    first, second, third = found[0].beyond
    file = tmp_path / "list"
    file.write_text(f"{json.dumps(first.line(keep=True))}\n\n{json.dumps(second.line(keep=False))}\n")
    choices = read_choices(file, found)
    assert [is_kept(one, choices, default=True) for one in (first, second, third)] == [True, False, True]
    assert [is_kept(one, choices, default=False) for one in (first, second, third)] == [True, False, False]
    moved = {**third.line(keep=True), "index": first.index}
    file.write_text(json.dumps(moved))
    with pytest.raises(RequestError, match="no such entry"):
        read_choices(file, found)
    assert found[0].log.origin == first.origin
    with acme.database.read() as connection:
        assert suspects(connection, "listings", Where(NOW))[0].beyond == ()
