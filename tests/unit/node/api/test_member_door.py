"""Who is answered below /logs, /witness and /mirror, over real HTTP."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select
from starlette.types import Message, Receive, Scope, Send

from asking import MemberAuth, credentials_of
from databases import SqliteFiles, opened
from hashpact_node.api import member_door
from hashpact_node.api.lanes import Lanes
from hashpact_node.api.member_door import MemberDoor
from hashpact_node.assembly import Node, open_node
from hashpact_node.net.rates import Budgets
from hashpact_node.store.peers import REMOVED, get_peer, set_state
from hashpact_node.store.tables_requests import RequestNonce
from hashpact_protocol.witness import ADD_CHECKPOINT_MAX_BYTES, origin_hash
from independent.sign_request import Credentials
from own_member import NOW, ORIGIN, found_member
from serving import Served, serving

URL = "https://acme.example"
PASSPHRASE = "passphrase of a test"
CHECKPOINT = "/logs/listings-1/checkpoint"
MEMBERS_ONLY = (
    CHECKPOINT,
    "/logs/listings-1/tile/entries/000.p/1",
    f"/logs/listings-1/blob/{'ef' * 32}",
    "/logs/no-such-log/checkpoint",
    "/logs",
    f"/witness/{origin_hash(ORIGIN)}/checkpoint",
    "/witness/cards",
    "/witness/cards/acme/1",
    f"/mirror/{origin_hash(ORIGIN)}/checkpoint",
    "/mirror/nothing",
)


@pytest.fixture(scope="module")
def members_node(sqlite_files: SqliteFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Acme's node, which answers members only."""
    home = tmp_path_factory.mktemp("home")
    url = sqlite_files.url(home)
    with opened(url) as database:
        own = found_member(database, home, url)
        own.releaser.release(own.log.number)
        node = open_node(own.settings, PASSPHRASE.encode, now=lambda: NOW)
        yield node
        node.close()


@pytest.fixture(scope="module")
def door(members_node: Node) -> Iterator[Served]:
    with serving(members_node) as one:
        one.client.auth, one.signs = None, False  # type: ignore[assignment]  # who signs, and how, is tried here
        yield one


@pytest.fixture(scope="module")
def credentials(members_node: Node) -> Credentials:
    return credentials_of("acme", members_node.settings.home, PASSPHRASE, NOW.timestamp)


@pytest.fixture(scope="module")
def member(door: Served, credentials: Credentials) -> Iterator[httpx.Client]:
    """A client that signs, by acme's own request key."""
    with httpx.Client(base_url=f"http://127.0.0.1:{door.port}", auth=MemberAuth(credentials, URL), timeout=60) as one:
        yield one


@pytest.mark.parametrize("path", MEMBERS_ONLY)
def test_nobody_is_told_anything_without_a_signature(door: Served, path: str) -> None:
    """What is there, what is not, and what is no path at all are answered alike."""
    answers = [door.get(path), door.get(MEMBERS_ONLY[0])]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].content == answers[1].content
    assert answers[0].headers["accept-signature"].startswith('hashpact=("@method"')
    assert answers[0].headers["www-authenticate"] == "Signature"
    assert answers[0].headers["cache-control"] == "no-store"
    assert door.client.head(path).status_code == 401


def test_no_other_spelling_of_a_path_is_a_way_around(door: Served) -> None:
    for path in (
        "/%6cogs/listings-1/checkpoint",
        "//logs/listings-1/checkpoint",
        "/./logs/listings-1/checkpoint",
        "/trust/../logs/listings-1/checkpoint",
        "/LOGS/listings-1/checkpoint",
        "/logs%2flistings-1/checkpoint",
    ):
        status, answer = door.raw_get(path)
        assert status in {400, 401, 404}, path
        assert b"acme.example/logs" not in answer


def test_a_member_is_answered(member: httpx.Client) -> None:
    answer = member.get(CHECKPOINT)
    assert answer.status_code == 200
    assert answer.text.startswith(f"{ORIGIN}\n")
    assert "private" in answer.headers["cache-control"]
    assert member.head(CHECKPOINT).status_code == 200
    assert member.get("/witness/cards").status_code == 200
    assert member.get(f"/mirror/{origin_hash(ORIGIN)}/checkpoint").status_code in {200, 404}
    assert member.get("/logs/no-such-log/checkpoint").status_code == 404


def test_what_is_public_needs_no_signature(door: Served) -> None:
    assert door.get("/trust/metadata/timestamp.json").status_code == 200
    assert door.get("/healthz").status_code == 200


def test_a_body_is_what_was_signed(door: Served, member: httpx.Client, credentials: Credentials) -> None:
    path = "/witness/add-checkpoint"
    assert member.post(path, content=b"no checkpoint").status_code == 400, "its body is read behind the door"
    headers = credentials.headers("POST", f"{URL}{path}", b"no checkpoint")
    assert door.post(path, content=b"another one", headers=headers).status_code == 401
    assert door.post(path, content=b"no checkpoint", headers=headers).status_code == 400
    again = door.post(path, content=b"no checkpoint", headers=headers)
    assert (again.status_code, "sent before" in again.json()["detail"]) == (401, True)


def test_a_body_that_no_route_takes_is_not_read_to_its_end(member: httpx.Client) -> None:
    body = b"x" * (ADD_CHECKPOINT_MAX_BYTES + 1)
    assert member.post("/witness/add-checkpoint", content=body).status_code == 413


def test_a_request_moved_elsewhere_is_nobodys(door: Served, credentials: Credentials) -> None:
    headers = credentials.headers("GET", f"{URL}{CHECKPOINT}")
    assert door.get(CHECKPOINT, headers=headers).status_code == 200
    assert door.get(CHECKPOINT, headers={**headers, "host": "acme.example:1"}).status_code == 200, "Host says nothing"
    for path in (f"{CHECKPOINT}?x=1", f"{CHECKPOINT}?", "/logs/listings-2/checkpoint"):
        assert door.get(path, headers=headers).status_code == 401 or path.endswith("?")
    assert door.client.request("DELETE", CHECKPOINT, headers=headers).status_code == 401
    elsewhere = credentials.headers("GET", f"https://beta.example{CHECKPOINT}")
    assert door.get(CHECKPOINT, headers=elsewhere).status_code == 401
    ours = credentials.headers("GET", f"http://127.0.0.1:{door.port}{CHECKPOINT}")
    assert door.get(CHECKPOINT, headers=ours).status_code == 401, "the address asked at is not our name"


def test_doubled_and_broken_fields_are_refused(door: Served, credentials: Credentials) -> None:
    headers = credentials.headers("GET", f"{URL}{CHECKPOINT}")
    lines = [f"{name}: {value}" for name, value in headers.items()]
    assert door.raw_get(CHECKPOINT, *lines)[0] == 200
    assert door.raw_get(CHECKPOINT, *lines, lines[0])[0] == 401
    assert door.raw_get(CHECKPOINT, *lines, "Signature: sig=:AAAA:")[0] == 401
    assert door.raw_get(CHECKPOINT, lines[0])[0] == 401
    assert door.raw_get(CHECKPOINT, "Signature-Input: \xff\xfe", "Signature: \xff")[0] == 401


def test_a_stranger_learns_no_more_than_anybody(door: Served) -> None:
    stranger = Credentials("delta", "delta-request-1", Ed25519PrivateKey.generate(), NOW.timestamp)
    forged = Credentials("acme", "acme-request-1", Ed25519PrivateKey.generate(), NOW.timestamp)
    other = Credentials("acme", "acme-request-2", Ed25519PrivateKey.generate(), NOW.timestamp)
    answers = [
        door.get(path, headers=who.headers("GET", f"{URL}{path}"))
        for who in (stranger, forged, other)
        for path in (CHECKPOINT, "/logs/no-such-log/checkpoint")
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1, "nor whether somebody is known here"


def test_a_removed_member_is_refused_at_once(members_node: Node, member: httpx.Client) -> None:
    assert member.get(CHECKPOINT).status_code == 200
    with members_node.database.write() as connection:
        own = get_peer(connection, "acme")
        set_state(connection, own.number, REMOVED)
    try:
        assert member.get(CHECKPOINT).status_code == 401
    finally:
        with members_node.database.write() as connection:
            set_state(connection, own.number, own.state)
    assert member.get(CHECKPOINT).status_code == 200


def scope_of(credentials: Credentials, method: str = "GET", path: str = CHECKPOINT) -> Scope:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [
            (name.encode(), value.encode()) for name, value in credentials.headers(method, f"{URL}{path}").items()
        ],
    }


def ask_at_a_door(node: Node, scopes: list[Scope], budgets: Budgets) -> list[int]:
    """Ask one after another, and give the statuses."""
    answered: list[int] = []

    async def behind(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answered.append(message["status"])

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def ask() -> None:
        door = MemberDoor(behind, node.doorkeeper, node.token_checks, Lanes(), budgets)
        for scope in scopes:
            await door(scope, receive, send)

    asyncio.run(ask())
    return answered


def nonces(node: Node) -> int:
    with node.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(RequestNonce)).scalar_one())


def test_a_member_that_asks_too_often_waits(members_node: Node, credentials: Credentials) -> None:
    """Two places for a member, and a clock that stands still."""
    budgets = Budgets(per_second=1, burst=2, monotonic=lambda: 0.0)
    scopes = [scope_of(credentials) for _ in range(3)]
    assert ask_at_a_door(members_node, scopes, budgets) == [200, 200, 429]
    assert [one["state"]["actor"].name for one in scopes] == ["acme"] * 3, "the audit log must know who waits"


def test_a_member_over_its_rate_has_nothing_written(members_node: Node, credentials: Credentials) -> None:
    budgets = Budgets(per_second=1, burst=2, monotonic=lambda: 0.0)
    before = nonces(members_node)
    posts = [scope_of(credentials, "POST", "/witness/add-checkpoint") for _ in range(5)]
    assert ask_at_a_door(members_node, posts, budgets) == [200, 200, 429, 429, 429]
    assert nonces(members_node) == before + 2


def test_forgeries_are_counted_and_no_member_waits_for_them(
    members_node: Node, credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: Counter[str] = Counter()
    monkeypatch.setattr(members_node.token_checks, "note_refusal", lambda reason: counted.update([reason]))
    monkeypatch.setattr(member_door, "FAILURES_BURST", 3.0)
    monkeypatch.setattr(member_door, "FAILURES_PER_SECOND", 1e-9)
    forged = Credentials("acme", "acme-request-1", Ed25519PrivateKey.generate(), NOW.timestamp)
    scopes = [*([scope_of(forged)] * 5), scope_of(credentials)]
    plenty = Budgets(per_second=1, burst=100)
    assert ask_at_a_door(members_node, scopes, plenty) == [401, 401, 401, 429, 429, 200]
    assert counted == {"signature": 3, "address": 2}
    unsigned = {**scope_of(credentials), "headers": []}
    assert ask_at_a_door(members_node, [unsigned], plenty) == [401]
    assert counted["signature"] == 4


def test_a_long_writer_keeps_nobody_from_reading(door: Served, members_node: Node, credentials: Credentials) -> None:
    """More requests wait to be written than the application has threads for everything else."""
    path, many = "/witness/add-checkpoint", 50
    url = f"http://127.0.0.1:{door.port}"

    def post(_number: int) -> int:
        headers = credentials.headers("POST", f"{URL}{path}", b"x")
        return httpx.post(f"{url}{path}", content=b"x", headers=headers, timeout=60).status_code

    with ThreadPoolExecutor(many) as pool:
        with members_node.database.write():
            sent = [pool.submit(post, number) for number in range(many)]
            lane = door.app.state.lanes.nonces
            for _ in range(3_000):
                if lane.statistics().tasks_waiting >= many - lane.total_tokens:
                    break
                sleep(0.01)
            assert httpx.get(f"{url}/trust/metadata/timestamp.json", timeout=15).status_code == 200
            signed = credentials.headers("GET", f"{URL}{CHECKPOINT}")
            assert httpx.get(f"{url}{CHECKPOINT}", headers=signed, timeout=15).status_code == 200
            asked = httpx.post(f"{url}/v1/match", json={"sha256": "ab" * 32}, headers=door.authorization, timeout=15)
            assert asked.status_code in {200, 400, 422}, "somebody looked at it"
        assert {one.result() for one in sent} == {400}
