from __future__ import annotations

from sqlalchemy import func, select

from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.nonces import forget_nonces, remember_nonce
from hashpact_node.store.tables_requests import RequestNonce


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(RequestNonce)).scalar_one()


def test_a_nonce_is_one_members(database: Database) -> None:
    with database.write() as connection:
        assert remember_nonce(connection, "beta", "nonce", forget_at=100)
        assert not remember_nonce(connection, "beta", "nonce", forget_at=200)
        assert remember_nonce(connection, "gamma", "nonce", forget_at=300)
        assert remember_nonce(connection, "beta", "another", forget_at=300)


def test_a_nonce_is_forgotten_in_time(database: Database) -> None:
    with database.write() as connection:
        remember_nonce(connection, "beta", "nonce", forget_at=100)
        remember_nonce(connection, "gamma", "nonce", forget_at=300)
        forget_nonces(connection, now=160)
        assert not remember_nonce(connection, "beta", "nonce", forget_at=100), "another's clock may be slow"
        forget_nonces(connection, now=161)
        assert count(connection) == 1
        assert remember_nonce(connection, "beta", "nonce", forget_at=300)
