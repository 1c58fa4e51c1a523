"""Tokens of the API: made, shown once, listed, revoked.

A token is ``hp_ID_SECRET``: an id that says which it is and is no secret, and 32 random bytes as base64url (RFC 4648,
section 5). Of the secret's text only its SHA-256 is stored. A slow hash such as those for passwords would add nothing:
there is no dictionary of 256 random bits, and each request would pay for it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from hashpact_node.services.actors import Actor
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.tokens import (
    TokenRow,
    add_token,
    count_live_tokens,
    find_token,
    list_tokens,
    revoke_token,
)
from hashpact_protocol.errors import ConflictError, NotFoundError, RequestError

TOKENS_MAX: Final = 1_000
"""How many may live at a time: each process that serves holds all of them in memory."""

PER_MINUTE_MAX: Final = 1_000_000
MATCH_PER_MINUTE: Final = 600
"""How often a token that may match and not read asks, unless it was made with another figure."""

LIFE_MAX: Final = timedelta(days=3_650)
NAME_MAX: Final = 100

_PREFIX: Final = "hp"
_ID_BYTES: Final = 5
_SECRET_BYTES: Final = 32
_FORM: Final = re.compile(rf"{_PREFIX}_(?P<id>[0-9a-f]{{{2 * _ID_BYTES}}})_(?P<secret>[A-Za-z0-9_-]{{43}})")


class TokenScope(StrEnum):
    """What a token may do; docs/api.md, Tokens, says which route wants which."""

    MATCH = "match"
    READ = "read"
    PUBLISH = "publish"
    REVIEW = "review"
    OPERATE = "operate"
    AUDIT = "audit"
    ADMIN = "admin"


SCOPE_MEANINGS: Final = {
    TokenScope.MATCH: "ask whether content is listed, a few signals at a time",
    TokenScope.READ: "read the whole blocklist, follow its changes, match in batches",
    TokenScope.PUBLISH: "publish listings and opinions, and take them back",
    TokenScope.REVIEW: "approve or reject what others drafted, decide about what is listed, answer disputes",
    TokenScope.OPERATE: "add, pull, pause and remove peers",
    TokenScope.AUDIT: "look at the node: status, peers, keys, figures, evidence, audit log; never at the list",
    TokenScope.ADMIN: "all of it",
}


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token as people look at it, without its secret; ``state`` is ``active``, ``expired`` or ``revoked``.

    Times are Unix seconds; ``last_used_at`` is at most a minute or so old. ``per_minute`` is None for no limit.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    state: str
    per_minute: int | None
    created_at: int
    created_by: str
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made: ``text`` is what its holder sends, and is to be had here alone."""

    view: TokenView
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenPlan:
    """What a new token is to be: its name for people, what it may do, how long, and how often a minute."""

    name: str
    scopes: tuple[TokenScope, ...]
    life: timedelta | None = None
    per_minute: int | None = None


class Tokens:
    """The tokens of a node, for whoever hands them out."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def create(self, plan: TokenPlan, *, by: Actor) -> NewToken:
        """Make a token; RequestError for a plan that cannot be, ConflictError when there are too many, StoreError."""
        now = self._now()
        with self._database.write() as connection:
            if count_live_tokens(connection, int(now.timestamp())) >= TOKENS_MAX:
                raise ConflictError(
                    f"there are {TOKENS_MAX:,} tokens already",
                    mend="revoke those that nobody uses: hashpact token list",
                )
            return make_token(connection, plan, by=by, now=now)

    def list(self) -> list[TokenView]:
        """List all tokens, those that ended, too, the oldest first."""
        with self._database.read() as connection:
            return [_view(row, self._now()) for row in list_tokens(connection)]

    def revoke(self, identifier: str) -> TokenView:
        """Revoke a token, now and for good; one that is revoked already stays as it is. NotFoundError, StoreError.

        Each process that serves refuses it within ``FRESH_SECONDS`` of :mod:`hashpact_node.services.token_checks`.
        """
        now = self._now()
        with self._database.write() as connection:
            revoke_token(connection, identifier, int(now.timestamp()))
            row = find_token(connection, identifier)
        if row is None:
            raise NotFoundError(
                "there is no token with this id", where=identifier[:100], mend="see hashpact token list"
            )
        return _view(row, now)


def make_token(connection: Connection, plan: TokenPlan, *, by: Actor, now: datetime) -> NewToken:
    """Make a token in a transaction; RequestError for a plan that cannot be."""
    _check(plan)
    at = int(now.timestamp())
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    wanted = [scope for scope in TokenScope if scope in plan.scopes]
    limited = TokenScope.MATCH in wanted and not {TokenScope.READ, TokenScope.ADMIN} & set(wanted)
    per_minute = MATCH_PER_MINUTE if plan.per_minute is None and limited else plan.per_minute
    row = TokenRow(
        id=secrets.token_hex(_ID_BYTES),
        created_at=at,
        name=plan.name,
        scopes=" ".join(wanted),
        created_by=f"{by.kind}:{by.name}",
        secret_hash=hash_secret(secret),
        expires_at=None if plan.life is None else at + int(plan.life.total_seconds()),
        per_minute=per_minute,
    )
    add_token(connection, row)
    return NewToken(_view(row, now), f"{_PREFIX}_{row.id}_{secret}")


def split_token(text: str) -> tuple[str, str]:
    """Give id and secret of a token; two empty texts for what does not have the form of one."""
    found = _FORM.fullmatch(text)
    return ("", "") if found is None else (found["id"], found["secret"])


def hash_secret(secret: str) -> bytes:
    """Give what is stored of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def scopes_of(words: Iterable[str]) -> tuple[TokenScope, ...]:
    """Read the names of scopes; RequestError for one that there is not."""
    known = {scope.value: scope for scope in TokenScope}
    unknown = sorted(set(words) - set(known))
    if unknown:
        raise RequestError(f"there is no scope {unknown[0][:100]!r}", mend=f"the scopes are: {', '.join(known)}")
    return tuple(known[word] for word in words)


def _check(plan: TokenPlan) -> None:
    if not 1 <= len(plan.name) <= NAME_MAX or not plan.name.isprintable():
        raise RequestError(f"a token's name has 1 to {NAME_MAX} characters, on one line", where="name")
    if not plan.scopes:
        raise RequestError("a token without a scope can do nothing", where="scopes", mend="give at least one scope")
    if plan.life is not None and not timedelta(seconds=1) <= plan.life <= LIFE_MAX:
        raise RequestError(f"a token lives for at most {LIFE_MAX.days:,} days", where="expires")
    if plan.per_minute is not None and not 1 <= plan.per_minute <= PER_MINUTE_MAX:
        raise RequestError(f"a token asks 1 to {PER_MINUTE_MAX:,} times a minute", where="per_minute")


def _view(row: TokenRow, now: datetime) -> TokenView:
    ended = "revoked" if row.revoked_at is not None else "expired"
    return TokenView(
        id=row.id,
        name=row.name,
        scopes=tuple(row.scopes.split()),
        state="active" if row.lives(int(now.timestamp())) else ended,
        per_minute=row.per_minute,
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )
