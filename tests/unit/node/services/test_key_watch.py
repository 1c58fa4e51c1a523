from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from hashpact_node.net.fetcher import Fetcher
from hashpact_node.services.key_watch import KeyWatch
from hashpact_node.services.own_cards import own_trust, sign_card
from hashpact_node.store.peers import add_peer
from hashpact_node.store.trust import save_files
from own_member import NOW, OwnMember
from publisher import Publisher

DAY = timedelta(days=1)
YEAR = 365 * DAY

Watch = Callable[[datetime], list[tuple[str, str, str | None]]]


@pytest.fixture
def watch(acme: OwnMember, fetcher: Fetcher) -> Watch:
    """Let the watch look at a time, as a new process each time; gives what the log says: level, code, row."""

    def watched(now: datetime) -> list[tuple[str, str, str | None]]:
        one = KeyWatch(acme.database, acme.keyring, fetcher, acme.home, lambda: now)
        with capture_logs() as logs:
            told = one.watch()
        said = [log for log in logs if log["event"] == "something is wrong with the keys"]
        assert told == len(said)
        assert all(log["what"] and log["mend"] for log in said)
        return [(log["log_level"], log["code"], log["row"]) for log in said if log["code"] != "file-weak"]

    return watched


def about(said: list[tuple[str, str, str | None]], row: str) -> list[tuple[str, str]]:
    return [(level, code) for level, code, of in said if of == row]


def test_what_is_wrong_is_told_once(watch: Watch) -> None:
    assert [code for _, code, _ in watch(NOW)] == ["offline-key-here", "root-threshold", "offline-key-here"]
    assert watch(NOW) == []


def test_what_is_wrong_again_is_told_again(acme: OwnMember, watch: Watch) -> None:
    watch(NOW)
    key = acme.home / "keys/root.key"
    data = key.read_bytes()
    key.unlink()
    assert watch(NOW) == []
    key.write_bytes(data)
    key.chmod(0o600)
    assert watch(NOW) == [("error", "offline-key-here", "root")]


def test_ends_are_told_at_30_14_7_and_1_days_and_when_they_have_come(watch: Watch) -> None:
    end = NOW + YEAR
    watch(end - 31 * DAY)
    told = {days: about(watch(end - days * DAY), "root") for days in (30.5, 30, 29, 15, 14, 8, 7, 2, 1, 0.5, 0, -1)}
    soon = "expires-soon"
    assert {days: said for days, said in told.items() if said} == {
        30: [("warning", soon)],
        14: [("warning", soon)],
        7: [("error", soon)],
        1: [("error", soon)],
        0: [("error", "expired")],
    }


def test_a_node_that_was_off_tells_the_nearest_alone(watch: Watch) -> None:
    watch(NOW)
    assert about(watch(NOW + YEAR - 5 * DAY), "targets") == [("error", "expires-soon")]
    assert about(watch(NOW + YEAR - 4 * DAY), "targets") == []


def test_what_was_renewed_is_told_again_a_year_later(acme: OwnMember, watch: Watch) -> None:
    later = NOW + YEAR - 20 * DAY
    watch(NOW)
    assert about(watch(later), "targets") == [("warning", "expires-soon")]
    with acme.database.write() as connection:
        trust = own_trust(connection)
        save_files(connection, trust.peer.number, sign_card(acme.keyring, trust, trust.card, lambda: later))
    assert about(watch(later), "targets") == []
    assert about(watch(later + YEAR - 20 * DAY), "targets") == [("warning", "expires-soon")]


def test_clocks_are_heard(acme: OwnMember, publisher: Publisher, fetcher: Fetcher, watch: Watch) -> None:
    with acme.database.write() as connection:
        add_peer(connection, "beta", publisher.url, now=NOW)
    fetcher.get(f"{publisher.url}/trust/metadata/timestamp.json", max_bytes=65_536, deadline_seconds=30)
    heard = fetcher.clocks.of(publisher.url)
    assert heard is not None
    fetcher.clocks._heard.update(
        {host: type(one)(timedelta(minutes=6), NOW) for host, one in fetcher.clocks._heard.items()}
    )
    assert ("error", "clock-skew", None) in watch(NOW)
    assert ("error", "clock-skew", None) not in watch(NOW)
