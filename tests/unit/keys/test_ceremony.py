from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from securesystemslib.signer import (  # type: ignore[attr-defined]  # it has no __all__; documented names
    CryptoSigner,
    SSlibKey,
)

from hashpact_keys.ceremony import NamedKey, RowChange, finish_ceremony, lacking, sign_draft, start_card, start_ceremony
from hashpact_keys.ceremony_draft import HOLDER, requirements
from hashpact_keys.rows import TrustRole
from hashpact_keys.trust import describe
from hashpact_keys.trust_checks import check_role, check_root, load_root
from hashpact_keys.trust_files import TIMESTAMP_FILE, newest, roots
from hashpact_protocol.errors import KeyUnavailableError, RequestError, TrustError
from unit.keys.ceremonies import LATER, card_of, change, people, signed, start
from unit.keys.trust_simulator import NOW, Member, new_signer


def test_a_trial_root_becomes_two_of_three() -> None:
    member = Member()
    board, officer = people("ann", "bob", "cem"), people("officer")
    draft = start(member, root=change(board, 2), targets=change(officer, 1))
    assert len(lacking(draft)) == 3
    draft = signed(draft, [member.root[0], member.targets, board["ann"], officer["officer"]])
    with pytest.raises(TrustError, match="root 2, by the root keys of root 2: 1 of the 2 signatures") as caught:
        finish_ceremony(draft, member.files, (member.online,), LATER)
    assert caught.value.mend == "let these sign: bob, cem"
    files = finish_ceremony(signed(draft, [board["cem"]]), member.files, (member.online,), LATER)
    new = newest(files, TrustRole.ROOT)
    assert new is not None
    check_root(new, member.root_bytes, where="test")
    state = {role.role: role for role in describe(files).roles}
    assert (state[TrustRole.ROOT].version, state[TrustRole.ROOT].threshold) == (2, 2)
    assert state[TrustRole.ROOT].expires == LATER + timedelta(days=365)
    holders = {
        key.unrecognized_fields[HOLDER]
        for key in load_root(new, where="x").signed.keys.values()
        if HOLDER in key.unrecognized_fields
    }
    assert holders == {"ann", "bob", "cem", "officer"}
    assert len(roots(files)) == 2
    # Readers who hold the old root only, because they looked a moment before, meet nothing that they refuse.
    targets, timestamp = newest(files, TrustRole.TARGETS), files[TIMESTAMP_FILE]
    assert targets is not None
    for root in (member.root_bytes, new):
        check_role(root, TrustRole.TARGETS, targets, where="test")
        check_role(root, TrustRole.TIMESTAMP, timestamp, where="test")


def test_a_ceremony_that_changes_nothing_renews_the_root_for_its_time() -> None:
    member = Member(roots=3)
    draft = start_ceremony(member.files, card_of(member), {}, LATER, expires=timedelta(days=30))
    files = finish_ceremony(signed(draft, member.root[:2]), member.files, (member.online,), LATER)
    old, new = (describe(each).roles for each in (member.files, files))
    assert new[0].expires == LATER + timedelta(days=30)
    assert [(role.threshold, role.key_ids) for role in new] == [(role.threshold, role.key_ids) for role in old]
    assert describe(files).card == describe(member.files).card
    assert draft.targets is None


def test_the_online_key_changes_with_both_signing_what_readers_of_either_root_need() -> None:
    member, new = Member(), new_signer()
    draft = signed(start(member, online=change({"": new}, 1)), member.root)
    with pytest.raises(TrustError, match="snapshot is signed by 0 different keys"):
        finish_ceremony(draft, member.files, (member.online,), LATER)
    files = finish_ceremony(draft, member.files, (new, member.online), LATER)
    for root in roots(files).values():
        check_role(root, TrustRole.TIMESTAMP, files[TIMESTAMP_FILE], where="test")


def test_old_and_new_root_keys_must_both_sign() -> None:
    member, board = Member(roots=3), people("ann", "bob", "cem")
    draft = start(member, root=change(board, 2))
    for some in (list(board.values()), member.root, [*member.root, board["ann"]], [member.root[0], *board.values()]):
        with pytest.raises(TrustError, match="signatures that it needs"):
            finish_ceremony(signed(draft, some), member.files, (member.online,), LATER)
    finish_ceremony(signed(draft, [*member.root[:2], *list(board.values())[1:]]), member.files, (member.online,), LATER)


def test_a_card_is_signed_by_targets_keys_that_are_elsewhere() -> None:
    member = Member()
    draft = start_card(member.files, member.card(name="Acme Pictures"), card_of(member), LATER)
    assert (draft.root, [one.role for one in requirements(draft)]) == (None, [TrustRole.TARGETS])
    files = finish_ceremony(signed(draft, [member.targets]), member.files, (member.online,), LATER)
    assert b"Acme Pictures" in describe(files).card
    with pytest.raises(TrustError, match="another card has been signed"):
        finish_ceremony(signed(draft, [member.targets]), files, (member.online,), LATER)


def test_a_stranger_signs_nothing() -> None:
    member = Member()
    draft = start(member, root=change(people("ann", "bob", "cem"), 2))
    with pytest.raises(TrustError, match="may sign nothing in this draft") as caught:
        sign_draft(draft, new_signer())
    assert "ann" in (caught.value.mend or "")
    with pytest.raises(TrustError, match="may sign nothing"):
        sign_draft(draft, member.online)
    with pytest.raises(TrustError, match="may sign nothing"):  # the targets key has nothing to do with this one
        sign_draft(draft, member.targets)


def test_whoever_signs_twice_counts_once() -> None:
    member, board = Member(), people("ann", "bob", "cem")
    draft = signed(start(member, root=change(board, 2)), [member.root[0], board["ann"], board["ann"]])
    (short,) = lacking(draft)
    assert [holder.name for holder in short.signed] == ["ann"]
    assert [holder.name for holder in short.missing] == ["bob", "cem"]


def test_two_ceremonies_at_once_leave_one_root() -> None:
    member, board = Member(), people("ann", "bob", "cem")
    first, second = start(member, root=change(board, 2)), start(member)
    files = finish_ceremony(signed(second, member.root), member.files, (member.online,), LATER)
    done = signed(first, [member.root[0], *board.values()])
    with pytest.raises(TrustError, match="stale: it was made for another root than root 2"):
        finish_ceremony(done, files, (member.online,), LATER)


def test_a_draft_that_lay_about_until_it_expired_is_stale() -> None:
    member = Member()
    draft = signed(start(member), member.root)
    with pytest.raises(TrustError, match="expired at 2027-11-24"):
        finish_ceremony(draft, member.files, (member.online,), LATER + timedelta(days=365))
    card = signed(start_card(member.files, member.card(name="B"), card_of(member), NOW), [member.targets])
    with pytest.raises(TrustError, match="stale"):
        finish_ceremony(card, member.files, (member.online,), NOW + timedelta(days=366))


@pytest.mark.parametrize(
    ("names", "threshold", "match"),
    [
        (("a", "b"), 3, "threshold of 3"),
        (("a",), 0, "threshold of 0"),
        ((), 1, "0 root keys"),
        (("a", "a"), 1, "stands twice"),
    ],
)
def test_thresholds_that_cannot_be_met_are_refused(names: tuple[str, ...], threshold: int, match: str) -> None:
    member, key = Member(), new_signer().public_key
    one = RowChange(
        tuple(NamedKey(key if names.count(name) > 1 else new_signer().public_key, name) for name in names), threshold
    )
    with pytest.raises(RequestError, match=match):
        start(member, root=one)


def test_rows_of_the_card_go_by_cards() -> None:
    with pytest.raises(RequestError, match="no root governs the row release"):
        start(Member(), release=change(people("a"), 1))


def test_a_key_of_the_card_cannot_become_a_root_key() -> None:
    member = Member()
    shared = new_signer()
    member.release = bytes.fromhex(shared.public_key.keyval["public"])
    member.publish(member.card())
    with pytest.raises(TrustError, match="one key serves as"):
        start(member, root=change({"ann": shared}, 1))
    # Nor where the card came to name it later.
    member = Member()
    draft = signed(start(member, root=change({"ann": shared}, 1)), [member.root[0], shared])
    member.release = bytes.fromhex(shared.public_key.keyval["public"])
    member.publish(member.card())
    with pytest.raises(TrustError, match="one key serves as"):
        finish_ceremony(draft, member.files, (member.online,), LATER)


def test_ecdsa_keys_take_part() -> None:
    member = Member()
    ecdsa = CryptoSigner(generate_private_key(SECP256R1()))
    board = people("ann", "bob") | {"cem": ecdsa}
    draft = signed(start(member, root=change(board, 2)), [member.root[0], ecdsa, board["bob"]])
    files = finish_ceremony(draft, member.files, (member.online,), LATER)
    assert describe(files).fingerprint.startswith("2:")


def test_a_key_signs_under_the_id_that_the_root_gives_it() -> None:
    """Another program may have made the root, and chosen its key ids otherwise."""
    member, board = Member(), people("ann", "bob", "cem")
    key = board["ann"].public_key
    named = SSlibKey("ann-of-the-board", key.keytype, key.scheme, dict(key.keyval))
    rows = RowChange((NamedKey(named, "ann"), *change({"bob": board["bob"], "cem": board["cem"]}, 1).keys), 2)
    draft = signed(start(member, root=rows), [member.root[0], board["ann"], board["bob"]])
    finish_ceremony(draft, member.files, (member.online,), LATER)


def test_a_signer_that_fails_is_told() -> None:
    member = Member()

    class Broken(CryptoSigner):
        def sign(self, payload: bytes) -> Any:  # noqa: ARG002  as its base has it
            raise OSError("the token was taken out")

    broken = Broken(member.root[0]._private_key)
    with pytest.raises(KeyUnavailableError, match="token was taken out"):
        sign_draft(start(member), broken)


def test_a_draft_of_another_member_is_stale_here() -> None:
    member, other = Member(), Member("https://beta.example")
    draft = signed(start(other), other.root)
    with pytest.raises(TrustError, match="stale"):
        finish_ceremony(draft, member.files, (member.online,), LATER)
    card = replace(
        signed(start_card(member.files, member.card(), card_of(member), LATER), [member.targets]), card_before=b"{}"
    )
    with pytest.raises(TrustError, match="another card"):
        finish_ceremony(card, member.files, (member.online,), LATER)
