"""The audit log by HTTP."""

from __future__ import annotations

from hashpact_node.services.audit_chain import Chain, Head
from hashpact_protocol.canonical import canonical_bytes
from serving import Served


def test_it_is_read_by_pages_and_verified_by_whoever_reads_it(served: Served) -> None:
    for _ in range(5):
        served.post("/v1/peers/nobody/pause")
    chain, since, more = Chain(), 0, True
    while more:
        page = served.get(f"/v1/audit?since={since}&limit=2").json()
        assert set(page) == {"entries", "cursor", "more", "head"}
        for entry in page["entries"]:
            chain.add(entry["n"], canonical_bytes(entry))
        since, more = page["cursor"], page["more"]
    verified = chain.close(Head.parse(page["head"]))
    assert (verified.sound, verified.head.size, since) == (True, 6, 6)
    assert served.get("/v1/status").json()["audit_head"] == page["head"]
    assert f"hashpact_audit_entries {6.0}" in served.get("/metrics").text


def test_reading_it_is_not_recorded(sqlite_served: Served) -> None:
    before = sqlite_served.get("/v1/audit").json()
    assert sqlite_served.get("/v1/audit").json() == before


def test_limits(sqlite_served: Served) -> None:
    for query in ("limit=0", "limit=1001", "since=-1", "since=x"):
        assert sqlite_served.get(f"/v1/audit?{query}").status_code == 422, query
