from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hashpact_node.net.addresses import AddressRules
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.change_feed import ChangeFeed
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.webhook_secrets import Scheme, WebhookSecrets
from hashpact_node.services.webhooks import DISABLED, WEBHOOKS_MAX, WebhookPlan, Webhooks, tell_disabled
from hashpact_node.store.alarms import list_alarms
from hashpact_node.store.database import Database
from hashpact_node.store.webhooks import Letter, add_letter, change_webhook, find_webhook
from hashpact_protocol.errors import (
    ConflictError,
    FetchRefusedError,
    HashpactError,
    NotFoundError,
    RequestError,
)
from members import sha256
from own_member import NOW, OwnMember, found_member

BY = Actor(ActorKind.COMMAND, "tester")
URL = "http://127.0.0.1:9/hook"
PLAN = WebhookPlan(URL)
AT = int(NOW.timestamp())


@pytest.fixture
def acme(sqlite_database: Database, tmp_path: Path) -> OwnMember:
    return found_member(sqlite_database, tmp_path / "home", sqlite_database.where)


@pytest.fixture
def webhooks(acme: OwnMember) -> Webhooks:
    acme.publisher.publish([ListingDraft("image", (sha256(number),)) for number in range(6)])
    return Webhooks(ChangeFeed(acme.database), WebhookSecrets(acme.keyring.keystore), AddressRules(), lambda: NOW)


def letter(acme: OwnMember, identifier: str, since: int, cursor: int, *, dead: bool) -> Letter:
    """Store a batch as a delivery would."""
    with acme.database.write() as connection:
        row = find_webhook(connection, identifier)
        assert row is not None
        made = Letter(
            id=f"msg_{since}",
            webhook=row.number,
            since=since,
            cursor=cursor,
            changes=cursor - since,
            made_at=AT,
            next_try_at=AT + 60,
            data=b"{}",
            tries=3,
            dead_at=AT if dead else None,
            error="the receiver answered with the status 500",
        )
        add_letter(connection, made)
        if dead:
            change_webhook(connection, row.number, state="disabled", last_error=made.error)
            tell_disabled(connection, now=NOW)
    return made


def alarms(acme: OwnMember) -> list[str]:
    with acme.database.read() as connection:
        return [alarm.what for alarm in list_alarms(connection) if alarm.code == DISABLED]


def test_an_endpoint_is_added_listed_and_removed(acme: OwnMember, webhooks: Webhooks) -> None:
    made = webhooks.add(replace(PLAN, name="cache", action="block"), by=BY)
    assert made.secret
    assert made.key.startswith("whsec_")
    assert made.key not in repr(made)
    (view,) = webhooks.list()
    assert view == made.view
    assert (view.url, view.name, view.action, view.scheme, view.state) == (URL, "cache", "block", "v1", "active")
    assert (view.cursor, view.behind, view.dead, view.created_by) == (0, 6, 0, "command:tester")
    with acme.database.read() as connection:
        row = find_webhook(connection, view.id)
    assert row is not None
    assert made.key.encode() not in row.sealed
    assert "sealed" not in repr(row)
    assert webhooks.remove(view.id) == view
    assert webhooks.list() == []
    with pytest.raises(NotFoundError):
        webhooks.show(view.id)


def test_an_endpoint_may_begin_later_and_be_verified_by_a_public_key(webhooks: Webhooks) -> None:
    late = webhooks.add(replace(PLAN, since=None, scheme=Scheme.ED25519), by=BY)
    assert not late.secret
    assert late.view.public_key == late.key
    assert late.key.startswith("whpk_")
    assert (late.view.cursor, late.view.behind) == (6, 0)
    assert webhooks.add(replace(PLAN, since=2), by=BY).view.behind == 4


@pytest.mark.parametrize(
    ("plan", "kind", "where"),
    [
        (replace(PLAN, url="ftp://acme.example/hook"), RequestError, "url"),
        (replace(PLAN, url="http://acme.example/hook"), RequestError, "url"),
        (replace(PLAN, url="https://user:secret@acme.example/hook"), RequestError, "url"),
        (replace(PLAN, url="https://acme.example/hook?key=secret"), RequestError, "url"),
        (replace(PLAN, url="https://10.0.0.1/hook"), FetchRefusedError, "10.0.0.1"),
        (replace(PLAN, url="https://169.254.169.254/latest"), FetchRefusedError, "169.254.169.254"),
        (replace(PLAN, action="burn"), RequestError, "action"),
        (replace(PLAN, batch=0), RequestError, "batch"),
        (replace(PLAN, batch=1_001), RequestError, "batch"),
        (replace(PLAN, since=7), RequestError, "since"),
        (replace(PLAN, since=-1), RequestError, "since"),
        (replace(PLAN, name="a\nb"), RequestError, "name"),
    ],
)
def test_what_cannot_be_is_said(webhooks: Webhooks, plan: WebhookPlan, kind: type[HashpactError], where: str) -> None:
    with pytest.raises(kind) as caught:
        webhooks.add(plan, by=BY)
    assert caught.value.where == where
    assert "secret" not in str(caught.value)
    assert webhooks.list() == []


def test_there_are_not_more_than_can_be_told_at_once(webhooks: Webhooks) -> None:
    for _ in range(WEBHOOKS_MAX):
        webhooks.add(PLAN, by=BY)
    with pytest.raises(ConflictError, match="already"):
        webhooks.add(PLAN, by=BY)


def test_what_was_given_up_is_sent_again(acme: OwnMember, webhooks: Webhooks) -> None:
    made = webhooks.add(PLAN, by=BY).view
    letter(acme, made.id, 0, 2, dead=True)
    shown = webhooks.show(made.id)
    assert (shown.webhook.state, shown.webhook.dead) == ("disabled", 1)
    assert [(one.id, one.dead_at, one.error) for one in shown.letters] == [
        ("msg_0", AT, "the receiver answered with the status 500")
    ]
    (what,) = alarms(acme)
    assert made.id in what
    again = webhooks.replay(made.id)
    assert (again.webhook.state, again.webhook.cursor, again.webhook.dead) == ("active", 0, 0)
    assert [(one.tries, one.dead_at, one.next_try_at) for one in again.letters] == [(0, None, AT)]
    assert alarms(acme) == []


def test_what_was_given_up_may_be_skipped_and_stays_visible(acme: OwnMember, webhooks: Webhooks) -> None:
    made = webhooks.add(PLAN, by=BY).view
    letter(acme, made.id, 0, 2, dead=True)
    skipped = webhooks.replay(made.id, skip=True)
    assert (skipped.webhook.state, skipped.webhook.cursor, skipped.webhook.dead) == ("active", 2, 1)
    with pytest.raises(ConflictError, match="none to skip"):
        webhooks.replay(made.id, skip=True)
    assert webhooks.replay(made.id).webhook.dead == 1  # it lies behind: only going back brings it again
    back = webhooks.replay(made.id, since=0)
    assert (back.webhook.cursor, back.letters) == (0, ())


def test_what_waits_for_its_next_try_is_sent_at_once_or_skipped(acme: OwnMember, webhooks: Webhooks) -> None:
    made = webhooks.add(PLAN, by=BY).view
    letter(acme, made.id, 0, 2, dead=False)
    assert webhooks.show(made.id).webhook.next_try_at == AT + 60
    assert webhooks.replay(made.id).letters[0].next_try_at == AT
    skipped = webhooks.replay(made.id, skip=True)
    assert (skipped.webhook.cursor, skipped.webhook.dead) == (2, 1)


def test_going_back_keeps_what_was_given_up_before(acme: OwnMember, webhooks: Webhooks) -> None:
    made = webhooks.add(PLAN, by=BY).view
    letter(acme, made.id, 0, 2, dead=True)
    webhooks.replay(made.id, skip=True)
    letter(acme, made.id, 2, 4, dead=False)
    back = webhooks.replay(made.id, since=1)
    assert [one.id for one in back.letters] == ["msg_0"]
    assert back.webhook.cursor == 1
    with pytest.raises(RequestError):
        webhooks.replay(made.id, since=7)
    with pytest.raises(RequestError, match="not both"):
        webhooks.replay(made.id, since=1, skip=True)


def test_the_alarm_names_those_that_are_disabled(acme: OwnMember, webhooks: Webhooks) -> None:
    first, second = (webhooks.add(PLAN, by=BY).view.id for _ in range(2))
    letter(acme, first, 0, 2, dead=True)
    with acme.database.write() as connection:
        row = find_webhook(connection, second)
        assert row is not None
        change_webhook(connection, row.number, state="disabled", last_error="gone")
        tell_disabled(connection, now=NOW)
    assert all(one in alarms(acme)[0] for one in (first, second))
    webhooks.remove(first)
    assert first not in alarms(acme)[0]
    webhooks.remove(second)
    assert alarms(acme) == []
