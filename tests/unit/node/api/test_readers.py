"""Logs of audiences over HTTP: to whom they are not for, they are not there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from desk import log_of, open_desk
from hashpact_keys.keystore import KeyStore
from hashpact_node.app import create_app
from hashpact_node.assembly import Node
from hashpact_node.services.actors import Actor, ActorKind
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.store.database import Database
from hashpact_node.store.logs import LogTerms, put_card_logs
from hashpact_node.store.peers import get_peer
from hashpact_protocol.witness import format_add_checkpoint, origin_hash
from members import TestLog, listing, sha256
from serving import without_doors

FILES = ("checkpoint", "tile/entries/000.p/1", "tile/0/000.p/1")
THEIRS = "beta.example/logs/listings-x1-1"


@pytest.fixture
def node(sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """Acme, which publishes for beta alone, and follows an audience of beta's."""
    monkeypatch.setitem(KeyStore.__init__.__kwdefaults__, "kdf_rounds", 1)  # type: ignore[arg-type]  # it has some
    with open_desk(sqlite_database, tmp_path / "home", sqlite_database.where) as node:
        node.audiences.create("eu-desk", ["beta"])
        node.publisher.publish([ListingDraft("image", (sha256(1),), audiences=("eu-desk",))])
        node.publisher.publish([ListingDraft("image", (sha256(3),))])
        terms = LogTerms("listings-x1", "listings", THEIRS, f"https://{THEIRS}", "open", ("key",))
        with node.database.write() as connection:
            (row,) = put_card_logs(connection, get_peer(connection, "beta").number, [terms])
        TestLog(node.database, row.number).append(listing(2, sha256(2)))
        yield node


class AsMember:
    """Stands in the place of the door: whoever asks is this member, or nobody knows who."""

    def __init__(self, app: ASGIApp, member: str | None) -> None:
        self.app = app
        self.state = {} if member is None else {"actor": Actor(ActorKind.MEMBER, member)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app({**scope, "state": self.state}, receive, send)


def ask(node: Node, member: str | None, path: str, body: bytes | None = None) -> httpx.Response:
    transport = httpx.ASGITransport(app=AsMember(without_doors(create_app(node, schedule=False)), member))

    async def run() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8470") as client:
            return await (client.get(path) if body is None else client.post(path, content=body))

    return asyncio.run(run())


def slug(node: Node) -> str:
    return log_of(node, "eu-desk").origin.rpartition("/")[2]


@pytest.mark.parametrize("member", ["gamma", "omega", "acme", None])
def test_whom_a_log_is_not_for_it_is_not_there(node: Node, member: str | None) -> None:
    for file in (*FILES, f"blob/{'ef' * 32}"):
        there = ask(node, member, f"/logs/{slug(node)}/{file}")
        nowhere = ask(node, member, f"/logs/listings-{'0' * 16}-1/{file}")
        assert (there.status_code, nowhere.status_code) == (401, 401)
        assert there.content == nowhere.content, "it looks like a log that there is not"
        assert there.headers.items() == nowhere.headers.items()


def test_who_reads_it_is_served(node: Node) -> None:
    for file in FILES:
        assert ask(node, "beta", f"/logs/{slug(node)}/{file}").status_code == 200
    assert ask(node, "beta", f"/logs/{slug(node)}/blob/{'ef' * 32}").status_code == 404
    node.audiences.remove_members("eu-desk", ["beta"])
    for file in FILES:
        assert ask(node, "beta", f"/logs/{slug(node)}/{file}").status_code == 401


@pytest.mark.parametrize("member", ["gamma", "omega", None])
def test_a_general_log_is_for_whoever_got_so_far(node: Node, member: str | None) -> None:
    assert ask(node, member, "/logs/listings-1/checkpoint").status_code == 200
    assert ask(node, member, "/logs/listings-2/checkpoint").status_code == 404
    assert ask(node, member, "/logs/no-such/checkpoint").status_code == 404


def test_neither_witness_nor_mirror_tells_others_of_it(node: Node) -> None:
    own = origin_hash(log_of(node, "eu-desk").origin)
    for path in (f"/witness/{own}/checkpoint", *(f"/mirror/{own}/{file}" for file in FILES)):
        answers = [ask(node, member, path).status_code for member in ("beta", "gamma", None)]
        assert answers == [200, 404, 404], path
    for file in FILES[1:]:
        answers = [
            ask(node, member, f"/mirror/{origin_hash(THEIRS)}/{file}").status_code for member in ("beta", "gamma")
        ]
        assert answers == [200, 404], "whom beta lets in is not known here"


def test_a_witness_says_no_size_to_others(node: Node) -> None:
    log = log_of(node, "eu-desk")
    body = format_add_checkpoint(0, (), log.accepted_note or b"")
    for member in ("gamma", None):
        answer = ask(node, member, "/witness/add-checkpoint", body)
        assert answer.status_code == 404
        assert answer.json()["detail"] == f"{log.origin}: this node does not follow such a log"
    assert ask(node, "beta", "/witness/add-checkpoint", body).status_code == 409
