from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from securesystemslib.signer import (  # type: ignore[attr-defined]  # it has no __all__; documented names
    Key,
    Signature,
    Signer,
)

from hashpact_keys.rows import TrustRole
from hashpact_keys.signers import TrustSigner
from hashpact_keys.trust import (
    TrustSigners,
    create_trust,
    current_card,
    describe,
    needs_renewal,
    publish_card,
    renew_online,
)
from hashpact_keys.trust_checks import check_role, check_root
from hashpact_keys.trust_files import METADATA, TIMESTAMP_FILE, newest, root_fingerprint, versioned
from hashpact_protocol.directory import DIRECTORY_PATH, Directory, encode_directory
from hashpact_protocol.errors import CardError, DirectoryError, KeyUnavailableError, TrustError
from unit.keys.trust_simulator import NOW, Member, new_signer, raw_public

SECONDS = int(NOW.timestamp())


def signed(data: bytes | None) -> dict[str, Any]:
    assert data is not None
    value: dict[str, Any] = json.loads(data)["signed"]
    return value


class BrokenSigner(Signer):
    """A device that was unplugged."""

    def __init__(self, key: Key) -> None:
        self._key = key

    @property
    def public_key(self) -> Key:
        return self._key

    @classmethod
    def from_priv_key_uri(cls, _uri: str, key: Key, _secrets: object = None) -> TrustSigner:
        return cls(key)

    def sign(self, _payload: bytes) -> Signature:
        raise OSError("no device")


def test_a_repository_may_hold_a_directory_instead_of_a_card() -> None:
    member = Member()
    signers = replace(member.signers, root=member.signers.root)
    empty = encode_directory(Directory("A Consortium", ()))
    files = create_trust(signers, empty, NOW, path=DIRECTORY_PATH)
    assert current_card(files)[1] == empty
    digest = hashlib.sha256(empty).hexdigest()
    assert ("targets", f"{digest}.directory.json") in files
    assert list(signed(newest(files, TrustRole.TARGETS))["targets"]) == [DIRECTORY_PATH]
    later = publish_card(files, encode_directory(Directory("B", ())), signers, NOW, path=DIRECTORY_PATH)
    assert current_card(later)[1] == encode_directory(Directory("B", ()))
    assert not needs_renewal(later, NOW)
    assert current_card(renew_online(later, signers.online, NOW)) == current_card(later)
    for wrong in (member.card(), b"{}"):
        with pytest.raises(DirectoryError):
            publish_card(files, wrong, signers, NOW, path=DIRECTORY_PATH)
    with pytest.raises(CardError):
        publish_card(files, empty, signers, NOW)


def test_a_new_repository_has_the_files_of_consistent_snapshots() -> None:
    member = Member()
    sha256 = hashlib.sha256(member.card()).hexdigest()
    assert set(member.files) == {
        (METADATA, "1.root.json"),
        (METADATA, f"{SECONDS}.targets.json"),
        (METADATA, f"{SECONDS}.snapshot.json"),
        (METADATA, "timestamp.json"),
        ("targets", f"{sha256}.member.json"),
    }
    assert member.files["targets", f"{sha256}.member.json"] == member.card()


def test_every_role_expires_as_its_row_says() -> None:
    state = describe(Member().files)
    assert [(role.role, role.expires - NOW) for role in state.roles] == [
        (TrustRole.ROOT, timedelta(days=365)),
        (TrustRole.TARGETS, timedelta(days=365)),
        (TrustRole.SNAPSHOT, timedelta(days=7)),
        (TrustRole.TIMESTAMP, timedelta(days=1)),
    ]


def test_every_meta_has_length_and_sha256() -> None:
    member = Member()
    files = member.files
    timestamp = signed(files[TIMESTAMP_FILE])["meta"]["snapshot.json"]
    snapshot = newest(files, TrustRole.SNAPSHOT)
    targets = newest(files, TrustRole.TARGETS)
    assert snapshot is not None
    assert targets is not None
    card = signed(targets)["targets"]["member.json"]
    for entry, data in (
        (timestamp, snapshot),
        (signed(snapshot)["meta"]["targets.json"], targets),
        (card, member.card()),
    ):
        assert entry["length"] == len(data)
        assert entry["hashes"] == {"sha256": hashlib.sha256(data).hexdigest()}


def test_the_repository_passes_the_checks_for_peers() -> None:
    files = Member(roots=3).files
    root = files[METADATA, "1.root.json"]
    check_root(root, None, where="here")
    for role in (TrustRole.TARGETS, TrustRole.SNAPSHOT, TrustRole.TIMESTAMP):
        data = newest(files, role)
        assert data is not None
        check_role(root, role, data, where="here")


def test_a_description_names_keys_and_thresholds() -> None:
    member = Member(roots=3)
    state = describe(member.files)
    root, targets, snapshot, timestamp = state.roles
    assert root.threshold == 2
    assert set(root.key_ids) == {signer.public_key.keyid for signer in member.root}
    assert targets.key_ids == (member.targets.public_key.keyid,)
    assert snapshot.key_ids == timestamp.key_ids == (member.online.public_key.keyid,)
    assert state.card_version == SECONDS
    assert state.card == member.card()
    assert state.fingerprint == root_fingerprint(member.root_bytes)
    assert state.fingerprint == f"1:sha256:{hashlib.sha256(member.root_bytes).hexdigest()}"


def test_a_renewal_within_the_same_second_still_counts_up() -> None:
    member = Member()
    before = member.files
    member.renew()
    state = describe(member.files)
    assert [role.version for role in state.roles] == [1, SECONDS, SECONDS + 1, SECONDS + 1]
    assert set(member.files) - set(before) == {(METADATA, f"{SECONDS + 1}.snapshot.json")}


def test_a_node_restored_from_a_backup_never_runs_back() -> None:
    member = Member()
    backup = dict(member.files)
    for _ in range(3):
        member.renew()
    restored = renew_online(backup, (member.online,), NOW + timedelta(minutes=1))
    assert describe(restored).roles[3].version > describe(member.files).roles[3].version


def test_a_clock_that_went_back_does_not_take_versions_with_it() -> None:
    member = Member()
    files = renew_online(member.files, (member.online,), NOW - timedelta(days=3))
    assert describe(files).roles[3].version == SECONDS + 1


def test_a_new_card_keeps_the_generation_before_for_slow_readers() -> None:
    member = Member()
    first = member.files
    member.now += timedelta(hours=1)
    member.publish(member.card(name="Acme"))
    assert set(first) < set(member.files)
    assert current_card(member.files) == (SECONDS + 3600, member.card(name="Acme"))
    second = member.files
    member.now += timedelta(hours=1)
    member.renew()
    assert set(second) - set(member.files) == set(first) - {TIMESTAMP_FILE, versioned(TrustRole.ROOT, 1)}
    assert current_card(member.files) == (SECONDS + 3600, member.card(name="Acme"))


def test_renewal_is_due_at_half_life() -> None:
    member = Member()
    assert not needs_renewal(member.files, NOW + timedelta(hours=12))
    assert needs_renewal(member.files, NOW + timedelta(hours=12, seconds=1))
    without = {file: data for file, data in member.files.items() if file != TIMESTAMP_FILE}
    assert needs_renewal(without, NOW)


def test_a_repository_without_a_timestamp_gets_one() -> None:
    member = Member()
    del member.files[TIMESTAMP_FILE]
    member.renew()
    assert not needs_renewal(member.files, NOW)


def test_thresholds_of_targets_are_kept() -> None:
    member = Member()
    signers = replace(member.signers, targets=(new_signer(), new_signer()), targets_threshold=2)
    files = create_trust(signers, member.card(), NOW)
    assert describe(files).roles[1].threshold == 2
    with pytest.raises(TrustError, match="1 different keys of the 2"):
        publish_card(files, member.card(), replace(signers, targets=signers.targets[:1]), NOW)


def test_a_signer_that_the_root_does_not_name_is_refused() -> None:
    member = Member()
    with pytest.raises(TrustError, match="snapshot is signed by 0"):
        renew_online(member.files, (new_signer(),), NOW)
    with pytest.raises(TrustError, match="targets is signed by 0"):
        publish_card(member.files, member.card(), replace(member.signers, targets=(new_signer(),)), NOW)


def test_too_few_root_signers_are_refused() -> None:
    member = Member()
    with pytest.raises(TrustError, match="1 different keys of the 2"):
        create_trust(replace(member.signers, root_threshold=2), member.card(), NOW)


@pytest.mark.parametrize("row", ["root", "online"])
def test_one_key_in_two_rows_of_the_repository_is_refused(row: str) -> None:
    member = Member()
    shared = member.targets
    signers = replace(member.signers, root=(shared,)) if row == "root" else replace(member.signers, online=(shared,))
    with pytest.raises(TrustError, match=f"one key serves as {'root' if row == 'root' else 'targets'} key"):
        create_trust(signers, member.card(), NOW)


@pytest.mark.parametrize("row", ["release", "witness", "request"])
def test_a_repository_key_in_the_card_is_refused(row: str) -> None:
    member = Member()
    setattr(member, row, raw_public(member.online))
    with pytest.raises(TrustError, match=f"one key serves as online key and as {row} key"):
        member.publish(member.card())


@pytest.mark.parametrize("card", [b"", b"[]", b"{}", b"\xff", b'{"member":"acme"}'])
def test_what_is_no_card_is_refused(card: bytes) -> None:
    with pytest.raises(CardError, match="names member and url"):
        Member().publish(card)


def test_a_card_that_breaks_a_rule_is_refused() -> None:
    member = Member()
    with pytest.raises(CardError):
        member.publish(member.card(logs="none"))


def test_a_device_that_fails_is_said() -> None:
    member = Member()
    with pytest.raises(KeyUnavailableError, match="signing snapshot failed: no device"):
        renew_online(member.files, (BrokenSigner(member.online.public_key),), NOW)


def test_versions_end_at_2_to_the_53() -> None:
    member = Member()

    def forward(timestamp: Any) -> None:
        timestamp.version = 2**53

    member.edit(TrustRole.TIMESTAMP, forward, signers=[member.online])
    with pytest.raises(TrustError, match="no version number is left"):
        member.renew()


@pytest.mark.parametrize(
    ("lost", "what"),
    [("root.json", "a root"), ("targets.json", "targets"), ("snapshot.json", "snapshot"), ("member.json", "the card")],
)
def test_an_incomplete_repository_is_said(lost: str, what: str) -> None:
    files = {file: data for file, data in Member().files.items() if not file[1].endswith(lost)}
    with pytest.raises(TrustError, match=f"lacks {what}"):
        describe(files)


def test_nothing_is_renewed_without_targets() -> None:
    member = Member()
    with pytest.raises(TrustError, match="lacks targets"):
        renew_online({versioned(TrustRole.ROOT, 1): member.root_bytes}, (member.online,), NOW)


def test_signers_show_no_secrets() -> None:
    member = Member()
    assert member.online.private_bytes.decode() not in repr(TrustSigners(online=(member.online,), targets=()))
