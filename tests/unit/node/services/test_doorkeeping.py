from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select

from hashpact_keys.rows import RowName
from hashpact_node.services.doorkeeping import Doorkeeper
from hashpact_node.store.database import Database
from hashpact_node.store.doorbells import list_rings
from hashpact_node.store.peers import PAUSED, REMOVED, accept_card, get_peer, set_state
from hashpact_node.store.tables_requests import RequestNonce
from hashpact_protocol.card import Card, RequestKey, encode_card
from hashpact_protocol.errors import SignatureError
from hashpact_protocol.names import MemberUrl
from hashpact_protocol.requests import sign_request
from members import add_member
from own_member import NOW, OwnMember, found_member

OWN = "https://acme.example"
TARGET = "/logs/listings-1/checkpoint"


def key(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)


def request_key(name: str, seed: int, *, begins: datetime = NOW, days: int = 30) -> RequestKey:
    return RequestKey(name, key(seed).public_key().public_bytes_raw(), begins, begins + timedelta(days=days))


@dataclass
class Door:
    """Acme's door, and its peer beta, whose request key has the seed 1."""

    own: OwnMember
    now: datetime = NOW
    hints: list[int] = field(default_factory=list)
    version: int | None = None

    @property
    def database(self) -> Database:
        return self.own.database

    def __post_init__(self) -> None:
        self.keeper = Doorkeeper(self.database, MemberUrl.parse(OWN), lambda: self.now, lambda: self.hints.append(1))
        add_member(self.database, "beta")
        self.card(request_key("beta-request-1", 1))

    def card(self, *keys: RequestKey) -> None:
        """Let a newer card of beta be accepted."""
        card = Card("beta", "Beta", "https://beta.example", (), (), (), keys)
        version = 1 if self.version is None else self.version + 1
        with self.database.write() as connection:
            peer = get_peer(connection, "beta")
            accept_card(
                connection, peer.number, old_version=self.version, version=version, card=encode_card(card), now=NOW
            )
        self.version = version

    def state(self, state: str) -> None:
        with self.database.write() as connection:
            set_state(connection, get_peer(connection, "beta").number, state)

    def ask(
        self,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        target: str = TARGET,
        body: bytes = b"",
        **told: Any,
    ) -> str:
        """Ask with these fields, or with what beta signs for it."""
        found = signed(method, target, body, **told) if headers is None else headers
        fields = [(name.lower(), value) for name, value in found.items()]
        try:
            return admit(self.keeper, method, target, fields, body)
        finally:
            self.keeper.give_hints()


def admit(keeper: Doorkeeper, method: str, target: str, fields: Iterable[tuple[str, str]], body: bytes) -> str:
    """Check and remember, as the door does."""
    found = keeper.check(method, target, fields, body)
    keeper.remember(found)
    return found.member


def signed(  # noqa: PLR0917  as a request has it
    method: str = "GET",
    target: str = TARGET,
    body: bytes = b"",
    seed: int = 1,
    key_id: str = "beta-request-1",
    nonce: str = "n" * 16,
    created: datetime = NOW,
    member: str = "beta",
) -> dict[str, str]:
    return sign_request(
        method,
        f"{OWN}{target}",
        body,
        member=member,
        key_id=key_id,
        created=int(created.timestamp()),
        nonce=nonce,
        sign=key(seed).sign,
    )


@pytest.fixture
def door(sqlite_database: Database, tmp_path: Path) -> Door:
    return Door(found_member(sqlite_database, tmp_path, sqlite_database.where))


def test_a_peer_is_let_in_by_its_signature(door: Door) -> None:
    assert door.ask() == "beta"
    assert door.ask(target="/logs/listings-1/tile/0/000?x=1") == "beta"
    assert door.ask(method="POST", body=b"a checkpoint") == "beta"


def test_nonces_are_forgotten_by_the_way(door: Door) -> None:
    def remembered() -> int:
        with door.database.read() as connection:
            return connection.execute(select(func.count()).select_from(RequestNonce)).scalar_one()

    door.ask(method="POST", nonce="a" * 16)
    door.now += timedelta(seconds=30)
    door.ask(method="POST", nonce="b" * 16, created=door.now)
    assert remembered() == 2
    door.now += timedelta(minutes=5)
    door.ask(method="POST", nonce="c" * 16, created=door.now)
    assert remembered() == 1


def test_this_member_may_ask_itself(door: Door) -> None:
    (signer,) = door.own.keyring.note_signers(RowName.REQUEST)
    headers = sign_request(
        "GET",
        f"{OWN}{TARGET}",
        b"",
        member="acme",
        key_id="acme-request-1",
        created=int(NOW.timestamp()),
        nonce="",
        sign=signer.sign,
    )
    assert door.ask(headers) == "acme"


@pytest.mark.parametrize(
    "told",
    [
        {"seed": 2},
        {"key_id": "beta-request-2"},
        {"member": "gamma"},
        {"member": "acme"},
        {"created": NOW - timedelta(seconds=121)},
        {"created": NOW + timedelta(seconds=61)},
    ],
    ids=str,
)
def test_nobody_else_is(door: Door, told: dict[str, Any]) -> None:
    with pytest.raises(SignatureError):
        door.ask(**told)


def test_a_request_is_made_for_us_and_not_for_another_of_our_names(door: Door) -> None:
    headers = sign_request(
        "GET",
        f"https://elsewhere.example{TARGET}",
        b"",
        member="beta",
        key_id="beta-request-1",
        created=int(NOW.timestamp()),
        nonce="",
        sign=key(1).sign,
    )
    with pytest.raises(SignatureError):
        door.ask(headers)


def test_who_is_not_read_for_a_while_may_read_and_who_is_removed_may_not(door: Door) -> None:
    door.state(PAUSED)
    assert door.ask() == "beta"
    door.state(REMOVED)
    with pytest.raises(SignatureError):
        door.ask()


def test_whoever_is_added_under_another_root_brings_its_own_keys(door: Door) -> None:
    assert door.ask() == "beta"
    door.state(REMOVED)
    add_member(door.database, "beta")
    door.version = None
    door.card(request_key("beta-request-1", 2))  # of the same version as the one before
    assert door.ask(seed=2) == "beta"
    with pytest.raises(SignatureError):
        door.ask(seed=1)


def test_a_request_that_changes_something_counts_once_and_a_get_as_often_as_it_comes(door: Door) -> None:
    assert door.ask(method="POST") == "beta"
    with pytest.raises(SignatureError, match="sent before"):
        door.ask(method="POST")
    assert door.ask(method="POST", nonce="m" * 16) == "beta"
    assert door.ask() == door.ask() == "beta"


def test_it_counts_once_whichever_process_is_asked_and_until_it_has_expired_by_any_clock(door: Door) -> None:
    door.ask(method="POST")
    other = Doorkeeper(door.database, MemberUrl.parse(OWN), lambda: door.now)
    headers = [(name.lower(), value) for name, value in signed("POST").items()]
    for seconds in (0, 60, 120):
        door.now = NOW + timedelta(seconds=seconds)
        with pytest.raises(SignatureError, match="sent before"):
            admit(other, "POST", TARGET, headers, b"")
    door.now = NOW + timedelta(seconds=121)
    with pytest.raises(SignatureError, match="expires at"):
        admit(other, "POST", TARGET, headers, b"")


def test_a_process_with_a_fast_clock_forgets_nothing_that_one_with_a_slow_clock_still_takes(door: Door) -> None:
    headers = [(name.lower(), value) for name, value in signed("POST").items()]
    times = {"fast": NOW, "slow": NOW}
    fast, slow = (Doorkeeper(door.database, MemberUrl.parse(OWN), lambda who=who: times[who]) for who in times)  # type: ignore[misc]  # the default binds it now
    admit(slow, "POST", TARGET, headers, b"")
    times |= {"fast": NOW + timedelta(seconds=125), "slow": NOW + timedelta(seconds=115)}
    other = signed("POST", nonce="m" * 16, created=times["fast"])
    admit(fast, "POST", TARGET, [(name.lower(), value) for name, value in other.items()], b"")
    with pytest.raises(SignatureError, match="sent before"):
        admit(slow, "POST", TARGET, headers, b"")


def test_whoever_checks_writes_nothing(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: Database) -> None:
        raise AssertionError("this should not have written")

    monkeypatch.setattr(Database, "write", refuse)
    fields = [(name.lower(), value) for name, value in signed("POST").items()]
    assert door.keeper.check("POST", TARGET, fields, b"").nonce == "n" * 16
    unknown = [(name.lower(), value) for name, value in signed(key_id="beta-request-9", seed=9).items()]
    with pytest.raises(SignatureError):
        door.keeper.check("GET", TARGET, unknown, b"")
    assert door.keeper.has_hints


def test_what_is_forged_uses_up_no_nonce(door: Door) -> None:
    with pytest.raises(SignatureError):
        door.ask(method="POST", seed=2)
    assert door.ask(method="POST") == "beta"


def test_keys_count_while_the_card_says_so(door: Door) -> None:
    tomorrow = NOW + timedelta(days=1)
    door.card(request_key("beta-request-1", 1, days=1), request_key("beta-request-2", 2, begins=tomorrow))
    assert door.ask() == "beta"
    with pytest.raises(SignatureError):
        door.ask(key_id="beta-request-2", seed=2)
    door.now = tomorrow
    for key_id, seed in (("beta-request-1", 1), ("beta-request-2", 2)):
        assert door.ask(key_id=key_id, seed=seed, created=door.now) == "beta"
    door.now = tomorrow + timedelta(seconds=1)
    with pytest.raises(SignatureError):
        door.ask(created=door.now)
    door.card(request_key("beta-request-3", 3))
    with pytest.raises(SignatureError):
        door.ask(key_id="beta-request-2", seed=2, created=door.now)
    assert door.ask(key_id="beta-request-3", seed=3, created=door.now) == "beta"


def test_an_unknown_key_of_a_peer_makes_us_look_for_its_card_once_a_minute(door: Door) -> None:
    for _ in range(3):
        with pytest.raises(SignatureError):
            door.ask(key_id="beta-request-9", seed=9)
    assert door.hints == [1]
    with door.database.read() as connection:
        (ring,) = list_rings(connection)
    assert (ring.member, ring.card_is_newer) == ("beta", True)


def test_strangers_and_ourselves_make_us_look_for_nothing(door: Door) -> None:
    for member in ("gamma", "acme"):
        with pytest.raises(SignatureError):
            door.ask(member=member, key_id="some-key")
    door.state(PAUSED)
    with pytest.raises(SignatureError):
        door.ask(key_id="beta-request-9")
    assert door.hints == []
