from __future__ import annotations

from hashpact_keys.evidence import verify_evidence
from hashpact_protocol.statements import encode_statement
from members import listing, sha256
from publisher import Publisher
from serving import Served


def test_evidence_is_listed_and_given_as_a_file(sqlite_served: Served, beta: Publisher) -> None:
    assert sqlite_served.get("/v1/evidence").json() == {"evidence": []}
    assert sqlite_served.get("/v1/evidence/1").status_code == 404
    beta.log.append(listing(1, sha256(1)), listing(2, sha256(2)))
    sqlite_served.node.peering.add("beta", beta.url, fingerprint=beta.fingerprint)
    sqlite_served.node.puller.pull("beta")
    beta.log.tell([encode_statement(listing(number, sha256(number))) for number in (3, 4)])
    sqlite_served.node.puller.pull("beta")
    (shown,) = sqlite_served.get("/v1/evidence").json()["evidence"]
    assert (shown["member"], shown["charge"], shown["proven"]) == ("beta", "log-forked", True)
    assert shown["kept_at"].endswith("Z")
    file = sqlite_served.get(f"/v1/evidence/{shown['number']}")
    assert verify_evidence(file.content, beta.root_file).what == shown["what"]
