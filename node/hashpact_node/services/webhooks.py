"""Webhooks: which endpoints of this company are told of changes of the blocklist; added, shown, replayed, removed.

Each endpoint has a cursor into the change feed, and at most one batch on its way. What was given up stays visible, and
nothing is lost by it: the feed goes on from any cursor.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from hashpact_node.net.addresses import AddressRules, parse_url
from hashpact_node.services.actors import Actor
from hashpact_node.services.change_feed import ChangeFeed
from hashpact_node.services.webhook_secrets import Scheme, WebhookSecrets, new_secret, public_of, public_text, shown
from hashpact_node.store.alarms import clear_alarm, raise_alarm
from hashpact_node.store.changes import last_change
from hashpact_node.store.connection import Connection
from hashpact_node.store.webhooks import (
    Letter,
    WebhookRow,
    WebhookState,
    add_webhook,
    change_letter,
    change_webhook,
    count_dead,
    count_webhooks,
    dead_letters,
    find_webhook,
    list_webhooks,
    remove_letters_from,
    remove_webhook,
    waiting_letter,
)
from hashpact_protocol.errors import ConflictError, FetchRefusedError, NotFoundError, RequestError
from hashpact_protocol.policy import ACTION_OF_WORD

WEBHOOKS_MAX: Final = 32
"""How many endpoints there may be: each has a thread and a connection of its own, so that none waits for another."""

BATCH_MAX: Final = 1_000
BATCH: Final = 100
"""How many changes one request tells of, unless an endpoint was added with another figure: some 25 kB."""

NAME_MAX: Final = 100
RESOLVE_SECONDS: Final = 5.0
DISABLED: Final = "webhook-disabled"

_ID_BYTES: Final = 5
_SEE: Final = "see hashpact webhook list"


@dataclass(frozen=True, slots=True)
class WebhookPlan:
    """What a new endpoint is to be; it is told of everything after change number ``since``, None for what comes now."""

    url: str
    name: str = ""
    action: str | None = None
    scheme: Scheme = Scheme.HMAC
    batch: int = BATCH
    since: int | None = 0


@dataclass(frozen=True, slots=True)
class WebhookView:
    """An endpoint as people look at it, without its secret; times are Unix seconds.

    ``behind``: how many change numbers lie between its cursor and the newest change. ``tries``: how often the batch on
    its way was tried. ``dead``: how many batches were given up and not sent since.
    """

    id: str
    name: str
    url: str
    action: str | None
    scheme: str
    public_key: str | None
    state: str
    batch: int
    cursor: int
    behind: int
    tries: int
    dead: int
    created_at: int
    created_by: str
    last_try_at: int | None
    last_good_at: int | None
    next_try_at: int | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class LetterView:
    """A batch that is on its way or was given up (``dead_at``): changes after number ``since`` up to ``cursor``."""

    id: str
    since: int
    cursor: int
    changes: int
    bytes: int
    tries: int
    made_at: int
    next_try_at: int | None
    dead_at: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class WebhookDetail:
    """An endpoint with the batches that are not delivered, the oldest first."""

    webhook: WebhookView
    letters: tuple[LetterView, ...]


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """An endpoint that was just added; ``key`` is what its receiver verifies with, and secret if ``secret`` says so."""

    view: WebhookView
    key: str = field(repr=False)
    secret: bool


class Webhooks:
    """The endpoints of a node, for whoever looks after them."""

    def __init__(
        self,
        feed: ChangeFeed,
        vault: WebhookSecrets,
        rules: AddressRules,
        now: Callable[[], datetime],
    ) -> None:
        self._database = feed.database
        self._vault = vault
        self._rules = rules
        self._now = now

    def add(self, plan: WebhookPlan, *, by: Actor) -> NewWebhook:
        """Add an endpoint, and give what its receiver verifies with: of a secret this is the only time.

        Raises RequestError for a plan that cannot be, FetchRefusedError for an address that this node does not connect
        to, FetchError where its name cannot be resolved, ConflictError when there are too many, KeyUnavailableError,
        StoreError.
        """
        _check(plan)
        found = parse_url(plan.url, escapes=True)
        self._rules.addresses(found.host, found.port, timeout_seconds=RESOLVE_SECONDS)
        identifier, secret = secrets.token_hex(_ID_BYTES), new_secret()
        sealed = self._vault.seal(identifier, secret)
        with self._database.write() as connection:
            if count_webhooks(connection) >= WEBHOOKS_MAX:
                raise ConflictError(f"there are {WEBHOOKS_MAX} webhooks already", mend=f"remove one: {_SEE}")
            last = last_change(connection)
            row = WebhookRow(
                id=identifier,
                name=plan.name,
                url=plan.url,
                action=plan.action,
                scheme=plan.scheme.value,
                batch=plan.batch,
                cursor=_since(last if plan.since is None else plan.since, last),
                created_at=int(self._now().timestamp()),
                created_by=f"{by.kind}:{by.name}",
                sealed=sealed,
                public=public_of(plan.scheme, secret),
            )
            add_webhook(connection, row)
        told = shown(plan.scheme, secret)
        return NewWebhook(_view(row, None, 0, last), told.text, told.secret)

    def list(self) -> list[WebhookView]:
        """List all endpoints, the oldest first."""
        with self._database.read() as connection:
            last, dead = last_change(connection), count_dead(connection)
            return [
                _view(row, waiting_letter(connection, row.number), dead.get(row.number, 0), last)
                for row in list_webhooks(connection)
            ]

    def show(self, identifier: str) -> WebhookDetail:
        """Give an endpoint with what is not delivered; NotFoundError."""
        with self._database.read() as connection:
            row = get(connection, identifier)
            return _detail(connection, row)

    def replay(self, identifier: str, *, since: int | None = None, skip: bool = False) -> WebhookDetail:
        """Let an endpoint be told again, at once: a disabled one is active afterwards.

        The batch that was given up, or waits for its next try, is sent as it was, and the feed goes on behind it. With
        ``skip`` the feed goes on behind it without it, and it stays visible as given up. With ``since`` the feed goes
        on after that change number instead, and what was given up beyond it is forgotten, since all of that comes
        again as it stands then. Raises NotFoundError, RequestError for a number that the feed never gave, and
        ConflictError where there is nothing to skip.
        """
        now = int(self._now().timestamp())
        if skip and since is not None:
            raise RequestError("a batch is skipped, or the feed goes on from a number, not both", where="since")
        with self._database.write() as connection:
            row = get(connection, identifier, lock=True)
            if since is not None:
                cursor = _since(since, last_change(connection))
                remove_letters_from(connection, row.number, cursor)
                change_webhook(connection, row.number, cursor=cursor)
            else:
                self._take_up(connection, row, now, skip=skip)
            change_webhook(connection, row.number, state=WebhookState.ACTIVE.value, last_error=None)
            tell_disabled(connection, now=self._now())
            return _detail(connection, get(connection, identifier))

    def remove(self, identifier: str) -> WebhookView:
        """Forget an endpoint, its secret and whatever was on its way to it; NotFoundError."""
        with self._database.write() as connection:
            row = get(connection, identifier, lock=True)
            view = _detail(connection, row).webhook
            remove_webhook(connection, row.number)
            tell_disabled(connection, now=self._now())
        return view

    def _take_up(self, connection: Connection, row: WebhookRow, now: int, *, skip: bool) -> None:
        letter = blocking(connection, row)
        if letter is None:
            if skip:
                raise ConflictError("no batch of this webhook failed, so there is none to skip", where=row.id)
            return
        if not skip:
            change_letter(connection, letter, dead_at=None, tries=0, next_try_at=now)
            return
        change_letter(connection, letter, dead_at=now if letter.dead_at is None else letter.dead_at)
        change_webhook(connection, row.number, cursor=letter.cursor)


def get(connection: Connection, identifier: str, *, lock: bool = False) -> WebhookRow:
    """Give an endpoint by its id; NotFoundError."""
    row = find_webhook(connection, identifier, lock=lock)
    if row is None:
        raise NotFoundError("there is no webhook with this id", where=identifier[:100], mend=_SEE)
    return row


def blocking(connection: Connection, row: WebhookRow) -> Letter | None:
    """Give the batch behind which an endpoint's feed waits: on its way, or given up at the endpoint's cursor."""
    waiting = waiting_letter(connection, row.number)
    if waiting is not None:
        return waiting
    return next((one for one in dead_letters(connection, row.number) if one.since == row.cursor), None)


def tell_disabled(connection: Connection, *, now: datetime) -> None:
    """Raise the alarm that names the disabled endpoints, or clear it where there is none."""
    disabled = [row for row in list_webhooks(connection) if row.state == WebhookState.DISABLED]
    if not disabled:
        clear_alarm(connection, DISABLED, now=now)
        return
    told = ", ".join(f"{row.id} ({row.last_error})" for row in disabled)
    raise_alarm(
        connection,
        DISABLED,
        f"webhooks are disabled, and their receivers learn of no change: {told}",
        now=now,
        mend="see hashpact webhook show ID; once the receiver is well: hashpact webhook replay ID",
    )


def _detail(connection: Connection, row: WebhookRow) -> WebhookDetail:
    waiting, dead = waiting_letter(connection, row.number), dead_letters(connection, row.number)
    letters = sorted([*dead, *([] if waiting is None else [waiting])], key=lambda letter: letter.number)
    view = _view(row, waiting, len(dead), last_change(connection))
    return WebhookDetail(view, tuple(_letter(letter) for letter in letters))


def _view(row: WebhookRow, waiting: Letter | None, dead: int, last: int) -> WebhookView:
    active = row.state == WebhookState.ACTIVE
    return WebhookView(
        id=row.id,
        name=row.name,
        url=row.url,
        action=row.action,
        scheme=row.scheme,
        public_key=None if row.public is None else public_text(row.public),
        state=row.state,
        batch=row.batch,
        cursor=row.cursor,
        behind=max(last - row.cursor, 0),
        tries=0 if waiting is None else waiting.tries,
        dead=dead,
        created_at=row.created_at,
        created_by=row.created_by,
        last_try_at=row.last_try_at,
        last_good_at=row.last_good_at,
        next_try_at=waiting.next_try_at if active and waiting is not None and waiting.tries else None,
        last_error=row.last_error,
    )


def _letter(letter: Letter) -> LetterView:
    return LetterView(
        id=letter.id,
        since=letter.since,
        cursor=letter.cursor,
        changes=letter.changes,
        bytes=len(letter.data),
        tries=letter.tries,
        made_at=letter.made_at,
        next_try_at=letter.next_try_at if letter.dead_at is None else None,
        dead_at=letter.dead_at,
        error=letter.error,
    )


def _check(plan: WebhookPlan) -> None:
    if len(plan.name) > NAME_MAX or not plan.name.isprintable():
        raise RequestError(f"a webhook's name has at most {NAME_MAX} characters, on one line", where="name")
    if plan.action is not None and plan.action not in ACTION_OF_WORD:
        raise RequestError(
            f"there is no action {plan.action[:100]!r}",
            where="action",
            mend=f"the actions are: {', '.join(ACTION_OF_WORD)}",
        )
    if not 1 <= plan.batch <= BATCH_MAX:
        raise RequestError(f"a batch holds 1 to {BATCH_MAX:,} changes, not {plan.batch}", where="batch")
    try:
        parse_url(plan.url, escapes=True)
    except FetchRefusedError as error:
        raise RequestError(
            f"this is no URL of a webhook: {error.what}",
            where="url",
            mend="write https://host[:port]/path, without user, query or fragment; http:// on loopback only",
        ) from None


def _since(since: int, last: int) -> int:
    if not 0 <= since <= last:
        raise RequestError(
            f"the newest change has the number {last}, so {since} is no cursor of this feed",
            where="since",
            mend="give a cursor that this node's change feed gave, or 0 for everything",
        )
    return since
