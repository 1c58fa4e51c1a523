"""Whether a token that was sent is one of ours, asked at each request, so at no cost to speak of.

All living tokens are held in memory, read anew from the database when what is held is older than ``FRESH_SECONDS``. So
a flood of wrong tokens costs one SHA-256 each and never a look at the database, nobody who has a valid token is kept
waiting by it, and a revoked one is refused by every process within that time. An expired one is refused at once.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from hashpact_node import clock
from hashpact_node.net.rates import Budgets
from hashpact_node.services.tokens import TokenScope, hash_secret, split_token
from hashpact_node.store.database import Database
from hashpact_node.store.tokens import USED_EVERY_SECONDS, TokenRow, add_refusals, live_tokens, note_use
from hashpact_protocol.errors import RequestError, StoreError

FRESH_SECONDS: Final = 2.0
"""How old what is held may be: within that time a revoked token is refused, and a new one is known."""

WRITTEN_EVERY_SECONDS: Final = 10.0
"""How often at most a process writes who used the API, and how many it refused."""

BURST_SECONDS: Final = 10
"""A token that has not asked for a while may ask as often at once as in that time."""

REFUSED_REASONS: Final = ("token", "address", "scope", "rate", "signature", "member")
"""Why a request is refused: no valid token; too much that fails from an address; the wrong scope; too often; at the
door for members, no valid signature, and a member too often."""

_NOBODY: Final = TokenRow("", 0, "", "", "", secrets.token_bytes(32), expires_at=0)
"""Stands for the token that there is not, so that an unknown id takes the same steps as a known one."""

log = structlog.get_logger(__name__)


class TokenRefusedError(RequestError):
    """What was sent is no token of ours, or no longer; which of it is said to nobody."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whoever sent a valid token."""

    id: str
    scopes: frozenset[TokenScope]
    per_minute: int | None

    def may(self, scope: TokenScope) -> bool:
        """Say whether it may do what wants that scope."""
        return scope in self.scopes or TokenScope.ADMIN in self.scopes

    @property
    def only_matches(self) -> bool:
        """Whether it may match and not read, as an outside platform may that is not to have the list."""
        return not self.may(TokenScope.READ)


class TokenChecks:
    """Knows the living tokens of a database; shared by threads, one a process."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime],
        *,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._database = database
        self._now = now
        self._monotonic = monotonic
        self._held: Mapping[str, TokenRow] = {}
        self._read_at: float | None = None
        self._budgets: dict[int, Budgets] = {}
        self._used: dict[str, int] = {}
        self._written: dict[str, int] = {}
        self._refused: Counter[str] = Counter()
        self._wrote_at: float | None = None
        self._reading = threading.Lock()
        self._noting = threading.Lock()
        self._writing = threading.Lock()

    @property
    def is_fresh(self) -> bool:
        """Whether what is held is young enough to be gone by."""
        return self._read_at is not None and self._monotonic() - self._read_at < FRESH_SECONDS

    def refresh(self) -> None:
        """Read the living tokens unless somebody just has; StoreError, and then nothing is fresh."""
        with self._reading:
            if self.is_fresh:
                return
            begun = self._monotonic()
            with self._database.read() as connection:
                rows = live_tokens(connection, self._at())
            self._held = {row.id: row for row in rows}
            self._read_at = begun

    def check(self, text: str) -> Holder:
        """Give whose token this is; TokenRefusedError in the same words and time whatever is wrong with it.

        What is held must be fresh: the caller sees to that.
        """
        identifier, secret = split_token(text)
        row = self._held.get(identifier, _NOBODY)
        equal = hmac.compare_digest(hash_secret(secret), row.secret_hash)
        at = self._at()
        if not (equal and row.lives(at)):
            raise TokenRefusedError("this is no valid token")
        self._note_use(row, at)
        return Holder(row.id, frozenset(map(TokenScope, row.scopes.split())), row.per_minute)

    def spend(self, holder: Holder) -> float:
        """Spend one of a token's requests, and give 0.0; else spend nothing, and give the seconds to wait.

        Each process counts for itself.
        """
        if holder.per_minute is None:
            return 0.0
        budgets = self._budgets.get(holder.per_minute)
        if budgets is None:
            each_second = holder.per_minute / 60
            budgets = Budgets(per_second=each_second, burst=max(1.0, each_second * BURST_SECONDS))
            budgets = self._budgets.setdefault(holder.per_minute, budgets)
        return budgets.spend(holder.id)

    def note_refusal(self, reason: str) -> None:
        """Count a request that was refused."""
        with self._noting:
            self._refused[reason] += 1

    @property
    def has_news(self) -> bool:
        """Whether there is something to write, and it is time."""
        if not self._used and not self._refused:
            return False
        return self._wrote_at is None or self._monotonic() - self._wrote_at >= WRITTEN_EVERY_SECONDS

    def write_news(self) -> None:
        """Write when tokens were last used and how many requests were refused; one thread does, others go on.

        A database that cannot be written is logged: nobody is refused for that.
        """
        if not self._writing.acquire(blocking=False):
            return
        try:
            if self.has_news:
                self._write()
        finally:
            self._writing.release()

    def _write(self) -> None:
        self._wrote_at = self._monotonic()
        with self._noting:
            used, self._used = self._used, {}
            refused, self._refused = self._refused, Counter()
        try:
            with self._database.write() as connection:
                note_use(connection, used)
                add_refusals(connection, refused)
        except StoreError as error:
            log.warning("the use of the API could not be written", error=str(error))
            with self._noting:
                self._refused.update(refused)
            return
        self._written = {**self._written, **used}

    def _note_use(self, row: TokenRow, at: int) -> None:
        before = max(row.last_used_at or 0, self._written.get(row.id, 0))
        if at - before >= USED_EVERY_SECONDS:
            with self._noting:
                self._used[row.id] = at

    def _at(self) -> int:
        return int(self._now().timestamp())
