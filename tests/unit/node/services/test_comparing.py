from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from follower import Follower
from hashpact_keys.evidence import verify_evidence
from hashpact_node.services.comparing import PEERS_AT_ONCE, WITHHELD, Compared, Comparer
from hashpact_node.services.evidence import EvidenceKeeper
from hashpact_node.services.trusting import Trusting
from hashpact_node.store.peers import Peer
from hashpact_protocol.errors import FetchError
from hashpact_protocol.statements import encode_statement
from hashpact_protocol.tiles import TileId
from hashpact_protocol.witness import origin_hash
from members import listing, sha256
from publisher import Publisher, ScriptedLog, gone, login_page, says


def entries(first: int, count: int) -> list[bytes]:
    return [encode_statement(listing(number, sha256(number))) for number in range(first, first + count)]


@pytest.fixture
def reader(sqlite_follower: Follower) -> Follower:
    return sqlite_follower


@pytest.fixture
def gamma(reader: Follower) -> Iterator[Publisher]:
    """Another reader, who shows what it was shown."""
    with Publisher("gamma") as one:
        reader.add(one)
        yield one
        one.unexpected = [path for path in one.unexpected if not path.startswith(("witness/", "mirror/"))]


def comparer(reader: Follower) -> Comparer:
    trusting = Trusting(reader.database, reader.fetcher, reader.now)
    keeper = EvidenceKeeper(reader.database, reader.now)
    return Comparer(reader.database, reader.locks, reader.fetcher, keeper, trusting, reader.now)


def compare(reader: Follower) -> Compared:
    return comparer(reader).compare("gamma")


def tiles(size: int) -> Iterator[TileId]:
    """Give the tiles of hashes of a tree of fewer than 65 536 entries."""
    for level, hashes in ((0, size), (1, size // 256)):
        for number in range(-(-hashes // 256)):
            yield TileId(level, number, min(256, hashes - number * 256))


def show(gamma: Publisher, log: ScriptedLog, note: bytes, *, mirror: bool = True) -> None:
    """Let gamma show what it was shown of a log, and mirror its tiles, too, unless it has none."""
    hashed = origin_hash(log.origin)
    gamma.alter(f"/witness/{hashed}/checkpoint", says(note))
    for tile in tiles(log.size):
        gamma.alter(f"/mirror/{hashed}/{tile}", says(log.read(tile) or b"") if mirror else gone)


def other_story(publisher: Publisher, size: int) -> ScriptedLog:
    """Another story of the publisher's log, signed by the same key."""
    other = ScriptedLog(publisher.url)
    other.keys = publisher.log.keys
    other.tell(entries(500, 1) + entries(2, size - 1))
    return other


@pytest.mark.parametrize(("held", "shown"), [(4, 4), (6, 3), (3, 6), (300, 520), (520, 300)], ids=str)
def test_another_story_that_a_peer_was_shown_is_evidence(
    reader: Follower, publisher: Publisher, gamma: Publisher, held: int, shown: int
) -> None:
    publisher.log.append(*entries(1, held))
    reader.add(publisher)
    reader.pull(publisher)
    other = other_story(publisher, shown)
    show(gamma, other, publisher.note(other))
    compared = compare(reader)
    assert (compared.checkpoints, compared.evidence, compared.notices) == (1, [1], [])
    assert compare(reader).evidence == [1]  # the same again is kept once
    proven = verify_evidence(EvidenceKeeper(reader.database, reader.now).read(1).data, publisher.root_file)
    assert (proven.member, proven.void) == ("beta", None)
    assert reader.alarms().keys() == {"log-forked"}
    assert (reader.peer("gamma").failures, reader.peer().failures) == (0, 0)
    assert reader.held(publisher) == held


@pytest.mark.parametrize(("held", "shown"), [(4, 4), (6, 3), (3, 6), (300, 520)], ids=str)
def test_one_story_is_no_evidence(
    reader: Follower, publisher: Publisher, gamma: Publisher, held: int, shown: int
) -> None:
    publisher.log.append(*entries(1, max(held, shown)))
    publisher.log.shown = held
    reader.add(publisher)
    reader.pull(publisher)
    publisher.log.shown = shown
    show(gamma, publisher.log, publisher.note())
    compared = compare(reader)
    assert (compared.checkpoints, compared.evidence, compared.notices) == (1, [], [])
    assert reader.alarms() == {}
    assert reader.held(publisher) == held  # whatever others were shown, a log is read from its publisher


def test_nobody_is_asked_about_the_log_of_an_audience(reader: Follower, publisher: Publisher, gamma: Publisher) -> None:
    publisher.log.append(*entries(1, 1))
    secret = publisher.add_log("listings-x1-1", name="listings-x1")
    secret.append(*entries(1, 1))
    publisher.publish()
    reader.add(publisher)
    assert reader.pull(publisher) == []
    gamma.forget()
    assert compare(reader).notices == []
    asked = gamma.paths("/witness/")
    assert f"witness/{origin_hash(publisher.log.origin)}/checkpoint" in asked
    assert f"witness/{origin_hash(secret.origin)}/checkpoint" not in asked


def test_a_larger_one_is_proven_by_the_publisher_where_the_peer_has_no_mirror(
    reader: Follower, publisher: Publisher, gamma: Publisher
) -> None:
    publisher.log.append(*entries(1, 3))
    reader.add(publisher)
    reader.pull(publisher)
    other = other_story(publisher, 5)
    show(gamma, other, publisher.note(other), mirror=False)
    publisher.log.tell(other.entries)  # it serves what it is asked for, and hopes that nobody compares
    assert compare(reader).evidence == [1]


def test_a_larger_one_that_nobody_can_prove_stays_a_hint(
    reader: Follower, publisher: Publisher, gamma: Publisher
) -> None:
    publisher.log.append(*entries(1, 3))
    reader.add(publisher)
    reader.pull(publisher)
    show(gamma, publisher.log, publisher.note(size=5, root=b"\1" * 32), mirror=False)
    for tile in tiles(5):
        gamma.alter(f"/mirror/{origin_hash(publisher.log.origin)}/{tile}", gone)
        publisher.alter(str(tile), gone)
    publisher.alter("tile/0/000", gone)
    gamma.alter(f"/mirror/{origin_hash(publisher.log.origin)}/tile/0/000", gone)
    compared = compare(reader)
    assert (compared.evidence, compared.notices) == ([], [])
    assert reader.alarms() == {}


def test_lies_about_others_are_told_and_touch_nobody(reader: Follower, publisher: Publisher, gamma: Publisher) -> None:
    publisher.log.append(*entries(1, 3))
    reader.add(publisher)
    reader.pull(publisher)
    forged = gamma.note(origin=publisher.log.origin, size=3, root=b"\1" * 32)
    elsewhere = publisher.note(origin="beta.example/other")
    for lie in (forged, elsewhere, b"nonsense"):
        show(gamma, publisher.log, lie)
        assert len(compare(reader).notices) == 1
    assert EvidenceKeeper(reader.database, reader.now).list() == []
    alarm = reader.alarms()["comparison-notice"]
    assert alarm.peer == reader.peer("gamma").number
    assert [reader.peer(member).failures for member in ("beta", "gamma")] == [0, 0]
    show(gamma, publisher.log, publisher.note())
    compare(reader)
    assert reader.alarms() == {}


def test_a_page_for_people_is_told_as_well(reader: Follower, publisher: Publisher, gamma: Publisher) -> None:
    reader.add(publisher)
    show(gamma, publisher.log, publisher.note())
    gamma.alter("/witness/cards", login_page)
    assert "no list of cards" in compare(reader).notices[0]


def listed(publisher: Publisher, targets: bytes, **changes: object) -> bytes:
    card = {"member": "beta", "url": publisher.url, "version": publisher.card_version}
    return json.dumps({"cards": [{**card, "sha256": hashlib.sha256(targets).hexdigest(), **changes}]}).encode()


def newest_targets(publisher: Publisher) -> bytes:
    return publisher.files["metadata", f"{publisher.card_version}.targets.json"]


def test_another_card_of_one_version_is_evidence(reader: Follower, publisher: Publisher, gamma: Publisher) -> None:
    before = dict(publisher.files)
    publisher.publish(name="Beta, as others see it")
    theirs = newest_targets(publisher)
    publisher.files = before
    publisher.publish(name="Beta, as we see it")
    reader.add(publisher)
    gamma.alter("/witness/cards", says(listed(publisher, theirs)))
    gamma.alter(f"/witness/cards/beta/{publisher.card_version}", says(theirs))
    assert compare(reader).evidence == [1]
    proven = verify_evidence(EvidenceKeeper(reader.database, reader.now).read(1).data, publisher.root_file)
    assert "two targets metadata" in proven.what
    assert reader.alarms().keys() == {"card-forked"}
    gamma.alter(f"/witness/cards/beta/{publisher.card_version}", says(theirs[:-9] + b"}"))
    assert len(compare(reader).notices) == 1  # what does not verify is a lie of gamma's
    gamma.alter("/witness/cards", says(listed(publisher, theirs, url="http://127.0.0.1:1")))
    assert compare(reader).cards == 0  # another member of the same id


def test_a_higher_card_is_a_hint_to_look_once_a_minute(
    reader: Follower, publisher: Publisher, gamma: Publisher
) -> None:
    reader.add(publisher)
    reader.later(minutes=2)
    publisher.now = reader.clock[0]
    publisher.publish(name="Beta anew")
    gamma.alter("/witness/cards", says(listed(publisher, newest_targets(publisher))))
    compare(reader)
    assert reader.peer().card_version == publisher.card_version
    gamma.alter("/witness/cards", says(listed(publisher, b"", version=publisher.card_version + 1)))
    publisher.forget()
    compare(reader)
    assert publisher.asked == []
    reader.later(minutes=2)
    compare(reader)
    assert publisher.asked != []
    assert reader.alarms() == {}


def test_a_card_that_is_withheld_from_us_is_an_alarm_until_it_comes(
    reader: Follower, publisher: Publisher, gamma: Publisher
) -> None:
    reader.add(publisher)
    reader.later(minutes=2)
    publisher.now = reader.clock[0]
    old, shown = dict(publisher.files), publisher.card_version
    publisher.publish(name="Beta anew")
    new, targets, version = dict(publisher.files), newest_targets(publisher), publisher.card_version
    publisher.files = old
    gamma.alter("/witness/cards", says(listed(publisher, targets, version=version)))
    gamma.alter(f"/witness/cards/beta/{version}", says(targets))
    compare(reader)
    assert reader.peer().card_version == shown
    alarm = reader.alarms()[WITHHELD]
    assert f"beta has signed card {version} for others" in alarm.what
    publisher.files = new
    reader.later(minutes=2)
    compare(reader)
    assert (reader.peer().card_version, reader.alarms()) == (version, {})


def test_a_card_that_the_member_never_signed_is_no_alarm(
    reader: Follower, publisher: Publisher, gamma: Publisher
) -> None:
    reader.add(publisher)
    reader.later(minutes=2)
    publisher.now = reader.clock[0]
    version = publisher.card_version + 5
    gamma.alter("/witness/cards", says(listed(publisher, b"", version=version)))
    for lie in (newest_targets(gamma), newest_targets(publisher), b"{}"):
        gamma.alter(f"/witness/cards/beta/{version}", says(lie))
        compared = compare(reader)
        assert WITHHELD not in reader.alarms()
        assert compared.notices
        reader.later(minutes=2)


def test_a_few_peers_are_compared_with_and_none_is_blamed(reader: Follower, publisher: Publisher) -> None:
    reader.add(publisher)
    some = comparer(reader)
    asked: list[int] = []

    def choose(population: Sequence[Peer], k: int) -> list[Peer]:
        asked.append(k)
        return list(population)[:k]

    publisher.alter(f"/witness/{origin_hash(publisher.log.origin)}/checkpoint", says(b"", 500))
    with pytest.raises(FetchError):
        some.compare("beta")
    assert replace(some, choose=choose).compare_some() == []
    assert asked == [1]
    assert PEERS_AT_ONCE >= 1
    assert reader.peer().failures == 0
    publisher.unexpected.clear()  # the checkpoints of logs that it does not hold


def test_logs_of_members_who_were_removed_are_not_compared(
    reader: Follower, publisher: Publisher, gamma: Publisher
) -> None:
    publisher.log.append(*entries(1, 3))
    reader.add(publisher)
    reader.pull(publisher)
    show(gamma, publisher.log, publisher.note())
    reader.peering.remove("beta")
    assert compare(reader).checkpoints == 0
