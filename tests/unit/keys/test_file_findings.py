from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from hashpact_keys.rows import RowName
from hashpact_keys.seen_files import Scan
from unit.keys.key_home import TRIAL, KeyHome


def write_release(home: KeyHome, form: PrivateFormat, passphrase: bytes | None) -> None:
    key = home.store.unlock("keys/release.key")
    protection = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    (home.path / "keys/release.key").write_bytes(key.private_bytes(Encoding.PEM, form, protection))


def test_a_copy_of_the_root_key_is_found_whatever_it_is_called(production: KeyHome) -> None:
    home = production
    home.create("keys/new-root.key")
    home.member.root[0] = home.signer("keys/new-root.key")
    home.member.rotate(lambda root: root.add_key(home.member.root[0].public_key, "root"))
    (home.path / "old things").mkdir()
    shutil.move(home.path / "keys/new-root.key", home.path / "old things/photo.jpg")
    assert home.found() == {("offline-key-here", "root")}
    (found,) = (one for one in home.look().findings if one.code == "offline-key-here")
    assert found.where == "old things/photo.jpg"
    assert "TRIAL" not in found.what
    (home.path / "old things/photo.jpg").unlink()
    assert home.found() == set()


def test_the_targets_key_is_found_too(production: KeyHome) -> None:
    production.create("keys/targets.key")
    production.member.targets = production.signer("keys/targets.key")
    production.member.rotate(lambda root: root.add_key(production.member.targets.public_key, "targets"))
    assert production.found() == {("offline-key-here", "targets")}


def test_keys_that_an_earlier_root_named_are_found(trial: KeyHome) -> None:
    kept = (trial.path / "keys/root.key").read_bytes()
    trial.go_into_production()
    copy = trial.path / "root.bak"
    copy.write_bytes(kept)
    copy.chmod(0o600)
    assert trial.found() == {("former-key-here", "root")}


def test_an_offline_key_whose_file_does_not_say_whose_it_is_counts_as_what_it_is_configured_for(
    production: KeyHome,
) -> None:
    key = production.store.unlock("keys/release.key")
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (production.path / "keys/targets.key").write_bytes(data)
    (production.path / "keys/targets.key").chmod(0o600)
    assert production.found() == {("offline-key-here", "targets"), ("file-form", "targets")}


def test_targets_in_a_device_is_fine_and_root_is_not(production: KeyHome) -> None:
    production.uris[RowName.TARGETS] = ("pkcs11:token=acme;object=targets?pin-value=1234",)
    assert production.found() == {("not-looked-at", "targets")}
    production.uris[RowName.ROOT] = ("awskms:arn:aws:kms:eu-west-1:0:key/1",)
    assert production.found() == {
        ("not-looked-at", "targets"),
        ("not-looked-at", "root"),
        ("offline-key-callable", "root"),
    }
    assert not [one for one in production.look().findings if "1234" in repr(one)]
    assert not [one for one in production.look().keys if "1234" in repr(one)]


def test_a_file_that_others_may_read(trial: KeyHome) -> None:
    (trial.path / "keys/online.key").chmod(0o640)
    assert trial.found() == TRIAL | {("file-readable", "online")}
    assert any("0640" in one for key in trial.look().keys for one in key.warnings)


def test_a_file_without_a_passphrase(trial: KeyHome) -> None:
    write_release(trial, PrivateFormat.OpenSSH, None)
    assert trial.found() == TRIAL | {("file-unencrypted", "release")}


def test_a_forgotten_file_without_a_passphrase(trial: KeyHome) -> None:
    shutil.copy(trial.path / "keys/release.key", trial.path / "keep.key")
    write_release(trial, PrivateFormat.OpenSSH, None)
    shutil.move(trial.path / "keys/release.key", trial.path / "x.txt")
    shutil.move(trial.path / "keep.key", trial.path / "keys/release.key")
    assert trial.found() == TRIAL | {("file-unencrypted", None)}


def test_a_file_of_another_form(trial: KeyHome) -> None:
    write_release(trial, PrivateFormat.PKCS8, b"secret")
    assert ("file-form", "release") in trial.found()


def test_a_file_with_few_rounds(trial: KeyHome) -> None:
    assert {one.row for one in trial.look().findings if one.code == "file-weak"} == set(RowName)
    key = trial.store.unlock("keys/release.key")
    builder = PrivateFormat.OpenSSH.encryption_builder()
    for rounds, weak in ((15, True), (16, False)):
        protection = builder.kdf_rounds(rounds).build(b"secret")
        (trial.path / "keys/release.key").write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, protection)
        )
        found = {one.row for one in trial.look().findings if one.code == "file-weak"}
        assert (RowName.RELEASE in found) is weak


@pytest.mark.parametrize("uri", ["file:keys/none.key", "file:keys", "fil:keys/release.key", "file:node.toml"])
def test_a_key_that_cannot_be_read(trial: KeyHome, uri: str) -> None:
    (trial.path / "node.toml").write_text("[keys]\n")
    trial.uris[RowName.RELEASE] = (uri,)
    assert trial.found() == TRIAL | {("key-unreadable", "release"), ("key-missing", "release")}
    entry = next(key for key in trial.look().keys if key.row is RowName.RELEASE)
    assert (entry.public, entry.age) == (None, None)
    assert entry.warnings


def test_root_and_targets_keys_that_are_gone_are_where_they_should_be(production: KeyHome) -> None:
    assert production.uris[RowName.ROOT] == ("file:keys/root.key",)
    assert production.found() == set()


def test_a_scan_that_was_cut_short_is_said(trial: KeyHome) -> None:
    trial.around["scan"] = Scan((), 5, complete=False)
    assert ("scan-incomplete", None) in trial.found(timedelta(0))
