from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from follower import Follower
from hashpact_keys.keystore import KeyStore
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.store.database import Database
from own_member import OwnMember, found_member
from publisher import Publisher


@pytest.fixture
def acme(database: Database, database_url: str, tmp_path: Path) -> OwnMember:
    """An initialised member, once on each kind of database."""
    return found_member(database, tmp_path / "home", database_url)


@pytest.fixture(scope="session")
def fetcher() -> Iterator[Fetcher]:
    with Fetcher() as one:
        yield one


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    """A scripted publisher, beta; in the end nobody may have asked it for what it did not expect."""
    with Publisher() as one:
        yield one


@pytest.fixture
def follower(acme: OwnMember, fetcher: Fetcher) -> Follower:
    """Acme with nobody to follow yet, once on each kind of database."""
    return Follower(acme, fetcher)


@pytest.fixture
def sqlite_follower(sqlite_database: Database, fetcher: Fetcher, tmp_path: Path) -> Follower:
    """Acme with nobody to follow yet, on SQLite alone, for what has nothing to do with SQL."""
    return Follower(found_member(sqlite_database, tmp_path / "home", sqlite_database.where), fetcher)


@pytest.fixture
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """New key files are written with one round of key derivation, which costs no time."""
    monkeypatch.setitem(KeyStore.__init__.__kwdefaults__, "kdf_rounds", 1)  # type: ignore[arg-type]  # it has some
