"""The receiver of docs/api.md takes what a node sends, and nothing else."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from hashpact_node import clock
from hashpact_node.net.addresses import AddressRules
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.net.stopping import Stop
from hashpact_node.services import webhook_delivery
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.change_feed import ChangeFeed
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.services.webhook_delivery import DEADLINE_SECONDS, DELAYS_SECONDS, TRIES_MAX, WebhookDelivery
from hashpact_node.services.webhook_secrets import WebhookSecrets
from hashpact_node.services.webhooks import BATCH, WEBHOOKS_MAX, WebhookPlan, Webhooks
from hashpact_node.store.database import Database
from hashpact_node.store.webhooks import find_webhook
from members import sha256
from own_member import found_member

API = Path(__file__).parents[2] / "docs" / "api.md"
PROGRAM = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@contextmanager
def example() -> Iterator[tuple[dict[str, Any], str]]:
    """Run the receiver of the document; give its names, and its URL."""
    (program,) = (one for one in PROGRAM.findall(API.read_text(encoding="utf-8")) if "class Receiver" in one)
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(program, str(API), "exec"), names)  # noqa: S102 - our own document
    names["Receiver"].log_message = lambda *_: None
    server = ThreadingHTTPServer(("127.0.0.1", 0), names["Receiver"])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield names, f"http://127.0.0.1:{server.server_address[1]}/hashpact"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_receiver_takes_what_a_node_sends_and_nothing_else(sqlite_database: Database, tmp_path: Path) -> None:
    own = found_member(sqlite_database, tmp_path / "home", sqlite_database.where)
    published = own.publisher.publish([ListingDraft("image", (sha256(number),)) for number in range(3)])
    feed, vault = ChangeFeed(own.database), WebhookSecrets(own.keyring.keystore)
    with example() as (names, url), Fetcher(AddressRules()) as fetcher:
        receiver = names["Receiver"]
        made = Webhooks(feed, vault, AddressRules(), clock.now).add(
            WebhookPlan(url, batch=2), by=Actor(ActorKind.COMMAND, "tester")
        )
        names["SECRET"] = made.key
        with own.database.read() as connection:
            row = find_webhook(connection, made.view.id)
        assert row is not None
        delivery = WebhookDelivery(feed, vault, fetcher, clock.now)
        assert delivery.test(row.id).error is None
        assert delivery.deliver(row.number, Stop())
        assert delivery.deliver(row.number, Stop())
        assert receiver.cursor == 3
        assert set(receiver.blocked) == {f"sha256:{sha256(number).value}" for number in range(3)}
        own.publisher.withdraw(published[0].id, "error")
        assert delivery.deliver(row.number, Stop())
        assert len(receiver.blocked) == 2
        assert httpx.post(url, json={"type": "blocklist.changed"}, trust_env=False).status_code == 401
        late = WebhookDelivery(feed, vault, fetcher, lambda: clock.now() - timedelta(minutes=6))
        assert late.test(row.id).status == 401
        names["SECRET"] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        assert delivery.test(row.id).status == 401


def test_figures_are_those_of_the_program() -> None:
    text = " ".join(API.read_text(encoding="utf-8").split())
    seconds, minutes, hours = DELAYS_SECONDS[:2], DELAYS_SECONDS[2:5], DELAYS_SECONDS[5:]
    told = (
        f"after {seconds[0]} s, {seconds[1]} s, {minutes[0] // 60}, {minutes[1] // 60} and {minutes[2] // 60} min, "
        + ", ".join(str(one // 3_600) for one in hours[:-1])
        + f" and {hours[-1] // 3_600} h, each up to a fifth longer"
    )
    assert told in text
    assert webhook_delivery.JITTER == 0.2
    assert TRIES_MAX == 11
    assert "After the eleventh try, some 24 hours later" in text
    assert 23 < sum(DELAYS_SECONDS) / 3_600 * 1.1 < 27
    assert f"a connection and {DEADLINE_SECONDS:.0f} seconds for a request" in text
    assert f"At most {WEBHOOKS_MAX} endpoints" in text
    assert f"`batch` ({BATCH})" in text
