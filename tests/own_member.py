"""An initialised member with keys, card and one open log in a database, for tests of what it publishes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

from hashpact_keys.keystore import KeyStore
from hashpact_node.services.keyring import Keyring
from hashpact_node.services.publishing import Publisher
from hashpact_node.services.release import Releaser
from hashpact_node.services.setup import Founding, make_home
from hashpact_node.settings import Settings
from hashpact_node.store.database import Database
from hashpact_node.store.locks import Locks
from hashpact_node.store.logs import Log, find_log

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
ORIGIN = "acme.example/logs/listings-1"


@dataclass
class OwnMember:
    """Acme, on a database and a home of its own; ``now`` stands still."""

    database: Database
    home: Path
    settings: Settings
    keyring: Keyring
    releaser: Releaser
    publisher: Publisher

    @property
    def log(self) -> Log:
        """The row of its log as it stands."""
        with self.database.read() as connection:
            found = find_log(connection, ORIGIN)
        assert found is not None
        return found

    def lazy_publisher(self, wait_seconds: float = 0.1) -> Publisher:
        """Give a publisher that leaves releasing to a running node."""
        return Publisher(self.database, self.releaser, lambda: NOW, releases=False, wait_seconds=wait_seconds)


def found_member(database: Database, home: Path, database_url: str) -> OwnMember:
    """Make acme in ``home``, on ``database``."""
    settings = Settings(
        home=home,
        member="acme",
        url="https://acme.example",
        database_url=database_url,
        allow_networks=(ip_network("127.0.0.0/8"),),  # where the peers of a test are
    )
    keystore = KeyStore(home, lambda: b"passphrase of a test", kdf_rounds=1)
    make_home(settings, Founding("acme", "https://acme.example", "Acme"), keystore, database, now=lambda: NOW)
    keyring = Keyring(keystore, settings.keys)
    releaser = Releaser(database, Locks(database, home), keyring, lambda: NOW)
    return OwnMember(database, home, settings, keyring, releaser, Publisher(database, releaser, lambda: NOW))
