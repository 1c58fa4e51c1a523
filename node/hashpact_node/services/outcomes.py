"""What became of matches, as whoever matches says it in numbers: without content, and without a word about a user."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from hashpact_node.services.idempotent import Answer, Idempotent
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.outcomes import Counts, add_outcomes, date_of, day_of, outcomes_of
from hashpact_node.store.signals import find_signals
from hashpact_protocol.errors import RequestError, SignalError
from hashpact_protocol.signals import signal_key

OUTCOMES_MAX: Final = 1_000
COUNT_MAX: Final = 1_000_000_000
_MEND: Final = "write it as type:value, with the value of the hit, not of what was asked"


@dataclass(frozen=True, slots=True)
class NewOutcome:
    """What became of matches of one signal since it was last said; ``key`` is ``type:value`` of the hit."""

    key: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class OutcomeView:
    """What became of all matches of one signal, and the last day of which something was said."""

    key: str
    matched: int
    removed: int
    appealed: int
    reinstated: int
    last_day: str | None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Takes and tells what became of matches."""

    database: Database
    now: Callable[[], datetime]

    def add(
        self,
        outcomes: Sequence[NewOutcome],
        source: str,
        *,
        idempotency_key: str | None = None,
        request: bytes = b"",
        tells: bool = True,
    ) -> Answer:
        """Add to the counts of up to 1 000 signals, all or none; ``source`` is the id of the token that says so.

        With a key the same ``request`` is counted once, however often it comes. Raises RequestError that names the
        outcome: for a signal that the blocklist does not know, one that is there twice, and a number out of bounds.
        Where it ``tells`` nothing of the blocklist, a signal that is not known is passed over, and answered alike.
        """
        if not 1 <= len(outcomes) <= OUTCOMES_MAX:
            raise RequestError(
                f"there are 1 to {OUTCOMES_MAX:,} outcomes at once, not {len(outcomes):,}", where="outcomes"
            )
        keyed = _keyed(outcomes)

        def work(connection: Connection) -> Answer:
            known = find_signals(connection, sorted(keyed))
            if tells:
                _check_known(keyed, known)
            counted = [(key, one.counts) for key, one in zip(keyed, outcomes, strict=True) if key in known]
            add_outcomes(connection, day_of(self.now().date()), source, counted)
            return Answer(200, msgspec.json.encode({"count": len(outcomes)}))

        if idempotency_key is None:
            with self.database.write() as connection:
                return work(connection)
        once = Idempotent(self.database, self.now)
        return once.run_at_once(idempotency_key, hashlib.sha256(request).digest(), work)

    def show(self, signal: str) -> OutcomeView:
        """Tell what became of matches of a signal, ``type:value``; RequestError for what is no signal."""
        key = _key(signal, "key")
        with self.database.read() as connection:
            counts, last = outcomes_of(connection, key)
        return OutcomeView(signal, *counts, None if last is None else date_of(last).isoformat())


def _keyed(outcomes: Sequence[NewOutcome]) -> list[bytes]:
    keyed: dict[bytes, None] = {}
    for at, outcome in enumerate(outcomes):
        for name, count in outcome.counts._asdict().items():
            if not 0 <= count <= COUNT_MAX:
                raise RequestError(f"is not 0 to {COUNT_MAX:,}", where=f"outcomes[{at}].{name}")
        key = _key(outcome.key, f"outcomes[{at}].key")
        if key in keyed:
            raise RequestError("is there twice", where=f"outcomes[{at}].key", mend="add its numbers up")
        keyed[key] = None
    return list(keyed)


def _key(text: str, where: str) -> bytes:
    kind, colon, value = text.partition(":")
    if not colon:
        raise RequestError("this is no signal", where=where, mend=_MEND)
    try:
        return signal_key(kind, value)
    except SignalError as error:
        raise RequestError(f"this is no signal: {error.what}", where=where, mend=error.mend or _MEND) from None


def _check_known(keyed: Sequence[bytes], known: Collection[bytes]) -> None:
    """Refuse signals that were never listed: a blocklist forgets none, so that nothing can have matched them."""
    for at, key in enumerate(keyed):
        if key not in known:
            raise RequestError("nobody ever listed this signal here", where=f"outcomes[{at}].key", mend=_MEND)
