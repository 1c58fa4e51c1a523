"""Requests that a client may send again: the same key and request gives the first answer, for a day.

Before anything is done, what is about to be done (the *plan*, say the ids of new listings) is stored beside the key.
So whoever finds a request that died with its process can tell whether its work was done, and does it once in all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.idempotency import KEPT_SECONDS, Repeat, begin, find, finish, forget
from hashpact_protocol.errors import ConflictError, HashpactError, RequestError, StoreError

log = structlog.get_logger(__name__)

TAKEN_OVER_SECONDS: Final = 300
"""After so long a request that has no answer is taken for dead: no request of ours runs that long."""

KEY_MAX_CHARACTERS: Final = 255

_PLANNED: Final = 0
"""Stands where the status will: the request runs, and beside it is its plan, no answer."""

_DOUBTFUL: Final = 1
"""Stands there where the database failed while the request ran, so that its work may have been done."""

_UNANSWERED: Final = (None, _PLANNED, _DOUBTFUL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with; ``repeated`` says that it had been answered before."""

    status: int
    body: bytes
    repeated: bool = False


Work = Callable[[bytes, bool], Answer]
"""Does what a plan says. The second argument says whether somebody may have done so already, and died then."""


@dataclass(frozen=True, slots=True)
class Idempotent:
    """Runs requests once each, on every process of one database."""

    database: Database
    now: Callable[[], datetime]

    def run(self, key: str, request_hash: bytes, plan: bytes, work: Work) -> Answer:
        """Do the work unless this key came before, and give the answer that it got then.

        ``request_hash`` tells requests apart. A request that fails forgets its key, and may be sent again; where the
        database failed, the plan is kept, since a transaction may be stored whose commit was not heard of. Raises
        RequestError for a key that came with another request or has no form, ConflictError while the first request is
        in flight, and what ``work`` raises.
        """
        check_key(key)
        with self.database.write() as connection:
            earlier = self._earlier(connection, key, request_hash)
            if earlier is not None and earlier.status not in _UNANSWERED:
                return Answer(earlier.status or _PLANNED, earlier.answer or b"", repeated=True)
            if earlier is not None:
                plan = earlier.answer or plan
                forget(connection, key)
            begin(connection, key, request_hash, now=self.now())
            finish(connection, key, _PLANNED, plan)
        try:
            answer = work(plan, earlier is not None)
        except StoreError:
            self._doubt(key, plan)
            raise
        except HashpactError:
            # Anything else leaves the plan, since nobody knows how far it came.
            with self.database.write() as connection:
                forget(connection, key)
            raise
        with self.database.write() as connection:
            finish(connection, key, answer.status, answer.body)
        return answer

    def run_at_once(self, key: str, request_hash: bytes, work: Callable[[Connection], Answer]) -> Answer:
        """Do work that is one transaction unless this key came before, and give the answer that it got then.

        The answer is stored in the same transaction, so that nothing is ever done without it, nor twice. Raises what
        ``run`` raises.
        """
        check_key(key)
        with self.database.write() as connection:
            earlier = self._earlier(connection, key, request_hash)
            # Another process may have begun since that look; its transaction was waited for, and it is done.
            earlier = earlier or begin(connection, key, request_hash, now=self.now())
            if earlier is not None:
                return Answer(earlier.status or _PLANNED, earlier.answer or b"", repeated=True)
            answer = work(connection)
            finish(connection, key, answer.status, answer.body)
        return answer

    def _doubt(self, key: str, plan: bytes) -> None:
        """Let the next one take the plan up at once; if that cannot be stored either, it may after a while."""
        try:
            with self.database.write() as connection:
                finish(connection, key, _DOUBTFUL, plan)
        except StoreError as error:
            log.warning("a request cannot be marked as broken off; its key is free in a while", error=str(error))

    def _earlier(self, connection: Connection, key: str, request_hash: bytes) -> Repeat | None:
        """Give what came of this key before: an answer, or a plan whose process died; None if it is new."""
        earlier = find(connection, key)
        if earlier is None:
            return None
        age = self.now().timestamp() - earlier.created_at
        if age >= KEPT_SECONDS:
            forget(connection, key)
            return None
        if earlier.request_hash != request_hash:
            raise RequestError(
                "this key came before with another request",
                where="Idempotency-Key",
                mend="use a new key for each new request; a key is kept for a day",
            )
        if earlier.status in (None, _PLANNED) and age < TAKEN_OVER_SECONDS:
            raise ConflictError(
                "the first request with this key is still in flight",
                where="Idempotency-Key",
                mend="send it once more in a while: it is answered, or taken over after five minutes",
            )
        return earlier


def check_key(key: str) -> None:
    """Raise RequestError for what is no key: 1 to 255 visible ASCII characters."""
    if not 1 <= len(key) <= KEY_MAX_CHARACTERS or not all("!" <= character <= "~" for character in key):
        raise RequestError(
            f"a key is 1 to {KEY_MAX_CHARACTERS} visible ASCII characters", where="Idempotency-Key", mend="use a UUID"
        )
