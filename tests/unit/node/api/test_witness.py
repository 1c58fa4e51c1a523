from __future__ import annotations

from dataclasses import dataclass

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import Request

from asking import MemberAuth
from hashpact_node.api.witness import client_of
from hashpact_node.net.rates import Budgets
from hashpact_protocol.merkle import consistency_proof, leaf_hash, subtree_root
from hashpact_protocol.notes import cosignatures, parse_note
from hashpact_protocol.witness import (
    ADD_CHECKPOINT_MAX_BYTES,
    format_add_checkpoint,
    origin_hash,
    parse_add_checkpoint,
    parse_signatures,
)
from independent.sign_request import Credentials
from members import listing, sha256
from own_member import NOW
from publisher import Publisher
from serving import Served


@dataclass
class Asker:
    served: Served
    beta: Publisher

    def body(self, old: int, size: int, proof: tuple[bytes, ...] | None = None, **note: object) -> bytes:
        leaves = [leaf_hash(entry) for entry in self.beta.log.entries]
        if proof is None:
            proof = tuple(
                consistency_proof(old, size, lambda level, n: subtree_root(leaves[n << level : (n + 1) << level]))
            )
        return format_add_checkpoint(old, proof, self.beta.note(size=size, **note))  # type: ignore[arg-type]  # as named

    def send(self, body: bytes) -> httpx.Response:
        return self.served.post("/witness/add-checkpoint", content=body)

    def ask(self, old: int, size: int, proof: tuple[bytes, ...] | None = None, **note: object) -> httpx.Response:
        return self.send(self.body(old, size, proof, **note))


@pytest.fixture
def asker(served: Served, beta: Publisher) -> Asker:
    """Acme behind a server, which has pulled the first 2 of beta's 9 entries."""
    beta.log.append(*(listing(number, sha256(number)) for number in range(9)))
    beta.log.shown = 2
    served.node.peering.add(beta.member, beta.url, fingerprint=beta.fingerprint)
    assert served.node.puller.pull(beta.member).errors == []
    return Asker(served, beta)


def test_statuses_are_those_of_tlog_witness(asker: Asker) -> None:
    stranger = Ed25519PrivateKey.generate()
    good = asker.body(2, 5)
    unknown = good.replace(b"listings-1", b"listings-9")
    too_many = b"old 2\n" + b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" * 64 + b"\n" + good.partition(b"\n\n")[2]
    assert asker.send(unknown).status_code == 404
    assert asker.ask(2, 5, keys=[stranger]).status_code == 403
    assert asker.send(good.replace(b"\n5\n", b"\n6\n")).status_code == 403
    assert asker.send(b"old 2\n").status_code == 400
    assert asker.send(b"").status_code == 400
    assert asker.send(too_many).status_code == 400
    assert asker.ask(7, 5, ()).status_code == 400
    assert asker.ask(2, 5, ()).status_code == 422
    assert asker.ask(2, 2, root=bytes(32)).status_code == 422
    for old in (0, 3):
        answer = asker.ask(old, 5)
        assert (answer.status_code, answer.content) == (409, b"2\n")
        assert answer.headers["content-type"] == "text/x.tlog.size"
    assert asker.send(good).status_code == 200
    assert asker.send(good).content == b"5\n"
    assert asker.ask(5, 5).status_code == 200


def test_problems_say_what_where_and_how_to_mend_it(asker: Asker) -> None:
    problem = asker.ask(7, 5, ()).json()
    assert "7 is larger" in problem["detail"]
    assert asker.beta.log.origin in problem["detail"]
    assert problem["mend"]


def test_cosignatures_are_signature_lines_over_what_was_sent(asker: Asker) -> None:
    body = asker.body(2, 5)
    answer = asker.send(body)
    assert answer.headers["cache-control"].startswith("private")
    text, key = parse_add_checkpoint(body).parsed.text, asker.served.node.witness.cosigner.key()
    lines = parse_signatures(answer.content, text)
    served = asker.served.get(f"/witness/{origin_hash(asker.beta.log.origin)}/checkpoint")
    assert served.status_code == 200
    assert served.headers["cache-control"] == "private, no-cache"
    note = parse_note(served.content)
    assert note.text == text
    assert lines[0] in note.signatures
    assert len(cosignatures(note, [key])) == 1


@pytest.mark.parametrize("name", ["0" * 64, "AB" * 32, "ab", "ab" * 33, "listings-1"])
def test_checkpoints_of_nobody(sqlite_served: Served, name: str) -> None:
    assert sqlite_served.get(f"/witness/{name}/checkpoint").status_code == 404


def test_our_own_log_is_witnessed_too(sqlite_served: Served) -> None:
    node = sqlite_served.node
    (number,) = node.releaser.waiting()
    node.releaser.release(number)
    shown = sqlite_served.get("/logs/listings-1/checkpoint").content
    served = sqlite_served.get(f"/witness/{origin_hash('acme.example/logs/listings-1')}/checkpoint")
    assert served.content == shown


def test_a_body_is_cut_off(sqlite_served: Served) -> None:
    answer = sqlite_served.post("/witness/add-checkpoint", content=bytes(ADD_CHECKPOINT_MAX_BYTES + 1))
    assert answer.status_code == 413
    assert sqlite_served.post("/witness/add-checkpoint", content=bytes(ADD_CHECKPOINT_MAX_BYTES)).status_code == 400


def test_a_client_that_floods_is_told_when_to_come_again(sqlite_served: Served) -> None:
    clock = [0.0]
    sqlite_served.app.state.witness_clients = Budgets(per_second=1, burst=3, monotonic=lambda: clock[0])
    path = "/witness/add-checkpoint"
    assert [sqlite_served.post(path, content=b"x").status_code for _ in range(4)] == [400, 400, 400, 429]
    # Whatever a client says that it is, its address is that of the connection.
    answer = sqlite_served.post(
        path, content=b"x", headers={"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1"}
    )
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert sqlite_served.get(f"/witness/{'0' * 64}/checkpoint").status_code == 429
    clock[0] += 1
    assert sqlite_served.post(path, content=b"x").status_code == 400


def test_members_behind_one_address_have_a_budget_each(sqlite_served: Served, beta: Publisher) -> None:
    """As behind a proxy: both of them come from 127.0.0.1."""
    sqlite_served.node.peering.add(beta.member, beta.url, fingerprint=beta.fingerprint)
    assert sqlite_served.node.puller.pull(beta.member).errors == []
    sqlite_served.app.state.witness_clients = Budgets(per_second=1, burst=3, monotonic=lambda: 0.0)
    path = "/witness/add-checkpoint"
    by_beta = MemberAuth(
        Credentials("beta", "beta-request-1", beta.request, NOW.timestamp), str(sqlite_served.node.doorkeeper.url)
    )
    flood = [sqlite_served.post(path, content=b"x", auth=by_beta).status_code for _ in range(4)]
    assert flood == [400, 400, 400, 429]
    assert sqlite_served.post(path, content=b"x").status_code == 400


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "20010db800010002::/64"),
        ("2001:db8:1:2::1", "20010db800010002::/64"),
        ("2001:db8:1:3::1", "20010db800010003::/64"),
        ("testclient", "unknown"),
    ],
)
def test_whose_budget_a_request_is_on(host: str, client: str) -> None:
    assert client_of(Request({"type": "http", "client": (host, 1)})) == client
