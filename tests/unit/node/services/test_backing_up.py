"""Making a backup: what is in it, and what never is."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from databases import opened
from hashpact_node.services import backing_up
from hashpact_node.services.backing_up import DATABASE_URL, KEYS, PINS, Backup, check_backup, make_backup
from hashpact_node.services.backup_form import File, read_records
from hashpact_node.services.digests import Digester
from hashpact_node.services.drafts import draft_of_fields
from hashpact_node.services.entries import EntryReader
from hashpact_node.services.home_restoring import restore_home
from hashpact_node.services.webhook_secrets import KEY_FILE, WebhookSecrets
from hashpact_node.settings import Settings
from hashpact_node.store.database import Database
from hashpact_node.store.logs import find_log
from hashpact_node.store.migrate import migrate
from hashpact_protocol.errors import ConfigurationError, ConflictError, RequestError
from material import drafts
from own_member import NOW, ORIGIN, OwnMember, found_member


@pytest.fixture
def acme(sqlite_database: Database, tmp_path: Path) -> OwnMember:
    return found_member(sqlite_database, tmp_path / "home", sqlite_database.where)


def save(member: OwnMember, path: Path, *, with_keys: bool = False) -> Backup:
    return make_backup(member.database, member.settings, path, with_keys=with_keys, program="1", now=lambda: NOW)


def files(path: Path) -> dict[str, bytes]:
    with path.open("rb") as file:
        return {one.path: one.data for one in read_records(file, "here") if isinstance(one, File)}


def test_one_file_that_its_owner_alone_can_read(acme: OwnMember, tmp_path: Path) -> None:
    path = tmp_path / "acme.hashpact"
    made = save(acme, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert (made.member, made.url, made.made_at) == ("acme", "https://acme.example", NOW)
    assert made.files == ("node.toml",)
    assert made.left_out == (KEYS,)
    assert check_backup(path) == made
    assert [one.name for one in tmp_path.iterdir() if "acme" in one.name] == ["acme.hashpact"]


def test_the_key_of_the_webhooks_secrets_is_taken_with_the_keys(acme: OwnMember, tmp_path: Path) -> None:
    WebhookSecrets(acme.keyring.keystore).seal("5f2c9a01de", b"s" * 32)
    save(acme, tmp_path / "without")
    assert str(KEY_FILE) not in files(tmp_path / "without")
    save(acme, tmp_path / "with", with_keys=True)
    assert files(tmp_path / "with")[str(KEY_FILE)] == (acme.home / KEY_FILE).read_bytes()


def test_keys_are_taken_when_asked_and_the_passphrase_never(acme: OwnMember, tmp_path: Path) -> None:
    (acme.home / "passphrase").write_text("passphrase of a test\n")
    (acme.home / "keys" / "root.key").unlink()
    (acme.home / "keys" / "targets.key").write_text("in clear")
    elsewhere = tmp_path / "elsewhere.key"
    (acme.home / "keys" / "online.key").rename(elsewhere)
    keys = {**acme.settings.keys, "online": (f"file:{elsewhere}",), "crisis": ("pkcs11:token=a?pin-value=1234",)}
    acme.settings = replace(acme.settings, keys=keys, require_witnesses=acme.home / "passphrase")
    made = save(acme, tmp_path / "backup", with_keys=True)
    assert set(made.files) == {"node.toml", "keys/release.key", "keys/witness.key", "keys/request.key"}
    told = "\n".join(made.left_out)
    for said in ("root key", "targets key", "online key", "crisis key"):
        assert said in told
    assert "1234" not in told
    assert not [data for data in files(tmp_path / "backup").values() if b"passphrase of a test" in data]


def test_secrets_stay_out_of_the_configuration(acme: OwnMember, tmp_path: Path) -> None:
    with (acme.home / "node.toml").open("a") as file:
        file.write(
            '#database_url = "postgresql://me:old@host/name"\ndatabase_url = "postgresql://me:secret@host/name"\n'
        )
        file.write('# a comment of mine\n[keys]\nroot = "pkcs11:token=a?pin-value=1234&module-name=b"\n')
    made = save(acme, tmp_path / "backup")
    configuration = files(tmp_path / "backup")["node.toml"]
    assert b"secret" not in configuration
    assert b"me:old" not in configuration
    assert b"1234" not in configuration
    assert b'root = "pkcs11:token=a?module-name=b"' in configuration
    assert b"# a comment of mine" in configuration
    assert {DATABASE_URL, PINS} <= set(made.left_out)


def test_a_policy_in_the_home_is_taken_along(acme: OwnMember, tmp_path: Path) -> None:
    policy = acme.home / "policy.txt"
    policy.write_text("quorum none\n")
    acme.settings = replace(acme.settings, require_witnesses=policy)
    save(acme, tmp_path / "backup")
    assert files(tmp_path / "backup")["policy.txt"] == b"quorum none\n"


def test_no_file_is_written_over(acme: OwnMember, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    path.write_text("mine")
    with pytest.raises(ConflictError, match="a file already"):
        save(acme, path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("links", ["links", "no links"])
def test_nor_is_one_that_comes_meanwhile(
    acme: OwnMember, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: str
) -> None:
    path = tmp_path / "backup"
    if links == "no links":
        without_links(monkeypatch)
    write = backing_up._write_tables

    def slowly(*arguments: object) -> None:
        write(*arguments)  # type: ignore[arg-type]  # handed through
        path.write_text("mine")

    monkeypatch.setattr(backing_up, "_write_tables", slowly)
    with pytest.raises(ConflictError, match="a file already"):
        save(acme, path)
    assert path.read_text() == "mine"
    assert not list(tmp_path.glob(".backup*"))


def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(1, "no links on this file system")

    monkeypatch.setattr(os, "link", refuse)


def test_a_file_system_without_links_will_do(acme: OwnMember, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_links(monkeypatch)
    made = save(acme, tmp_path / "backup")
    assert check_backup(tmp_path / "backup") == made
    assert not list(tmp_path.glob(".backup*"))


@pytest.mark.parametrize("step", ["stream_rows", "count_rows", "_put_in_place"])
def test_what_fails_leaves_no_file(acme: OwnMember, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def fail(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(backing_up, step, fail)
    with pytest.raises(KeyboardInterrupt):
        save(acme, tmp_path / "backup")
    assert not [one for one in tmp_path.iterdir() if "backup" in one.name]


def test_a_home_whose_configuration_cannot_be_read(acme: OwnMember, tmp_path: Path) -> None:
    (acme.home / "node.toml").write_text("= 1")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        save(acme, tmp_path / "backup")


def test_a_database_of_nobody(acme: OwnMember, tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 'nobody.db'}") as nobody:
        migrate(nobody)
        with pytest.raises(ConfigurationError, match="belongs to nobody"):
            save(replace(acme, database=nobody), tmp_path / "backup")


def test_a_damaged_file_is_told(acme: OwnMember, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    save(acme, path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RequestError, match="cut short"):
        check_backup(path)


def test_one_moment_while_others_publish(database: Database, tmp_path: Path) -> None:
    """What is published while the tables are read is not in the backup, or all of it is."""
    acme = found_member(database, tmp_path / "home", database.where)
    lists = [draft_of_fields(one) for one in drafts(600)]
    acme.publisher.publish(lists[:300])
    before = Digester(database).digest()
    go = threading.Event()

    def publish() -> None:
        go.wait()
        for at in range(300, 600, 20):
            acme.publisher.publish(lists[at : at + 20])

    thread = threading.Thread(target=publish)
    thread.start()

    def progress(done: int, _total: int) -> None:
        if not go.is_set() and done:
            go.set()
            thread.join()  # all of it is published in the midst of the backup

    path = tmp_path / "backup"
    make_backup(database, acme.settings, path, with_keys=False, program="1", now=lambda: NOW, progress=progress)
    assert acme.log.accepted_size == 600
    with opened(f"sqlite:///{tmp_path / 'new.db'}") as copy:
        restore_home(Settings(home=tmp_path / "new", database_url=copy.where), path, copy)
        with copy.read() as connection:
            log = find_log(connection, ORIGIN)
            assert log is not None
            assert log.accepted_size == log.placed_size == 300
            assert EntryReader(connection).root_at(log.number, 300) == log.accepted_root
        assert Digester(copy).digest() == before
