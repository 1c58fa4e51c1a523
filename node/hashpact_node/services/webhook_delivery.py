"""Deliver the change feed to webhooks, after the Standard Webhooks specification 1.0.0.

Each endpoint is told in order, one batch at a time: a batch is stored before it is sent, is sent byte for byte the same
under one id until it is answered with a status of 200 to 299, and only then comes the next. A batch that is answered so
at none of its tries is given up, and its endpoint disabled: a list with a hole that nobody sees would be worse than one
that stands still and says so.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import msgspec
import structlog

from hashpact_node.net.fetcher import Answer, Fetcher
from hashpact_node.net.stopping import Stop, StoppableFetcher
from hashpact_node.services.change_feed import ChangeFeed, Changes
from hashpact_node.services.webhook_secrets import Scheme, WebhookSecrets, sign
from hashpact_node.services.webhooks import get, tell_disabled
from hashpact_node.store.changes import last_change
from hashpact_node.store.database import Database
from hashpact_node.store.webhooks import (
    Letter,
    WebhookRow,
    WebhookState,
    add_letter,
    change_letter,
    change_webhook,
    get_webhook,
    list_webhooks,
    next_tries,
    remove_letter,
    waiting_letter,
)
from hashpact_protocol.errors import ConfigurationError, FetchError, KeyUnavailableError
from hashpact_protocol.policy import ACTION_OF_WORD
from hashpact_protocol.statement_fields import format_time

CHANGED: Final = "blocklist.changed"
TEST: Final = "webhook.test"

DEADLINE_SECONDS: Final = 20.0
"""How long one request may take, from resolving the name to the last byte of the answer."""

ANSWER_MAX_BYTES: Final = 16_384
DELAYS_SECONDS: Final = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 28_800)
"""How long to wait after each try that failed, up to a fifth longer; after the last one the batch is given up."""

TRIES_MAX: Final = len(DELAYS_SECONDS) + 1
JITTER: Final = 0.2
RETRY_AFTER_MAX_SECONDS: Final = 3_600

_ID_BYTES: Final = 16
_SUCCESS: Final = range(200, 300)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Tried:
    """How a try went: ``error`` is None where it was answered as it should be; ``after`` is what the receiver asked."""

    status: int | None
    error: str | None
    after: int = 0
    gone: bool = False


@dataclass(slots=True)
class WebhookDelivery:
    """Sends what is due; shared by threads, of which only one at a time may deliver to an endpoint."""

    feed: ChangeFeed
    vault: WebhookSecrets
    fetcher: Fetcher
    now: Callable[[], datetime]
    chance: Callable[[], float] = field(default=random.random)

    @property
    def _database(self) -> Database:
        return self.feed.database

    def due(self) -> list[int]:
        """Give the numbers of the endpoints to which something is to be sent now; StoreError."""
        now = self._seconds()
        with self._database.read() as connection:
            active = [row for row in list_webhooks(connection) if row.state == WebhookState.ACTIVE]
            if not active:
                return []
            tries, last = next_tries(connection), last_change(connection)
        return [
            row.number for row in active if (tries[row.number] <= now if row.number in tries else row.cursor < last)
        ]

    def deliver(self, number: int, stop: Stop) -> bool:
        """Send the next batch to an endpoint; whether it took it, so that the next one may follow at once.

        Raises Stopped where it was told to end, and StoreError; the batch is sent again then, under the same id.
        """
        taken = self._take(number)
        if taken is None:
            return False
        row, letter = taken
        try:
            secret = self.vault.open(row.id, row.sealed)
        except (KeyUnavailableError, ConfigurationError) as error:
            self._give_up(row, letter, f"it cannot be signed: {error}")
            return False
        tried = self._send(row, secret, letter.id, letter.data, stop)
        return self._record(row, letter, tried)

    def test(self, identifier: str, stop: Stop | None = None) -> Tried:
        """Send an endpoint a message of the type ``webhook.test``, whatever its state, and say how that went.

        Nothing of the endpoint changes. Raises NotFoundError, KeyUnavailableError, StoreError.
        """
        with self._database.read() as connection:
            row = get(connection, identifier)
        secret = self.vault.open(row.id, row.sealed)
        body = msgspec.json.encode(
            {"type": TEST, "timestamp": format_time(self.now()), "data": {"webhook": row.id, "cursor": row.cursor}}
        )
        return self._send(row, secret, _message_id(), body, stop or Stop())

    def _take(self, number: int) -> tuple[WebhookRow, Letter] | None:
        """Give what is to be sent now: the batch on its way, or a new one of the feed, which is stored first."""
        now = self._seconds()
        with self._database.read() as connection:
            row = get_webhook(connection, number)
            letter = waiting_letter(connection, number)
        if row is None or row.state != WebhookState.ACTIVE:
            return None
        if letter is not None:
            return (row, letter) if letter.next_try_at <= now else None
        action = None if row.action is None else ACTION_OF_WORD[row.action]
        changes = self.feed.changes(row.cursor, action=action, limit=row.batch)
        return self._store(row, changes, now)

    def _store(self, row: WebhookRow, changes: Changes, now: int) -> tuple[WebhookRow, Letter] | None:
        with self._database.write() as connection:
            stands = get_webhook(connection, row.number, lock=True)
            if stands != row or waiting_letter(connection, row.number) is not None:
                return None  # somebody changed it meanwhile: it is looked at again
            if not changes.changes:
                if changes.cursor > row.cursor:
                    change_webhook(connection, row.number, cursor=changes.cursor)
                return None
            letter = Letter(
                id=_message_id(),
                webhook=row.number,
                since=row.cursor,
                cursor=changes.cursor,
                changes=len(changes.changes),
                made_at=now,
                next_try_at=now,
                data=_body(row, changes),
            )
            stored = add_letter(connection, letter)
        return row, replace(letter, number=stored)

    def _send(self, row: WebhookRow, secret: bytes, identifier: str, body: bytes, stop: Stop) -> Tried:
        at = self._seconds()
        headers = {
            "content-type": "application/json",
            "webhook-id": identifier,
            "webhook-timestamp": str(at),
            "webhook-signature": sign(Scheme(row.scheme), secret, identifier, at, body),
        }
        fetcher = StoppableFetcher(self.fetcher, stop)
        try:
            answer = fetcher.post(
                row.url,
                body,
                max_bytes=ANSWER_MAX_BYTES,
                deadline_seconds=DEADLINE_SECONDS,
                headers=headers,
                whole=False,  # its status says all; what else a receiver has to tell, nobody reads
            )
        except FetchError as error:
            return Tried(None, error.what.replace("the peer", "the receiver"))
        if answer.status in _SUCCESS:
            return Tried(answer.status, None)
        gone = answer.status == HTTPStatus.GONE
        return Tried(answer.status, f"the receiver answered with the status {answer.status}", self._after(answer), gone)

    def _after(self, answer: Answer) -> int:
        """Give for how many seconds the receiver wants to be left alone (RFC 9110, section 10.2.3); an hour at most."""
        text = answer.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return min(int(text[:9]), RETRY_AFTER_MAX_SECONDS)
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, TypeError):
            return 0
        seconds = int((at.replace(tzinfo=at.tzinfo or UTC) - self.now()).total_seconds())
        return max(0, min(seconds, RETRY_AFTER_MAX_SECONDS))

    def _record(self, row: WebhookRow, letter: Letter, tried: Tried) -> bool:
        now = self._seconds()
        tries = letter.tries + 1
        if tried.error is not None and (tried.gone or tries >= TRIES_MAX):
            self._give_up(row, letter, tried.error)
            return False
        with self._database.write() as connection:
            if tried.error is None:
                if not remove_letter(connection, letter):
                    return False  # it was replayed, or the endpoint removed, while it was on its way
                well = {"cursor": letter.cursor, "last_error": None, "last_good_at": now}
                change_webhook(connection, row.number, last_try_at=now, **well)
                return True
            wait = max(int(DELAYS_SECONDS[letter.tries] * (1 + JITTER * self.chance())), tried.after)
            if change_letter(connection, letter, tries=tries, next_try_at=now + wait, error=tried.error):
                change_webhook(connection, row.number, last_try_at=now, last_error=tried.error)
        log.info("a webhook failed, and is tried again", webhook=row.id, tries=tries, seconds=wait, error=tried.error)
        return False

    def _give_up(self, row: WebhookRow, letter: Letter, error: str) -> None:
        now = self._seconds()
        with self._database.write() as connection:
            if not change_letter(connection, letter, tries=letter.tries + 1, dead_at=now, error=error):
                return
            change_webhook(connection, row.number, state=WebhookState.DISABLED.value, last_try_at=now, last_error=error)
            tell_disabled(connection, now=self.now())
        log.warning("a webhook is disabled", webhook=row.id, message=letter.id, error=error)

    def _seconds(self) -> int:
        return int(self.now().timestamp())


def _body(row: WebhookRow, changes: Changes) -> bytes:
    data = {
        "webhook": row.id,
        "since": row.cursor,
        "cursor": changes.cursor,
        "more": changes.more,
        "changes": changes.changes,
    }
    return msgspec.json.encode({"type": CHANGED, "timestamp": changes.time, "data": data})


def _message_id() -> str:
    return f"msg_{secrets.token_hex(_ID_BYTES)}"
