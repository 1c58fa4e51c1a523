from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from hashpact_keys.keystore import KeyStore
from hashpact_keys.public_keys import KeyKind, generate
from hashpact_keys.rows import ROWS, RowName
from hashpact_keys.trust import describe
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.setup import Founding, Made, make_home
from hashpact_node.services.token_checks import TokenChecks
from hashpact_node.services.tokens import TokenScope
from hashpact_node.services.views import own_card, own_number
from hashpact_node.setting_forms import DEFAULT_KEYS
from hashpact_node.settings import NODE_TOML, Settings, load_settings
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.locks import HomeLock
from hashpact_node.store.logs import list_logs
from hashpact_node.store.peers import find_own
from hashpact_node.store.trust import load_files
from hashpact_protocol.errors import (
    CardError,
    ConfigurationError,
    ConflictError,
    HashpactError,
    KeyUnavailableError,
    MemberNameError,
    StoreBusyError,
    StoreFullError,
)
from own_member import NOW
from tokens import PIN, SoftToken, keystore_with_pin

ACME = Founding("acme", "https://acme.example", "Acme", ("mailto:trust@acme.example",))


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def found(
    database: Database, home: Path, founding: Founding = ACME, passphrase: bytes = b"of a test", port: int = 8470
) -> Made:
    settings = Settings(home=home, database_url=database.where, port=port)
    return make_home(settings, founding, KeyStore(home, lambda: passphrase, kdf_rounds=1), database, now=lambda: NOW)


def nothing_is_left(database: Database, home: Path) -> None:
    assert not (home / NODE_TOML).exists()
    assert not list(home.glob("keys/*"))
    with database.read() as connection:
        assert find_own(connection) is None


def test_a_home_is_made_whole(empty_database: Database, tmp_path: Path) -> None:
    made = found(empty_database, tmp_path / "a" / "home", port=9000)
    home = made.home
    assert (made.member, made.url) == ("acme", "https://acme.example")
    assert set(made.keys) == {row.value for row in ROWS}
    for path in made.keys.values():
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    settings = load_settings({}, home)
    assert (settings.member, settings.url, settings.name, settings.port) == ("acme", made.url, "Acme", 9000)
    with empty_database.read() as connection:
        card = own_card(connection)
        state = describe(load_files(connection, own_number(connection)))
        (log,) = list_logs(connection)
    assert state.fingerprint == made.fingerprint
    assert [one.origin for one in card.logs] == [log.origin] == ["acme.example/logs/listings-1"]
    assert card.contacts == ACME.contacts
    assert len({key for _, key in card.public_keys()}) == 3
    assert (log.named, log.counts, log.state) == (True, True, "open")
    checks = TokenChecks(empty_database, lambda: NOW)
    checks.refresh()
    assert checks.check(made.token).scopes == {TokenScope.ADMIN}
    assert made.token not in repr(made)
    assert b"of a test" not in b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_a_home_is_made_once(empty_database: Database, tmp_path: Path) -> None:
    found(empty_database, tmp_path / "home")
    before = {path: path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file()}
    with pytest.raises(ConflictError, match="set up already"):
        found(empty_database, tmp_path / "home")
    with pytest.raises(ConflictError, match="belongs to a member already"):
        found(empty_database, tmp_path / "other")
    assert not list((tmp_path / "other").glob("keys/*"))
    after = {path: path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize(
    ("founding", "kind"),
    [
        (Founding("A", "https://acme.example", "Acme"), MemberNameError),
        (Founding("acme", "https://acme.example/", "Acme"), MemberNameError),
        (Founding("acme", "http://acme.example", "Acme"), MemberNameError),
        (Founding("acme", "https://acme.example", "two\nlines"), CardError),
        (Founding("acme", "https://acme.example", "no\u200bspace"), ConfigurationError),
    ],
)
def test_what_is_not_right_leaves_nothing_and_may_be_tried_again(
    database: Database, tmp_path: Path, founding: Founding, kind: type[HashpactError]
) -> None:
    with pytest.raises(kind):
        found(database, tmp_path, founding)
    nothing_is_left(database, tmp_path)
    assert found(database, tmp_path).member == "acme"


@pytest.mark.parametrize("step", ["create_trust", "take_card", "save_files", "write_node_toml"])
def test_what_fails_half_way_is_taken_back(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"hashpact_node.services.setup.{step}", fail)
        with pytest.raises(KeyboardInterrupt):
            found(database, tmp_path)
    nothing_is_left(database, tmp_path)
    assert found(database, tmp_path).member == "acme"


def test_a_database_that_fails_at_its_end_takes_node_toml_with_it(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = sqlite_database.write

    @contextmanager
    def fail_at_commit() -> Iterator[Connection]:
        with write() as connection:
            yield connection
            if (tmp_path / NODE_TOML).exists():
                raise StoreFullError("no room for the last page")

    with monkeypatch.context() as patch:
        patch.setattr(sqlite_database, "write", fail_at_commit)
        with pytest.raises(StoreFullError):
            found(sqlite_database, tmp_path)
    nothing_is_left(sqlite_database, tmp_path)


def test_an_empty_passphrase_makes_no_keys(sqlite_database: Database, tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailableError, match="passphrase"):
        found(sqlite_database, tmp_path, passphrase=b"")
    nothing_is_left(sqlite_database, tmp_path)


def test_a_key_file_that_is_there_is_never_replaced(sqlite_database: Database, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "online.key").write_text("mine")
    with pytest.raises(ConflictError):
        found(sqlite_database, tmp_path)
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["online.key"]
    assert (tmp_path / "keys" / "online.key").read_text() == "mine"


def test_a_home_in_use_is_left_alone(sqlite_database: Database, tmp_path: Path) -> None:
    with HomeLock(tmp_path).shared(), pytest.raises(StoreBusyError):
        found(sqlite_database, tmp_path)
    nothing_is_left(sqlite_database, tmp_path)


def test_there_must_be_room(sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _home: Usage(10**9, 10**9 - 49_000_000, 49_000_000))
    with pytest.raises(ConfigurationError, match="50 MB"):
        found(sqlite_database, tmp_path)
    nothing_is_left(sqlite_database, tmp_path)


def keys_at(**uris: str) -> dict[str, tuple[str, ...]]:
    return {**DEFAULT_KEYS, **{row: (uri,) for row, uri in uris.items()}}


def found_with(database: Database, home: Path, keys: dict[str, tuple[str, ...]], pin: str = PIN) -> Made:
    settings = Settings(home=home, database_url=database.where, keys=keys)
    return make_home(settings, ACME, keystore_with_pin(home, pin), database, now=lambda: NOW)


def test_keys_on_a_token_are_made_there_or_used_if_they_are_there(
    sqlite_database: Database, tmp_path: Path, token: SoftToken
) -> None:
    there = generate(token.uri("root"), keystore_with_pin(tmp_path), KeyKind.P256)
    keys = keys_at(root=token.uri("root"), online=token.uri("online"), release=token.uri("release"))
    made = found_with(sqlite_database, tmp_path / "home", keys)
    assert made.keys["release"] == token.uri("release")
    assert load_settings({}, tmp_path / "home").keys == keys
    assert made.keys["witness"] == str(tmp_path / "home/keys/witness.key")
    keyring = Keyring(keystore_with_pin(tmp_path / "home"), keys)
    assert keyring.trust_signers(RowName.ROOT)[0].public_key == there
    with sqlite_database.read() as connection:
        own = find_own(connection)
        assert own is not None
        (log,) = list_logs(connection, peer=own.number)
    (named,) = keyring.log_keys(log)
    assert str(named[0]) in log.keys
    assert sorted(path.name for path in (tmp_path / "home/keys").iterdir()) == [
        "crisis.key",
        "request.key",
        "targets.key",
        "witness.key",
    ]


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (("root", "targets"), "one key serves"),
        (("root", "release"), "one key serves"),
        (("release", "witness"), "one key serves|twice"),
    ],
)
def test_one_key_on_a_token_for_two_rows_is_refused(
    sqlite_database: Database, tmp_path: Path, token: SoftToken, rows: tuple[str, ...], what: str
) -> None:
    with pytest.raises(HashpactError, match=what):
        found_with(sqlite_database, tmp_path / "home", keys_at(**{row: token.uri("same") for row in rows}))
    assert list((tmp_path / "home/keys").iterdir()) == []
    assert not (tmp_path / "home/node.toml").exists()


def test_a_key_of_another_kind_for_a_note_row_is_refused(
    sqlite_database: Database, tmp_path: Path, token: SoftToken
) -> None:
    generate(token.uri("release"), keystore_with_pin(tmp_path), KeyKind.P256)
    with pytest.raises(ConfigurationError, match=r"ECDSA P-256 key, and .* Ed25519 keys only"):
        found_with(sqlite_database, tmp_path / "home", keys_at(release=token.uri("release")))
    assert list((tmp_path / "home/keys").iterdir()) == []


def test_a_wrong_pin_makes_no_home(sqlite_database: Database, tmp_path: Path, token: SoftToken) -> None:
    with pytest.raises(KeyUnavailableError, match="refuses this PIN"):
        found_with(sqlite_database, tmp_path / "home", keys_at(root=token.uri("root")), pin="000000")
    assert not (tmp_path / "home/node.toml").exists()
    found_with(sqlite_database, tmp_path / "home", keys_at(root=token.uri("root")))
