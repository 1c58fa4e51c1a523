from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hashpact_keys.keystore import KeyStore
from hashpact_keys.rows import ROWS, RowName
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.views import own_card
from hashpact_node.setting_forms import DEFAULT_KEYS
from hashpact_node.store.database import Database
from hashpact_protocol.card import WitnessKey
from hashpact_protocol.errors import ConfigurationError, KeyUnavailableError
from hashpact_protocol.notes import KeyType, VerifierKey
from own_member import NOW, OwnMember, found_member


@pytest.fixture
def member(sqlite_database: Database, tmp_path: Path) -> OwnMember:
    return found_member(sqlite_database, tmp_path / "home", sqlite_database.where)


def test_a_row_without_a_key_says_how_to_name_one(tmp_path: Path) -> None:
    keyring = Keyring(
        KeyStore(tmp_path, lambda: b"x", kdf_rounds=1), {"release": ("file:keys/release.key",), "crisis": ()}
    )
    assert keyring.uris_of(RowName.RELEASE) == ("file:keys/release.key",)
    with pytest.raises(ConfigurationError, match="row crisis"):
        keyring.note_signer(RowName.CRISIS)
    with pytest.raises(ConfigurationError, match="row witness") as caught:
        keyring.note_signer(RowName.WITNESS)
    assert caught.value.mend is not None
    assert "file:keys/witness.key" in caught.value.mend
    with pytest.raises(KeyUnavailableError):
        keyring.note_signer(RowName.RELEASE)


def test_every_row_has_a_key_of_its_own(member: OwnMember) -> None:
    assert set(DEFAULT_KEYS) == {row.value for row in ROWS}
    notes = [member.keyring.note_signer(row).public for row in (RowName.RELEASE, RowName.CRISIS, RowName.WITNESS)]
    tuf = [member.keyring.trust_signers(row)[0] for row in (RowName.ROOT, RowName.TARGETS, RowName.ONLINE)]
    assert len({*notes, *(bytes.fromhex(signer.public_key.keyval["public"]) for signer in tuf)}) == 6
    assert member.keyring.note_signer(RowName.RELEASE) is member.keyring.note_signer(RowName.RELEASE)


def test_keys_go_by_the_names_that_the_card_gives_them(member: OwnMember) -> None:
    ((key, signer),) = member.keyring.log_keys(member.log)
    assert (str(key), key.public) == (member.log.keys[0], signer.public)
    with member.database.read() as connection:
        card = own_card(connection)
    witness, witness_signer = member.keyring.witness_key(card, NOW)
    assert witness == card.witness_keys[0].key
    assert witness.public == witness_signer.public


def test_a_key_that_the_card_does_not_name_is_told(member: OwnMember) -> None:
    with pytest.raises(ConfigurationError, match="does not name the release key"):
        member.keyring.log_keys(replace(member.log, keys=()))
    with pytest.raises(ConfigurationError, match="does not name the crisis key"):
        member.keyring.log_keys(replace(member.log, kind="crisis"))
    with member.database.read() as connection:
        card = own_card(connection)
    with pytest.raises(ConfigurationError, match="does not name the witness key"):
        member.keyring.witness_key(replace(card, witness_keys=()), NOW)


def test_a_wrong_passphrase_opens_nothing(member: OwnMember) -> None:
    keyring = Keyring(KeyStore(member.home, lambda: b"another"), member.settings.keys)
    with pytest.raises(KeyUnavailableError, match="passphrase"):
        keyring.note_signer(RowName.RELEASE)


def two_keys(member: OwnMember) -> tuple[Keyring, bytes]:
    """A keyring with a second key in each row, and the public half of the second witness key."""
    keystore = KeyStore(member.home, lambda: b"passphrase of a test", kdf_rounds=1)
    for row in (RowName.RELEASE, RowName.WITNESS):
        keystore.create(f"keys/{row}-2.key")
    uris = {row: (f"file:keys/{row}-2.key", *old) for row, old in member.settings.keys.items()}
    keyring = Keyring(keystore, uris)
    return keyring, keyring.note_signers(RowName.WITNESS)[0].public


def test_every_key_of_a_row_that_the_card_names_signs(member: OwnMember) -> None:
    keyring, _ = two_keys(member)
    new = VerifierKey(member.log.origin, KeyType.ED25519, keyring.note_signers(RowName.RELEASE)[0].public)
    assert [str(key) for key, _ in keyring.log_keys(member.log)] == list(member.log.keys)
    both = replace(member.log, keys=(*member.log.keys, str(new)))
    assert {str(key) for key, _ in keyring.log_keys(both)} == set(both.keys)


def test_a_key_that_cannot_be_had_leaves_the_work_to_the_other(member: OwnMember) -> None:
    keyring, _ = two_keys(member)
    (member.home / "keys/release-2.key").unlink()
    keyring = Keyring(KeyStore(member.home, lambda: b"passphrase of a test"), keyring.uris)
    assert len(keyring.note_signers(RowName.RELEASE)) == 1
    assert [str(key) for key, _ in keyring.log_keys(member.log)] == list(member.log.keys)


def test_the_witness_key_changes_when_the_time_of_the_new_one_begins(member: OwnMember) -> None:
    keyring, public = two_keys(member)
    with member.database.read() as connection:
        card = own_card(connection)
    old = card.witness_keys[0]
    key = VerifierKey("acme.example/witness-2", KeyType.COSIGNATURE, public)
    new = WitnessKey(key, NOW + timedelta(hours=2), NOW + timedelta(days=365))
    card = replace(card, witness_keys=(new, old))
    for after, chosen in ((0, old), (1, old), (2, new), (24, new)):
        assert keyring.witness_key(card, NOW + timedelta(hours=after))[0] == chosen.key
    # Where the time of all is over, people are told by freshness; a node that went silent would be worse.
    assert keyring.witness_key(card, NOW + timedelta(days=900))[0] == new.key
