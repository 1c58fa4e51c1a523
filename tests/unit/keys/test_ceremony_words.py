from __future__ import annotations

from hashpact_keys.ceremony import start_card
from hashpact_keys.ceremony_words import changes_in_words, digest_in_groups
from unit.keys.ceremonies import LATER, card_of, change, people, start
from unit.keys.trust_simulator import Member, new_public


def test_who_joins_and_who_leaves_is_said() -> None:
    member = Member()
    draft = start(member, root=change(people("ann", "bob", "cem"), 2))
    lines = changes_in_words(draft)
    assert lines[0].startswith("member acme at https://acme.example, whose root in force is 1:sha256:")
    assert "root 2 follows root 1, valid until 2027-11-24 (was 2027-11-24)" in lines
    assert "root: 2 of 3 keys must sign (was 1 of 1)" in lines
    assert sum("joins" in line for line in lines) == 3
    assert [line for line in lines if "leaves, and counts no more" in line]
    assert "targets: 1 of 1 keys, as before" in lines
    assert not [line for line in lines if "WARNING" in line]


def test_a_weak_root_is_a_warning() -> None:
    for threshold, names in ((1, ("ann", "bob", "cem")), (2, ("ann", "bob"))):
        lines = changes_in_words(start(Member(), root=change(people(*names), threshold)))
        assert [line for line in lines if line.startswith(f"WARNING: {threshold} of {len(names)} root keys")]


def test_what_changes_in_a_card_is_said() -> None:
    member = Member()
    before = card_of(member)
    member.witness = new_public()
    value = member.card_value()
    origin = "acme.example/logs/listings-1"
    value["logs"][0] |= {
        "state": "closed",
        "final": {"size": 0, "root": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
    }
    card = member.card(logs=value["logs"], name="Acme Pictures", request_keys=[])
    lines = changes_in_words(start_card(member.files, card, before, LATER))
    assert "the card is signed until 2027-11-24" in lines
    assert [line for line in lines if line.startswith(f"card: {origin} is closed at size 0")]
    assert [line for line in lines if line.startswith("card: ~ witness key acme.example/witness-1")]
    assert "card: - request key acme-request-1 leaves, and counts no more" in lines
    assert "card: name was 'Acme Video Inc.' and is 'Acme Pictures'" in lines


def test_a_card_that_is_only_renewed_says_so() -> None:
    member = Member()
    assert "the card stays as it is" in changes_in_words(
        start_card(member.files, member.card(), card_of(member), LATER)
    )


def test_what_a_card_may_undo_is_a_warning() -> None:
    member = Member()
    lines = changes_in_words(start_card(member.files, member.card(logs=[]), card_of(member), LATER))
    assert [line for line in lines if line.startswith("WARNING: card: acme.example/logs/listings-1")]


def test_a_digest_is_read_in_sixteen_groups() -> None:
    assert digest_in_groups("0123456789abcdef" * 4) == " ".join(["0123", "4567", "89ab", "cdef"] * 4)
