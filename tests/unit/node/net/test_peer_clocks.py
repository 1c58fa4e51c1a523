from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hashpact_node import clock
from hashpact_node.net.addresses import AddressRules
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.net.peer_clocks import HOSTS_MAX, PeerClocks, parse_date
from publisher import Publisher

SENT = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
DATE = "Tue, 24 Nov 2026 04:00:00 GMT"
URL = "https://beta.example/logs/listings-1/checkpoint"


def offset(headers: dict[str, str], sent: datetime = SENT, seconds: float = 1.0) -> float | None:
    clocks = PeerClocks()
    clocks.hear("beta.example", headers, sent, sent + timedelta(seconds=seconds))
    found = clocks.of(URL)
    return None if found is None else found.offset.total_seconds()


def test_the_middle_of_asking_and_answer_is_compared_with_the_middle_of_the_second() -> None:
    assert offset({"date": DATE}) == 0
    assert offset({"date": DATE}, SENT + timedelta(minutes=2)) == 120
    assert offset({"date": DATE}, SENT - timedelta(minutes=2), seconds=10) == -120 + 4.5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "Tue, 99 Nov 2026 04:00:00 GMT",
        "\x00",
        "Tue, 24 Nov 99999 04:00:00",
        "Tue, 24 Nov 2026 04:00:00 +99999999999999999999",
        f"Tue, 24 Nov {'9' * 5_000} 04:00:00 GMT",
    ],
    ids=["none", "words", "day", "control", "year", "zone", "long"],
)
def test_what_is_no_date_tells_nothing(text: str) -> None:
    assert parse_date(text) is None
    assert offset({"date": text}) is None


def test_the_end_of_time_is_a_date_like_any_other() -> None:
    found = offset({"date": "Fri, 31 Dec 9999 23:59:59 -0001"})
    assert found is not None
    assert found < -(10**11)


def test_what_may_be_old_tells_nothing() -> None:
    assert offset({}) is None
    assert offset({"date": DATE, "age": "3"}) is None
    assert offset({"date": DATE}, seconds=10.1) is None


def test_the_last_answer_of_a_host_counts_and_hosts_are_bounded() -> None:
    clocks = PeerClocks()
    for number in range(HOSTS_MAX + 1):
        clocks.hear(f"{number}.example", {"date": DATE}, SENT, SENT)
    later = SENT + timedelta(minutes=1)
    clocks.hear("0.example", {"date": DATE}, later, later)
    first, last = clocks.of("https://0.example/x"), clocks.of(f"https://{HOSTS_MAX}.example/x")
    assert first is not None
    assert (first.at, first.offset) == (later, timedelta(seconds=59.5))
    assert last is None
    assert clocks.of(f"https://{HOSTS_MAX - 1}.example/x") is not None


def test_each_answer_is_heard() -> None:
    with Publisher() as publisher, Fetcher(AddressRules()) as fetcher:
        assert fetcher.clocks.of(publisher.url) is None
        answer = fetcher.get(f"{publisher.url}/trust/metadata/1.root.json", max_bytes=65_536, deadline_seconds=30)
        told = fetcher.clocks.of(publisher.url)
    assert (told is not None) == ("date" in answer.headers)
    if told is not None:
        assert abs(told.offset) < timedelta(seconds=30)
        assert told.at <= clock.now()
