from __future__ import annotations

from sqlalchemy import func, select

from hashpact_node.store.database import Database
from hashpact_node.store.nonces import remember_nonce
from hashpact_node.store.tables_requests import RequestNonce


def test_a_nonce_is_one_members_and_is_forgotten_in_time(database: Database) -> None:
    with database.write() as connection:
        assert remember_nonce(connection, "beta", "nonce", forget_at=100, now=0)
        assert not remember_nonce(connection, "beta", "nonce", forget_at=100, now=100)
        assert remember_nonce(connection, "gamma", "nonce", forget_at=300, now=100)
        assert not remember_nonce(connection, "beta", "nonce", forget_at=100, now=160), "another's clock may be slow"
        assert remember_nonce(connection, "beta", "nonce", forget_at=300, now=161)
        assert connection.execute(select(func.count()).select_from(RequestNonce)).scalar_one() == 2
