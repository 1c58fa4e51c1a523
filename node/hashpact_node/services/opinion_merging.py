"""Opinions out of verified logs: kept, bounded, and bound to the revisions that they are about.

What a member thinks counts only while the revision that it names is the winning one (docs/protocol.md, Merge). That is
found out when an opinion comes, and again when the listing changes, so that it is the same in whatever order they come.
Opinions about what is not here, or not yet, are kept; of each sequence of logs the newest so many, so that nobody is
kept busy by one member.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

from hashpact_node.services.entries import EntryReader
from hashpact_node.services.views import own_peer
from hashpact_node.store.alarms import raise_alarm
from hashpact_node.store.connection import Connection
from hashpact_node.store.disputes import (
    Answer,
    add_delays,
    answer_dispute,
    disputed,
    open_dispute,
    take_dispute_back,
)
from hashpact_node.store.local_decisions import decided_listings, place_decisions
from hashpact_node.store.logs import Log, find_sequence, list_logs
from hashpact_node.store.opinions import (
    DISAGREE,
    Listed,
    Opinion,
    any_about,
    drop_oldest,
    drop_others,
    find_opinions,
    members_of,
    opinions_about,
    place_opinions,
    put_opinions,
)
from hashpact_node.store.owners import OwnerRow, find_owners
from hashpact_node.store.peers import find_peer
from hashpact_protocol.claims import Place
from hashpact_protocol.errors import FetchError, MemberNameError, NotFoundError, TileError
from hashpact_protocol.merge import About, Ended, Kind, Opined
from hashpact_protocol.merkle import leaf_hash
from hashpact_protocol.names import parse_member_id
from hashpact_protocol.statement_fields import parse_time

KEPT_MAX: Final = 65_536
"""How many opinions of one sequence of logs are kept: the newest, by place, on as many listings."""

REASON_MAX: Final = 100
"""How much of a reason is kept, in characters; those that have a meaning are words."""

LOG_NAME_MAX: Final = 128
FLOOD: Final = "opinion-flood"
"""The alarm for a member that opines on more listings than are kept."""


class Winning(NamedTuple):
    """The winning revision of a live listing: its place and leaf hash; None where that cannot be read back."""

    place: Place
    leaf: bytes | None


def take_opinions(connection: Connection, log: Log, opinions: Mapping[About, Opined], *, now: datetime) -> set[Place]:
    """Take the newest opinions of a batch of a log into the table; give the places of listings of which that says more.

    What a member thinks of its own listings is passed over, and so is what names no member. Raises StoreError.
    """
    wanted = {Listed(*about): one for about, one in opinions.items() if _is_sound(log, about)}
    if not wanted:
        return set()
    standing = find_opinions(connection, log.sequence, wanted.keys())
    winning = find_winning(connection, wanted)
    rows = {listed: _row(log, listed, one, winning.get(listed)) for listed, one in wanted.items()}
    put_opinions(connection, rows.values())
    _note_disputes(connection, log.member, rows.values(), now=now)
    touched: set[Place] = set()
    for listed, one in rows.items():
        before = standing.get(listed)
        if before is None or _face(before) != _face(one):
            faces = (one,) if before is None else (before, one)
            touched.update(face.about for face in faces if face.about is not None)
    return touched | _hold_down(connection, log, now=now)


def settle_listings(
    connection: Connection, log: Log, identifiers: Collection[bytes] | None, *, now: datetime
) -> set[Place]:
    """Bind opinions and decisions to what wins now, after listings (ids; None: all) of a log's sequence changed.

    Gives the places of listings about which there is another opinion or decision than before. Of an own listing the
    disputes are answered by that.
    """
    about = opinions_about(connection, log.member, log.name, identifiers) if _any(connection, log) else []
    decided = decided_listings(connection, log.member, log.name)
    if identifiers is not None:
        decided &= set(identifiers)
    ids = {one.listed.listing for one in about} | decided
    own = log.member == own_peer(connection).member
    disputes = disputed(connection, log.name, identifiers) if own else []
    ids |= {one.listing for one in disputes}
    if not ids:
        return set()
    winning = find_winning(connection, {Listed(log.member, log.name, one) for one in ids})
    by_id = {listed.listing: found for listed, found in winning.items()}
    moved = [(one, place) for one in about if (place := _about(one.leaf, by_id.get(one.listed.listing))) != one.about]
    place_opinions(connection, moved)
    places = {one: None if (found := by_id.get(one)) is None else found.place for one in decided}
    place_decisions(connection, log.member, log.name, places)
    for dispute in disputes:
        found = by_id.get(dispute.listing)
        if found is None or found.leaf != dispute.leaf:
            answer = Answer.WITHDRAWN if found is None else Answer.RESTATED
            answer_dispute(connection, dispute.number, answer, now=int(now.timestamp()))
    if own and moved:
        whose = members_of(connection, {one.sequence for one, _ in moved})
        for one, place in moved:
            _note_disputes(connection, whose[one.sequence], [replace(one, about=place)], now=now)
    return {place for one, about in moved for place in (one.about, about) if place is not None} | {
        place for place in places.values() if place is not None
    }


def resettle(
    connection: Connection,
    sequence: int,
    logs: Sequence[tuple[Log, Mapping[About, Opined]]],
    *,
    now: datetime,
) -> set[Place]:
    """Bring what is kept of a sequence's opinions to those of its counting logs, given in order, and bind all anew.

    Gives the places of listings of which that says something else than before.
    """
    newest: dict[Listed, Log] = {}
    for log, opinions in logs:
        newest |= {Listed(*about): log for about in opinions}
    touched = set(drop_others(connection, sequence, newest.keys()))
    for log, opinions in logs:
        mine = {about: one for about, one in opinions.items() if newest[Listed(*about)].number == log.number}
        touched |= take_opinions(connection, log, mine, now=now)
    standing = list_logs(connection, sequence=sequence)
    return touched | (settle_listings(connection, standing[0], None, now=now) if standing else set())


def listings_of(owners: Iterable[OwnerRow]) -> set[bytes]:
    """Give the ids of listings among owners of a batch."""
    return {row[1] for row in owners if row[2] == Kind.LISTING}


def count_delays(
    connection: Connection, log: Log, withdrawn: Mapping[bytes, Ended], *, held: int, now: datetime
) -> None:
    """Count how long withdrawals took from their time to this merge.

    Only where the listing acted here: one that stood below the ``held`` entries with which this reading began, or in
    an earlier log. Whoever reads a log for the first time meets old corrections, and none of them was late.
    """
    acted = [one for one in withdrawn.values() if one.place.log != log.number or one.place.position < held]
    at = int(now.timestamp())
    add_delays(connection, log.peer, [at - int(parse_time(one.time).timestamp()) for one in acted], now=at)


def find_winning(connection: Connection, listed: Iterable[Listed]) -> dict[Listed, Winning]:
    """Give the winning revisions of those of some listings that live."""
    names: dict[tuple[str, str], list[bytes]] = {}
    for one in listed:
        names.setdefault((one.member, one.log_name), []).append(one.listing)
    live: dict[Listed, Place] = {}
    for (member, log_name), ids in names.items():
        peer = find_peer(connection, member)
        sequence = None if peer is None else find_sequence(connection, peer.number, log_name)
        if sequence is not None:
            for identifier, owner in find_owners(connection, sequence, ids).items():
                if owner.live and owner.kind == Kind.LISTING:
                    live[Listed(member, log_name, identifier)] = Place(owner.log, owner.position)
    reader = EntryReader(connection)
    # In this order each bundle is read once.
    ordered = sorted(live.items(), key=lambda pair: pair[1])
    return {one: Winning(place, _leaf(reader, place)) for one, place in ordered}


def _any(connection: Connection, log: Log) -> bool:
    return any_about(connection, log.member, log.name)


def _leaf(reader: EntryReader, place: Place) -> bytes | None:
    try:
        return leaf_hash(reader.entry(place.log, place.position))
    except (FetchError, NotFoundError, TileError):
        # A damaged bundle takes opinions away, and no hash; a rebuild tells of it.
        return None


def _is_sound(log: Log, about: About) -> bool:
    member, log_name, _ = about
    if member == log.member or len(log_name) > LOG_NAME_MAX:
        return False
    try:
        parse_member_id(member)
    except MemberNameError:
        return False
    return True


def _row(log: Log, listed: Listed, one: Opined, winning: Winning | None) -> Opinion:
    reason = None if one.reason is None else one.reason[:REASON_MAX]
    place = Place(log.number, one.position)
    time = int(parse_time(one.time).timestamp())
    return Opinion(log.sequence, listed, place, time, one.verdict, reason, one.leaf, _about(one.leaf, winning))


def _about(leaf: bytes, winning: Winning | None) -> Place | None:
    return winning.place if winning is not None and winning.leaf == leaf else None


def _face(one: Opinion) -> tuple[str, str | None, Place | None]:
    """Give what of an opinion a judgement can see."""
    return one.verdict, one.reason, one.about


def _hold_down(connection: Connection, log: Log, *, now: datetime) -> set[Place]:
    dropped, places = drop_oldest(connection, log.sequence, keep=KEPT_MAX)
    if dropped:
        what = f"{log.member} opines on more than {KEPT_MAX:,} listings; its oldest opinions count no more"
        raise_alarm(connection, FLOOD, what, mend="ask its people why", now=now, peer=log.peer, log=log.number)
    return set(places)


def _note_disputes(connection: Connection, member: str, opinions: Iterable[Opinion], *, now: datetime) -> None:
    """Note disagreements with own listings, and those that are over."""
    own, at = own_peer(connection).member, int(now.timestamp())
    for one in opinions:
        if one.listed.member != own:
            continue
        about = (one.listed.log_name, one.listed.listing)
        if one.verdict != DISAGREE:
            take_dispute_back(connection, *about, member, now=at)
        elif one.about is not None:
            open_dispute(connection, (*about, one.leaf), member, one.reason, one.place, now=at)
