from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from follower import Follower
from hashpact_keys.rows import TrustRole
from hashpact_keys.trust_files import newest
from hashpact_node.services.introducing import Introducer, Preview
from hashpact_node.store.peers import list_peers
from hashpact_protocol.errors import CardError, ConflictError, FetchError, HashpactError, RequestError, TrustError
from publisher import Publisher, says

Look = Callable[..., Preview]


@pytest.fixture
def look(sqlite_follower: Follower, publisher: Publisher) -> Look:
    """Looks at beta, by its fingerprint unless told otherwise."""
    introducer = Introducer(sqlite_follower.database, sqlite_follower.fetcher, sqlite_follower.now)

    def run(member: str = "beta", url: str | None = None, **pin: Any) -> Preview:
        return introducer.look(member, url or publisher.url, **(pin or {"fingerprint": publisher.fingerprint}))

    return run


@pytest.fixture
def gamma(sqlite_follower: Follower) -> Iterator[Publisher]:
    """A peer that is followed already."""
    with Publisher("gamma") as one:
        sqlite_follower.add(one)
        yield one


def nothing_is_stored(follower: Follower) -> bool:
    with follower.database.read() as connection:
        return list_peers(connection, states=("active", "paused", "removed")) == [] and follower.alarms() == {}


def test_a_member_is_shown_under_its_pin(sqlite_follower: Follower, publisher: Publisher, look: Look) -> None:
    publisher.publish(name="Beta Ltd.", contacts=["mailto:trust@beta.example"])
    for pin in ({"fingerprint": publisher.fingerprint}, {"root": publisher.root_file}):
        found = look(**pin)
        assert (found.member, found.name, found.url) == ("beta", "Beta Ltd.", publisher.url)
        assert found.contacts == ("mailto:trust@beta.example",)
        assert found.pinned == found.fingerprint == publisher.fingerprint
        assert (found.root_version, found.root_threshold, found.root_keys) == (1, 1, 1)
        assert (found.logs, found.witness_keys, found.request_keys) == (("listings",), 1, 1)
        assert found.root_expires == found.card_expires == "2027-11-24T04:00:00Z"
        assert found.card_version == publisher.card_version
        assert (found.known_to, found.peers_asked) == ((), 0)
        assert ["in trial" in one for one in found.cautions] == [True]
    assert nothing_is_stored(sqlite_follower)


def test_whoever_would_not_be_added_is_not_shown(sqlite_follower: Follower, publisher: Publisher, look: Look) -> None:
    with pytest.raises(RequestError, match="pinned by its root"):
        look(root=None)
    with pytest.raises(RequestError, match="no fingerprint"):
        look(fingerprint="nonsense")
    with pytest.raises(RequestError, match="given with it"):
        look(root=publisher.root_file, fingerprint=f"1:sha256:{'0' * 64}")
    with pytest.raises(ConflictError, match="that of acme"):
        look(url="https://acme.example/sub")
    assert publisher.asked == [], "nobody was asked yet"
    with pytest.raises(TrustError, match="was pinned"):
        look(fingerprint=f"1:sha256:{'0' * 64}")
    with pytest.raises(CardError, match="member"):
        look("delta")
    publisher.alter("/trust/metadata/timestamp.json", says(b"", 500))
    with pytest.raises(FetchError):
        look()
    assert nothing_is_stored(sqlite_follower)


def test_whoever_is_there_already_is_not_shown_again(
    sqlite_follower: Follower, publisher: Publisher, look: Look
) -> None:
    sqlite_follower.add(publisher)
    for pin in ({}, {"fingerprint": f"1:sha256:{'0' * 64}"}):
        with pytest.raises(
            ConflictError, match=f"beta is followed already, pinned by {publisher.fingerprint}"
        ) as caught:
            look(**pin)
        assert "peer show beta" in str(caught.value.mend)
    with pytest.raises(ConflictError, match="that of beta"):
        look("delta")
    with pytest.raises(ConflictError, match="beta, or its URL, is there already"):
        look(url="https://elsewhere.example")
    sqlite_follower.peering.remove("beta")
    assert look().member == "beta"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Gamma", "gamma has the same name, Gamma"),
        ("Garnma", "the name Garnma may be taken for that of gamma"),
        ("\u0410\u0441\u043c\u0435", "may be taken for that of acme, which is Acme"),
        ("Be\u0442a", "mixes Cyrillic and Latin letters"),
        ("Beta\u202e", "cannot be seen"),
    ],
)
def test_names_in_look_alike_letters_are_told(
    gamma: Publisher, publisher: Publisher, look: Look, name: str, words: str
) -> None:
    assert not any("may be taken" in one or "same name" in one for one in look().cautions)
    publisher.now = gamma.now.replace(hour=5)
    publisher.publish(name=name)
    assert any(words in one for one in look().cautions)


def test_ids_and_addresses_that_read_alike_are_told(sqlite_follower: Follower, look: Look) -> None:
    with Publisher("acrne") as other:
        found = look("acrne", other.url, fingerprint=other.fingerprint)
        assert any("the id acrne may be taken for acme" in one for one in found.cautions)
        assert not any("address" in one for one in found.cautions)
    assert nothing_is_stored(sqlite_follower)


def test_a_shared_key_is_told(gamma: Publisher, publisher: Publisher, look: Look) -> None:
    publisher.log.keys = gamma.log.keys
    publisher.now = gamma.now.replace(hour=5)
    publisher.publish()
    assert any("gamma lists one of the same keys" in one for one in look().cautions)


def test_peers_say_whom_they_know(gamma: Publisher, publisher: Publisher, look: Look) -> None:
    targets = newest(publisher.files, TrustRole.TARGETS) or b""
    same = {
        "member": "beta",
        "url": publisher.url,
        "version": publisher.card_version,
        "sha256": hashlib.sha256(targets).hexdigest(),
        "root": 1,
    }

    def ask(**changes: object) -> Preview:
        gamma.alter("/witness/cards", says(json.dumps({"cards": [{**same, **changes}]}).encode()))
        return look()

    assert (ask().known_to, ask().peers_asked) == (("gamma",), 1)
    found = ask(sha256="0" * 64)
    assert found.known_to == ()
    assert "gamma was shown another card of beta of the same version" in found.cautions
    assert ask(sha256="0" * 64, version=1).known_to == ()
    assert "gamma knows beta at another address, https://other.example" in ask(url="https://other.example").cautions
    assert ask(member="delta").known_to == ()
    for answer in (says(b"no list"), says(b"", 500)):
        gamma.alter("/witness/cards", answer)
        assert look().peers_asked == 0
    assert not [one for one in look().cautions if "gamma" in one]


def test_a_root_that_expires_soon_is_told(sqlite_follower: Follower, publisher: Publisher, look: Look) -> None:
    sqlite_follower.later(days=340)
    publisher.now = sqlite_follower.clock[0]
    publisher.renew()
    assert any("its root expires soon" in one for one in look().cautions)


def test_what_is_looked_at_is_what_is_added(sqlite_follower: Follower, publisher: Publisher, look: Look) -> None:
    found = look()
    sqlite_follower.add(publisher)
    peer = sqlite_follower.peer()
    assert (peer.pinned_fingerprint, peer.card_version) == (found.pinned, found.card_version)
    assert issubclass(ConflictError, HashpactError)
