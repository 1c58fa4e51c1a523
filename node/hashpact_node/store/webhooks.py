"""Who is told of changes, and the batches that are on their way to them or were given up; times are Unix seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlmodel import col

from hashpact_node.store import tables_webhooks
from hashpact_node.store.tables_webhooks import WebhookLetter


class WebhookState(StrEnum):
    """Whether an endpoint is told of changes; a person has to say so before a disabled one is again."""

    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """An endpoint as it is stored; ``cursor`` is the number of the last change that it has, or that was skipped."""

    id: str
    name: str
    url: str
    action: str | None
    scheme: str
    batch: int
    cursor: int
    created_at: int
    created_by: str
    sealed: bytes = field(repr=False)
    public: bytes | None = None
    state: str = WebhookState.ACTIVE.value
    last_try_at: int | None = None
    last_good_at: int | None = None
    last_error: str | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class Letter:
    """A batch of ``changes`` changes after number ``since`` up to ``cursor``; dead once no further try is made."""

    id: str
    webhook: int
    since: int
    cursor: int
    changes: int
    made_at: int
    next_try_at: int
    data: bytes = field(repr=False)
    tries: int = 0
    dead_at: int | None = None
    error: str | None = None
    number: int = 0


def add_webhook(connection: Connection, row: WebhookRow) -> int:
    """Store a new endpoint, and give its number."""
    added = insert(tables_webhooks.Webhook).values(**_values(row)).returning(col(tables_webhooks.Webhook.number))
    return int(connection.execute(added).scalar_one() or 0)


def find_webhook(connection: Connection, identifier: str, *, lock: bool = False) -> WebhookRow | None:
    """Find an endpoint by its id."""
    query = select(tables_webhooks.Webhook).where(col(tables_webhooks.Webhook.id) == identifier)
    found = connection.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    return None if found is None else WebhookRow(**found)


def get_webhook(connection: Connection, number: int, *, lock: bool = False) -> WebhookRow | None:
    """Find an endpoint by its number."""
    query = select(tables_webhooks.Webhook).where(col(tables_webhooks.Webhook.number) == number)
    found = connection.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    return None if found is None else WebhookRow(**found)


def list_webhooks(connection: Connection) -> list[WebhookRow]:
    """List all endpoints, the oldest first."""
    query = select(tables_webhooks.Webhook).order_by(col(tables_webhooks.Webhook.number))
    return [WebhookRow(**row) for row in connection.execute(query).mappings()]


def count_webhooks(connection: Connection) -> int:
    """Count the endpoints."""
    return connection.execute(select(func.count()).select_from(tables_webhooks.Webhook)).scalar_one()


def change_webhook(connection: Connection, number: int, **values: Any) -> None:
    """Change some columns of an endpoint."""
    connection.execute(
        update(tables_webhooks.Webhook).where(col(tables_webhooks.Webhook.number) == number).values(**values)
    )


def remove_webhook(connection: Connection, number: int) -> None:
    """Forget an endpoint, and whatever was on its way to it."""
    connection.execute(delete(WebhookLetter).where(col(WebhookLetter.webhook) == number))
    connection.execute(delete(tables_webhooks.Webhook).where(col(tables_webhooks.Webhook.number) == number))


def add_letter(connection: Connection, letter: Letter) -> int:
    """Store a batch that is to be sent, and give its number."""
    added = insert(WebhookLetter).values(**_values(letter)).returning(col(WebhookLetter.number))
    return int(connection.execute(added).scalar_one() or 0)


def waiting_letter(connection: Connection, webhook: int) -> Letter | None:
    """Give the one batch that is on its way to an endpoint, if there is one."""
    query = select(WebhookLetter).where(col(WebhookLetter.webhook) == webhook, col(WebhookLetter.dead_at).is_(None))
    found = connection.execute(query).mappings().one_or_none()
    return None if found is None else Letter(**found)


def next_tries(connection: Connection) -> dict[int, int]:
    """Say for each endpoint to which a batch is on its way when that is tried next."""
    query = select(col(WebhookLetter.webhook), col(WebhookLetter.next_try_at)).where(
        col(WebhookLetter.dead_at).is_(None)
    )
    return {row.webhook: row.next_try_at for row in connection.execute(query)}


def dead_letters(connection: Connection, webhook: int) -> list[Letter]:
    """List the batches of an endpoint that were given up, the oldest first."""
    query = select(WebhookLetter).where(col(WebhookLetter.webhook) == webhook, col(WebhookLetter.dead_at).is_not(None))
    rows = connection.execute(query.order_by(col(WebhookLetter.number))).mappings()
    return [Letter(**row) for row in rows]


def count_dead(connection: Connection) -> dict[int, int]:
    """Count the batches that were given up, by endpoint."""
    query = select(col(WebhookLetter.webhook), func.count()).where(col(WebhookLetter.dead_at).is_not(None))
    found = connection.execute(query.group_by(col(WebhookLetter.webhook)))
    return {webhook: count for webhook, count in found}  # noqa: C416 - dict() knows no rows


def change_letter(connection: Connection, letter: Letter, **values: Any) -> bool:
    """Change some columns of a batch that stands as it was read; False, and nothing done, where it does not."""
    return connection.execute(update(WebhookLetter).where(*_as_read(letter)).values(**values)).rowcount == 1


def remove_letter(connection: Connection, letter: Letter) -> bool:
    """Forget a batch that stands as it was read; False, and nothing done, where it does not."""
    return connection.execute(delete(WebhookLetter).where(*_as_read(letter))).rowcount == 1


def remove_letters_from(connection: Connection, webhook: int, since: int) -> None:
    """Forget what is on its way to an endpoint, and what was given up beyond a change number: all of it comes again."""
    mine = col(WebhookLetter.webhook) == webhook
    connection.execute(delete(WebhookLetter).where(mine, col(WebhookLetter.dead_at).is_(None)))
    connection.execute(delete(WebhookLetter).where(mine, col(WebhookLetter.since) >= since))


def _as_read(letter: Letter) -> tuple[Any, ...]:
    dead = col(WebhookLetter.dead_at)
    stands = dead.is_(None) if letter.dead_at is None else dead == letter.dead_at
    return col(WebhookLetter.number) == letter.number, col(WebhookLetter.tries) == letter.tries, stands


def _values(row: WebhookRow | Letter) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__ if name != "number"}
