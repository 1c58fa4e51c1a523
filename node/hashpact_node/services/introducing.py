"""Whom one is about to trust, and why: a member's own repository, read under the pin before anything is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from hashpact_keys.rows import TrustRole
from hashpact_keys.trust import RoleState, describe
from hashpact_keys.trust_checks import check_root
from hashpact_keys.trust_files import METADATA, TrustFiles, newest, root_fingerprint, roots
from hashpact_node.net.fetcher import Fetcher
from hashpact_node.net.peer_cards import CardSeen, PeerCards
from hashpact_node.net.trust import Peer as TrustPeer
from hashpact_node.net.trust import refresh_trust
from hashpact_node.net.trust_fetcher import TrustSource
from hashpact_node.services.likeness import about_card
from hashpact_node.services.views import own_peer
from hashpact_node.store.database import Database
from hashpact_node.store.directories import find_directory
from hashpact_node.store.peers import ACTIVE, FOLLOWED, REMOVED, SHOWN, SUSPENDED, Peer, find_peer, list_peers
from hashpact_protocol.card import Card, parse_card
from hashpact_protocol.directory import Standing, parse_directory
from hashpact_protocol.errors import ConflictError, HashpactError, RequestError, TrustError
from hashpact_protocol.names import FINGERPRINT, MemberUrl, collides, parse_member_id
from hashpact_protocol.statement_fields import format_time

PEERS_ASKED: Final = 8
ROOT_KEYS_ADVISED: Final = 3
ROOT_THRESHOLD_ADVISED: Final = 2
EXPIRES_SOON: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Preview:
    """A member as its own repository shows it under the pin; times are as on the wire.

    ``fingerprint`` is that of its newest root, ``pinned`` what came by another channel. ``known_to`` are the peers,
    out of ``peers_asked`` that answered, that trust the very same card. ``directory`` is what the directory says of it,
    None where none is followed. ``cautions`` are reasons to look twice.
    """

    member: str
    url: str
    name: str
    contacts: tuple[str, ...]
    pinned: str
    fingerprint: str
    root_version: int
    root_threshold: int
    root_keys: int
    root_expires: str
    card_version: int
    card_expires: str
    logs: tuple[str, ...]
    witness_keys: int
    request_keys: int
    known_to: tuple[str, ...]
    peers_asked: int
    directory: str | None
    cautions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Introducer:
    """Looks at members who are not followed yet; it stores nothing."""

    database: Database
    fetcher: Fetcher
    now: Callable[[], datetime]
    directory_pin: str | None = None

    def look(self, member: str, url: str, *, root: bytes | None = None, fingerprint: str | None = None) -> Preview:
        """Read a member's repository under a pin, and say whom one is about to trust.

        Raises what ``check_introduction`` does, TrustError, CardError and FetchError: nobody who is refused here would
        be added.
        """
        pinned = check_introduction(self.database, member, url, root=root, fingerprint=fingerprint)
        now = self.now()
        card, files = look_at_member(self.fetcher, member, url, root or pinned, now)
        state = describe(files)
        roles = {role.role: role for role in state.roles}
        targets = newest(files, TrustRole.TARGETS) or b""
        seen = self._ask_peers(member)
        known_to, told = _compare(seen, card, state.card_version, targets)
        root_state, card_state = roles[TrustRole.ROOT], roles[TrustRole.TARGETS]
        listed, warned = self._ask_directory(card, files)
        with self.database.read() as connection:
            alike = list(about_card(connection, card))
        cautions = [*_about_root(root_state, now), *alike, *told, *warned]
        return Preview(
            member=member,
            url=url,
            name=card.name,
            contacts=card.contacts,
            pinned=pinned,
            fingerprint=state.fingerprint,
            root_version=root_state.version,
            root_threshold=root_state.threshold,
            root_keys=len(root_state.key_ids),
            root_expires=format_time(root_state.expires),
            card_version=state.card_version,
            card_expires=format_time(card_state.expires),
            logs=tuple(card.names),
            witness_keys=len(card.witness_keys),
            request_keys=len(card.request_keys),
            known_to=known_to,
            peers_asked=len(seen),
            directory=listed,
            cautions=tuple(cautions),
        )

    def _ask_peers(self, member: str) -> dict[str, list[CardSeen]]:
        """Ask a few peers which card of that member they trust; give the answers of those that gave one."""
        with self.database.read() as connection:
            peers = [peer for peer in list_peers(connection, states=(ACTIVE,)) if peer.member != member]
        asked = list(islice(peers, PEERS_ASKED))
        if not asked:
            return {}
        with ThreadPoolExecutor(len(asked)) as pool:
            answers = list(pool.map(self._ask, asked))
        return {
            peer.member: [one for one in cards if one.member == member]
            for peer, cards in zip(asked, answers, strict=True)
            if cards is not None
        }

    def _ask(self, peer: Peer) -> list[CardSeen] | None:
        """Ask one peer; None where it does not say, which is no news about whom we ask for."""
        try:
            return PeerCards(self.fetcher, peer.url).list()
        except HashpactError:
            return None

    def _ask_directory(self, card: Card, files: TrustFiles) -> tuple[str | None, list[str]]:
        """Say what the directory that was accepted last says of a member, and what of that asks for a second look."""
        if self.directory_pin is None:
            return None, []
        with self.database.read() as connection:
            held = find_directory(connection, self.directory_pin)
        if held is None or held.data is None:
            return "was not read yet", []
        entry = parse_directory(held.data).find(card.member)
        if entry is None:
            return "does not list it", [f"the directory does not list {card.member}"]
        warned = []
        if entry.url != card.url:
            warned.append(f"the directory knows {card.member} at another address, {entry.url}")
        if entry.fingerprint not in {root_fingerprint(data) for data in roots(files).values()}:
            warned.append(f"the directory names another root of {card.member}, {entry.fingerprint}")
        if entry.standing is Standing.SUSPENDED:
            warned.append(f"the directory says that {card.member} is suspended")
        return f"lists it as {entry.standing.value} since {entry.since}", warned


def look_at_member(
    source: TrustSource, member: str, url: str, pinned: bytes | str, now: datetime
) -> tuple[Card, TrustFiles]:
    """Read a member's own repository under a pin, a root or its fingerprint; give its card and all files, unstored.

    Raises TrustError, CardError and FetchError where it leads to no card of that member.
    """
    update = refresh_trust(source, TrustPeer(member, url, pinned), {}, now)
    if update.card is None:
        raise update.problems[0] if update.problems else TrustError("no card came", where=url)
    roots = {(METADATA, name): data for name, data in update.new_roots}
    return parse_card(update.card, member=member, url=url), {**roots, **update.files}


def check_introduction(
    database: Database, member: str, url: str, *, root: bytes | None, fingerprint: str | None
) -> str:
    """Check all that can be checked before anything is fetched, and give the fingerprint of the pin.

    Raises RequestError without a pin or with two that disagree, MemberNameError, TrustError for a root that is none,
    ConflictError for a member that is there already, and for an address that collides with another's.
    """
    parse_member_id(member)
    parsed = MemberUrl.parse(url)
    pinned = _check_pin(member, root, fingerprint)
    with database.read() as connection:
        own, others, known = own_peer(connection), list_peers(connection, states=SHOWN), find_peer(connection, member)
    if known is not None and known.state in FOLLOWED and not known.own and known.url == str(parsed):
        raise ConflictError(
            f"{member} is followed already, pinned by {known.pinned_fingerprint}",
            where=url,
            mend=f"see `hashpact peer show {member}`; for another root, remove it first",
        )
    for other in (own, *others):
        if collides(MemberUrl.parse(other.url), parsed):
            raise ConflictError(
                f"this URL and that of {other.member} ({other.url}) begin alike, so names below them would collide",
                where=url,
                mend="the member pinned first stays; ask both members for their right URLs",
            )
    if known is not None and known.state == SUSPENDED:
        raise ConflictError(f"{member} is suspended", where=url, mend=f"take it up: `hashpact peer resume {member}`")
    if known is not None and known.state != REMOVED:
        raise ConflictError(f"the member {member}, or its URL, is there already", where=url, mend="remove it first")
    return pinned


def _check_pin(member: str, root: bytes | None, fingerprint: str | None) -> str:
    if fingerprint is not None and FINGERPRINT.fullmatch(fingerprint) is None:
        raise RequestError(
            "this is no fingerprint of a root",
            where=fingerprint[:100],
            mend="write N:sha256:HEX, as the member's `hashpact peer invite` prints it",
        )
    if root is None:
        if fingerprint is None:
            raise RequestError(
                "a peer is pinned by its root, which must come to you by another channel than its own address",
                where=member,
                mend="give --root FILE or --fingerprint N:sha256:HEX, as the member's `hashpact peer invite` prints it",
            )
        return fingerprint
    check_root(root, None, where="the root given")
    given = root_fingerprint(root)
    if fingerprint is not None and given != fingerprint:
        raise RequestError(
            f"the root given has the fingerprint {given}, and {fingerprint} was given with it",
            mend="ask the member again, by another channel; do not go on before both agree",
        )
    return given


def _compare(
    seen: dict[str, list[CardSeen]], card: Card, version: int, targets: bytes
) -> tuple[tuple[str, ...], list[str]]:
    """Say who trusts the same card, and who was shown what contradicts it."""
    digest = hashlib.sha256(targets).hexdigest()
    known_to, told = [], []
    for peer, cards in seen.items():
        for one in cards:
            if one.url != card.url:
                told.append(f"{peer} knows {card.member} at another address, {one.url}")
            elif one.sha256 == digest:
                known_to.append(peer)
            elif one.version == version:
                told.append(f"{peer} was shown another card of {card.member} of the same version")
    return tuple(known_to), told


def _about_root(root: RoleState, now: datetime) -> Iterator[str]:
    if root.threshold < ROOT_THRESHOLD_ADVISED or len(root.key_ids) < ROOT_KEYS_ADVISED:
        keys = f"{root.threshold} of {len(root.key_ids)} root keys"
        yield f"{keys} can take this member's name: it is in trial, or careless; 2 of 3 or more are advised"
    if root.expires - now < EXPIRES_SOON:
        yield f"its root expires soon, at {format_time(root.expires)}"
