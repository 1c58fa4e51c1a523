from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hashpact_keys.keystore import KeyStore
from hashpact_keys.rows import ROWS, RowName
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.views import own_card
from hashpact_node.settings import DEFAULT_KEYS
from hashpact_node.store.database import Database
from hashpact_protocol.errors import ConfigurationError, KeyUnavailableError
from own_member import OwnMember, found_member


@pytest.fixture
def member(sqlite_database: Database, tmp_path: Path) -> OwnMember:
    return found_member(sqlite_database, tmp_path / "home", sqlite_database.where)


def test_a_row_without_a_key_says_how_to_name_one(tmp_path: Path) -> None:
    keyring = Keyring(KeyStore(tmp_path, lambda: b"x", kdf_rounds=1), {"release": "file:keys/release.key"})
    assert keyring.uri(RowName.RELEASE) == "file:keys/release.key"
    with pytest.raises(ConfigurationError, match="row witness") as caught:
        keyring.note_signer(RowName.WITNESS)
    assert caught.value.mend is not None
    assert "file:keys/witness.key" in caught.value.mend
    with pytest.raises(KeyUnavailableError):
        keyring.note_signer(RowName.RELEASE)


def test_every_row_has_a_key_of_its_own(member: OwnMember) -> None:
    assert set(DEFAULT_KEYS) == {row.value for row in ROWS}
    notes = [member.keyring.note_signer(row).public for row in (RowName.RELEASE, RowName.CRISIS, RowName.WITNESS)]
    tuf = [member.keyring.trust_signer(row) for row in (RowName.ROOT, RowName.TARGETS, RowName.ONLINE)]
    assert len({*notes, *(bytes.fromhex(signer.public_key.keyval["public"]) for signer in tuf)}) == 6
    assert member.keyring.note_signer(RowName.RELEASE) is member.keyring.note_signer(RowName.RELEASE)


def test_keys_go_by_the_names_that_the_card_gives_them(member: OwnMember) -> None:
    key, signer = member.keyring.log_key(member.log)
    assert (str(key), key.public) == (member.log.keys[0], signer.public)
    with member.database.read() as connection:
        card = own_card(connection)
    witness, witness_signer = member.keyring.witness_key(card)
    assert witness == card.witness_keys[0].key
    assert witness.public == witness_signer.public


def test_a_key_that_the_card_does_not_name_is_told(member: OwnMember) -> None:
    with pytest.raises(ConfigurationError, match="does not name the release key"):
        member.keyring.log_key(replace(member.log, keys=()))
    with pytest.raises(ConfigurationError, match="does not name the crisis key"):
        member.keyring.log_key(replace(member.log, kind="crisis"))
    with member.database.read() as connection:
        card = own_card(connection)
    with pytest.raises(ConfigurationError, match="does not name the witness key"):
        member.keyring.witness_key(replace(card, witness_keys=()))


def test_a_wrong_passphrase_opens_nothing(member: OwnMember) -> None:
    keyring = Keyring(KeyStore(member.home, lambda: b"another"), member.settings.keys)
    with pytest.raises(KeyUnavailableError, match="passphrase"):
        keyring.note_signer(RowName.RELEASE)
