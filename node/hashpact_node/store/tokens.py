"""Tokens of the API, and how many requests the API refused; times are Unix seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import ColumnElement, Connection, func, insert, or_, select, update
from sqlmodel import col

from hashpact_node.store.database import insert_into
from hashpact_node.store.tables import Counter
from hashpact_node.store.tables_tokens import Token

USED_EVERY_SECONDS: Final = 60
"""How seldom the last use of a token is written."""

_REFUSED: Final = "refused/"


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as it is stored."""

    id: str
    created_at: int
    name: str
    scopes: str
    created_by: str
    secret_hash: bytes = field(repr=False)
    expires_at: int | None = None
    revoked_at: int | None = None
    last_used_at: int | None = None
    per_minute: int | None = None

    def lives(self, at: int) -> bool:
        """Say whether it is neither revoked nor expired at a time."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


def add_token(connection: Connection, row: TokenRow) -> None:
    """Store a new token."""
    values = {name: getattr(row, name) for name in TokenRow.__slots__}
    connection.execute(insert(Token).values(**values))


def find_token(connection: Connection, identifier: str) -> TokenRow | None:
    """Find a token by its id."""
    found = connection.execute(select(Token).where(col(Token.id) == identifier)).mappings().one_or_none()
    return None if found is None else TokenRow(**found)


def list_tokens(connection: Connection) -> list[TokenRow]:
    """List all tokens, those that ended, too, the oldest first."""
    query = select(Token).order_by(col(Token.created_at), col(Token.id))
    return [TokenRow(**row) for row in connection.execute(query).mappings()]


def live_tokens(connection: Connection, at: int) -> list[TokenRow]:
    """List the tokens that are neither revoked nor expired."""
    return [TokenRow(**row) for row in connection.execute(select(Token).where(*_lives(at))).mappings()]


def count_live_tokens(connection: Connection, at: int) -> int:
    """Count the tokens that are neither revoked nor expired."""
    return connection.execute(select(func.count()).select_from(Token).where(*_lives(at))).scalar_one()


def revoke_token(connection: Connection, identifier: str, at: int) -> bool:
    """Revoke a token; False where there is none, or it was revoked before."""
    where = col(Token.id) == identifier, col(Token.revoked_at).is_(None)
    return connection.execute(update(Token).where(*where).values(revoked_at=at)).rowcount == 1


def note_use(connection: Connection, uses: Mapping[str, int]) -> None:
    """Write when tokens were last used, unless that was written within the last minute."""
    for identifier, at in sorted(uses.items()):
        due = or_(col(Token.last_used_at).is_(None), col(Token.last_used_at) <= at - USED_EVERY_SECONDS)
        connection.execute(update(Token).where(col(Token.id) == identifier, due).values(last_used_at=at))


def add_refusals(connection: Connection, counts: Mapping[str, int]) -> None:
    """Add to the numbers of refused requests, by the reason."""
    for reason, count in sorted(counts.items()):
        first = insert_into(connection, Counter).values(name=_REFUSED + reason, value=count)
        more = {"value": col(Counter.value) + first.excluded.value}
        connection.execute(first.on_conflict_do_update(index_elements=["name"], set_=more))


def count_refusals(connection: Connection) -> dict[str, int]:
    """Give how many requests were refused, by the reason; reasons that never came up are left out."""
    query = select(col(Counter.name), col(Counter.value)).where(col(Counter.name).startswith(_REFUSED))
    return {row.name.removeprefix(_REFUSED): row.value for row in connection.execute(query)}


def _lives(at: int) -> tuple[ColumnElement[bool], ...]:
    return col(Token.revoked_at).is_(None), or_(col(Token.expires_at).is_(None), col(Token.expires_at) > at)
