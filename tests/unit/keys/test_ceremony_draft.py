from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from tuf.api.metadata import Metadata

from hashpact_keys.ceremony import start_card
from hashpact_keys.ceremony_draft import Draft, encode_draft, fingerprint_of, parse_draft
from hashpact_keys.trust_files import root_fingerprint
from hashpact_protocol.errors import HashpactError, TrustError
from unit.keys.ceremonies import LATER, card_of, change, people, signed, start
from unit.keys.trust_simulator import Member, new_signer


def whole() -> tuple[Member, Draft]:
    """A draft with every part, half signed."""
    member = Member()
    board, officer = people("ann", "bob", "cem"), people("officer")
    draft = start(member, root=change(board, 2), targets=change(officer, 1))
    return member, signed(draft, [member.root[0], board["ann"], officer["officer"]])


def test_what_is_written_is_read_again() -> None:
    member, draft = whole()
    data = encode_draft(draft)
    assert parse_draft(data, where="draft.json") == draft
    assert json.loads(data)["digest"] == draft.digest
    assert fingerprint_of(draft) == root_fingerprint(member.root_bytes)
    card = start_card(member.files, member.card(name="B"), card_of(member), LATER)
    assert parse_draft(encode_draft(card), where="draft.json") == card


def test_the_digest_covers_everything_but_the_signatures() -> None:
    member, draft = whole()
    assert signed(draft, [member.targets]).digest == draft.digest
    others = [
        replace(draft, member="beta"),
        replace(draft, url="https://beta.example"),
        replace(draft, started_at=LATER.replace(second=1)),
        replace(draft, base=Member().root_bytes),
        replace(draft, root=whole()[1].root),
        replace(draft, root=None),
        replace(draft, targets=whole()[1].targets),
        replace(draft, card=b"{}"),
        replace(draft, card_before=None),
    ]
    assert len({draft.digest, *(other.digest for other in others)}) == 1 + len(others)


def altered(draft: Draft, part: str, change_it: Any) -> bytes:
    """The file of a draft with one part of its metadata changed, and the digest made to fit."""
    metadata: Metadata[Any] = Metadata.from_bytes(getattr(draft, part))
    change_it(metadata)
    data = metadata.to_bytes()
    return encode_draft(replace(draft, root=data) if part == "root" else replace(draft, targets=data))


def drop_bob(metadata: Any) -> None:
    metadata.signed.roles["root"].threshold = 1


def break_signature(metadata: Any) -> None:
    signature = next(iter(metadata.signatures.values()))
    signature.signature = "00" * 64


def sign_as_stranger(metadata: Any) -> None:
    metadata.sign(new_signer(), append=True)


def skip_a_version(metadata: Any) -> None:
    metadata.signed.version += 1
    metadata.signatures.clear()


def name_another_card(metadata: Any) -> None:
    metadata.signed.targets["member.json"].hashes["sha256"] = "00" * 32


@pytest.mark.parametrize(
    ("part", "change_it", "match"),
    [
        ("root", drop_bob, "does not fit root: one of the two was changed"),
        ("root", break_signature, "does not fit root"),
        ("root", sign_as_stranger, "a stranger's key has signed root"),
        ("root", skip_a_version, "root 3 cannot follow root 1"),
        ("targets", break_signature, "does not fit targets"),
        ("targets", sign_as_stranger, "a stranger's key has signed targets"),
        ("targets", name_another_card, "name another card"),
    ],
)
def test_a_draft_that_was_changed_on_its_way_is_refused(part: str, change_it: Any, match: str) -> None:
    _, draft = whole()
    with pytest.raises(TrustError, match=match):
        parse_draft(altered(draft, part, change_it), where="draft.json")


def edited(**changes: object) -> bytes:
    value = json.loads(encode_draft(whole()[1])) | changes
    return json.dumps({name: one for name, one in value.items() if one is not None}).encode()


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "no JSON"),
        (b"[]", "no draft"),
        (b"{}", "no draft"),
        (edited(hashpact_ceremony=2), "another version"),
        (edited(base=None), "root in force is missing"),
        (edited(base="*"), "base is no base64"),
        (edited(base=base64.b64encode(b"{}").decode()), "signatures is missing"),
        (edited(started_at="yesterday"), "started_at"),
        (edited(url=None), "url"),
        (edited(member="beta"), "is not 'beta'"),
        (edited(started_at="2026-11-24T04:00:00Z"), "digest does not fit"),
        (edited(digest="0" * 64), "digest does not fit"),
        (edited(digest=None), "digest does not fit"),
        (edited(card=None), "belong together"),
        (edited(targets=None), "belong together"),
        (edited(root=None, targets=None, card=None), "nothing to sign"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_draft_is_refused_in_words(data: bytes, match: str) -> None:
    with pytest.raises(HashpactError, match=match) as caught:
        parse_draft(data, where="draft.json")
    assert "draft.json" in str(caught.value) or "member" in str(caught.value)


def test_a_row_that_would_share_a_key_with_the_card_is_refused() -> None:
    member, shared = Member(), new_signer()
    member.release = bytes.fromhex(shared.public_key.keyval["public"])
    draft = signed(start(Member(), root=change({"ann": shared}, 1)), [])
    draft = replace(draft, card_before=member.card())
    with pytest.raises(TrustError, match="one key serves as"):
        parse_draft(encode_draft(draft), where="draft.json")
