from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hashpact_keys.keystore import KeyStore
from hashpact_node.assembly import Node, open_node
from hashpact_node.jobs.courier import Courier
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.webhooks import WebhookPlan
from hashpact_node.store.database import Database
from members import sha256
from own_member import found_member
from receiver import receiving

GENEROUS_SECONDS = 120.0
BY = Actor(ActorKind.COMMAND, "tester")


@pytest.fixture
def node(sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    monkeypatch.setitem(KeyStore.__init__.__kwdefaults__, "kdf_rounds", 1)  # type: ignore[arg-type]  # it has some
    own = found_member(sqlite_database, tmp_path / "home", sqlite_database.where)
    own.publisher.publish([ListingDraft("image", (sha256(number),)) for number in range(5)])
    one = open_node(own.settings, lambda: b"passphrase of a test")
    yield one
    one.close()


def wait_for(question: Callable[[], object]) -> None:
    deadline = time.monotonic() + GENEROUS_SECONDS
    while not question():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def test_one_that_hangs_holds_up_no_other_and_is_left_behind(node: Node) -> None:
    with receiving() as hanging, receiving() as well:
        hanging.holds = threading.Event()
        held = node.webhooks.add(WebhookPlan(hanging.url, batch=2), by=BY).view
        told = node.webhooks.add(WebhookPlan(well.url, batch=2), by=BY).view
        courier = Courier(node)
        courier.start()
        try:
            wait_for(lambda: node.webhooks.show(told.id).webhook.behind == 0)
            wait_for(lambda: hanging.came)
            assert len(well.came) == 3
            assert node.webhooks.show(held.id).webhook.cursor == 0
        finally:
            courier.stop()  # well before the deadline of what hangs
        assert len(hanging.came) == 1
        (letter,) = node.webhooks.show(held.id).letters
        assert letter.tries == 0
        hanging.holds.set()
        again = Courier(node)
        again.start()
        try:
            wait_for(lambda: node.webhooks.show(held.id).webhook.behind == 0)
        finally:
            again.stop()
        assert [one.headers["webhook-id"] for one in hanging.came[:2]] == [letter.id] * 2


def test_a_courier_that_breaks_goes_on(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as receiver:
        view = node.webhooks.add(WebhookPlan(receiver.url), by=BY).view
        due = type(node.webhook_delivery).due
        looked: list[int] = []

        def breaking(delivery: object) -> list[int]:
            looked.append(1)
            if len(looked) == 1:
                raise ValueError("a fault of the program")
            return due(delivery)  # type: ignore[arg-type]  # it is one

        monkeypatch.setattr(type(node.webhook_delivery), "due", breaking)
        courier = Courier(node)
        courier.start()
        try:
            wait_for(lambda: node.webhooks.show(view.id).webhook.behind == 0)
        finally:
            courier.stop()
        assert len(receiver.came) == 1
