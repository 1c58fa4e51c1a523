"""The blocklist as it is: by page, by count, and whole."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

from hashpact_node.services.claims_view import ClaimsView, SignalView, affordable
from hashpact_node.store.connection import Connection
from hashpact_node.store.database import Database
from hashpact_node.store.feed import page_of_keys
from hashpact_node.store.signals import count_actions
from hashpact_protocol.errors import RequestError, SignalError
from hashpact_protocol.policy import ACTION_OF_WORD, Action
from hashpact_protocol.signals import SIGNAL_TYPES, parse_signal_key, signal_key

PAGE_MAX = 10_000
EXPORTED_AT_ONCE = 8_192


@dataclass(frozen=True, slots=True)
class BlocklistPage:
    """A page in order of compact key; ``cursor`` leads to the next one, None where this is the last."""

    signals: tuple[SignalView, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Blocklist:
    """Reads the blocklist."""

    database: Database

    def page(
        self,
        cursor: str | None = None,
        *,
        action: Action | None = None,
        type_name: str | None = None,
        limit: int = 1_000,
    ) -> BlocklistPage:
        """Give up to ``limit`` signals from a cursor on, of one action and of one type where they are given.

        There are fewer where they have very many claims.

        Raises RequestError for a cursor that no page gave and for a limit that is not 1 to 10 000.
        """
        if not 1 <= limit <= PAGE_MAX:
            raise RequestError(f"a page holds 1 to {PAGE_MAX} signals, not {limit}", where="limit")
        after, end = _key_range(type_name)
        after = max(after, b"" if cursor is None else _read_cursor(cursor))
        with self.database.read() as connection:
            rows = page_of_keys(connection, after, end, action=_number(action), limit=limit + 1)
            shown = rows[: affordable(rows[:limit])]
            views = ClaimsView(connection).views(shown) if shown else []
        more = len(rows) > len(shown)
        return BlocklistPage(tuple(views), _write_cursor(shown[-1].key) if more else None)

    def counts(self) -> dict[str, int]:
        """Count the signals of each action, by its word; each action is there, with 0 if there are none."""
        with self.database.read() as connection:
            return _counts(connection)

    def export(self, action: Action | None = Action.BLOCK, *, type_name: str | None = None) -> Iterator[SignalView]:
        """Yield all signals of an action (None: all), in order of compact key, from one snapshot.

        They come without their single claims, a few thousand at a time in memory.
        """
        after, end = _key_range(type_name)
        with self.database.read() as connection:
            view = ClaimsView(connection)
            while rows := page_of_keys(connection, after, end, action=_number(action), limit=EXPORTED_AT_ONCE):
                shown = rows[: affordable(rows)]
                yield from view.views(shown, claims=False)
                after = shown[-1].key


def _counts(connection: Connection) -> dict[str, int]:
    found = count_actions(connection)
    return {word: found.get(action, 0) for word, action in ACTION_OF_WORD.items()}


def _number(action: Action | None) -> int | None:
    return None if action is None else int(action)


def _key_range(type_name: str | None) -> tuple[bytes, bytes | None]:
    """Give what the keys of a type lie between; of all types where none is given."""
    if type_name is None:
        return b"", None
    known = SIGNAL_TYPES.get(type_name)
    if known is not None:
        return bytes([known.code]), bytes([known.code + 1])
    try:
        first = signal_key(type_name, "!")[:-1]
    except SignalError as error:
        raise RequestError(error.what, where="type") from None
    return first, first[:-1] + b"\1"


def _write_cursor(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).rstrip(b"=").decode()


def _read_cursor(cursor: str) -> bytes:
    try:
        key = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        parse_signal_key(key)
    except (binascii.Error, ValueError, SignalError):
        raise RequestError(
            "no page of the blocklist gave this cursor", where="cursor", mend="begin without one"
        ) from None
    return key
