from __future__ import annotations

import base64
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from hashpact_node import clock
from hashpact_node.net import stopping
from hashpact_node.net.addresses import AddressRules
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.net.stopping import Stop, Stopped
from hashpact_node.services import webhook_delivery
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.change_feed import ChangeFeed
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.webhook_delivery import DELAYS_SECONDS, TRIES_MAX, WebhookDelivery
from hashpact_node.services.webhook_secrets import KEY_FILE, Scheme, WebhookSecrets
from hashpact_node.services.webhooks import DISABLED, WebhookPlan, Webhooks, WebhookView
from hashpact_node.store.alarms import list_alarms
from hashpact_node.store.database import Database
from hashpact_node.store.webhooks import find_webhook, waiting_letter
from hashpact_protocol.errors import NotFoundError
from members import sha256
from own_member import NOW, OwnMember, found_member
from receiver import Came, Receiver, receiving

BY = Actor(ActorKind.COMMAND, "tester")


@dataclass
class Desk:
    """Acme with a receiver, and a clock that is moved by hand."""

    acme: OwnMember
    receiver: Receiver
    webhooks: Webhooks
    delivery: WebhookDelivery
    now: datetime = NOW
    key: str = ""

    def add(self, **plan: Any) -> WebhookView:
        made = self.webhooks.add(WebhookPlan(**{"url": self.receiver.url, "batch": 4, **plan}), by=BY)
        self.key = made.key
        return made.view

    def number(self, view: WebhookView) -> int:
        with self.acme.database.read() as connection:
            row = find_webhook(connection, view.id)
        assert row is not None
        return row.number

    def deliver(self, view: WebhookView, stop: Stop | None = None) -> bool:
        return self.delivery.deliver(self.number(view), stop or Stop())

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def shown(self, view: WebhookView) -> WebhookView:
        return self.webhooks.show(view.id).webhook


@pytest.fixture
def desk(sqlite_database: Database, tmp_path: Path) -> Iterator[Desk]:
    acme = found_member(sqlite_database, tmp_path / "home", sqlite_database.where)
    acme.publisher.publish([ListingDraft("image", (sha256(number),)) for number in range(6)])
    with receiving() as receiver, Fetcher(AddressRules(), escapes=True) as fetcher:
        feed, vault = ChangeFeed(acme.database), WebhookSecrets(acme.keyring.keystore)
        made = Desk(
            acme,
            receiver,
            Webhooks(feed, vault, AddressRules(), lambda: made.now),
            WebhookDelivery(feed, vault, fetcher, lambda: made.now, chance=lambda: 0.0),
        )
        yield made


def verified(came: Came, key: str) -> Any:
    """Verify a request as the specification says, and give its payload."""
    secret = base64.b64decode(key.removeprefix("whsec_"))
    signed = f"{came.headers['webhook-id']}.{came.headers['webhook-timestamp']}.".encode() + came.body
    expected = "v1," + base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()
    assert hmac.compare_digest(came.headers["webhook-signature"], expected)
    return json.loads(came.body)


def test_the_feed_is_told_in_order_one_batch_after_another(desk: Desk) -> None:
    view = desk.add()
    assert desk.delivery.due() == [desk.number(view)]
    assert desk.deliver(view)
    assert desk.deliver(view)
    assert not desk.deliver(view)
    assert desk.delivery.due() == []
    first, second = (verified(came, desk.key) for came in desk.receiver.came)
    assert first["type"] == "blocklist.changed"
    assert (first["data"]["since"], first["data"]["cursor"], first["data"]["more"]) == (0, 4, True)
    assert (second["data"]["since"], second["data"]["cursor"], second["data"]["more"]) == (4, 6, False)
    told = [change for each in (first, second) for change in each["data"]["changes"]]
    feed = ChangeFeed(desk.acme.database).changes()
    assert [one["n"] for one in told] == [change.n for change in feed.changes]
    assert {name: told[0][name] for name in ("key", "op", "action", "rule")} == {
        name: getattr(feed.changes[0], name) for name in ("key", "op", "action", "rule")
    }
    assert second["timestamp"] == feed.time
    came = desk.receiver.came[0]
    assert came.path == "/hook"
    assert came.headers["content-type"] == "application/json"
    assert came.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert "signature" not in came.headers  # it is signed as a webhook, not as a request between members
    assert (desk.shown(view).cursor, desk.shown(view).last_good_at) == (6, int(NOW.timestamp()))


def test_the_library_of_the_specification_verifies_it(desk: Desk) -> None:
    standard = pytest.importorskip("standardwebhooks", reason="the package standardwebhooks is not installed")
    view = desk.add()
    desk.now = clock.now()  # the library looks at the time itself
    desk.deliver(view)
    (came,) = desk.receiver.came
    hook = standard.Webhook(desk.key)
    assert hook.verify(came.body, dict(came.headers))["data"]["cursor"] == 4
    with pytest.raises(standard.WebhookVerificationError):
        hook.verify(came.body.replace(b"block", b"allow"), dict(came.headers))


def test_a_receiver_may_say_more_than_anybody_reads(desk: Desk) -> None:
    view = desk.add()
    desk.receiver.says = b"<html>" + b"thanks " * 20_000
    assert desk.deliver(view)
    desk.receiver.answers = [(500, {})]
    assert not desk.deliver(view)


def test_a_filter_tells_of_one_action_and_of_what_leaves_it(desk: Desk) -> None:
    blocks = desk.add(action="block")
    desk.deliver(blocks)
    assert {one["action"] for one in verified(desk.receiver.came[0], desk.key)["data"]["changes"]} == {"block"}
    reviews = desk.add(action="review")
    assert not desk.deliver(reviews)
    assert desk.shown(reviews).cursor == 6  # nothing of it concerns this one: it need not be looked at again
    assert len(desk.receiver.came) == 1


def test_a_failed_batch_is_sent_again_as_it_was_before_any_other(desk: Desk) -> None:
    view = desk.add()
    desk.receiver.answers = [(500, {}), (302, {"location": "/elsewhere"}), (404, {}), (301, {})]
    for delay in DELAYS_SECONDS[:4]:
        assert not desk.deliver(view)
        asked = len(desk.receiver.came)
        assert desk.shown(view).next_try_at == int(desk.now.timestamp()) + delay
        desk.wait(delay - 1)
        assert desk.delivery.due() == []
        assert not desk.deliver(view)
        assert len(desk.receiver.came) == asked
        desk.acme.publisher.publish([ListingDraft("image", (sha256(100 + asked),))])
        desk.wait(1)
        assert desk.delivery.due() == [desk.number(view)]
    assert desk.deliver(view)
    came = desk.receiver.came
    assert len(came) == 5
    assert {one.path for one in came} == {"/hook"}
    assert len({(one.headers["webhook-id"], one.body) for one in came}) == 1
    assert len({one.headers["webhook-timestamp"] for one in came}) == 5
    for one in came:
        verified(one, desk.key)
    assert (desk.shown(view).last_error, desk.shown(view).tries) == (None, 0)
    desk.deliver(view)
    assert verified(desk.receiver.came[-1], desk.key)["data"]["since"] == 4


def test_a_wait_is_stretched_by_chance_and_by_what_the_receiver_asks(desk: Desk) -> None:
    view = desk.add()
    at = int(NOW.timestamp())
    desk.delivery = replace(desk.delivery, chance=lambda: 1.0)
    later = format_datetime(NOW + timedelta(seconds=90), usegmt=True)
    asks = [("", 6), ("60", 60), ("999999999999", 3_600), (later, 90), ("soon", 1)]
    for asked, expected in asks:
        desk.receiver.answers = [(503, {"retry-after": asked} if asked else {})]
        desk.webhooks.replay(view.id)
        desk.deliver(view)
        found = desk.shown(view).next_try_at
        assert found == at + max(expected, 6), asked


def test_what_always_fails_is_given_up_and_its_endpoint_disabled(desk: Desk) -> None:
    view = desk.add()
    desk.receiver.status = 500
    for delay in DELAYS_SECONDS:
        assert not desk.deliver(view)
        assert desk.shown(view).state == "active"
        desk.wait(delay)
    assert not desk.deliver(view)
    assert len(desk.receiver.came) == TRIES_MAX
    shown = desk.webhooks.show(view.id)
    assert (shown.webhook.state, shown.webhook.cursor, shown.webhook.dead) == ("disabled", 0, 1)
    assert shown.webhook.last_error == "the receiver answered with the status 500"
    assert shown.letters[0].tries == TRIES_MAX
    assert desk.delivery.due() == []
    assert not desk.deliver(view)
    with desk.acme.database.read() as connection:
        assert [one.code for one in list_alarms(connection)] == [DISABLED]
    desk.receiver.status = 200
    desk.webhooks.replay(view.id)
    assert desk.deliver(view)
    assert desk.receiver.came[-1].headers["webhook-id"] == desk.receiver.came[0].headers["webhook-id"]
    assert desk.shown(view).cursor == 4
    with desk.acme.database.read() as connection:
        assert list_alarms(connection) == []


def test_who_is_gone_is_asked_no_more(desk: Desk) -> None:
    view = desk.add()
    desk.receiver.answers = [(410, {})]
    desk.deliver(view)
    assert (desk.shown(view).state, desk.shown(view).dead) == ("disabled", 1)
    assert desk.delivery.due() == []


def test_who_hangs_has_a_deadline_and_can_be_left_behind(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    view = desk.add()
    desk.receiver.holds = threading.Event()
    monkeypatch.setattr(webhook_delivery, "DEADLINE_SECONDS", 0.3)
    assert not desk.deliver(view)
    assert "0.3 s" in (desk.shown(view).last_error or "")
    monkeypatch.setattr(webhook_delivery, "DEADLINE_SECONDS", 120.0)
    monkeypatch.setattr(stopping, "MOMENT_SECONDS", 0.01)
    desk.webhooks.replay(view.id)
    end = threading.Event()
    threading.Timer(0.1, end.set).start()
    with pytest.raises(Stopped):
        desk.deliver(view, Stop(event=end))
    assert desk.shown(view).tries == 0  # it counts as no try, and is sent again under the same id


def test_an_address_that_is_no_more_allowed_is_not_connected_to(desk: Desk) -> None:
    answers = [["192.0.2.1"]]
    rules = AddressRules(resolver=lambda _host, _port: answers[0])
    with Fetcher(rules) as fetcher:
        desk.delivery = replace(desk.delivery, fetcher=fetcher)
        webhooks = Webhooks(
            desk.delivery.feed,
            desk.delivery.vault,
            replace(rules, resolver=lambda _host, _port: ["93.184.216.34"]),
            lambda: NOW,
        )
        view = webhooks.add(WebhookPlan("https://acme.example/hook"), by=BY).view
        desk.deliver(view)
    assert desk.shown(view).last_error == "this address is not on the public internet"


def test_what_was_replayed_meanwhile_is_not_taken_for_delivered(desk: Desk) -> None:
    view = desk.add()
    answer = desk.receiver.answer

    def replaying(came: Came) -> tuple[int, dict[str, str]]:
        desk.webhooks.replay(view.id, since=2)
        return answer(came)

    desk.receiver.answer = replaying  # type: ignore[method-assign]  # what happens while a batch is on its way
    assert not desk.deliver(view)
    assert (desk.shown(view).cursor, desk.shown(view).tries) == (2, 0)
    desk.receiver.answer = answer  # type: ignore[method-assign]
    desk.deliver(view)
    assert verified(desk.receiver.came[-1], desk.key)["data"]["since"] == 2


def test_without_the_key_nothing_is_sent_and_a_person_is_told(desk: Desk) -> None:
    view = desk.add()
    (desk.acme.home / KEY_FILE).rename(desk.acme.home / "elsewhere")
    fresh = WebhookSecrets(type(desk.acme.keyring.keystore)(desk.acme.home, lambda: b"passphrase of a test"))
    desk.delivery = replace(desk.delivery, vault=fresh)
    assert not desk.deliver(view)
    assert desk.receiver.came == []
    assert (desk.shown(view).state, desk.shown(view).cursor) == ("disabled", 0)
    assert "it cannot be signed" in (desk.shown(view).last_error or "")


def test_a_test_message_moves_nothing(desk: Desk) -> None:
    view = desk.add(scheme=Scheme.HMAC)
    tried = desk.delivery.test(view.id)
    assert (tried.status, tried.error) == (204, None)
    payload = verified(desk.receiver.came[0], desk.key)
    assert (payload["type"], payload["data"]) == ("webhook.test", {"webhook": view.id, "cursor": 0})
    desk.receiver.status = 403
    assert desk.delivery.test(view.id).error == "the receiver answered with the status 403"
    assert desk.shown(view) == view
    with desk.acme.database.read() as connection:
        assert waiting_letter(connection, desk.number(view)) is None
    with pytest.raises(NotFoundError):
        desk.delivery.test("0123456789")
