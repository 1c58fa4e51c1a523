from __future__ import annotations

from hashpact_node.api.models_node import Status
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.store.alarms import raise_alarm
from hashpact_node.store.jobs import plan_job
from members import sha256
from own_member import NOW, ORIGIN
from publisher import Publisher
from serving import Served


def ask(served: Served) -> Status:
    answer = served.get("/v1/status")
    assert answer.status_code == 200
    return Status.model_validate(answer.json(), strict=True)


def test_the_status_shows_everything(served: Served, beta: Publisher) -> None:
    node = served.node
    node.publisher.publish([ListingDraft("image", (sha256(1),))])
    node.publisher.publish([ListingDraft("image", (sha256(2),))], wait=False)
    peer = node.peering.add("beta", beta.url, fingerprint=beta.fingerprint)
    with node.database.write() as connection:
        plan_job(connection, "pull/beta", int(NOW.timestamp()))
        raise_alarm(connection, "log-forked", "two stories", now=NOW, peer=peer.peer.number)
    told = ask(served)
    assert (told.member, told.name, told.url) == ("acme", "Acme", "https://acme.example")
    assert told.time == "2026-11-24T04:00:00Z"
    assert told.database == ("sqlite" if node.database.is_sqlite else "postgresql")
    assert [(log.member, log.own) for log in told.logs] == [("acme", True), ("beta", False)]
    own = told.logs[0]
    assert (own.origin, own.size, own.held, own.live, own.waiting, own.stale) == (ORIGIN, 1, 1, 1, 1, False)
    assert (told.queue, told.last_change) == (1, 1)
    assert told.blocklist == {"block": 1, "review": 0, "observe": 0, "ignore": 0}
    assert [(one.member, one.state) for one in told.peers] == [("beta", "active")]
    assert [(one.member, one.code, one.times) for one in told.alarms] == [("beta", "log-forked", 1)]
    assert [(one.name, one.next_run_at) for one in told.jobs] == [("pull/beta", "2026-11-24T04:00:00Z")]
    assert "TRIAL MODE" in {key.row: key.warnings for key in told.keys}["root"][0]


def test_counts_follow_changes(sqlite_served: Served) -> None:
    for number in range(1, 3):
        sqlite_served.node.publisher.publish([ListingDraft("image", (sha256(number),))])
        told = ask(sqlite_served)
        assert (told.blocklist["block"], told.logs[0].live) == (number, number)
        assert ask(sqlite_served) == told


def test_no_secret_is_shown(sqlite_served: Served) -> None:
    text = sqlite_served.get("/v1/status").text
    assert "passphrase of a test" not in text
    assert str(sqlite_served.node.settings.home) not in text
