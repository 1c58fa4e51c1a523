from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hashpact_node.services.blobs import Blobs, NewBlob, drop_unreferenced_blobs
from hashpact_node.services.drafts import ListingDraft
from hashpact_node.store.blobs import keys_of_hash
from hashpact_node.store.logs import LogTerms, put_card_logs
from hashpact_node.store.signals import find_signals
from hashpact_protocol.blobs import blob_signal
from hashpact_protocol.errors import NotFoundError, RequestError, SignalError
from hashpact_protocol.signals import Signal, make_signal
from members import add_member, sha256
from own_member import NOW, ORIGIN, OwnMember

FRAMES = b"".join(f"{number:064x},98,{number}.000\n".encode() for number in range(5))
NAME = hashlib.sha256(FRAMES).hexdigest()
VPDQ = blob_signal("vpdq", FRAMES)
LOG = "listings-1"


def blobs_at(acme: OwnMember, now: datetime = NOW) -> Blobs:
    return Blobs(acme.database, lambda: now)


def publish(acme: OwnMember, *signals: Signal, wait: bool = True) -> str:
    return acme.publisher.publish([ListingDraft("video", signals)], wait=wait)[0].id


def kept(acme: OwnMember, names: Iterable[str] = (NAME,)) -> list[bool]:
    with acme.database.read() as connection:
        return [bool(keys_of_hash(connection, bytes.fromhex(name))) for name in names]


def terms(slug: str, name: str) -> LogTerms:
    origin = f"acme.example/logs/{slug}"
    return LogTerms(name, "listings", origin, f"https://{origin}", "open", ("key",))


def test_a_blob_is_served_once_a_listing_names_it(acme: OwnMember) -> None:
    blobs = blobs_at(acme)
    stored = blobs.put("vpdq", FRAMES)
    assert (stored.type, stored.sha256, stored.length, stored.existing) == ("vpdq", NAME, len(FRAMES), False)
    assert blobs.put("vpdq", FRAMES).existing
    with pytest.raises(NotFoundError):
        blobs.served(LOG, NAME)
    listing = publish(acme, VPDQ)
    assert blobs.served(LOG, NAME) == FRAMES
    acme.publisher.withdraw(listing, "error")
    with pytest.raises(NotFoundError):
        blobs.served(LOG, NAME)


@pytest.mark.parametrize("name", ["", "ab" * 32, NAME.upper(), NAME[:-1], f"{NAME}0", "../checkpoint"])
def test_other_names_are_none(acme: OwnMember, name: str) -> None:
    blobs_at(acme).put("vpdq", FRAMES)
    publish(acme, VPDQ)
    with pytest.raises(NotFoundError):
        blobs_at(acme).served(LOG, name)
    with pytest.raises(NotFoundError):
        blobs_at(acme).served("listings-9", NAME)


def test_a_blob_of_a_type_that_nobody_knows(acme: OwnMember) -> None:
    blobs = blobs_at(acme)
    blobs.put("moon_hash", b"moon")
    publish(acme, make_signal("moon_hash", sha256=hashlib.sha256(b"moon").hexdigest(), length=4))
    assert blobs.served(LOG, hashlib.sha256(b"moon").hexdigest()) == b"moon"


def test_a_log_serves_what_another_of_its_name_holds_and_nothing_else(acme: OwnMember) -> None:
    """A successor serves the blobs of what it restates; a log for some readers is not read through another."""
    blobs = blobs_at(acme)
    blobs.put("vpdq", FRAMES)
    publish(acme, VPDQ)
    with acme.database.write() as connection:
        own = acme.log.peer
        both = (terms("listings-2", "listings"), terms("listings-eu-1", "listings-eu"))
        put_card_logs(connection, own, [terms(LOG, "listings"), *both])
    assert blobs.served("listings-2", NAME) == FRAMES
    with pytest.raises(NotFoundError):
        blobs.served("listings-eu-1", NAME)


def test_what_a_peer_lists_is_not_served(acme: OwnMember) -> None:
    from hashpact_protocol.statements import Listing  # noqa: PLC0415  only here
    from members import TIME, uuid_of  # noqa: PLC0415

    blobs = blobs_at(acme)
    blobs.put("vpdq", FRAMES)
    _peer, (log,) = add_member(acme.database, "beta")
    log.append(Listing(uuid_of(1), TIME, "video", (VPDQ,)))
    with acme.database.read() as connection:
        assert find_signals(connection, [VPDQ.key])[VPDQ.key].claims
    with pytest.raises(NotFoundError):
        blobs.served(LOG, NAME)


@pytest.mark.parametrize(
    "signal",
    [
        VPDQ,
        make_signal("vpdq", sha256="ef" * 32, length=9),
    ],
)
def test_nothing_is_listed_whose_blob_is_not_here(acme: OwnMember, signal: Signal) -> None:
    with pytest.raises(RequestError) as caught:
        acme.publisher.publish(
            [ListingDraft("video", (sha256(1),), where="line 1"), ListingDraft("video", (signal,), where="line 2")]
        )
    assert "is not here" in caught.value.what
    assert (caught.value.where, caught.value.mend) == ("line 2", "send it first: POST /v1/blobs?type=vpdq")
    assert acme.log.placed_size == 0


def test_a_length_that_is_not_the_blob_s_is_refused(acme: OwnMember) -> None:
    blobs_at(acme).put("vpdq", FRAMES)
    wrong = make_signal("vpdq", sha256=NAME, length=len(FRAMES) + 1)
    with pytest.raises(RequestError, match="bytes long"):
        publish(acme, wrong)


def test_a_file_is_published_with_its_blobs(acme: OwnMember, tmp_path: Path) -> None:
    video, other = tmp_path / "video", tmp_path / "other"
    video.write_bytes(b"a synthetic video")
    other.write_bytes(b"another")
    blob = NewBlob("vpdq", FRAMES, "frames")
    (one,) = acme.publisher.publish_files([video], blobs=[blob])
    assert [signal.type for signal in one.file.signals] == ["sha256", "vpdq"]
    assert acme.publisher.listing(one.published.id).listing.signals[1] == VPDQ
    assert blobs_at(acme).served(LOG, NAME) == FRAMES
    with pytest.raises(RequestError, match="one file"):
        acme.publisher.publish_files([video, other], blobs=[blob])
    with pytest.raises(SignalError) as caught:
        acme.publisher.publish_files([other], blobs=[NewBlob("vpdq", FRAMES[:-1], "frames.vpdq")])
    assert caught.value.where == "frames.vpdq: line 5"


def test_what_nothing_names_goes_after_a_day(acme: OwnMember) -> None:
    blobs_at(acme).put("vpdq", FRAMES)
    assert blobs_at(acme, NOW + timedelta(hours=23)).drop_unlisted() == 0
    assert blobs_at(acme, NOW + timedelta(hours=25)).drop_unlisted() == 1
    assert kept(acme) == [False]


def test_what_is_listed_stays_and_goes_with_its_last_listing(acme: OwnMember) -> None:
    blobs = blobs_at(acme)
    blobs.put("vpdq", FRAMES)
    listings = [publish(acme, VPDQ), publish(acme, VPDQ)]
    later = blobs_at(acme, NOW + timedelta(days=400))
    assert later.drop_unlisted() == 0
    acme.publisher.withdraw(listings[0], "error")
    assert later.drop_unlisted() == 0
    acme.publisher.withdraw(listings[1], "error")
    assert later.drop_unlisted() == 1


def test_what_waits_to_be_released_keeps_its_blobs(acme: OwnMember) -> None:
    blobs_at(acme).put("vpdq", FRAMES)
    publish(acme, VPDQ, wait=False)
    assert blobs_at(acme, NOW + timedelta(days=400)).drop_unlisted() == 0
    acme.releaser.release(acme.log.number)
    assert blobs_at(acme, NOW + timedelta(days=400)).drop_unlisted() == 0
    assert blobs_at(acme).served(LOG, NAME) == FRAMES


def test_an_erasure_drops_at_once_what_nothing_names(acme: OwnMember) -> None:
    blobs = blobs_at(acme)
    blobs.put("vpdq", FRAMES)
    blobs.put("tmk", b"other")
    publish(acme, VPDQ)
    with acme.database.write() as connection:
        assert drop_unreferenced_blobs(connection, used_before=NOW + timedelta(seconds=1)) == 1
    assert kept(acme, [NAME, hashlib.sha256(b"other").hexdigest()]) == [True, False]
    assert ORIGIN.endswith(LOG)
