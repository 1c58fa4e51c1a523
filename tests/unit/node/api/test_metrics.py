from __future__ import annotations

import socket
import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hashpact_node.services.drafts import ListingDraft
from members import sha256
from nodes import wait_until
from serving import Served


def test_prometheus_understands_it(served: Served) -> None:
    served.node.publisher.publish([ListingDraft("image", (sha256(1),))])
    answer = served.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    found = {family.name: family for family in text_string_to_metric_families(answer.text)}
    (sample,) = found["hashpact_log_accepted_entries"].samples
    assert sample.value == 1


def test_a_page_of_another_site_does_not_get_it(sqlite_served: Served) -> None:
    assert sqlite_served.get("/metrics", headers={"Host": "evil.example"}).status_code == 403


def test_a_scrape_that_takes_long_keeps_no_lookup_waiting(
    sqlite_served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def slow(_status: object) -> bytes:
        assert goes_on.wait(600)
        return b""

    monkeypatch.setattr("hashpact_node.api.metrics.exposition", slow)
    head = [
        "GET /metrics HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: close",
        *sqlite_served.header_lines("/metrics"),
        "",
        "",
    ]
    scrape = "\r\n".join(head).encode()
    # More than there are threads for lookups.
    links = [socket.create_connection(("127.0.0.1", sqlite_served.port), timeout=600) for _ in range(60)]
    try:
        for link in links:
            link.sendall(scrape)
        lane = sqlite_served.app.state.lanes.scraping
        wait_until(lambda: lane.statistics().borrowed_tokens + lane.statistics().tasks_waiting == len(links))
        body = {"signals": [{"type": "sha256", "value": "0" * 64}]}
        assert sqlite_served.post("/v1/match", json=body).status_code == 200
        goes_on.set()
        assert {link.recv(12) for link in links} == {b"HTTP/1.1 200"}
    finally:
        goes_on.set()
        for link in links:
            link.close()
